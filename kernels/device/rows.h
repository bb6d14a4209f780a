#pragma once
// Vectors of n elements inside a contiguous [outer, n, inner], each shared by a team of threads: a warp for a short
// row, the block for a long one, and where inner > 1 a few threads for each of neighbouring columns, so that a warp's
// loads lie side by side. Kernels are written once over the plan that says which.
#include <cstdint>
#include <initializer_list>

#include "device/launch.h"
#include "device/unroll.h"
#include "device/walk.h"
#include "numerics/elementwise.h"
#include "ops/op.h"

namespace hrm::device {

struct Largest {
  template <class T> HRM_HD T operator()(T a, T b) const { return numerics::maximum{}.of<numerics::ScalarMath>(a, b); }
};
struct Smallest {
  template <class T> HRM_HD T operator()(T a, T b) const { return numerics::minimum{}.of<numerics::ScalarMath>(a, b); }
};

// ---- teams: rank() of kSize threads share a vector, kRows vectors a block; reduce(value, f) gives every thread of a
// team f over the team's values. Blocks have kThreads threads.
// ----------------------------------------------------------------

struct WarpTeam {
  static constexpr int kSize = kWarp, kRows = kThreads / kWarp;
  static constexpr size_t kSharedBytes = 0;
  static constexpr bool kColumns = false;
  __device__ static int rank() { return lane(); }
  __device__ static int slot() { return thread_x() / kWarp; }
  template <class T, class F> __device__ static T reduce(T value, F f) { return reduce_warp(value, f); }
};

struct BlockTeam {
  static constexpr int kSize = kThreads, kRows = 1;
  static constexpr size_t kSharedBytes = kThreads / kWarp * sizeof(double);
  static constexpr bool kColumns = false;
  __device__ static int rank() { return thread_x(); }
  __device__ static int slot() { return 0; }
  template <class T, class F> __device__ static T reduce(T value, F f) {
    return reduce_block(value, shared_memory<T>(), f);
  }
};

// A warp covers 32 neighbouring columns, the warps of the block share their rows.
struct ColumnTeam {
  static constexpr int kSize = kThreads / kWarp, kRows = kWarp;
  static constexpr size_t kSharedBytes = kThreads * sizeof(double);
  static constexpr bool kColumns = true;
  __device__ static int rank() { return thread_x() / kWarp; }
  __device__ static int slot() { return lane(); }
  template <class T, class F> __device__ static T reduce(T value, F f) {
    T *scratch = shared_memory<T>();
    scratch[thread_x()] = value;
    sync_block();
    T result = scratch[lane()];
    for (int k = 1; k < kSize; ++k)
      result = f(result, scratch[k * kWarp + lane()]);
    sync_block();
    return result;
  }
};

// ---- plans
// -------------------------------------------------------------------------------------------------------------

// A thread of the team takes vectors of kWidth elements, its first kHeld of them in registers and no more than those;
// 0: any number, loaded again by every pass (from the cache).
template <class Team_, int kWidth_, int kHeld_> struct RowPlan {
  using Team = Team_;
  static constexpr int kWidth = kWidth_, kHeld = kHeld_;
  static_assert(!Team::kColumns || kWidth == 1, "columns are not neighbours along the row");

  // f(k, i) for every vector of this thread: its number, the element that it starts at.
  template <class F> __device__ static void each(int64_t n, F f) {
    if constexpr (kHeld > 0) {
      HRM_UNROLL
      for (int k = 0; k < kHeld; ++k) {
        const int i = (k * Team::kSize + Team::rank()) * kWidth;
        if (i < n)
          f(k, int64_t{i});
      }
    } else {
      for (int64_t i = int64_t{Team::rank()} * kWidth; i < n; i += Team::kSize * kWidth)
        f(0, i);
    }
  }
};

// rows = outer * inner vectors of n elements.
struct RowSpace {
  int64_t rows, n, inner = 1;
};

// Calls f(row, exists) for every vector of this thread's team; all of a block's threads make the same number of calls,
// so that f may reduce.
template <class Team, class F> __device__ void for_rows(int64_t rows, F f) {
  for (int64_t group = block_x(); group * Team::kRows < rows; group += n_blocks()) {
    const int64_t row = group * Team::kRows + Team::slot();
    f(row, row < rows);
  }
}

// One thread's part of a vector in memory.
template <class Plan> struct RowPlace {
  // Length 0 where the row does not exist: then nobody of the team touches memory.
  int64_t n, base, stride;

  __device__ RowPlace(const RowSpace &space, int64_t row, bool exists) : n(exists ? space.n : 0) {
    stride = Plan::Team::kColumns ? space.inner : 1;
    base = Plan::Team::kColumns ? row / space.inner * space.n * space.inner + row % space.inner : row * space.n;
  }
  template <class F> __device__ void each(F f) const { Plan::each(n, f); }
  __device__ int64_t at(int64_t i) const { return base + i * stride; }

  // Rounds to T.
  template <class T, class A>
  __device__ void store(const Out<T> &y, int64_t i, const Vec<A, Plan::kWidth> &value) const {
    Vec<T, Plan::kWidth> rounded;
    HRM_UNROLL
    for (int j = 0; j < Plan::kWidth; ++j)
      rounded[j] = static_cast<T>(value[j]);
    y.template store<Plan::kWidth>(at(i), rounded);
  }
};

// The elements there, as the compute type A.
template <class A, class T, class Plan> class RowPart {
public:
  static constexpr int kWidth = Plan::kWidth;

  __device__ RowPart(const In<T> &x, const RowPlace<Plan> &place) : x_(x), place_(place) {
    if constexpr (Plan::kHeld > 0)
      place.each([&](int k, int64_t i) { held_[k] = x_.template load<kWidth>(place_.at(i)); });
  }
  // Of the k and i that each() gives.
  __device__ Vec<A, kWidth> get(int k, int64_t i) const {
    const Vec<T, kWidth> raw = Plan::kHeld > 0 ? held_[k] : x_.template load<kWidth>(place_.at(i));
    Vec<A, kWidth> values;
    HRM_UNROLL
    for (int j = 0; j < kWidth; ++j)
      values[j] = static_cast<A>(raw[j]);
    return values;
  }

private:
  In<T> x_;
  const RowPlace<Plan> &place_;
  Vec<T, kWidth> held_[Plan::kHeld > 0 ? Plan::kHeld : 1];
};

// f over term(k, i), vectors of A; every thread of the team gets it. One accumulator for each place in a vector, then
// these, then the threads pairwise.
template <class Plan, class A, class F, class Term>
__device__ A reduce_row(const RowPlace<Plan> &place, A identity, F f, Term term) {
  constexpr int N = Plan::kWidth;
  Vec<A, N> total;
  HRM_UNROLL
  for (int j = 0; j < N; ++j)
    total[j] = identity;
  place.each([&](int k, int64_t i) {
    const Vec<A, N> value = term(k, i);
    HRM_UNROLL
    for (int j = 0; j < N; ++j)
      total[j] = f(total[j], value[j]);
  });
  HRM_UNROLL
  for (int width = N / 2; width > 0; width /= 2)
    HRM_UNROLL
  for (int j = 0; j < width; ++j)
    total[j] = f(total[j], total[j + width]);
  return Plan::Team::reduce(total[0], f);
}

// ---- on the host
// -------------------------------------------------------------------------------------------------------

// Whether the tensors start at a multiple of n_bytes: views start anywhere.
inline bool aligned_to(size_t n_bytes, std::initializer_list<const Tensor *> tensors) {
  for (const Tensor *t : tensors)
    if (reinterpret_cast<uintptr_t>(t->raw()) % n_bytes != 0)
      return false;
  return true;
}
inline bool aligned16(std::initializer_list<const Tensor *> tensors) { return aligned_to(16, tensors); }

constexpr int kHeldVectors = 4;

// Calls f(plan) for rows of n elements of T.
template <class T, class F> void with_row_plan(int64_t n, bool aligned, F f) {
  constexpr int kWide = 16 / sizeof(T), kReach = kWarp * kHeldVectors;
  if (aligned && n % kWide == 0) {
    if (n <= kReach * kWide)
      f(RowPlan<WarpTeam, kWide, kHeldVectors>{});
    else
      f(RowPlan<BlockTeam, kWide, 0>{});
  } else if (n <= kReach) {
    f(RowPlan<WarpTeam, 1, kHeldVectors>{});
  } else {
    f(RowPlan<BlockTeam, 1, 0>{});
  }
}
// The same for vectors that may be columns.
template <class T, class F> void with_plan(const RowSpace &space, bool aligned, F f) {
  if (space.inner > 1)
    f(RowPlan<ColumnTeam, 1, 0>{});
  else
    with_row_plan<T>(space.n, aligned, f);
}

template <class Plan> Grid grid_of(Plan, int64_t rows) {
  return {blocks_for(rows, Plan::Team::kRows), kThreads, Plan::Team::kSharedBytes};
}

} // namespace hrm::device
