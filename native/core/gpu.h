#pragma once
// What the engine asks of an accelerator. native/cuda implements it, over the CUDA runtime or over its simulation
// (native/simt); core/no_gpu.cpp stands in where neither is built.
#include <cstddef>
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

// One device of one environment. Work is ordered as it is asked for: copies, kernels and the reuse of freed memory.
class Gpu {
public:
  virtual ~Gpu() = default;
  Gpu(const Gpu &) = delete;
  Gpu &operator=(const Gpu &) = delete;

  virtual Allocator &allocator() = 0;
  // `host` may be reused when this returns.
  virtual void upload(const void *host, void *device, size_t n_bytes) = 0;
  virtual std::unique_ptr<Download> download(const void *device, size_t n_bytes) = 0;
  // As cpu::convert.
  virtual void convert(const Tensor &source, const Tensor &target) = 0;
  virtual void fill(const Tensor &target, double value) = 0;
  // Waits for everything. Throws what went wrong on the device since the last time.
  virtual void synchronize() = 0;

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
