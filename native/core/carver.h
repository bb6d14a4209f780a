#pragma once
#include <cstddef>
#include <cstdint>

namespace hrm {

// Hands out parts of a workspace, each aligned to a cache line. A rule runs the same layout over a null base to learn
// how many bytes the kernel will take.
class WorkspaceCarver {
public:
  explicit WorkspaceCarver(void *base) : base_(static_cast<char *>(base)) {}
  template <class T> T *take(int64_t n) {
    char *part = base_ + used_;
    used_ += (static_cast<size_t>(n) * sizeof(T) + 63) / 64 * 64;
    return reinterpret_cast<T *>(part);
  }
  size_t bytes() const { return used_; }

private:
  char *base_;
  size_t used_ = 0;
};

} // namespace hrm
