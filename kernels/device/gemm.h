#pragma once
// C = A B of every batch (+ bias) or C += A B (+ bias), on float32 or bfloat16 with float sums. Transposes are strides;
// operands whose rows or columns are contiguous and 16-byte aligned are copied asynchronously in vectors, others
// element by element. Kernels: gemm_fma.h (float32), gemm_mma.h (bfloat16); kernels/gemm.cu chooses tiles. The order of
// the sums depends on the shape only.
#include "core/shape.h"
#include "cuda/stream.h"

namespace hrm::device {

struct GemmShape {
  int64_t m, n, k;
  // Any number of dimensions; none: one product.
  Dims batch{};
};

// Element (b, i, j) of a matrix at data[b . batch + i row + j col]: A is [m, k], B is [k, n].
template <class T> struct GemmOperand {
  const T *data;
  int64_t row, col;
  // A stride for each dimension of GemmShape::batch; 0 repeats.
  Dims batch{};
};

// C of batch number b at data + b * batch, its columns contiguous.
template <class R> struct GemmResult {
  R *data;
  int64_t row;
  int64_t batch = 0;
};

template <class T> struct GemmOptions {
  // C += A B, rounded to C's type once.
  bool accumulate = false;
  // [n], added to every row.
  const T *bias = nullptr;
  // gemm_workspace_bytes(shape): with it, few tiles of a long k are split along k and added in a fixed order.
  void *workspace = nullptr;
};

size_t gemm_workspace_bytes(const GemmShape &shape);

// T is float or BFloat16, R float or BFloat16. Empty results launch nothing; k = 0 gives the bias or 0.
template <class T, class R>
void gemm(const char *op, cuda::Stream &stream, const GemmShape &shape, const GemmOperand<T> &a,
          const GemmOperand<T> &b, const GemmResult<R> &c, const GemmOptions<T> &options = {});

} // namespace hrm::device
