#pragma once
// sum, mean, max and min over a contiguous [outer, n, inner] (ops/reduce.h): cutting into tasks, copying what lies
// otherwise and storing the results are the same for all of them and every instruction set.
#include <type_traits>

#include "ops/op.h"

namespace hrm::cpu {

// `count` reductions of `rows` rows of `width` neighbouring columns each, in the compute type A:
//   r[c * width + j] = reduction over i of p[(c * rows + i) * stride + j].
// Where width < stride, count is 1.
template <class T, class A>
using ReduceKernel = void (*)(const T *p, int64_t stride, int64_t count, int64_t rows, int64_t width, A *r);

// The kernels of one op and dtype: from the input, and from the partial results of a reduction cut along n.
template <class T> struct ReduceKernels {
  ReduceKernel<T, Acc<T>> input;
  ReduceKernel<Acc<T>, Acc<T>> partial;
};

// The result, divided by `divisor`, goes to call.out[0] as R. Instantiated in reduce.cpp.
template <class T, class R> void run_reduce(Call &call, const ReduceKernels<T> &kernels, double divisor);

namespace integer {
void sum(Call &call);
void max(Call &call);
void min(Call &call);
} // namespace integer

} // namespace hrm::cpu
