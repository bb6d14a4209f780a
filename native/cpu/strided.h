#pragma once
// Walks N operands of one shape in step: dimensions that lie one behind the other are merged, so that most calls are
// one flat loop, and the rest is cut into tasks whose borders depend on the shape only.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "core/shape.h"
#include "cpu/parallel.h"

namespace hrm::cpu {

// Strides of `shape` broadcast to `target`: 0 where a size of 1 is repeated.
inline Dims broadcast_strides(const Dims &shape, const Dims &strides, const Dims &target) {
  Dims out;
  out.rank = target.rank;
  const int lead = target.rank - shape.rank;
  for (int i = 0; i < target.rank; ++i)
    out[i] = i < lead || (shape[i - lead] == 1 && target[i] != 1) ? 0 : strides[i - lead];
  return out;
}

// Copies the elements of a view, whatever they mean, to another place of the same shape. Strides are in elements.
void copy_elements(ThreadPool &pool, size_t item_size, const Dims &shape, const void *from, const Dims &from_strides,
                   void *to, const Dims &to_strides);

template <int N> class StridedLoop {
public:
  StridedLoop(const Dims &shape, const Dims (&strides)[N]) {
    for (int d = 0; d < shape.rank; ++d) {
      if (shape[d] == 0)
        empty_ = true;
      if (shape[d] == 1)
        continue;
      const int last = shape_.rank - 1;
      bool merge = last >= 0;
      for (int k = 0; merge && k < N; ++k)
        merge = strides_[k][last] == strides[k][d] * shape[d];
      if (merge) {
        shape_[last] *= shape[d];
        for (int k = 0; k < N; ++k)
          strides_[k][last] = strides[k][d];
      } else {
        shape_.push(shape[d]);
        for (int k = 0; k < N; ++k)
          strides_[k].push(strides[k][d]);
      }
    }
    if (shape_.rank == 0) {
      shape_.push(1);
      for (int k = 0; k < N; ++k)
        strides_[k].push(0);
    }
  }

  // inner(offsets, steps, n): n elements from offsets[k], steps[k] apart, for each operand k.
  template <class Inner> void run(ThreadPool &pool, Inner &&inner) const {
    using Fn = std::remove_reference_t<Inner>;
    run_rows(
        pool,
        [](void *fn, const int64_t *offsets, const int64_t *steps, int64_t n) {
          (*static_cast<Fn *>(fn))(offsets, steps, n);
        },
        const_cast<void *>(static_cast<const void *>(&inner)));
  }

private:
  using Row = void (*)(void *fn, const int64_t *offsets, const int64_t *steps, int64_t n);

  // Through a function pointer: compiled once, not once for each op and dtype.
  void run_rows(ThreadPool &pool, Row inner, void *fn) const {
    if (empty_)
      return;
    const int64_t n = shape_.back();
    int64_t rows = 1;
    for (int d = 0; d + 1 < shape_.rank; ++d)
      rows *= shape_[d];
    int64_t steps[N];
    for (int k = 0; k < N; ++k)
      steps[k] = strides_[k].back();
    const int64_t pieces = (n + kTaskElements - 1) / kTaskElements;
    const int64_t rows_per_task = std::max<int64_t>(1, kTaskElements / n);
    const int64_t row_tasks = (rows + rows_per_task - 1) / rows_per_task;
    const auto task = [&](int64_t index, int) {
      const int64_t piece = index % pieces, first = index / pieces * rows_per_task;
      const int64_t begin = piece * kTaskElements, count = std::min(n - begin, kTaskElements);
      int64_t at[kMaxRank], offsets[N];
      for (int k = 0; k < N; ++k)
        offsets[k] = begin * steps[k];
      int64_t rest = first;
      for (int d = shape_.rank - 2; d >= 0; --d) {
        at[d] = rest % shape_[d];
        rest /= shape_[d];
        for (int k = 0; k < N; ++k)
          offsets[k] += at[d] * strides_[k][d];
      }
      for (int64_t row = first, end = std::min(rows, first + rows_per_task); row < end; ++row) {
        inner(fn, offsets, steps, count);
        // The next row, as an odometer counts.
        for (int d = shape_.rank - 2; d >= 0; --d) {
          const bool carries = ++at[d] == shape_[d];
          for (int k = 0; k < N; ++k)
            offsets[k] += carries ? strides_[k][d] * (1 - shape_[d]) : strides_[k][d];
          if (!carries)
            break;
          at[d] = 0;
        }
      }
    };
    if (pieces * row_tasks == 1)
      task(0, 0);
    else
      pool.parallel_for(pieces * row_tasks, task);
  }

  static constexpr int64_t kTaskElements = 32768;
  Dims shape_;
  Dims strides_[N];
  bool empty_ = false;
};

} // namespace hrm::cpu
