#pragma once
// The CUDA runtime, or in the simt addon its simulation: the one place that chooses.
#if defined(HRM_SIMT)
#include "simt/cuda_runtime.h"
#else
#include <cuda_runtime.h>
#endif

#include <memory>
#include <type_traits>

#include "core/error.h"

namespace hrm::cuda {

// Throws Error(kDevice, "<what>: <runtime's name and text> (file:line)"), Error(kOutOfMemory) for a refused allocation.
void check(cudaError_t status, const char *what, const char *file, int line);
#define HRM_CUDA(what, call) ::hrm::cuda::check((call), (what), __FILE__, __LINE__)

struct DestroyStream {
  void operator()(cudaStream_t stream) const { cudaStreamDestroy(stream); }
};
using OwnedStream = std::unique_ptr<std::remove_pointer_t<cudaStream_t>, DestroyStream>;
struct DestroyEvent {
  void operator()(cudaEvent_t event) const { cudaEventDestroy(event); }
};
using OwnedEvent = std::unique_ptr<std::remove_pointer_t<cudaEvent_t>, DestroyEvent>;
struct DestroyGraph {
  void operator()(cudaGraph_t graph) const { cudaGraphDestroy(graph); }
};
using OwnedGraph = std::unique_ptr<std::remove_pointer_t<cudaGraph_t>, DestroyGraph>;

// An event to wait for. Throws as `check` does.
OwnedEvent make_event(const char *what);

} // namespace hrm::cuda
