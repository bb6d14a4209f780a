#pragma once
#include <cstdint>
#include <initializer_list>
#include <ostream>

#include "core/error.h"

namespace hrm {

constexpr int kMaxRank = 8;
// Largest count of elements or bytes: what a JavaScript number holds exactly.
constexpr int64_t kMaxSize = (int64_t{1} << 53) - 1;

// A short list of sizes, strides or dimension indices, inline: no allocation on the op path.
struct Dims {
  int64_t values[kMaxRank] = {};
  int rank = 0;

  Dims() = default;
  Dims(std::initializer_list<int64_t> init) {
    for (int64_t v : init)
      push(v);
  }
  int64_t operator[](int i) const { return values[i]; }
  int64_t &operator[](int i) { return values[i]; }
  // Counted from the end: back(0) is the last.
  int64_t back(int i = 0) const { return values[rank - 1 - i]; }
  int64_t &back(int i = 0) { return values[rank - 1 - i]; }
  void push(int64_t value) {
    if (rank == kMaxRank)
      fail(Code::kShape, "a tensor has at most ", kMaxRank, " dimensions");
    values[rank++] = value;
  }
  bool operator==(const Dims &other) const {
    if (rank != other.rank)
      return false;
    for (int i = 0; i < rank; ++i)
      if (values[i] != other.values[i])
        return false;
    return true;
  }
  bool operator!=(const Dims &other) const { return !(*this == other); }
  const int64_t *begin() const { return values; }
  const int64_t *end() const { return values + rank; }
};

inline std::ostream &operator<<(std::ostream &out, const Dims &dims) {
  out << '[';
  for (int i = 0; i < dims.rank; ++i)
    out << (i ? ", " : "") << dims[i];
  return out << ']';
}

inline int64_t checked_mul(int64_t a, int64_t b) {
  int64_t result;
  if (__builtin_mul_overflow(a, b, &result) || result > kMaxSize)
    fail(Code::kOutOfMemory, "a size of ", a, " x ", b, " does not fit into memory");
  return result;
}

// Number of elements; a size of 0 anywhere gives 0, negative sizes are refused.
inline int64_t numel(const Dims &shape) {
  int64_t n = 1;
  bool empty = false;
  for (int64_t size : shape) {
    if (size < 0)
      fail(Code::kShape, "sizes must be non-negative, got ", shape);
    if (size == 0)
      empty = true;
    else
      n = checked_mul(n, size);
  }
  return empty ? 0 : n;
}

inline Dims contiguous_strides(const Dims &shape) {
  Dims strides;
  strides.rank = shape.rank;
  int64_t stride = 1;
  for (int i = shape.rank - 1; i >= 0; --i) {
    strides[i] = stride;
    stride *= shape[i] > 0 ? shape[i] : 1;
  }
  return strides;
}

// Negative dimensions count from the end, as in PyTorch.
inline int normalize_dim(const char *op, int64_t dim, int rank) {
  const int64_t d = dim < 0 ? dim + rank : dim;
  if (d < 0 || d >= rank)
    fail(Code::kShape, op, ": dim must be in ", -rank, "..", rank - 1, " for a tensor of rank ", rank, ", got ", dim);
  return static_cast<int>(d);
}

// NumPy broadcasting: aligned at the end, sizes equal or 1.
inline Dims broadcast(const char *op, const Dims &a, const Dims &b) {
  const Dims &longer = a.rank >= b.rank ? a : b;
  const Dims &shorter = a.rank >= b.rank ? b : a;
  Dims out = longer;
  for (int i = 0; i < shorter.rank; ++i) {
    const int64_t x = longer.back(i), y = shorter.back(i);
    if (x != y && x != 1 && y != 1)
      fail(Code::kShape, op, ": shapes ", a, " and ", b, " do not broadcast: sizes ", a.back(i), " and ", b.back(i),
           " differ");
    out.back(i) = x == 1 ? y : x;
  }
  return out;
}

} // namespace hrm
