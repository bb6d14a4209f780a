#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/device.h"

namespace hrm {

// Where an allocator's blocks come from: the system's memory or a device's.
class BlockSource {
public:
  virtual ~BlockSource() = default;
  // 64-byte aligned; null when it is refused.
  virtual void *allocate(size_t n_bytes) = 0;
  virtual void free(void *block, size_t n_bytes) = 0;
  // Called for every block that is handed out, new or used before. Debugging sources spoil its contents.
  virtual void hand_out(void *, size_t) {}
};

// Pooled memory of one device with a budget. One per environment, used on its JavaScript thread only.
// Freed blocks are kept by size class and reused, as long as live and kept bytes together stay below what was live at
// the recent peak (and a sixteenth, and never less than 64 MiB): a steady loop stops asking the system after its first
// rounds, and the pool holds little more than the loop once needed. The budget is checked before asking the system,
// because overcommit means that malloc alone cannot say no.
class Allocator {
public:
  // Of the host's memory.
  explicit Allocator(size_t limit);
  Allocator(size_t limit, Device device, std::unique_ptr<BlockSource> source)
      : limit_(limit), device_(device), source_(std::move(source)) {}
  ~Allocator() { trim(); }
  Allocator(const Allocator &) = delete;
  Allocator &operator=(const Allocator &) = delete;

  // 64-byte aligned; 0 bytes give a valid pointer. Throws Error(kOutOfMemory).
  void *allocate(size_t n_bytes);
  void release(void *block, size_t n_bytes);
  // Gives cached blocks back to the system.
  void trim();

  Device device() const { return device_; }
  size_t live() const { return live_; }
  size_t cached() const { return cached_; }
  size_t peak() const { return peak_; }
  size_t limit() const { return limit_; }
  // Counts calls that had to ask the system: constant over a steady loop ("no allocation after warm-up").
  size_t system_allocations() const { return system_allocations_; }
  // Gives cached blocks back that the new limit has no room for; what is live stays.
  void set_limit(size_t limit);
  void reset_peak() { peak_ = live_; }
  // While set, freed blocks are used again but never given back: recorded work knows them by their addresses.
  void keep_blocks(bool keep) { keeps_blocks_ = keep; }
  // Recorded work has run that writes what lies here: every version rises.
  void note_rewrite() { ++rewrites_; }
  uint64_t rewrites() const { return rewrites_; }

private:
  struct FreeList {
    std::vector<void *> blocks;
    size_t last_used = 0; // number of the allocation that took from it last
  };

  // " on cuda:0", nothing for the host.
  std::string of_device() const;
  static size_t size_class(size_t n_bytes);
  size_t pool_bytes() const;
  void evict_down_to(size_t n_bytes);
  void note_allocation();

  size_t limit_;
  Device device_;
  std::unique_ptr<BlockSource> source_;
  size_t live_ = 0, cached_ = 0, peak_ = 0, system_allocations_ = 0, allocations_ = 0;
  // Largest live_ in this window of allocations and in the one before.
  size_t window_peak_ = 0, previous_window_peak_ = 0;
  bool keeps_blocks_ = false;
  uint64_t rewrites_ = 0;
  std::unordered_map<size_t, FreeList> free_;
};

// A block of an allocator, which gets it back when this goes.
class OwnedBlock {
public:
  OwnedBlock() = default;
  OwnedBlock(Allocator &allocator, size_t n_bytes)
      : allocator_(&allocator), n_bytes_(n_bytes), data_(allocator.allocate(n_bytes)) {}
  OwnedBlock(OwnedBlock &&other) noexcept { *this = std::move(other); }
  OwnedBlock &operator=(OwnedBlock &&other) noexcept {
    std::swap(allocator_, other.allocator_);
    std::swap(n_bytes_, other.n_bytes_);
    std::swap(data_, other.data_);
    return *this;
  }
  ~OwnedBlock() {
    if (data_)
      allocator_->release(data_, n_bytes_);
  }
  void *data() const { return data_; }
  size_t n_bytes() const { return n_bytes_; }

private:
  Allocator *allocator_ = nullptr;
  size_t n_bytes_ = 0;
  void *data_ = nullptr;
};

// 80% of the smaller of physical memory and the cgroup limit.
size_t default_memory_limit();
size_t physical_memory();
// The least of the process's control groups, its own and those above it; SIZE_MAX without a limit. `root` is put before
// the paths of /proc and /sys, for tests.
size_t cgroup_memory_limit(const std::string &root);

} // namespace hrm
