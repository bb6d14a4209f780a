// Reads 16 bytes and writes 12 an element in float32 (14 with a copy), with one square root, two divisions and an
// arctangent: about as long as the memory takes.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "core/context.h"
#include "numerics/hd.h"
#include "ops/adam_atan2.h"

#include "cpu/simd/begin.h"

#include "cpu/simd/vec.h"

#include "numerics/adam_atan2.h"

namespace hrm::cpu::HRM_ISA {
namespace {

/** M of numerics/adam_atan2.h. */
struct AdamMath {
  template <class V> using Element = std::decay_t<decltype(V{}[0])>;
  static HRM_INLINE vf select(vi m, vf a, vf b) { return HRM_ISA::select(m, a, b); }
  template <class V> static HRM_INLINE V splat(double value) { return broadcast(static_cast<Element<V>>(value)); }
  static HRM_INLINE vf abs(vf x) { return HRM_ISA::abs(x); }
  static HRM_INLINE vf fma(vf a, vf b, vf c) { return HRM_ISA::fma(a, b, c); }
  static HRM_INLINE vf sqrt(vf x) {
    for (int i = 0; i < kLanes<float>; ++i)
      x[i] = __builtin_sqrtf(x[i]);
    return x;
  }
  static HRM_INLINE vd sqrt(vd x) {
    for (int i = 0; i < kLanes<double>; ++i)
      x[i] = __builtin_sqrt(x[i]);
    return x;
  }
};

HRM_INLINE vf atan2_right(vf y, vf x) { return numerics::atan2_right{}.template of<AdamMath>(y, x); }
/** Lane by lane: float64 serves as a reference, not for speed. */
HRM_INLINE vd atan2_right(vd y, vd x) {
  for (int i = 0; i < kLanes<double>; ++i)
    y[i] = std::atan2(y[i], x[i]);
  return y;
}

template <class T> using Factors = numerics::AdamFactors<vec<T>>;

template <class T> HRM_INLINE void update(T *p, T *m, T *v, const T *g, int n, const Factors<T> &f) {
  const bool whole = n == kLanes<T>;
  const auto read = [&](const T *at) { return whole ? load(at) : load_partial(at, n); };
  const auto write = [&](T *at, vec<T> value) { whole ? store(at, value) : store_partial(at, value, n); };
  vec<T> weight = read(p), first = read(m), second = read(v);
  numerics::adam_atan2<AdamMath>(weight, first, second, read(g), f,
                                 [](vec<T> y, vec<T> x) { return atan2_right(y, x); });
  write(m, first);
  write(v, second);
  write(p, weight);
}

constexpr int64_t kStepElements = 16384;

template <class T> void step(Call &call, int index, const Factors<T> &factors) {
  using Op = ops::adam_atan2;
  T *p = call.in.at(Op::kParameters, index).data<T>();
  T *m = call.in.at(Op::kM, index).data<T>();
  T *v = call.in.at(Op::kV, index).data<T>();
  const T *g = call.in.at(Op::kGradients, index).data<T>();
  const int64_t n = call.in.at(Op::kParameters, index).size();
  BFloat16 *copy = index < call.in.count(Op::kCopies) ? call.in.at(Op::kCopies, index).data<BFloat16>() : nullptr;
  call.context.pool->parallel_for((n + kStepElements - 1) / kStepElements, [&](int64_t task, int) {
    const int64_t end = std::min(n, (task + 1) * kStepElements);
    for (int64_t i = task * kStepElements; i < end; i += kLanes<T>)
      update<T>(p + i, m + i, v + i, g + i, static_cast<int>(std::min<int64_t>(kLanes<T>, end - i)), factors);
    if (copy)
      for (int64_t i = task * kStepElements; i < end; ++i)
        copy[i] = BFloat16(static_cast<float>(p[i]));
  });
}

template <class T> Factors<T> factors_of(const ops::adam_atan2::Attrs &attrs, double lr, double t) {
  const auto all = [](double x) { return broadcast(static_cast<T>(x)); };
  const auto f = numerics::adam_factors(attrs.beta1, attrs.beta2, attrs.weight_decay, lr, t);
  return {all(f.keep), all(f.beta1), all(f.rest1), all(f.beta2), all(f.rest2), all(f.rate), all(f.scale)};
}

} // namespace

void adam_atan2(Call &call) {
  using Op = ops::adam_atan2;
  if (!*call.in[Op::kFinite].data<bool>())
    return;
  const Op::Attrs &attrs = call.attrs<Op::Attrs>();
  const double lr = ops::scalar_of(call.in[Op::kLr]), t = *call.in[Op::kStep].data<int32_t>();
  for (int i = 0; i < call.in.count(Op::kParameters); ++i) {
    if (call.in.at(Op::kParameters, i).dtype == DType::kF64)
      step<double>(call, i, factors_of<double>(attrs, lr, t));
    else
      step<float>(call, i, factors_of<float>(attrs, lr, t));
  }
}

} // namespace hrm::cpu::HRM_ISA

#include "cpu/simd/end.h"
