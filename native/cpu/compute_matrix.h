#pragma once
// Matrices in the type that kernels compute in: float and double lie where they are, bfloat16 is converted to float in
// the workspace.
#include <type_traits>

#include "core/carver.h"
#include "core/dtype.h"
#include "cpu/gemm.h"

namespace hrm::cpu {

template <class T> inline constexpr bool kConverts = !std::is_same_v<T, Acc<T>>;

// Room for a converted [rows, cols] matrix, none where T is the compute type.
template <class T> Acc<T> *take_matrix(WorkspaceCarver &carver, int64_t rows, int64_t cols) {
  return carver.take<Acc<T>>(kConverts<T> ? rows * cols : 0);
}

constexpr int64_t kConvertTaskElements = 32768;

// `source` for the GEMM; `room` is take_matrix(rows, cols), filled row-major where T needs converting.
template <class T>
MatrixView<Acc<T>> compute_matrix(ThreadPool &pool, MatrixView<T> source, int64_t rows, int64_t cols, Acc<T> *room) {
  if constexpr (!kConverts<T>) {
    return source;
  } else {
    const int64_t rows_per_task = cols > kConvertTaskElements ? 1 : kConvertTaskElements / (cols > 0 ? cols : 1);
    pool.parallel_for((rows + rows_per_task - 1) / rows_per_task, [&](int64_t task, int) {
      const int64_t end = rows < (task + 1) * rows_per_task ? rows : (task + 1) * rows_per_task;
      for (int64_t i = task * rows_per_task; i < end; ++i) {
        const T *in = source.data + i * source.rowStride;
        Acc<T> *out = room + i * cols;
        if (source.colStride == 1)
          for (int64_t j = 0; j < cols; ++j)
            out[j] = static_cast<Acc<T>>(in[j]);
        else
          for (int64_t j = 0; j < cols; ++j)
            out[j] = static_cast<Acc<T>>(in[j * source.colStride]);
      }
    });
    return row_major<Acc<T>>(room, cols);
  }
}

// Where the GEMM writes a contiguous result of n elements: the result itself, or `room` for store_result.
template <class T> Acc<T> *result_buffer(T *result, Acc<T> *room) {
  if constexpr (kConverts<T>)
    return room;
  else
    return result;
}
template <class T> void store_result(ThreadPool &pool, const Acc<T> *room, T *result, int64_t n) {
  if constexpr (kConverts<T>)
    pool.parallel_for((n + kConvertTaskElements - 1) / kConvertTaskElements, [&](int64_t task, int) {
      const int64_t begin = task * kConvertTaskElements;
      const int64_t end = n < begin + kConvertTaskElements ? n : begin + kConvertTaskElements;
      for (int64_t i = begin; i < end; ++i)
        result[i] = static_cast<T>(room[i]);
    });
}

} // namespace hrm::cpu
