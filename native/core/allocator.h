#pragma once
#include <cstddef>
#include <unordered_map>
#include <vector>

namespace hrm {

// Pooled host memory with a budget. One per environment, used on its JavaScript thread only.
// Freed blocks are kept by size class and reused; the budget is checked before asking the system, because overcommit
// means that malloc alone cannot say no.
class Allocator {
public:
  explicit Allocator(size_t limit) : limit_(limit) {}
  ~Allocator() { trim(); }
  Allocator(const Allocator &) = delete;
  Allocator &operator=(const Allocator &) = delete;

  // 64-byte aligned; 0 bytes give a valid pointer. Throws Error(kOutOfMemory).
  void *allocate(size_t n_bytes);
  void release(void *block, size_t n_bytes);
  // Gives cached blocks back to the system.
  void trim();

  size_t live() const { return live_; }
  size_t cached() const { return cached_; }
  size_t peak() const { return peak_; }
  size_t limit() const { return limit_; }
  // Counts calls that had to ask the system: constant over a steady loop ("no allocation after warm-up").
  size_t system_allocations() const { return system_allocations_; }
  void set_limit(size_t limit) { limit_ = limit; }
  void reset_peak() { peak_ = live_; }

private:
  static size_t size_class(size_t n_bytes);

  size_t limit_;
  size_t live_ = 0, cached_ = 0, peak_ = 0, system_allocations_ = 0;
  std::unordered_map<size_t, std::vector<void *>> free_;
};

// 80% of the smaller of physical memory and the cgroup limit.
size_t default_memory_limit();
size_t physical_memory();
// SIZE_MAX when there is no limit.
size_t cgroup_memory_limit();

} // namespace hrm
