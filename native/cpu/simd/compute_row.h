// Rows in the type that kernels compute in: float and double rows are used where they lie, bfloat16 rows pass through a
// float buffer. Include after vec.h and row_kernels.h.
#ifndef HRM_CPU_SIMD_COMPUTE_ROW_H_
#define HRM_CPU_SIMD_COMPUTE_ROW_H_

#include "cpu/simd/dispatch.h"

namespace hrm::cpu::HRM_ISA {

/** Rows of n elements that make one task; by the shape alone. */
inline int64_t rows_per_task(int64_t n) { return n >= 16384 ? 1 : 16384 / (n > 0 ? n : 1); }

/** Calls fn(row, thread) for every row, many rows a task. */
template <class F> void for_rows(ThreadPool &pool, int64_t rows, int64_t n, const F &fn) {
  const int64_t step = rows_per_task(n);
  pool.parallel_for((rows + step - 1) / step, [&](int64_t task, int thread) {
    const int64_t end = (task + 1) * step < rows ? (task + 1) * step : rows;
    for (int64_t row = task * step; row < end; ++row)
      fn(row, thread);
  });
}

HRM_INLINE void convert_row(const BFloat16 *in, float *out, int64_t n) {
  const uint16_t *bits = reinterpret_cast<const uint16_t *>(in);
  int64_t i = 0;
  for (; i + kLanes<float> <= n; i += kLanes<float>)
    store(out + i, load_bf16(bits + i));
  if (i < n)
    store_partial(out + i, load_bf16_partial(bits + i, static_cast<int>(n - i)), static_cast<int>(n - i));
}
HRM_INLINE void convert_row(const float *in, BFloat16 *out, int64_t n) {
  uint16_t *bits = reinterpret_cast<uint16_t *>(out);
  int64_t i = 0;
  for (; i + kLanes<float> <= n; i += kLanes<float>)
    store_bf16(bits + i, load(in + i));
  if (i < n)
    store_bf16_partial(bits + i, load_partial(in + i, static_cast<int>(n - i)), static_cast<int>(n - i));
}

template <class T> inline constexpr bool kConvertsRow = !std::is_same_v<T, Acc<T>>;

/** Row buffers of the threads: the workspace that ops::row_buffer_bytes asked for. */
template <class A> class RowBuffers {
public:
  RowBuffers(Call &call, int64_t n, int count)
      : base_(static_cast<A *>(call.workspace)), stride_(round_up(n)), count_(count) {}
  A *at(int thread, int i) const { return base_ ? base_ + (thread * count_ + i) * stride_ : nullptr; }

private:
  static int64_t round_up(int64_t n) {
    constexpr int64_t kLine = 64 / sizeof(A);
    return (n + kLine - 1) / kLine * kLine;
  }
  A *base_;
  int64_t stride_;
  int count_;
};

/** The row as the compute type; `buffer` holds n elements where T needs converting. */
template <class T> HRM_INLINE const Acc<T> *read_row(const T *row, int64_t n, Acc<T> *buffer) {
  if constexpr (!kConvertsRow<T>) {
    return row;
  } else {
    convert_row(row, buffer, n);
    return buffer;
  }
}
/** Copies a strided row to `out` in the compute type. */
template <class T> HRM_INLINE void gather_row(const T *row, int64_t stride, Acc<T> *out, int64_t n) {
  if (stride != 1)
    for (int64_t i = 0; i < n; ++i)
      out[i] = static_cast<Acc<T>>(row[i * stride]);
  else if constexpr (kConvertsRow<T>)
    convert_row(row, out, n);
  else
    std::memcpy(out, row, static_cast<size_t>(n) * sizeof(T));
}
/** Where to compute a result row, before finish_row. */
template <class T> HRM_INLINE Acc<T> *result_row(T *row, Acc<T> *buffer) {
  if constexpr (!kConvertsRow<T>)
    return row;
  else
    return buffer;
}
template <class T> HRM_INLINE void finish_row(const Acc<T> *result, T *row, int64_t n) {
  if constexpr (kConvertsRow<T>)
    convert_row(result, row, n);
}

} // namespace hrm::cpu::HRM_ISA

#endif // HRM_CPU_SIMD_COMPUTE_ROW_H_
