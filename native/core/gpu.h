#pragma once
// What the engine asks of an accelerator. native/cuda implements it, over the CUDA runtime or over its simulation
// (native/simt); core/no_gpu.cpp stands in where neither is built.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "core/allocator.h"
#include "core/tensor.h"

namespace hrm {

// Bytes on their way to the host. The copy was ordered when this was made; later writes do not change what it brings.
class Download {
public:
  virtual ~Download() = default;
  // Waits and copies; on any thread. Throws Error.
  virtual void finish(void *target) = 0;
};

// Work that was recorded once, to be run many times. It owns the memory that was asked for while it was recorded, and
// holds the storages outside of that which its work reads or writes: the addresses in it stay good.
class Graph {
public:
  virtual ~Graph() = default;
  // Everything that was recorded, in its order. What it writes has a new version from here on.
  virtual void launch() = 0;
  virtual const Allocator &memory() const = 0;
};

// One device of one environment. Work is ordered as it is asked for: copies, kernels and the reuse of freed memory.
class Gpu {
public:
  virtual ~Gpu() = default;
  Gpu(const Gpu &) = delete;
  Gpu &operator=(const Gpu &) = delete;

  // The device's memory.
  virtual Allocator &memory() = 0;
  // Where new tensors go: `memory()`, or that of the graph while one is recorded.
  virtual Allocator &allocator() = 0;
  // `host` may be reused when this returns.
  virtual void upload(const void *host, void *device, size_t n_bytes) = 0;
  virtual std::unique_ptr<Download> download(const void *device, size_t n_bytes) = 0;
  // As cpu::convert.
  virtual void convert(const Tensor &source, const Tensor &target) = 0;
  virtual void fill(const Tensor &target, double value) = 0;
  // Waits for everything. Throws what went wrong on the device since the last time.
  virtual void synchronize() = 0;

  // From here to end_capture work is recorded instead of run, so that nothing may wait for it, nor bytes come from the
  // host. Throws Error(kDevice) where a graph is recorded already.
  virtual void begin_capture() = 0;
  // Throws what went wrong while recording; abort_capture cleans up. After Error(kOutOfMemory) it may be called again.
  virtual std::unique_ptr<Graph> end_capture() = 0;
  // Forgets what was recorded. The caller has let go of the tensors made meanwhile: their contents never were.
  virtual void abort_capture() = 0;
  virtual bool is_capturing() const = 0;
  // Says that the work which is asked for next uses a storage.
  virtual void hold(const StorageRef &storage, bool is_written) = 0;

  // Calls of ops so far.
  uint64_t n_calls = 0;

protected:
  Gpu() = default;
};

struct GpuState {
  int count = 0;
  // Why there is none; empty otherwise.
  std::string missing;
};

// What the backend is built with, and the library of matrix products that it finds here.
struct GpuBuild {
  // "13.0"
  std::string runtime;
  // cuBLASLt's file and version; where there is none, what was tried.
  std::string library, library_version, library_missing;
};

// "cuda" or "simt"; null in an addon without either.
const char *gpu_name();
GpuState gpu_state();
// Loads the library. Not in an addon without an accelerator.
GpuBuild gpu_build();
// Throws Error(kDevice) with the reason when there is no such device.
std::unique_ptr<Gpu> open_gpu(int index);

} // namespace hrm
