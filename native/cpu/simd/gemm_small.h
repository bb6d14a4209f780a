// Products with few rows or columns, where packing would cost more than it saves. Include after begin.h and vec.h.
#ifndef HRM_CPU_SIMD_GEMM_SMALL_H_
#define HRM_CPU_SIMD_GEMM_SMALL_H_

namespace hrm::cpu::HRM_ISA {

/** Rows (or columns) up to which the dot kernel is the faster one. */
inline constexpr int kDotRows = 4;

/** R x 4 dot products of rows of A and rows of B (both contiguous along k). */
template <class T, int R>
HRM_INLINE void dot_tile(int64_t k, const T *a, int64_t lda, const T *b, int64_t ldb, int cols, T (&out)[R][4]) {
  constexpr int W = kLanes<T>;
  vec<T> acc[R][4];
#pragma GCC unroll 4
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j)
      acc[i][j] = vec<T>{};
  // Columns beyond the edge repeat the last one and are dropped.
  const T *bRow[4];
  for (int j = 0; j < 4; ++j)
    bRow[j] = b + (j < cols ? j : cols - 1) * ldb;
  int64_t p = 0;
  for (; p + W <= k; p += W) {
    vec<T> y[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j)
      y[j] = load(bRow[j] + p);
#pragma GCC unroll 4
    for (int i = 0; i < R; ++i) {
      const vec<T> x = load(a + i * lda + p);
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j)
        acc[i][j] = fma(x, y[j], acc[i][j]);
    }
  }
  if (p < k) {
    const int rest = static_cast<int>(k - p);
#pragma GCC unroll 4
    for (int i = 0; i < R; ++i) {
      const vec<T> x = load_partial(a + i * lda + p, rest);
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j)
        acc[i][j] = fma(x, load_partial(bRow[j] + p, rest), acc[i][j]);
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j)
      out[i][j] = hsum(acc[i][j]);
}

/** C[i * rowStep + j * colStep] (+)= A[i, :] . B[j, :] for i < m <= kDotRows and j in [begin, end). */
template <class T>
void dot_columns(int64_t m, int64_t begin, int64_t end, int64_t k, const T *a, int64_t lda, const T *b, int64_t ldb,
                 T *c, int64_t rowStep, int64_t colStep, bool accumulate) {
  const auto block = [&](auto rows) {
    constexpr int R = rows();
    T out[R][4];
    for (int64_t j = begin; j < end; j += 4) {
      const int cols = static_cast<int>(end - j < 4 ? end - j : 4);
      dot_tile<T, R>(k, a, lda, b + j * ldb, ldb, cols, out);
      for (int i = 0; i < R; ++i)
        for (int q = 0; q < cols; ++q) {
          T &element = c[i * rowStep + (j + q) * colStep];
          element = accumulate ? element + out[i][q] : out[i][q];
        }
    }
  };
  if (m == 1)
    block(std::integral_constant<int, 1>{});
  else if (m == 2)
    block(std::integral_constant<int, 2>{});
  else if (m == 3)
    block(std::integral_constant<int, 3>{});
  else
    block(std::integral_constant<int, 4>{});
}

} // namespace hrm::cpu::HRM_ISA

#endif // HRM_CPU_SIMD_GEMM_SMALL_H_
