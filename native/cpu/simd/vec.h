// Vectors of the widest register of the instruction set that begin.h opened, on GCC vector extensions: + - * /
// comparisons, bit operations and ?: come from the language; loads, fma, reductions and conversions are here. Include
// after begin.h.
#ifndef HRM_CPU_SIMD_VEC_H_
#define HRM_CPU_SIMD_VEC_H_

#define HRM_INLINE inline __attribute__((always_inline))

namespace hrm::cpu::HRM_ISA {

#if HRM_ISA_ID == 2
inline constexpr int kVecBytes = 64;
#elif HRM_ISA_ID == 1
inline constexpr int kVecBytes = 32;
#else
inline constexpr int kVecBytes = 16;
#endif

template <class T, int W> struct VecOf {
  typedef T type __attribute__((vector_size(W * sizeof(T))));
};
/** Lanes of a full register. */
template <class T> inline constexpr int kLanes = kVecBytes / static_cast<int>(sizeof(T));
template <class T, int W = kLanes<T>> using vec = typename VecOf<T, W>::type;

/** The signed integer as wide as T: comparisons of vec<T> give a vec of it, 0 or -1 a lane. */
template <class T> struct MaskOf;
template <> struct MaskOf<float> {
  using type = int32_t;
};
template <> struct MaskOf<double> {
  using type = int64_t;
};
template <class T> using mask_int = typename MaskOf<T>::type;
template <class T> using mask = vec<mask_int<T>>;

using vf = vec<float>;
using vd = vec<double>;
using vi = vec<int32_t>;
using vl = vec<int64_t>;

HRM_INLINE vf broadcast(float x) {
#if HRM_ISA_ID == 2
  return (vf)_mm512_set1_ps(x);
#elif HRM_ISA_ID == 1
  return (vf)_mm256_set1_ps(x);
#else
  return vf{x, x, x, x};
#endif
}
HRM_INLINE vd broadcast(double x) {
#if HRM_ISA_ID == 2
  return (vd)_mm512_set1_pd(x);
#elif HRM_ISA_ID == 1
  return (vd)_mm256_set1_pd(x);
#else
  return vd{x, x};
#endif
}

/** Unaligned. */
template <class T> HRM_INLINE vec<T> load(const T *p) {
  vec<T> v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
template <class T> HRM_INLINE void store(T *p, vec<T> v) { __builtin_memcpy(p, &v, sizeof v); }

#if HRM_ISA_ID == 1
/** Windows into this table are the lane masks of partial loads. */
alignas(64) inline constexpr int32_t kMaskTable[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
HRM_INLINE __m256i lane_mask32(int n) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i *>(kMaskTable + 8 - n));
}
HRM_INLINE __m256i lane_mask64(int n) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i *>(kMaskTable + 8 - 2 * n));
}
#endif

/** The first n lanes (0 <= n <= lanes), zero in the others; memory beyond them is not touched. */
HRM_INLINE vf load_partial(const float *p, int n) {
#if HRM_ISA_ID == 2
  return (vf)_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1u), p);
#elif HRM_ISA_ID == 1
  return (vf)_mm256_maskload_ps(p, lane_mask32(n));
#else
  vf v{};
  __builtin_memcpy(&v, p, sizeof(float) * static_cast<size_t>(n));
  return v;
#endif
}
HRM_INLINE vd load_partial(const double *p, int n) {
#if HRM_ISA_ID == 2
  return (vd)_mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << n) - 1u), p);
#elif HRM_ISA_ID == 1
  return (vd)_mm256_maskload_pd(p, lane_mask64(n));
#else
  vd v{};
  __builtin_memcpy(&v, p, sizeof(double) * static_cast<size_t>(n));
  return v;
#endif
}
HRM_INLINE void store_partial(float *p, vf v, int n) {
#if HRM_ISA_ID == 2
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1u), (__m512)v);
#elif HRM_ISA_ID == 1
  _mm256_maskstore_ps(p, lane_mask32(n), (__m256)v);
#else
  __builtin_memcpy(p, &v, sizeof(float) * static_cast<size_t>(n));
#endif
}
HRM_INLINE void store_partial(double *p, vd v, int n) {
#if HRM_ISA_ID == 2
  _mm512_mask_storeu_pd(p, static_cast<__mmask8>((1u << n) - 1u), (__m512d)v);
#elif HRM_ISA_ID == 1
  _mm256_maskstore_pd(p, lane_mask64(n), (__m256d)v);
#else
  __builtin_memcpy(p, &v, sizeof(double) * static_cast<size_t>(n));
#endif
}

/** a * b + c, rounded once where the instruction set has FMA (base rounds twice). */
HRM_INLINE vf fma(vf a, vf b, vf c) {
#if HRM_ISA_ID == 2
  return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif HRM_ISA_ID == 1
  return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
  return a * b + c;
#endif
}
HRM_INLINE vd fma(vd a, vd b, vd c) {
#if HRM_ISA_ID == 2
  return (vd)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif HRM_ISA_ID == 1
  return (vd)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#else
  return a * b + c;
#endif
}

/** m's lanes are 0 or -1. */
HRM_INLINE vf select(vi m, vf a, vf b) { return m ? a : b; }
HRM_INLINE vd select(vl m, vd a, vd b) { return m ? a : b; }

/** The lanes of four masks as bytes, 0 or 1. */
HRM_INLINE void store_bools(uint8_t *p, vi a, vi b, vi c, vi d) {
#if HRM_ISA_ID == 2
  const vi masks[4] = {a, b, c, d};
  for (int i = 0; i < 4; ++i)
    _mm_storeu_si128(reinterpret_cast<__m128i *>(p + 16 * i), _mm512_cvtepi32_epi8((__m512i)(masks[i] & 1)));
#elif HRM_ISA_ID == 1
  // Packing works within halves of a register, so that groups of four lie a0 b0 c0 d0 a1 b1 c1 d1.
  const __m256i words =
      _mm256_packs_epi16(_mm256_packs_epi32((__m256i)a, (__m256i)b), _mm256_packs_epi32((__m256i)c, (__m256i)d));
  const __m256i bytes = _mm256_permutevar8x32_epi32(words, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
  _mm256_storeu_si256(reinterpret_cast<__m256i *>(p), _mm256_and_si256(bytes, _mm256_set1_epi8(1)));
#elif defined(__x86_64__)
  const __m128i bytes =
      _mm_packs_epi16(_mm_packs_epi32((__m128i)a, (__m128i)b), _mm_packs_epi32((__m128i)c, (__m128i)d));
  _mm_storeu_si128(reinterpret_cast<__m128i *>(p), _mm_and_si128(bytes, _mm_set1_epi8(1)));
#else
  const vi masks[4] = {a, b, c, d};
  for (int i = 0; i < 4 * kLanes<float>; ++i)
    p[i] = static_cast<uint8_t>(masks[i / kLanes<float>][i % kLanes<float>] & 1);
#endif
}

/** As the x86 instructions: the second operand where either is NaN. */
HRM_INLINE vf max(vf a, vf b) {
#if HRM_ISA_ID == 2
  return (vf)_mm512_max_ps((__m512)a, (__m512)b);
#elif HRM_ISA_ID == 1
  return (vf)_mm256_max_ps((__m256)a, (__m256)b);
#else
  return a > b ? a : b;
#endif
}
HRM_INLINE vd max(vd a, vd b) {
#if HRM_ISA_ID == 2
  return (vd)_mm512_max_pd((__m512d)a, (__m512d)b);
#elif HRM_ISA_ID == 1
  return (vd)_mm256_max_pd((__m256d)a, (__m256d)b);
#else
  return a > b ? a : b;
#endif
}
HRM_INLINE vf min(vf a, vf b) {
#if HRM_ISA_ID == 2
  return (vf)_mm512_min_ps((__m512)a, (__m512)b);
#elif HRM_ISA_ID == 1
  return (vf)_mm256_min_ps((__m256)a, (__m256)b);
#else
  return a < b ? a : b;
#endif
}
HRM_INLINE vd min(vd a, vd b) {
#if HRM_ISA_ID == 2
  return (vd)_mm512_min_pd((__m512d)a, (__m512d)b);
#elif HRM_ISA_ID == 1
  return (vd)_mm256_min_pd((__m256d)a, (__m256d)b);
#else
  return a < b ? a : b;
#endif
}

HRM_INLINE vf abs(vf v) { return (vf)((vi)v & 0x7fffffff); }
HRM_INLINE vd abs(vd v) { return (vd)((vl)v & 0x7fffffffffffffffLL); }

/** Pairwise, so that the order of the sum does not depend on the compiler. */
template <class T> HRM_INLINE T hsum_of(vec<T> v) {
  T lane[kLanes<T>];
  __builtin_memcpy(lane, &v, sizeof v);
  for (int w = kLanes<T> / 2; w > 0; w /= 2)
    for (int i = 0; i < w; ++i)
      lane[i] += lane[i + w];
  return lane[0];
}
template <class T> HRM_INLINE T hmax_of(vec<T> v) {
  T lane[kLanes<T>];
  __builtin_memcpy(lane, &v, sizeof v);
  for (int w = kLanes<T> / 2; w > 0; w /= 2)
    for (int i = 0; i < w; ++i)
      lane[i] = lane[i] > lane[i + w] ? lane[i] : lane[i + w];
  return lane[0];
}
HRM_INLINE float hsum(vf v) {
#if HRM_ISA_ID == 2
  return _mm512_reduce_add_ps((__m512)v);
#else
  return hsum_of<float>(v);
#endif
}
HRM_INLINE double hsum(vd v) {
#if HRM_ISA_ID == 2
  return _mm512_reduce_add_pd((__m512d)v);
#else
  return hsum_of<double>(v);
#endif
}
HRM_INLINE float hmax(vf v) {
#if HRM_ISA_ID == 2
  return _mm512_reduce_max_ps((__m512)v);
#else
  return hmax_of<float>(v);
#endif
}
HRM_INLINE double hmax(vd v) {
#if HRM_ISA_ID == 2
  return _mm512_reduce_max_pd((__m512d)v);
#else
  return hmax_of<double>(v);
#endif
}

/** sqrt of each lane, correctly rounded. */
HRM_INLINE vf sqrt(vf v) {
#if HRM_ISA_ID == 2
  return (vf)_mm512_sqrt_ps((__m512)v);
#elif HRM_ISA_ID == 1
  return (vf)_mm256_sqrt_ps((__m256)v);
#else
  for (int i = 0; i < kLanes<float>; ++i)
    v[i] = __builtin_sqrtf(v[i]);
  return v;
#endif
}
HRM_INLINE vd sqrt(vd v) {
#if HRM_ISA_ID == 2
  return (vd)_mm512_sqrt_pd((__m512d)v);
#elif HRM_ISA_ID == 1
  return (vd)_mm256_sqrt_pd((__m256d)v);
#else
  for (int i = 0; i < kLanes<double>; ++i)
    v[i] = __builtin_sqrt(v[i]);
  return v;
#endif
}

using vh = vec<uint16_t, kLanes<float>>;
using vu = vec<uint32_t>;

/** bfloat16 is the upper half of a float. */
HRM_INLINE vf from_bf16(vh h) { return (vf)(__builtin_convertvector(h, vu) << 16); }
/** Round to nearest even; NaN stays a (quiet) NaN. */
HRM_INLINE vh to_bf16(vf v) {
  const vu bits = (vu)v;
  const vu rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const vu nan = (bits >> 16) | 0x40u;
  return __builtin_convertvector((v != v) ? nan : rounded, vh);
}
HRM_INLINE vf load_bf16(const uint16_t *p) {
  vh h;
  __builtin_memcpy(&h, p, sizeof h);
  return from_bf16(h);
}
HRM_INLINE vf load_bf16_partial(const uint16_t *p, int n) {
  vh h{};
  __builtin_memcpy(&h, p, sizeof(uint16_t) * static_cast<size_t>(n));
  return from_bf16(h);
}
HRM_INLINE void store_bf16(uint16_t *p, vf v) {
  const vh h = to_bf16(v);
  __builtin_memcpy(p, &h, sizeof h);
}
HRM_INLINE void store_bf16_partial(uint16_t *p, vf v, int n) {
  const vh h = to_bf16(v);
  __builtin_memcpy(p, &h, sizeof(uint16_t) * static_cast<size_t>(n));
}

} // namespace hrm::cpu::HRM_ISA

#endif // HRM_CPU_SIMD_VEC_H_
