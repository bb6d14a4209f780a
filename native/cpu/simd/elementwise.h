// The loops of the elementwise ops. Floating dtypes go through vectors everywhere, tails and strides included, so that
// a value does not depend on where in memory it stands; integer and comparison loops are exact either way and left to
// the compiler. Include after begin.h, vec.h and math.h.
#ifndef HRM_CPU_SIMD_ELEMENTWISE_H_
#define HRM_CPU_SIMD_ELEMENTWISE_H_

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
  static HRM_INLINE V all(const T *p) { return broadcast(*p); }
  static HRM_INLINE void put(T *p, V v) { store(p, v); }
  static HRM_INLINE void put(T *p, V v, int n) { store_partial(p, v, n); }
};
template <> struct Lanes<BFloat16> {
  using V = vf;
  static constexpr int64_t kCount = kLanes<float>;
  static HRM_INLINE V get(const BFloat16 *p) { return load_bf16(&p->bits); }
  static HRM_INLINE V get(const BFloat16 *p, int n) { return load_bf16_partial(&p->bits, n); }
  static HRM_INLINE V all(const BFloat16 *p) { return broadcast(static_cast<float>(*p)); }
  static HRM_INLINE void put(BFloat16 *p, V v) { store_bf16(&p->bits, v); }
  static HRM_INLINE void put(BFloat16 *p, V v, int n) { store_bf16_partial(&p->bits, v, n); }
};

template <class T> HRM_INLINE typename Lanes<T>::V gather(const T *p, int64_t step, int n) {
  if (step == 0)
    return Lanes<T>::all(p);
  T lane[Lanes<T>::kCount] = {};
  for (int i = 0; i < n; ++i)
    lane[i] = p[i * step];
  return Lanes<T>::get(lane);
}
template <class T> HRM_INLINE void scatter(T *p, int64_t step, typename Lanes<T>::V v, int n) {
  T lane[Lanes<T>::kCount];
  Lanes<T>::put(lane, v);
  for (int i = 0; i < n; ++i)
    p[i * step] = lane[i];
}

/** r = f(a) over n elements. */
template <class F, class T> HRM_INLINE void unary_row(F f, T *r, int64_t sr, const T *a, int64_t sa, int64_t n) {
  using L = Lanes<T>;
  if (sr == 1 && sa == 1) {
    int64_t i = 0;
    for (; i + L::kCount <= n; i += L::kCount)
      L::put(r + i, f.template of<VecMath>(L::get(a + i)));
    if (i < n)
      L::put(r + i, f.template of<VecMath>(L::get(a + i, static_cast<int>(n - i))), static_cast<int>(n - i));
    return;
  }
  for (int64_t i = 0; i < n; i += L::kCount) {
    const int m = static_cast<int>(std::min(L::kCount, n - i));
    scatter(r + i * sr, sr, f.template of<VecMath>(gather(a + i * sa, sa, m)), m);
  }
}

/** r = f(a, b) over n elements; one of the operands may be a single number (step 0). */
template <class F, class T>
HRM_INLINE void binary_row(F f, T *r, int64_t sr, const T *a, int64_t sa, const T *b, int64_t sb, int64_t n) {
  using L = Lanes<T>;
  using V = typename L::V;
  const auto row = [&](auto left, auto right) {
    int64_t i = 0;
    for (; i + L::kCount <= n; i += L::kCount)
      L::put(r + i, f.template of<VecMath>(left(i), right(i)));
    if (i < n) {
      const int m = static_cast<int>(n - i);
      L::put(r + i, f.template of<VecMath>(left(i, m), right(i, m)), m);
    }
  };
  struct Every {
    const T *p;
    HRM_INLINE V operator()(int64_t i) const { return L::get(p + i); }
    HRM_INLINE V operator()(int64_t i, int m) const { return L::get(p + i, m); }
  };
  struct Same {
    V value;
    HRM_INLINE V operator()(int64_t) const { return value; }
    HRM_INLINE V operator()(int64_t, int) const { return value; }
  };
  if (sr == 1 && sa == 1 && sb == 1)
    row(Every{a}, Every{b});
  else if (sr == 1 && sa == 1 && sb == 0)
    row(Every{a}, Same{L::all(b)});
  else if (sr == 1 && sa == 0 && sb == 1)
    row(Same{L::all(a)}, Every{b});
  else
    for (int64_t i = 0; i < n; i += L::kCount) {
      const int m = static_cast<int>(std::min(L::kCount, n - i));
      scatter(r + i * sr, sr, f.template of<VecMath>(gather(a + i * sa, sa, m), gather(b + i * sb, sb, m)), m);
    }
}

/** The same for integers and for results of another type: f(a, b) on single numbers. */
template <class F, class T, class R>
HRM_INLINE void scalar_row(F f, R *r, int64_t sr, const T *a, int64_t sa, const T *b, int64_t sb, int64_t n) {
  using A = Acc<T>;
  if (sr == 1 && sa == 1 && sb == 1) {
    // In place means the very same element, so the iterations are independent.
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i)
      r[i] = static_cast<R>(f(static_cast<A>(a[i]), static_cast<A>(b[i])));
  } else if (sr == 1 && sa == 1 && sb == 0) {
    const A scalar = static_cast<A>(*b);
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i)
      r[i] = static_cast<R>(f(static_cast<A>(a[i]), scalar));
  } else {
    for (int64_t i = 0; i < n; ++i)
      r[i * sr] = static_cast<R>(f(static_cast<A>(a[i * sa]), static_cast<A>(b[i * sb])));
  }
}

template <class T> inline constexpr bool kVectorized = !std::is_integral_v<T>;

template <class T, class F> void unary_loop(Call &call, F f) {
  const Tensor &x = call.in[0], &y = call.out[0];
  const T *in = x.data<T>();
  T *out = y.data<T>();
  StridedLoop<2>(y.shape, {y.strides, x.strides})
      .run(*call.context.pool, [=](const int64_t *at, const int64_t *step, int64_t n) {
        const T *a = in + at[1];
        T *r = out + at[0];
        if constexpr (kVectorized<T>) {
          unary_row(f, r, step[0], a, step[1], n);
        } else {
          const auto g = [=](Acc<T> v, Acc<T>) { return f.template of<numerics::ScalarMath>(v); };
          scalar_row(g, r, step[0], a, step[1], a, step[1], n);
        }
      });
}

/** inner(r, sr, a, sa, b, sb, n) over the rows of two broadcast operands and the result. */
template <class T, class R, class Inner> void binary_rows(Call &call, Inner inner) {
  const Tensor &x = call.in[0], &y = call.in[1], &z = call.out[0];
  const T *left = x.data<T>(), *right = y.data<T>();
  R *out = z.data<R>();
  StridedLoop<3>(z.shape, {z.strides, broadcast_strides(x.shape, x.strides, z.shape),
                           broadcast_strides(y.shape, y.strides, z.shape)})
      .run(*call.context.pool, [=](const int64_t *at, const int64_t *step, int64_t n) {
        inner(out + at[0], step[0], left + at[1], step[1], right + at[2], step[2], n);
      });
}

template <class T, class F> void binary_loop(Call &call, F f) {
  if constexpr (kVectorized<T>)
    binary_rows<T, T>(call, [f](auto... row) { binary_row(f, row...); });
  else
    binary_rows<T, T>(call, [f](auto... row) {
      scalar_row([f](Acc<T> a, Acc<T> b) { return f.template of<numerics::ScalarMath>(a, b); }, row...);
    });
}

template <class T, class F> void compare_loop(Call &call, F f) {
  binary_rows<T, bool>(call, [f](auto... row) { scalar_row(f, row...); });
}

} // namespace hrm::cpu::HRM_ISA

#endif // HRM_CPU_SIMD_ELEMENTWISE_H_
