// What one row (a token) needs between the matrix products: normalisation, rotation, softmax. Include after begin.h,
// vec.h and math.h.
#ifndef HRM_CPU_SIMD_ROW_KERNELS_H_
#define HRM_CPU_SIMD_ROW_KERNELS_H_

namespace hrm::cpu::HRM_ISA {

/** A full register, or the n elements that are left (n > 0; the other lanes are zero). */
template <class T> HRM_INLINE vec<T> load_upto(const T *p, int64_t n) {
  return n >= kLanes<T> ? load(p) : load_partial(p, static_cast<int>(n));
}
template <class T> HRM_INLINE void store_upto(T *p, vec<T> v, int64_t n) {
  if (n >= kLanes<T>)
    store(p, v);
  else
    store_partial(p, v, static_cast<int>(n));
}

/** sum of a[i] * b[i] */
template <class T> HRM_INLINE T dot_row(const T *a, const T *b, int64_t n) {
  constexpr int W = kLanes<T>;
  vec<T> sum0{}, sum1{};
  int64_t i = 0;
  for (; i + 2 * W <= n; i += 2 * W) {
    sum0 = fma(load(a + i), load(b + i), sum0);
    sum1 = fma(load(a + i + W), load(b + i + W), sum1);
  }
  for (; i < n; i += W)
    sum0 = fma(load_upto(a + i, n - i), load_upto(b + i, n - i), sum0);
  return hsum(sum0 + sum1);
}

/** y = r x with r = 1 / sqrt(mean(x^2) + eps), which it returns. y may be x. */
template <class T> HRM_INLINE T rms_norm_row(const T *x, T *y, int64_t n, T eps) {
  constexpr int W = kLanes<T>;
  const T meanSquare = dot_row(x, x, n) / static_cast<T>(n);
  const T factor = T(1) / sqrt(broadcast(meanSquare + eps))[0];
  const vec<T> r = broadcast(factor);
  for (int64_t i = 0; i < n; i += W)
    store_upto(y + i, load_upto(x + i, n - i) * r, n - i);
  return factor;
}

/** Gradient of y = rms_norm(x) from y and its factor r: dx = r (dy - y mean(dy y)). dx may be dy. */
template <class T> HRM_INLINE void rms_norm_backward_row(const T *dy, const T *y, T r, T *dx, int64_t n) {
  constexpr int W = kLanes<T>;
  const vec<T> mean = broadcast(dot_row(dy, y, n) / static_cast<T>(n)), factor = broadcast(r);
  for (int64_t i = 0; i < n; i += W)
    store_upto(dx + i, factor * (load_upto(dy + i, n - i) - load_upto(y + i, n - i) * mean), n - i);
}

/** One row of the RoPE tables: cosines and sines for the lower and for the upper half of a head. */
template <class T> struct RopeRow {
  const T *cosLow, *cosHigh, *sinLow, *sinHigh;
};

/** Rotates one head's row of q or k in place (rotate-half convention). */
template <class T> HRM_INLINE void rope_row(T *x, RopeRow<T> t, int64_t half) {
  constexpr int W = kLanes<T>;
  for (int64_t i = 0; i < half; i += W) {
    const int64_t n = half - i;
    const vec<T> low = load_upto(x + i, n), high = load_upto(x + half + i, n);
    store_upto(x + i, low * load_upto(t.cosLow + i, n) - high * load_upto(t.sinLow + i, n), n);
    store_upto(x + half + i, high * load_upto(t.cosHigh + i, n) + low * load_upto(t.sinHigh + i, n), n);
  }
}

/** The transposed map, which takes gradients back. */
template <class T> HRM_INLINE void rope_backward_row(T *x, RopeRow<T> t, int64_t half) {
  constexpr int W = kLanes<T>;
  for (int64_t i = 0; i < half; i += W) {
    const int64_t n = half - i;
    const vec<T> low = load_upto(x + i, n), high = load_upto(x + half + i, n);
    store_upto(x + i, low * load_upto(t.cosLow + i, n) + high * load_upto(t.sinHigh + i, n), n);
    store_upto(x + half + i, high * load_upto(t.cosHigh + i, n) - low * load_upto(t.sinLow + i, n), n);
  }
}

/** Sets the lanes of v from n on to zero. */
template <class T> HRM_INLINE vec<T> keep_lanes(vec<T> v, int64_t n) {
  T lane[kLanes<T>];
  store(lane, v);
  return load_partial(lane, static_cast<int>(n));
}

/**
 * In place: s = exp(scale (s - max s)) over n elements, zero from there up to `padded` (a multiple of the lanes).
 * Returns the sum of the exponentials; *logSumExp is that of scale * s.
 */
template <class T> HRM_INLINE T softmax_row(T *s, int64_t n, int64_t padded, T scale, T *logSumExp) {
  constexpr int W = kLanes<T>;
  vec<T> most = broadcast(s[0]);
  int64_t i = 0;
  for (; i + W <= n; i += W)
    most = max(most, load(s + i));
  T top = hmax(most);
  for (; i < n; ++i)
    top = s[i] > top ? s[i] : top;
  const vec<T> factor = broadcast(scale), offset = broadcast(-scale * top);
  vec<T> sum{};
  for (i = 0; i < padded; i += W) {
    vec<T> e = i < n ? exp(fma(load(s + i), factor, offset)) : vec<T>{};
    if (i < n && i + W > n)
      e = keep_lanes<T>(e, n - i);
    store(s + i, e);
    sum += e;
  }
  const T total = hsum(sum);
  *logSumExp = scale * top + log(total);
  return total;
}

} // namespace hrm::cpu::HRM_ISA

#endif // HRM_CPU_SIMD_ROW_KERNELS_H_
