#pragma once
#include <memory>

#include "core/allocator.h"
#include "cpu/parallel.h"

namespace hrm {

// What an environment (a Node main thread or worker) owns; only the count of environments is process-global.
struct Context {
  Context(size_t memory_limit, int n_threads) : allocator(memory_limit) { set_threads(n_threads); }
  void set_threads(int n_threads) { pool = std::make_unique<cpu::ThreadPool>(n_threads); }

  Allocator allocator;
  std::unique_ptr<cpu::ThreadPool> pool;
};

} // namespace hrm
