#include "core/allocator.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

#include "core/cgroup.h"
#include "core/error.h"

namespace hrm {

namespace {
constexpr size_t kAlignment = 64;
// The pool may always hold this much.
constexpr size_t kMinPool = size_t{64} << 20;
// Some training steps: a peak that has not come again for this many allocations is forgotten.
constexpr size_t kWindow = 8192;
// Larger blocks come from mmap: malloc keeps freed blocks of this size in a heap that fragments and never shrinks (a
// loop with 80 MB live grew to 600 MB).
constexpr size_t kMapBytes = size_t{256} << 10;

// Blocks of at least this size begin at a multiple of it and ask for huge pages: weights and activations stream through
// the products, and with small pages a walk through the page tables comes every 4 KiB.
constexpr size_t kHugePage = size_t{2} << 20;

char *map_bytes(size_t size) {
  void *block = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return block == MAP_FAILED ? nullptr : static_cast<char *>(block);
}

// Null where address space is short.
char *map_huge(size_t size) {
#ifdef MADV_HUGEPAGE
  char *const mapped = map_bytes(size + kHugePage);
  if (mapped == nullptr)
    return nullptr;
  const size_t before = (kHugePage - reinterpret_cast<uintptr_t>(mapped) % kHugePage) % kHugePage;
  char *const block = mapped + before;
  if (before > 0)
    munmap(mapped, before);
  // Ends at a page where the block does: sizes are classes, all of them multiples of pages from kHugePage on.
  munmap(block + size, kHugePage - before);
  madvise(block, size, MADV_HUGEPAGE); // may be refused: it is a wish
  return block;
#else
  return nullptr;
#endif
}

class HostBlocks : public BlockSource {
public:
  void *allocate(size_t size) override {
    if (size < kMapBytes)
      return std::aligned_alloc(kAlignment, size);
    char *const huge = size >= kHugePage ? map_huge(size) : nullptr;
    return huge != nullptr ? huge : map_bytes(size);
  }
  void free(void *block, size_t size) override {
    if (size < kMapBytes)
      std::free(block);
    else
      munmap(block, size);
  }
};
} // namespace

Allocator::Allocator(size_t limit) : limit_(limit), source_(std::make_unique<HostBlocks>()) {}

// Multiples of 64 up to 1 KiB, then eight classes per power of two: at most 12.5% lost.
size_t Allocator::size_class(size_t n_bytes) {
  if (n_bytes <= 1024)
    return n_bytes == 0 ? kAlignment : (n_bytes + kAlignment - 1) / kAlignment * kAlignment;
  const int log2 = 63 - __builtin_clzll(n_bytes - 1);
  const size_t step = (size_t{1} << log2) / 8;
  return (n_bytes + step - 1) / step * step;
}

std::string Allocator::of_device() const {
  std::ostringstream out;
  if (device_.is_gpu())
    out << " on " << device_;
  return out.str();
}

// Live and cached bytes that the pool may hold. The sixteenth is for blocks of classes that do not fit each other.
size_t Allocator::pool_bytes() const {
  const size_t recent = std::max(window_peak_, previous_window_peak_);
  return std::min(limit_, std::max(kMinPool, recent + recent / 16));
}

void Allocator::note_allocation() {
  peak_ = std::max(peak_, live_);
  window_peak_ = std::max(window_peak_, live_);
  if (++allocations_ % kWindow == 0) {
    previous_window_peak_ = window_peak_;
    window_peak_ = live_;
    evict_down_to(pool_bytes());
  }
}

void *Allocator::allocate(size_t n_bytes) {
  if (n_bytes > (SIZE_MAX >> 4))
    fail(Code::kOutOfMemory, "cannot allocate ", n_bytes, " bytes", of_device(), ": the memory limit is ", limit_,
         " bytes");
  const size_t size = size_class(n_bytes);
  void *block = nullptr;
  if (live_ + size <= limit_) {
    FreeList &list = free_[size];
    list.last_used = allocations_;
    if (!list.blocks.empty()) {
      block = list.blocks.back();
      list.blocks.pop_back();
      cached_ -= size;
    } else {
      const size_t pool = pool_bytes();
      evict_down_to(pool > size ? pool - size : 0);
      block = source_->allocate(size);
      if (block == nullptr) {
        trim();
        block = source_->allocate(size);
      }
      if (block == nullptr)
        fail(Code::kOutOfMemory, "cannot allocate ", n_bytes, " bytes", of_device(), ": the system refused, with ",
             live_, " bytes live, below the memory limit of ", limit_, " bytes");
      ++system_allocations_;
    }
  }
  if (block == nullptr)
    fail(Code::kOutOfMemory, "cannot allocate ", n_bytes, " bytes", of_device(), ": ", live_,
         " bytes are live, the memory limit is ", limit_, " bytes", device_.is_gpu() ? "" : " (setMemoryLimit)");
  live_ += size;
  note_allocation();
  source_->hand_out(block, size);
  return block;
}

void Allocator::release(void *block, size_t n_bytes) {
  const size_t size = size_class(n_bytes);
  free_[size].blocks.push_back(block);
  live_ -= size;
  cached_ += size;
  if (live_ + cached_ > limit_)
    evict_down_to(limit_);
}

// Frees cached blocks, those of the size that was not asked for longest first, until live and cached bytes fit.
void Allocator::evict_down_to(size_t n_bytes) {
  while (!keeps_blocks_ && cached_ > 0 && live_ + cached_ > n_bytes) {
    auto oldest = free_.end();
    for (auto it = free_.begin(); it != free_.end(); ++it)
      if (!it->second.blocks.empty() && (oldest == free_.end() || it->second.last_used < oldest->second.last_used))
        oldest = it;
    auto &[size, list] = *oldest;
    while (!list.blocks.empty() && live_ + cached_ > n_bytes) {
      source_->free(list.blocks.back(), size);
      list.blocks.pop_back();
      cached_ -= size;
    }
  }
}

void Allocator::trim() { evict_down_to(0); }

void Allocator::set_limit(size_t limit) {
  limit_ = limit;
  evict_down_to(limit);
}

size_t physical_memory() {
  return static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGE_SIZE));
}

size_t cgroup_memory_limit(const std::string &root) {
  const auto bytes_in = [](const char *name) {
    return [name](const std::string &folder) {
      const std::string line = first_line(folder + '/' + name);
      const double bytes = std::strtod(line.c_str(), nullptr);
      // "max" is no number; version 1 says no limit by a number near 2^63.
      return bytes > 0 && bytes < 0x1p62 ? bytes : std::numeric_limits<double>::infinity();
    };
  };
  const double least = least_group_limit(root, "memory", bytes_in("memory.max"), bytes_in("memory.limit_in_bytes"));
  return std::isfinite(least) ? static_cast<size_t>(least) : SIZE_MAX;
}

size_t default_memory_limit() {
  const size_t ram = physical_memory(), group = cgroup_memory_limit("");
  return (ram < group ? ram : group) / 5 * 4;
}

} // namespace hrm
