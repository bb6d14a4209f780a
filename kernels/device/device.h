#pragma once
// Everything that a kernel may ask of the hardware, each behind a function: kernels contain no intrinsics, no inline
// PTX and no assumption that the threads of a warp run in step. The same source compiles with nvcc and, over fibers,
// with g++ (native/simt). Shared memory is dynamic only.
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "cuda/runtime.h"
#include "numerics/bfloat16.h"

namespace hrm::device {

constexpr int kWarp = 32;

// The second argument of __launch_bounds__. Left alone (0), ptxas fits as many blocks on a multiprocessor as registers
// allow, and spills some to fit one more; 1 forbids that, for kernels that lose by it (npm run check:nvcc finds them).
constexpr int least_blocks(bool spills_for_more) { return spills_for_more ? 1 : 0; }

#if defined(HRM_SIMT)
inline int thread_x() { return static_cast<int>(simt::position().thread.x); }
inline int thread_y() { return static_cast<int>(simt::position().thread.y); }
inline int block_x() { return static_cast<int>(simt::position().block.x); }
inline int block_y() { return static_cast<int>(simt::position().block.y); }
inline int block_z() { return static_cast<int>(simt::position().block.z); }
inline int n_threads() { return static_cast<int>(simt::position().block_dim.x); }
inline int n_blocks() { return static_cast<int>(simt::position().grid_dim.x); }
inline int lane() { return simt::lane(); }

// All threads of the block see each other's writes after this.
inline void sync_block(const char *file = __builtin_FILE(), int line = __builtin_LINE()) {
  simt::sync_block({file, line});
}
inline void sync_warp(const char *file = __builtin_FILE(), int line = __builtin_LINE()) {
  simt::sync_warp({file, line});
}

// The value of the warp's lane `source`; all 32 take part.
template <class T>
inline T shuffle(T value, int source, const char *file = __builtin_FILE(), int line = __builtin_LINE()) {
  T result;
  simt::exchange(&value, &result, sizeof(T), source, {file, line});
  return result;
}
template <class T>
inline T shuffle_xor(T value, int mask, const char *file = __builtin_FILE(), int line = __builtin_LINE()) {
  return shuffle(value, lane() ^ mask, file, line);
}

// Start of the block's shared memory, 16-byte aligned.
template <class T> inline T *shared_memory() { return static_cast<T *>(simt::shared_memory()); }

// 16 bytes from global to shared memory, arriving at the next wait_copies.
inline void copy_async16(void *shared, const void *global) { simt::copy_async(shared, global, 16); }
inline void commit_copies() { simt::commit_copies(); }
// Until at most n_pending groups of this thread's copies are on their way.
template <int n_pending> inline void wait_copies() { simt::wait_copies(n_pending, {"", 0}); }

template <class T> inline T atomic_add(T *target, T value) {
  const T before = *target;
  *target = before + value;
  return before;
}
inline int atomic_compare_exchange(int *target, int expected, int desired) {
  const int before = *target;
  if (before == expected)
    *target = desired;
  return before;
}
#else
__device__ __forceinline__ int thread_x() { return static_cast<int>(threadIdx.x); }
__device__ __forceinline__ int thread_y() { return static_cast<int>(threadIdx.y); }
__device__ __forceinline__ int block_x() { return static_cast<int>(blockIdx.x); }
__device__ __forceinline__ int block_y() { return static_cast<int>(blockIdx.y); }
__device__ __forceinline__ int block_z() { return static_cast<int>(blockIdx.z); }
__device__ __forceinline__ int n_threads() { return static_cast<int>(blockDim.x); }
__device__ __forceinline__ int n_blocks() { return static_cast<int>(gridDim.x); }
__device__ __forceinline__ int lane() { return static_cast<int>(threadIdx.x & 31); }

__device__ __forceinline__ void sync_block() { __syncthreads(); }
__device__ __forceinline__ void sync_warp() { __syncwarp(); }
template <class T> __device__ __forceinline__ T shuffle(T value, int source) { return __shfl_sync(~0u, value, source); }
template <class T> __device__ __forceinline__ T shuffle_xor(T value, int mask) {
  return __shfl_xor_sync(~0u, value, mask);
}
template <class T> __device__ __forceinline__ T *shared_memory() {
  extern __shared__ __align__(16) unsigned char hrm_shared[];
  return reinterpret_cast<T *>(hrm_shared);
}
__device__ __forceinline__ void copy_async16(void *shared, const void *global) {
  const unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;\n" ::"r"(to), "l"(global));
}
__device__ __forceinline__ void commit_copies() { asm volatile("cp.async.commit_group;\n"); }
template <int n_pending> __device__ __forceinline__ void wait_copies() {
  asm volatile("cp.async.wait_group %0;\n" ::"n"(n_pending) : "memory");
}
template <class T> __device__ __forceinline__ T atomic_add(T *target, T value) { return atomicAdd(target, value); }
__device__ __forceinline__ int atomic_compare_exchange(int *target, int expected, int desired) {
  return atomicCAS(target, expected, desired);
}
#endif

// N elements that are loaded and stored at once; aligned to their size.
template <class T, int N> struct alignas(sizeof(T) * N) Vec {
  T values[N];
  HRM_HD T &operator[](int i) { return values[i]; }
  HRM_HD const T &operator[](int i) const { return values[i]; }
};

// ---- sums over threads, in an order that depends on the number of threads only -------------------------------------

struct Sum {
  template <class T> HRM_HD T operator()(T a, T b) const { return a + b; }
};

// f over the warp's values; every lane gets it.
template <class F, class T> __device__ inline T reduce_warp(T value, F f) {
  for (int mask = kWarp / 2; mask > 0; mask /= 2) {
    const T other = shuffle_xor(value, mask);
    // The lower lane's value first, in both: the two must agree to the last bit.
    value = (lane() & mask) ? f(other, value) : f(value, other);
  }
  return value;
}

// f over the block's values; every thread gets it. Takes n_threads() / 32 numbers of shared memory at `scratch`, and is
// a barrier before and after: scratch may be used again at once.
template <class F, class T> __device__ inline T reduce_block(T value, T *scratch, F f) {
  value = reduce_warp(value, f);
  const int warp = thread_x() / kWarp, n_warps = n_threads() / kWarp;
  if (lane() == 0)
    scratch[warp] = value;
  sync_block();
  T result = scratch[0];
  for (int i = 1; i < n_warps; ++i)
    result = f(result, scratch[i]);
  sync_block();
  return result;
}

} // namespace hrm::device
