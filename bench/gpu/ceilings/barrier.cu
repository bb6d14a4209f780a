// What one barrier costs inside a kernel: over the whole grid, one block an SM (a loop that never leaves the chip pays
// it where a chain of kernels pays the launch gap), and within clusters.
#include "buffer.h"
#include "device.h"
#include "timing.h"
#include <cooperative_groups.h>
#include <string>

namespace ceilings {
namespace {

constexpr int kThreads = 256;
constexpr int kBarriers = 2000;

__global__ void grid_barriers() {
  const auto grid = cooperative_groups::this_grid();
  for (int i = 0; i < kBarriers; ++i)
    grid.sync();
}

/// One counter that only grows: an arrival is a release, waiting an acquire.
__global__ void counter_barriers(unsigned *counter) {
  for (unsigned i = 1; i <= kBarriers; ++i) {
    __syncthreads();
    if (threadIdx.x == 0) {
      device_code::add_release(counter, 1);
      while (device_code::load_acquire(counter) < i * gridDim.x) {
      }
    }
    __syncthreads();
  }
}

__global__ void cluster_barriers() {
  for (int i = 0; i < kBarriers; ++i)
    device_code::cluster_barrier();
}

unsigned blocks() { return static_cast<unsigned>(device().multiProcessorCount); }

/// Cooperative: all blocks are on the device at once, or the launch is refused.
template <typename... Parameters, typename... Arguments>
Answer whole_grid(void (*kernel)(Parameters...), const Launch &before, Arguments... arguments) {
  if (!device().cooperativeLaunch)
    throw Unsupported("this device has no cooperative launch");
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeCooperative;
  attribute.val.cooperative = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = blocks();
  config.blockDim = kThreads;
  config.attrs = &attribute;
  config.numAttrs = 1;
  const Timed timed = time_launches(
      [&](cudaStream_t stream, int i) {
        if (before)
          before(stream, i);
        config.stream = stream;
        check(cudaLaunchKernelEx(&config, kernel, arguments...), "cooperative launch");
      },
      1);
  Answer answer = as_latency(timed, kBarriers);
  answer.details.emplace_back("blocks", config.gridDim.x);
  return answer;
}

Answer cooperative_groups_barrier() { return whole_grid(grid_barriers, nullptr); }

Answer counter_barrier() {
  const Buffer counter(sizeof(unsigned));
  return whole_grid(
      counter_barriers,
      [&](cudaStream_t stream, int) {
        check(cudaMemsetAsync(counter.as<void>(), 0, counter.bytes(), stream), "memset");
      },
      counter.as<unsigned>());
}

Answer cluster_barrier(unsigned size) {
  need_hopper("clusters");
  if (size > 8)
    check(cudaFuncSetAttribute(cluster_barriers, cudaFuncAttributeNonPortableClusterSizeAllowed, 1), "cluster size");
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim.x = size;
  attribute.val.clusterDim.y = attribute.val.clusterDim.z = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = blocks() / size * size;
  config.blockDim = kThreads;
  config.attrs = &attribute;
  config.numAttrs = 1;
  const Timed timed = time_launches(
      [&](cudaStream_t stream, int) {
        config.stream = stream;
        check(cudaLaunchKernelEx(&config, cluster_barriers), "launch");
      },
      1);
  Answer answer = as_latency(timed, kBarriers);
  answer.details.emplace_back("blocks", config.gridDim.x);
  return answer;
}

} // namespace

Rows barrier_rows() {
  Rows rows{{"barrier/grid-cooperative-groups", false, 1, cooperative_groups_barrier},
            {"barrier/grid-counter", false, 1, counter_barrier}};
  for (const unsigned size : {2u, 4u, 8u, 16u})
    rows.push_back({"barrier/cluster-" + std::to_string(size), false, 1, [size] { return cluster_barrier(size); }});
  return rows;
}

} // namespace ceilings
