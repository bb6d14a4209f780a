#pragma once
#include <memory>
#include <vector>

#include "core/allocator.h"
#include "core/gpu.h"
#include "cpu/parallel.h"

namespace hrm {

// What an environment (a Node main thread or worker) owns; only the count of environments is process-global.
struct Context {
  Context(size_t memory_limit, int n_threads) : allocator(memory_limit) { set_threads(n_threads); }
  void set_threads(int n_threads) { pool = std::make_unique<cpu::ThreadPool>(n_threads); }

  // Opened at first use. Throws Error(kDevice) where there is none.
  Gpu &gpu(int index) {
    if (index >= static_cast<int>(gpus.size()))
      gpus.resize(static_cast<size_t>(index) + 1);
    std::unique_ptr<Gpu> &gpu = gpus[static_cast<size_t>(index)];
    if (!gpu)
      gpu = open_gpu(index);
    return *gpu;
  }
  // Where new tensors of a device go.
  Allocator &allocator_of(Device device) { return device.is_gpu() ? gpu(device.index).allocator() : allocator; }
  // All of a device's memory.
  Allocator &memory_of(Device device) { return device.is_gpu() ? gpu(device.index).memory() : allocator; }

  Allocator allocator;
  std::unique_ptr<cpu::ThreadPool> pool;
  std::vector<std::unique_ptr<Gpu>> gpus;
};

} // namespace hrm
