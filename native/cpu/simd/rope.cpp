// Memory-bound: x is read and y written once; the tables of a token serve all its heads.
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "core/context.h"
#include "ops/rope.h"

#include "cpu/simd/begin.h"

#include "cpu/simd/vec.h"

#include "cpu/simd/math.h"
#include "cpu/simd/row_kernels.h"

#include "cpu/simd/compute_row.h"

namespace hrm::cpu::HRM_ISA {
namespace {

template <class T> void run(Call &call) {
  using A = Acc<T>;
  const Tensor &x = call.in[0], &y = call.out[0];
  const int rank = x.shape.rank;
  const int64_t d = x.shape.back(), heads = x.shape.back(1), seqLen = x.shape.back(2);
  const int64_t tokens = y.size() == 0 ? 0 : y.size() / (heads * d);
  const A *cosTable = call.in[1].data<A>(), *sinTable = call.in[2].data<A>();
  const bool transposed = call.attrs<ops::rope::Attrs>().transposed;
  const RowBuffers<A> buffers(call, d, 1);
  for_rows(*call.context.pool, tokens, heads * d, [&](int64_t token, int thread) {
    const int64_t at = token % seqLen * d, half = d / 2;
    const RopeRow<A> tables{cosTable + at, cosTable + at + half, sinTable + at, sinTable + at + half};
    const T *in = x.data<T>();
    int64_t rest = token;
    for (int i = rank - 3; i >= 0; --i) {
      in += rest % x.shape[i] * x.strides[i];
      rest /= x.shape[i];
    }
    for (int64_t head = 0; head < heads; ++head) {
      T *out = y.data<T>() + (token * heads + head) * d;
      A *result = result_row(out, buffers.at(thread, 0));
      gather_row(in + head * x.strides[rank - 2], x.strides[rank - 1], result, d);
      if (transposed)
        rope_backward_row(result, tables, half);
      else
        rope_row(result, tables, half);
      finish_row(result, out, d);
    }
  });
}

} // namespace

void rope(Call &call) {
  dispatch_lanes(call.in[0].dtype, [&](auto tag) { run<typename decltype(tag)::type>(call); });
}

} // namespace hrm::cpu::HRM_ISA

#include "cpu/simd/end.h"
