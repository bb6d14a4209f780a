// The formulas of numerics/ on vectors, and the dtypes as vectors of the type they are computed in. Include after
// begin.h, vec.h, math.h and what of numerics/ is used.
#ifndef HRM_CPU_SIMD_LANES_H_
#define HRM_CPU_SIMD_LANES_H_

#include "cpu/simd/dispatch.h"

namespace hrm::cpu::HRM_ISA {

/** M of numerics/elementwise.h for vec<float> and vec<double>. */
struct VecMath {
  template <class V> using Element = std::decay_t<decltype(V{}[0])>;
  static HRM_INLINE vf select(vi m, vf a, vf b) { return HRM_ISA::select(m, a, b); }
  static HRM_INLINE vd select(vl m, vd a, vd b) { return HRM_ISA::select(m, a, b); }
  template <class V> static HRM_INLINE V splat(double value) { return broadcast(static_cast<Element<V>>(value)); }
  template <class V> static HRM_INLINE V exp(V x) { return HRM_ISA::exp(x); }
  template <class V> static HRM_INLINE V log(V x) { return HRM_ISA::log(x); }
  template <class V> static HRM_INLINE V sqrt(V x) { return HRM_ISA::sqrt(x); }
  template <class V> static HRM_INLINE V sin(V x) { return HRM_ISA::sin(x); }
  template <class V> static HRM_INLINE V cos(V x) { return HRM_ISA::cos(x); }
  template <class V> static HRM_INLINE V tanh(V x) { return HRM_ISA::tanh(x); }
  template <class V> static HRM_INLINE V sigmoid(V x) { return HRM_ISA::sigmoid(x); }
  /** Lane by lane, in double: for what has no vector function. */
  template <class F, class V, class... Vs> static HRM_INLINE V each(F f, V a, Vs... rest) {
    for (int i = 0; i < static_cast<int>(sizeof(V) / sizeof(Element<V>)); ++i)
      a[i] = static_cast<Element<V>>(f(static_cast<double>(a[i]), static_cast<double>(rest[i])...));
    return a;
  }
};

/** Moves elements of T to and from vectors of the type it is computed in. */
template <class T> struct Lanes {
  using V = vec<T>;
  static constexpr int64_t kCount = kLanes<T>;
  static HRM_INLINE V get(const T *p) { return load(p); }
  static HRM_INLINE V get(const T *p, int n) { return load_partial(p, n); }
  static HRM_INLINE void put(T *p, V v) { store(p, v); }
  static HRM_INLINE void put(T *p, V v, int n) { store_partial(p, v, n); }
};
template <> struct Lanes<BFloat16> {
  using V = vf;
  static constexpr int64_t kCount = kLanes<float>;
  static HRM_INLINE V get(const BFloat16 *p) { return load_bf16(&p->bits); }
  static HRM_INLINE V get(const BFloat16 *p, int n) { return load_bf16_partial(&p->bits, n); }
  static HRM_INLINE void put(BFloat16 *p, V v) { store_bf16(&p->bits, v); }
  static HRM_INLINE void put(BFloat16 *p, V v, int n) { store_bf16_partial(&p->bits, v, n); }
};

/** A register, or its first n lanes. */
template <class T> HRM_INLINE typename Lanes<T>::V get_lanes(const T *p, int n) {
  return n == Lanes<T>::kCount ? Lanes<T>::get(p) : Lanes<T>::get(p, n);
}
template <class T> HRM_INLINE void put_lanes(T *p, typename Lanes<T>::V v, int n) {
  if (n == Lanes<T>::kCount)
    Lanes<T>::put(p, v);
  else
    Lanes<T>::put(p, v, n);
}

} // namespace hrm::cpu::HRM_ISA

#endif // HRM_CPU_SIMD_LANES_H_
