#pragma once
// The instructions that C++ has no word for, each behind a function. Those of Hopper (compute capability 9.0) do
// nothing when compiled for less; the rows that use them are not run there.
#include <cstdint>

namespace ceilings::device_code {

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
#define CEILINGS_HOPPER 1
#else
#define CEILINGS_HOPPER 0
#endif

__device__ inline uint32_t shared_address(const void *pointer) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

__device__ inline void add_release(unsigned *counter, unsigned value) {
  asm volatile("red.release.gpu.global.add.u32 [%0], %1;" ::"l"(counter), "r"(value) : "memory");
}

__device__ inline unsigned load_acquire(const unsigned *counter) {
  unsigned value;
  asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(value) : "l"(counter) : "memory");
  return value;
}

__device__ inline void cluster_barrier() {
#if CEILINGS_HOPPER
  asm volatile("barrier.cluster.arrive.release.aligned;\n\tbarrier.cluster.wait.acquire.aligned;" ::: "memory");
#endif
}

__device__ inline uint32_t cluster_rank() {
  uint32_t rank = 0;
#if CEILINGS_HOPPER
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
#endif
  return rank;
}

/// Lets the next kernel of the stream start, up to its own dependency_wait.
__device__ inline void launch_dependents() {
#if CEILINGS_HOPPER
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

/// Until the kernel before has finished and its writes are visible.
__device__ inline void dependency_wait() {
#if CEILINGS_HOPPER
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

__device__ inline void barrier_init(uint64_t *barrier, [[maybe_unused]] uint32_t arrivals) {
  [[maybe_unused]] const uint32_t address = shared_address(barrier);
#if CEILINGS_HOPPER
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(address), "r"(arrivals) : "memory");
#endif
}

/// Makes initialised barriers visible to the cluster and to the copy engine.
__device__ inline void barrier_init_fence() {
#if CEILINGS_HOPPER
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
#endif
}

/// Arrives, and lets the phase also wait for this many bytes.
__device__ inline void barrier_expect(uint64_t *barrier, [[maybe_unused]] uint32_t bytes) {
  [[maybe_unused]] const uint32_t address = shared_address(barrier);
#if CEILINGS_HOPPER
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(address), "r"(bytes) : "memory");
#endif
}

/// Arrives at the same barrier of another block of the cluster.
__device__ inline void barrier_arrive_remote(uint64_t *barrier, [[maybe_unused]] uint32_t rank) {
  [[maybe_unused]] const uint32_t address = shared_address(barrier);
#if CEILINGS_HOPPER
  asm volatile("{\n\t.reg .b32 remote;\n\t"
               "mapa.shared::cluster.u32 remote, %0, %1;\n\t"
               "mbarrier.arrive.release.cluster.shared::cluster.b64 _, [remote];\n\t}" ::"r"(address),
               "r"(rank)
               : "memory");
#endif
}

__device__ inline void barrier_wait(uint64_t *barrier, [[maybe_unused]] uint32_t parity) {
  [[maybe_unused]] const uint32_t address = shared_address(barrier);
#if CEILINGS_HOPPER
  uint32_t done = 0;
  while (!done) {
    asm volatile("{\n\t.reg .pred p;\n\t"
                 "mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 p, [%1], %2;\n\t"
                 "selp.u32 %0, 1, 0, p;\n\t}"
                 : "=r"(done)
                 : "r"(address), "r"(parity)
                 : "memory");
  }
#endif
}

/// The copy engine's load of a contiguous piece into this block's shared memory.
__device__ inline void bulk_load(void *to, [[maybe_unused]] const void *from, [[maybe_unused]] uint32_t bytes,
                                 uint64_t *barrier) {
  [[maybe_unused]] const uint32_t destination = shared_address(to), address = shared_address(barrier);
#if CEILINGS_HOPPER
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(destination),
      "l"(from), "r"(bytes), "r"(address)
      : "memory");
#endif
}

/// The same into the same place of every block of the cluster that the mask names, signalling the barrier of each.
__device__ inline void bulk_load_multicast(void *to, [[maybe_unused]] const void *from, [[maybe_unused]] uint32_t bytes,
                                           uint64_t *barrier, [[maybe_unused]] uint16_t mask) {
  [[maybe_unused]] const uint32_t destination = shared_address(to), address = shared_address(barrier);
#if CEILINGS_HOPPER
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%0], [%1], %2, "
               "[%3], %4;" ::"r"(destination),
               "l"(from), "r"(bytes), "r"(address), "h"(mask)
               : "memory");
#endif
}

} // namespace ceilings::device_code
