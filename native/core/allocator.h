#pragma once
#include <cstddef>
#include <unordered_map>
#include <vector>

namespace hrm {

// Pooled host memory with a budget. One per environment, used on its JavaScript thread only.
// Freed blocks are kept by size class and reused, as long as live and kept bytes together stay below what was live at
// the recent peak: a steady loop stops asking the system after its first rounds, and the pool never holds more than the
// loop once needed. The budget is checked before asking the system, because overcommit means that malloc alone cannot
// say no.
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
  // Gives cached blocks back that the new limit has no room for; what is live stays.
  void set_limit(size_t limit);
  void reset_peak() { peak_ = live_; }

private:
  struct FreeList {
    std::vector<void *> blocks;
    size_t last_used = 0; // number of the allocation that took from it last
  };

  static size_t size_class(size_t n_bytes);
  size_t pool_bytes() const;
  void evict_down_to(size_t n_bytes);
  void note_allocation();

  size_t limit_;
  size_t live_ = 0, cached_ = 0, peak_ = 0, system_allocations_ = 0, allocations_ = 0;
  // Largest live_ in this window of allocations and in the one before.
  size_t window_peak_ = 0, previous_window_peak_ = 0;
  std::unordered_map<size_t, FreeList> free_;
};

// 80% of the smaller of physical memory and the cgroup limit.
size_t default_memory_limit();
size_t physical_memory();
// SIZE_MAX when there is no limit.
size_t cgroup_memory_limit();

} // namespace hrm
