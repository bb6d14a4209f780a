// exp, log, tanh, sigmoid, sin and cos of vec<float> and vec<double>, and of scalars through the same code. Errors stay
// within 2.5 ulp (float) and 4 ulp (double); infinities, NaN and denormals give what the C library gives. The
// coefficients are minimax fits of our own. Include after begin.h and vec.h.
#ifndef HRM_CPU_SIMD_MATH_H_
#define HRM_CPU_SIMD_MATH_H_

namespace hrm::cpu::HRM_ISA {

template <class T> struct MathConst;

template <> struct MathConst<float> {
  static constexpr int kMantissaBits = 23;
  static constexpr int32_t kBias = 127;
  static constexpr float kRoundMagic = 12582912.0f; // 1.5 * 2^23: adding it rounds to an integer
  static constexpr float kLog2e = 1.44269504088896341f;
  static constexpr float kLn2High = 0.693115234375f; // 12 bits: its product with an exponent is exact
  static constexpr float kLn2Low = 0.000031946183298714458942f;
  static constexpr float kExpLow = -104.0f, kExpHigh = 89.0f;
  static constexpr float kLogisticHigh = 87.0f;
  // (e^x - 1 - x) / x^2
  static constexpr float kExp[] = {0.5000000014286223417f,  0.1666666668253435607f,   0.04166645680967787603f,
                                   0.00833331002422529243f, 0.001393454192827026448f, 0.0001989198131397769021f};
  // (2 atanh(s) / s - 2) / s^2 in s^2
  static constexpr float kLog[] = {0.666666655907418455f, 0.40000350851683484f, 0.28536164592556949f,
                                   0.236061017006311389f};
  // (tanh(x) / x - 1) / x^2 in x^2, |x| <= 0.625
  static constexpr float kTanh[] = {-0.333333310670281802f, 0.133332145415856013f,    -0.0539476996448978301f,
                                    0.0217052939084467696f, -0.00818774919268642801f, 0.00215171744339572218f};
  static constexpr float kMinNormal = 1.17549435e-38f;
  static constexpr float kDenormalScale = 33554432.0f; // 2^25
  static constexpr float kDenormalShift = 25.0f;
  static constexpr int32_t kSqrtHalf = 0x3f3504f3;
};

template <> struct MathConst<double> {
  static constexpr int kMantissaBits = 52;
  static constexpr int64_t kBias = 1023;
  static constexpr double kRoundMagic = 6755399441055744.0;
  static constexpr double kLog2e = 1.44269504088896340736;
  static constexpr double kLn2High = 0.693147180601954460144043; // 32 bits
  static constexpr double kLn2Low = -4.200915072681084597935359e-11;
  static constexpr double kExpLow = -746.0, kExpHigh = 710.0;
  static constexpr double kLogisticHigh = 708.0;
  static constexpr double kExp[] = {0.5000000000000001128,   0.1666666666666666753,   0.04166666666662063858,
                                    0.0083333333333297935,   0.001388888891893916778, 0.000198412698643805133,
                                    2.480151864139599358e-5, 2.75572664186123037e-6,  2.76213386691429238e-7,
                                    2.51013469283503402e-8};
  static constexpr double kLog[] = {0.666666666666673766, 0.399999999993756753, 0.285714287538389421,
                                    0.222221971715142726, 0.181836470758368836, 0.153117129910626669,
                                    0.148213003321207503};
  static constexpr double kTanh[] = {-0.333333333333333188,    0.13333333333330477,       -0.0539682539663910774,
                                     0.0218694884764863429,    -0.0088632344206117914,    0.00359211495867893884,
                                     -0.00145573158275530325,  0.000589473994942406123,   -0.000237069704984374655,
                                     0.0000916547460115810909, -0.0000302794174076992088, 6.08115636713809219e-6};
  static constexpr double kMinNormal = 2.2250738585072014e-308;
  static constexpr double kDenormalScale = 18014398509481984.0; // 2^54
  static constexpr double kDenormalShift = 54.0;
  static constexpr int64_t kSqrtHalf = 0x3fe6a09e667f3bcd;
};

template <class T, int N> HRM_INLINE vec<T> polynomial(vec<T> x, const T (&c)[N]) {
  vec<T> y = broadcast(c[N - 1]);
#pragma GCC unroll 16
  for (int i = N - 2; i >= 0; --i)
    y = fma(y, x, broadcast(c[i]));
  return y;
}

#if HRM_ISA_ID == 2
/** y * 2^n for a whole n, rounded once where the result is denormal. */
HRM_INLINE vf scale_by_exponent(vf y, vf n) { return (vf)_mm512_scalef_ps((__m512)y, (__m512)n); }
HRM_INLINE vd scale_by_exponent(vd y, vd n) { return (vd)_mm512_scalef_pd((__m512d)y, (__m512d)n); }
#endif

template <class T> HRM_INLINE vec<T> exp_of(vec<T> x) {
  using C = MathConst<T>;
  // The operands' order lets NaN through.
  x = min(broadcast(C::kExpHigh), max(broadcast(C::kExpLow), x));
  const vec<T> magic = broadcast(C::kRoundMagic);
  const vec<T> shifted = fma(x, broadcast(C::kLog2e), magic);
  const vec<T> n = shifted - magic;
  vec<T> r = fma(n, broadcast(-C::kLn2High), x);
  r = fma(n, broadcast(-C::kLn2Low), r);
  const vec<T> y = fma(r * r, polynomial<T>(r, C::kExp), r) + broadcast(T(1));
#if HRM_ISA_ID == 2
  return scale_by_exponent(y, n);
#else
  // 2^n in two factors: n leaves the range of the exponent on both sides.
  const mask<T> exponent = (mask<T>)shifted - (mask<T>)magic;
  const mask<T> half = exponent >> 1;
  const vec<T> scale1 = (vec<T>)((half + C::kBias) << C::kMantissaBits);
  const vec<T> scale2 = (vec<T>)((exponent - half + C::kBias) << C::kMantissaBits);
  return y * scale1 * scale2;
#endif
}

/**
 * 1 / (1 + e^-x) in a third of the instructions of exp: 2^n as one factor. Where e^x would be denormal it is 0 instead,
 * so that g * logistic_of(g) is within 4 ulp or 1e-36 of silu; NaN stays NaN. For the epilogues of matrix products.
 */
template <class T> HRM_INLINE vec<T> logistic_of(vec<T> x) {
  using C = MathConst<T>;
  // The operands' order lets NaN through. At the upper end 2^-n is infinity, at the lower end the smallest normal
  // number.
  x = min(broadcast(C::kLogisticHigh), max(broadcast(-C::kExpHigh), x));
  const vec<T> magic = broadcast(C::kRoundMagic), one = broadcast(T(1));
  const vec<T> shifted = fma(x, broadcast(-C::kLog2e), magic);
  const vec<T> n = shifted - magic;
  // r = -x - n ln 2
  const vec<T> r = -fma(n, broadcast(C::kLn2Low), fma(n, broadcast(C::kLn2High), x));
  const vec<T> y = fma(r * r, polynomial<T>(r, C::kExp), r) + one;
  // The magic number's own bits leave at the top.
  const vec<T> scale = (vec<T>)(((mask<T>)shifted << C::kMantissaBits) + (C::kBias << C::kMantissaBits));
  return one / fma(y, scale, one);
}

template <class T> HRM_INLINE vec<T> log_of(vec<T> x) {
  using C = MathConst<T>;
  const vec<T> zero{}, one = broadcast(T(1));
  const mask<T> denormal = x < broadcast(C::kMinNormal);
  const vec<T> scaled = select(denormal, x * broadcast(C::kDenormalScale), x);
  const mask<T> bits = (mask<T>)scaled;
  // x = 2^k m with m in [sqrt(1/2), sqrt(2)).
  const mask<T> k = (bits - C::kSqrtHalf) >> C::kMantissaBits;
  const vec<T> m = (vec<T>)(bits - (k << C::kMantissaBits));
  const vec<T> kf = __builtin_convertvector(k, vec<T>) - select(denormal, broadcast(C::kDenormalShift), zero);
  const vec<T> f = m - one;
  const vec<T> s = f / (f + broadcast(T(2)));
  const vec<T> z = s * s;
  const vec<T> r = z * polynomial<T>(z, C::kLog);
  const vec<T> h = broadcast(T(0.5)) * f * f;
  const vec<T> low = fma(kf, broadcast(C::kLn2Low), s * (h + r));
  const vec<T> y = fma(kf, broadcast(C::kLn2High), f - (h - low));
  const vec<T> infinity = one / zero;
  vec<T> result = select(x == zero, -infinity, y);
  result = select(x == infinity, infinity, result);
  return select(x >= zero, result, zero / zero);
}

template <class T> HRM_INLINE vec<T> tanh_of(vec<T> x) {
  using C = MathConst<T>;
  const vec<T> one = broadcast(T(1)), two = broadcast(T(2));
  const vec<T> a = abs(x);
  const vec<T> z = x * x;
  const vec<T> small = fma(x * z, polynomial<T>(z, C::kTanh), x);
  const vec<T> large = one - two / (exp_of<T>(a + a) + one);
  return select(a < broadcast(T(0.625)), small, select(x < vec<T>{}, -large, large));
}

template <class T> HRM_INLINE vec<T> sigmoid_of(vec<T> x) {
  const vec<T> one = broadcast(T(1));
  const vec<T> e = exp_of<T>(-abs(x));
  return select(x < vec<T>{}, e, one) / (one + e);
}

/** Whether every lane is set. */
HRM_INLINE bool all(vl m) { return hmax(select(m, vd{}, broadcast(1.0))) == 0.0; }

/** sin(x + quarters * pi/2) */
HRM_INLINE vd sine(vd x, int quarters) {
  // Reduction by three parts of pi/2 is exact enough up to here; beyond (and for NaN) the C library does it.
  constexpr double kLimit = 1e6;
  if (!all(abs(x) <= broadcast(kLimit))) {
    for (int i = 0; i < kLanes<double>; ++i)
      x[i] = quarters ? __builtin_cos(x[i]) : __builtin_sin(x[i]);
    return x;
  }
  constexpr double kSin[] = {-0.166666666666666666,   0.00833333333333332075,  -0.000198412698412525662,
                             2.75573192128246039e-6,  -2.50521045437400419e-8, 1.60583186787631231e-10,
                             -7.57628244621473045e-13};
  constexpr double kCos[] = {0.0416666666666666666,   -0.0013888888888888879, 0.0000248015873015744945,
                             -2.75573192162591273e-7, 2.08767544952943869e-9, -1.14703016876057862e-11,
                             4.7382630021336305e-14};
  const vd magic = broadcast(MathConst<double>::kRoundMagic);
  const vd shifted = fma(x, broadcast(0.636619772367581343), magic);
  const vd n = shifted - magic;
  const vl quadrant = (vl)shifted - (vl)magic + quarters;
  vd r = fma(n, broadcast(-0x1.921fb544p+0), x);
  r = fma(n, broadcast(-0x1.0b4611a6p-34), r);
  r = fma(n, broadcast(-0x1.3198a2e037073p-69), r);
  const vd z = r * r;
  const vd s = fma(r * z, polynomial<double>(z, kSin), r);
  const vd c = fma(z * z, polynomial<double>(z, kCos), broadcast(1.0) - broadcast(0.5) * z);
  const vd y = select((quadrant & 1) != 0, c, s);
  return select((quadrant & 2) != 0, -y, y);
}
/** In double: float's own reduction would lose bits near the zeros. */
HRM_INLINE vf sine(vf x, int quarters) {
  using Half = typename VecOf<float, kLanes<double>>::type;
  Half part[2];
  __builtin_memcpy(part, &x, sizeof x);
  for (Half &h : part)
    h = __builtin_convertvector(sine(__builtin_convertvector(h, vd), quarters), Half);
  __builtin_memcpy(&x, part, sizeof x);
  return x;
}

HRM_INLINE vf exp(vf x) { return exp_of<float>(x); }
HRM_INLINE vd exp(vd x) { return exp_of<double>(x); }
HRM_INLINE vf log(vf x) { return log_of<float>(x); }
HRM_INLINE vd log(vd x) { return log_of<double>(x); }
HRM_INLINE vf tanh(vf x) { return tanh_of<float>(x); }
HRM_INLINE vd tanh(vd x) { return tanh_of<double>(x); }
HRM_INLINE vf sigmoid(vf x) { return sigmoid_of<float>(x); }
HRM_INLINE vd sigmoid(vd x) { return sigmoid_of<double>(x); }
HRM_INLINE vf sin(vf x) { return sine(x, 0); }
HRM_INLINE vd sin(vd x) { return sine(x, 0); }
HRM_INLINE vf cos(vf x) { return sine(x, 1); }
HRM_INLINE vd cos(vd x) { return sine(x, 1); }

#define HRM_MATH_SCALAR(name)                                                                                          \
  HRM_INLINE float name(float x) { return name(broadcast(x))[0]; }                                                     \
  HRM_INLINE double name(double x) { return name(broadcast(x))[0]; }
HRM_MATH_SCALAR(exp)
HRM_MATH_SCALAR(log)
HRM_MATH_SCALAR(tanh)
HRM_MATH_SCALAR(sigmoid)
HRM_MATH_SCALAR(sin)
HRM_MATH_SCALAR(cos)
#undef HRM_MATH_SCALAR

} // namespace hrm::cpu::HRM_ISA

#endif // HRM_CPU_SIMD_MATH_H_
