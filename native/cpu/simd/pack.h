// Packing of matrix panels for the micro-kernels of gemm_kernel.h. Include after begin.h and vec.h.
#ifndef HRM_CPU_SIMD_PACK_H_
#define HRM_CPU_SIMD_PACK_H_

namespace hrm::cpu::HRM_ISA {

/** out[j][i] = in[i][j] for 4x4 blocks; strides in elements. */
template <class T> HRM_INLINE void transpose4x4(const T *in, int64_t inStride, T *out, int64_t outStride) {
  using V = typename VecOf<T, 4>::type;
  using M = typename VecOf<mask_int<T>, 4>::type;
  V r0, r1, r2, r3;
  __builtin_memcpy(&r0, in, sizeof(V));
  __builtin_memcpy(&r1, in + inStride, sizeof(V));
  __builtin_memcpy(&r2, in + 2 * inStride, sizeof(V));
  __builtin_memcpy(&r3, in + 3 * inStride, sizeof(V));
#if defined(__clang__)
#define HRM_SHUFFLE4(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
#define HRM_SHUFFLE4(a, b, i, j, k, l) __builtin_shuffle(a, b, M{i, j, k, l})
#endif
  const V t0 = HRM_SHUFFLE4(r0, r1, 0, 4, 1, 5);
  const V t1 = HRM_SHUFFLE4(r2, r3, 0, 4, 1, 5);
  const V t2 = HRM_SHUFFLE4(r0, r1, 2, 6, 3, 7);
  const V t3 = HRM_SHUFFLE4(r2, r3, 2, 6, 3, 7);
  const V o0 = HRM_SHUFFLE4(t0, t1, 0, 1, 4, 5);
  const V o1 = HRM_SHUFFLE4(t0, t1, 2, 3, 6, 7);
  const V o2 = HRM_SHUFFLE4(t2, t3, 0, 1, 4, 5);
  const V o3 = HRM_SHUFFLE4(t2, t3, 2, 3, 6, 7);
#undef HRM_SHUFFLE4
  __builtin_memcpy(out, &o0, sizeof(V));
  __builtin_memcpy(out + outStride, &o1, sizeof(V));
  __builtin_memcpy(out + 2 * outStride, &o2, sizeof(V));
  __builtin_memcpy(out + 3 * outStride, &o3, sizeof(V));
  static_cast<void>(sizeof(M));
}

/** Lanes [0, n) of the panel from rows that are contiguous along k. */
template <class T> void pack_lanes_along_k(const T *src, int64_t laneStride, int n, int64_t k, T *dst, int width) {
  if (n < 4) {
    for (int64_t p = 0; p < k; ++p)
      for (int i = 0; i < n; ++i)
        dst[p * width + i] = src[i * laneStride + p];
    return;
  }
  constexpr int64_t kLine = 64 / sizeof(T);
  int64_t p0 = 0;
  for (; p0 + 4 <= k; p0 += kLine) {
    const int64_t end = p0 + kLine <= k ? p0 + kLine : p0 + (k - p0) / 4 * 4;
    // The last group overlaps the one before it, so that every group has four lanes.
    for (int i = 0; i < n; i += 4) {
      const int lane = i + 4 <= n ? i : n - 4;
      for (int64_t p = p0; p < end; p += 4)
        transpose4x4<T>(src + lane * laneStride + p, laneStride, dst + p * width + lane, width);
    }
  }
  for (int64_t p = k / 4 * 4; p < k; ++p)
    for (int i = 0; i < n; ++i)
      dst[p * width + i] = src[i * laneStride + p];
}

/** dst[p][i] = src[i][p] for an R x register tile: pack_lanes_along_k with everything known when it is compiled. */
template <class T, int R> HRM_INLINE void pack_tile(const T *src, T *dst) {
  constexpr int W = kLanes<T>;
  if constexpr (R < 4 || W < 4) {
    pack_lanes_along_k(src, W, R, W, dst, R);
  } else {
#pragma GCC unroll 4
    for (int p = 0; p < W; p += 4)
#pragma GCC unroll 4
      for (int i = 0; i < R; i += 4) {
        const int lane = i + 4 <= R ? i : R - 4;
        transpose4x4<T>(src + lane * W + p, W, dst + p * R + lane, R);
      }
  }
}

/** Lanes [0, n) of the panel from rows that are contiguous along the lanes; writes stay within the panel. */
template <class T> void pack_lanes_contiguous(const T *src, int64_t kStride, int n, int64_t k, T *dst, int width) {
  constexpr int W = kLanes<T>;
  const T *const end = dst + k * width;
  for (int64_t p = 0; p < k; ++p, src += kStride, dst += width) {
    int i = 0;
    for (; i + W <= n; i += W)
      store(dst + i, load(src + i));
    if (i == n)
      continue;
    // A full store is cheaper; what it writes too much, the next row (or the padding) overwrites.
    const vec<T> rest = load_partial(src + i, n - i);
    if (dst + i + W <= end)
      store(dst + i, rest);
    else
      store_partial(dst + i, rest, n - i);
  }
}

/** dst[p * width + i] = src[i * laneStride + p * kStride] for i < n <= width and each of the k steps. */
template <class T>
void pack_lanes(const T *src, int64_t laneStride, int64_t kStride, int n, int64_t k, T *dst, int width) {
  if (kStride == 1) {
    pack_lanes_along_k(src, laneStride, n, k, dst, width);
  } else if (laneStride == 1) {
    pack_lanes_contiguous(src, kStride, n, k, dst, width);
  } else {
    for (int64_t p = 0; p < k; ++p)
      for (int i = 0; i < n; ++i)
        dst[p * width + i] = src[i * laneStride + p * kStride];
  }
}

/** One panel: the lanes, and zeros for n <= i < width. */
template <class T>
void pack_panel(const T *src, int64_t laneStride, int64_t kStride, int n, int64_t k, T *dst, int width) {
  pack_lanes(src, laneStride, kStride, n, k, dst, width);
  if (n < width)
    for (int64_t p = 0; p < k; ++p)
      for (int i = n; i < width; ++i)
        dst[p * width + i] = T(0);
}

} // namespace hrm::cpu::HRM_ISA

#endif // HRM_CPU_SIMD_PACK_H_
