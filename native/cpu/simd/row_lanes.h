// A row as vectors of the type it is computed in, which L chooses: Lanes<T>, or DoubleLanes<T>. Include after
// lanes.h.
#ifndef HRM_CPU_SIMD_ROW_LANES_H_
#define HRM_CPU_SIMD_ROW_LANES_H_

namespace hrm::cpu::HRM_ISA {

/** Lanes<T> for what is computed in double whatever T is. */
template <class T> struct DoubleLanes {
  using V = vd;
  static constexpr int64_t kCount = kLanes<double>;
  static HRM_INLINE V get(const T *p) { return get(p, kCount); }
  static HRM_INLINE V get(const T *p, int n) {
    double lane[kCount] = {};
    for (int i = 0; i < n; ++i)
      lane[i] = static_cast<double>(p[i]);
    return load(lane);
  }
  static HRM_INLINE void put(T *p, V v) { put(p, v, kCount); }
  static HRM_INLINE void put(T *p, V v, int n) {
    for (int i = 0; i < n; ++i)
      p[i] = static_cast<T>(v[i]);
  }
};

/** n elements p[0], p[1], ... as vectors; lanes beyond the end hold `rest`. */
template <class T, class L = Lanes<T>> struct Row {
  using V = typename L::V;
  using A = std::decay_t<decltype(V{}[0])>;
  static constexpr int64_t kCount = L::kCount;
  const T *p;
  int64_t n;

  HRM_INLINE V at(int64_t i, A rest) const {
    if (i + kCount <= n)
      return L::get(p + i);
    A lane[kCount];
    for (int64_t k = 0; k < kCount; ++k)
      lane[k] = i + k < n ? static_cast<A>(p[i + k]) : rest;
    return load(lane);
  }
};

template <class T, class L = Lanes<T>> HRM_INLINE void put_row(T *y, int64_t i, int64_t n, typename L::V v) {
  if (i + L::kCount <= n)
    L::put(y + i, v);
  else
    L::put(y + i, v, static_cast<int>(n - i));
}

/** Sum of term(i) over the vectors of a row: blocks of 64 vectors, so that rounding does not grow with n. */
template <class L, class Term> HRM_INLINE auto row_sum(int64_t n, Term term) {
  constexpr int64_t W = L::kCount;
  typename L::V total{};
  for (int64_t begin = 0; begin < n; begin += 64 * W) {
    typename L::V block{};
    for (int64_t i = begin; i < std::min(n, begin + 64 * W); i += W)
      block += term(i);
    total += block;
  }
  return hsum(total);
}

template <class A> inline constexpr A kMinusInfinity = -std::numeric_limits<A>::infinity();

} // namespace hrm::cpu::HRM_ISA

#endif // HRM_CPU_SIMD_ROW_LANES_H_
