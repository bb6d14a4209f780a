#pragma once
// The CUDA runtime, or in the simt addon its simulation: the one place that chooses.
#if defined(HRM_SIMT)
#include "simt/cuda_runtime.h"
#else
#include <cuda_runtime.h>
#endif

#include "core/error.h"

namespace hrm::cuda {

// Throws Error(kDevice, "<what>: <runtime's name and text> (file:line)"), Error(kOutOfMemory) for a refused allocation.
void check(cudaError_t status, const char *what, const char *file, int line);
#define HRM_CUDA(what, call) ::hrm::cuda::check((call), (what), __FILE__, __LINE__)

} // namespace hrm::cuda
