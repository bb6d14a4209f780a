#include "core/allocator.h"

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

#include "core/error.h"

namespace hrm {

namespace {
constexpr size_t kAlignment = 64;
// Cached memory may be this large, or as large as what is live, before freed blocks go back to the system.
constexpr size_t kMaxIdleCache = size_t{64} << 20;
// Larger blocks come from mmap: malloc keeps freed blocks of this size in a heap that fragments and never shrinks (a
// loop with 80 MB live grew to 600 MB).
constexpr size_t kMapBytes = size_t{256} << 10;

void *system_allocate(size_t size) {
  if (size < kMapBytes)
    return std::aligned_alloc(kAlignment, size);
  void *block = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return block == MAP_FAILED ? nullptr : block;
}

void system_free(void *block, size_t size) {
  if (size < kMapBytes)
    std::free(block);
  else
    munmap(block, size);
}
} // namespace

// Multiples of 64 up to 1 KiB, then eight classes per power of two: at most 12.5% lost.
size_t Allocator::size_class(size_t n_bytes) {
  if (n_bytes <= 1024)
    return n_bytes == 0 ? kAlignment : (n_bytes + kAlignment - 1) / kAlignment * kAlignment;
  const int log2 = 63 - __builtin_clzll(n_bytes - 1);
  const size_t step = (size_t{1} << log2) / 8;
  return (n_bytes + step - 1) / step * step;
}

void *Allocator::allocate(size_t n_bytes) {
  if (n_bytes > (SIZE_MAX >> 4))
    fail(Code::kOutOfMemory, "cannot allocate ", n_bytes, " bytes: the memory limit is ", limit_, " bytes");
  const size_t size = size_class(n_bytes);
  auto &list = free_[size];
  void *block = nullptr;
  if (!list.empty()) {
    block = list.back();
    list.pop_back();
    cached_ -= size;
  } else {
    if (live_ + cached_ + size > limit_)
      trim();
    if (live_ + size <= limit_)
      block = system_allocate(size);
    if (block == nullptr)
      fail(Code::kOutOfMemory, "cannot allocate ", n_bytes, " bytes: ", live_, " bytes are live, the memory limit is ",
           limit_, " bytes (setMemoryLimit)");
    ++system_allocations_;
  }
  live_ += size;
  if (live_ > peak_)
    peak_ = live_;
  return block;
}

void Allocator::release(void *block, size_t n_bytes) {
  const size_t size = size_class(n_bytes);
  live_ -= size;
  if (cached_ + size > kMaxIdleCache && cached_ + size > live_) {
    system_free(block, size);
    return;
  }
  free_[size].push_back(block);
  cached_ += size;
}

void Allocator::trim() {
  for (auto &[size, blocks] : free_) {
    for (void *block : blocks)
      system_free(block, size);
    blocks.clear();
  }
  cached_ = 0;
}

size_t physical_memory() {
  return static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGE_SIZE));
}

size_t cgroup_memory_limit() {
  for (const char *path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::ifstream file(path);
    std::string text;
    if (file >> text && text != "max") {
      const unsigned long long value = std::strtoull(text.c_str(), nullptr, 10);
      if (value > 0)
        return static_cast<size_t>(value);
    }
  }
  return SIZE_MAX;
}

size_t default_memory_limit() {
  const size_t ram = physical_memory(), group = cgroup_memory_limit();
  return (ram < group ? ram : group) / 5 * 4;
}

} // namespace hrm
