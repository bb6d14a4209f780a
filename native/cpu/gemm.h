// Matrix products on the CPU, float and double. Results are bit-equal at any number of threads: every element is one
// chain of multiply-adds over k, cut into blocks by the shape alone.
#ifndef HRM_CPU_GEMM_H_
#define HRM_CPU_GEMM_H_

#include <cstddef>
#include <cstdint>

#include "cpu/isa.h"
#include "cpu/parallel.h"

namespace hrm::cpu {

/** A read-only matrix: element (i, j) is data[i * rowStride + j * colStride]; any strides, 0 included. */
template <class T> struct MatrixView {
  const T *data;
  int64_t rowStride;
  int64_t colStride;

  MatrixView transposed() const { return {data, colStride, rowStride}; }
};

/** Row-major, ld elements from row to row. */
template <class T> inline MatrixView<T> row_major(const T *data, int64_t ld) { return {data, ld, 1}; }

/** C[m, n] = A[m, k] B[k, n], or C += A B. C is row-major and overlaps neither A nor B. */
template <class T> struct GemmArgs {
  int64_t m, n, k;
  MatrixView<T> a;
  MatrixView<T> b;
  T *c;
  int64_t ldc;
  bool accumulate;
};

/** Bytes of scratch that gemm needs for this shape with this many threads, to be 64-byte aligned. */
template <class T> size_t gemm_workspace_bytes(int64_t m, int64_t n, int64_t k, int nThreads);

template <class T> void gemm(ThreadPool &pool, const GemmArgs<T> &args, void *workspace);

/** Elements of packed_matrix(): W[n, k] packed as the right operand of X W^T for the instruction set in use. */
template <class T> size_t packed_elements(int64_t n, int64_t k);

/** How the rows of W become columns of the packed panels. */
enum class PackOrder {
  kPlain,
  /** W holds n/2 gate rows, then n/2 up rows; a panel holds as many gate as up columns, in that order (SwiGLU). */
  kGateUp,
};

/** Packs W[n, k], given in any orientation; kGateUp needs an even n. `packed` must be 64-byte aligned. */
template <class T>
void pack_matrix(ThreadPool &pool, int64_t n, int64_t k, MatrixView<T> w, PackOrder order, T *packed);

/** C[m, n] = A[m, k] W^T, or C += A W^T, with W[n, k] packed by pack_matrix(kPlain). */
template <class T> struct PackedGemmArgs {
  int64_t m, n, k;
  MatrixView<T> a;
  const T *packed;
  T *c;
  int64_t ldc;
  bool accumulate;
};

template <class T> size_t gemm_packed_workspace_bytes(int64_t m, int64_t n, int64_t k, int nThreads);
template <class T> void gemm_packed(ThreadPool &pool, const PackedGemmArgs<T> &args, void *workspace);

} // namespace hrm::cpu

#define HRM_GEMM_DECLARE(T)                                                                                            \
  HRM_ISA_DECLARE(size_t gemm_workspace_bytes_of(int64_t m, int64_t n, int64_t k, int nThreads, const T *))            \
  HRM_ISA_DECLARE(void gemm_of(ThreadPool &pool, const GemmArgs<T> &args, void *workspace))                            \
  HRM_ISA_DECLARE(size_t packed_elements_of(int64_t n, int64_t k, const T *))                                          \
  HRM_ISA_DECLARE(                                                                                                     \
      void pack_matrix_of(ThreadPool &pool, int64_t n, int64_t k, MatrixView<T> w, PackOrder order, T *packed))        \
  HRM_ISA_DECLARE(size_t gemm_packed_workspace_bytes_of(int64_t m, int64_t n, int64_t k, int nThreads, const T *))     \
  HRM_ISA_DECLARE(void gemm_packed_of(ThreadPool &pool, const PackedGemmArgs<T> &args, void *workspace))
HRM_GEMM_DECLARE(float)
HRM_GEMM_DECLARE(double)
#undef HRM_GEMM_DECLARE

#endif // HRM_CPU_GEMM_H_
