// Memory-bound: x is read and y written once, 3 FLOPs an element.
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "core/carver.h"
#include "core/context.h"
#include "ops/rms_norm.h"

#include "cpu/simd/begin.h"

#include "cpu/simd/vec.h"

#include "cpu/simd/math.h"
#include "cpu/simd/row_kernels.h"

#include "cpu/simd/compute_row.h"

namespace hrm::cpu::HRM_ISA {
namespace {

template <class T> void rms_norm_forward(Call &call) {
  using A = Acc<T>;
  const Tensor &x = call.in[0], &y = call.out[0];
  const int64_t n = x.shape.back(), rows = call.out[1].size();
  const A eps = static_cast<A>(call.attrs<ops::rms_norm::Attrs>().eps);
  A *factors = call.out[1].data<A>();
  const RowBuffers<A> buffers(call, n, 1);
  for_rows(*call.context.pool, rows, n, [&](int64_t row, int thread) {
    T *out = y.data<T>() + row * n;
    A *buffer = buffers.at(thread, 0), *result = result_row(out, buffer);
    factors[row] = rms_norm_row(read_row(x.data<T>() + row * n, n, buffer), result, n, eps);
    finish_row(result, out, n);
  });
}

template <class T> void rms_norm_gradient(Call &call) {
  using A = Acc<T>;
  const Tensor &dy = call.in[0], &y = call.in[1], &r = call.in[2], &dx = call.out[0];
  const int64_t n = y.shape.back();
  const RowBuffers<A> buffers(call, n, 2);
  for_rows(*call.context.pool, r.size(), n, [&](int64_t row, int thread) {
    T *out = dx.data<T>() + row * n;
    A *buffer = buffers.at(thread, 0), *result = result_row(out, buffer);
    rms_norm_backward_row(read_row(dy.data<T>() + row * n, n, buffer),
                          read_row(y.data<T>() + row * n, n, buffers.at(thread, 1)), r.data<A>()[row], result, n);
    finish_row(result, out, n);
  });
}

} // namespace

void rms_norm(Call &call) {
  dispatch_lanes(call.in[0].dtype, [&](auto tag) { rms_norm_forward<typename decltype(tag)::type>(call); });
}
void rms_norm_backward(Call &call) {
  dispatch_lanes(call.in[1].dtype, [&](auto tag) { rms_norm_gradient<typename decltype(tag)::type>(call); });
}

} // namespace hrm::cpu::HRM_ISA

#include "cpu/simd/end.h"
