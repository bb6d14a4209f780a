// One exponential an element. The backward op computes silu again: gate_up is all that is kept.
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "core/context.h"
#include "ops/swiglu.h"

#include "cpu/simd/begin.h"

#include "cpu/simd/vec.h"

#include "cpu/simd/math.h"
#include "cpu/simd/row_kernels.h"

#include "cpu/simd/compute_row.h"

namespace hrm::cpu::HRM_ISA {
namespace {

template <class T> void swiglu_forward(Call &call) {
  using A = Acc<T>;
  const T *gateUp = call.in[0].data<T>();
  T *y = call.out[0].data<T>();
  const int64_t n = call.out[0].shape.back(), rows = n == 0 ? 0 : call.out[0].size() / n;
  const RowBuffers<A> buffers(call, n, 2);
  for_rows(*call.context.pool, rows, n, [&](int64_t row, int thread) {
    A *buffer = buffers.at(thread, 0), *result = result_row(y + row * n, buffer);
    const A *gate = read_row(gateUp + row * 2 * n, n, buffer);
    const A *up = read_row(gateUp + row * 2 * n + n, n, buffers.at(thread, 1));
    for (int64_t i = 0; i < n; i += kLanes<A>) {
      const vec<A> g = load_upto(gate + i, n - i);
      store_upto(result + i, g * sigmoid(g) * load_upto(up + i, n - i), n - i);
    }
    finish_row(result, y + row * n, n);
  });
}

/** dGate = dy up s (1 + gate (1 - s)), dUp = dy gate s, with s = sigmoid(gate). */
template <class T> void swiglu_gradient(Call &call) {
  using A = Acc<T>;
  const T *dy = call.in[0].data<T>(), *gateUp = call.in[1].data<T>();
  T *dx = call.out[0].data<T>();
  const int64_t n = call.in[0].shape.back(), rows = n == 0 ? 0 : call.in[0].size() / n;
  const vec<A> one = broadcast(A(1));
  const RowBuffers<A> buffers(call, n, 3);
  for_rows(*call.context.pool, rows, n, [&](int64_t row, int thread) {
    T *outGate = dx + row * 2 * n, *outUp = outGate + n;
    const A *gate = read_row(gateUp + row * 2 * n, n, buffers.at(thread, 0));
    const A *up = read_row(gateUp + row * 2 * n + n, n, buffers.at(thread, 1));
    const A *d = read_row(dy + row * n, n, buffers.at(thread, 2));
    A *dGate = result_row(outGate, buffers.at(thread, 0)), *dUp = result_row(outUp, buffers.at(thread, 1));
    for (int64_t i = 0; i < n; i += kLanes<A>) {
      const vec<A> g = load_upto(gate + i, n - i), u = load_upto(up + i, n - i), e = load_upto(d + i, n - i);
      const vec<A> s = sigmoid(g);
      store_upto(dGate + i, e * u * s * fma(g, one - s, one), n - i);
      store_upto(dUp + i, e * g * s, n - i);
    }
    finish_row(dGate, outGate, n);
    finish_row(dUp, outUp, n);
  });
}

} // namespace

void swiglu(Call &call) {
  dispatch_lanes(call.in[0].dtype, [&](auto tag) { swiglu_forward<typename decltype(tag)::type>(call); });
}
void swiglu_backward(Call &call) {
  dispatch_lanes(call.in[1].dtype, [&](auto tag) { swiglu_gradient<typename decltype(tag)::type>(call); });
}

} // namespace hrm::cpu::HRM_ISA

#include "cpu/simd/end.h"
