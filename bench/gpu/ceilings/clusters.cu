// How many clusters of each size are on the device at once when a block fills an SM: GPCs with an odd number of SMs
// leave some of them idle, which a GEMM with multicast must weigh.
#include "timing.h"
#include <string>

namespace ceilings {
namespace {

constexpr int kThreads = 384;

__global__ void nothing() {}

Answer active(unsigned size) {
  need_hopper("clusters");
  // All that a block may have is more than half of an SM's: one block each.
  const size_t shared_bytes = device().sharedMemPerBlockOptin;
  check(cudaFuncSetAttribute(nothing, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes)),
        "shared memory");
  if (size > 8)
    check(cudaFuncSetAttribute(nothing, cudaFuncAttributeNonPortableClusterSizeAllowed, 1), "cluster size");
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim.x = size;
  attribute.val.clusterDim.y = attribute.val.clusterDim.z = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = size * 128;
  config.blockDim = kThreads;
  config.dynamicSmemBytes = shared_bytes;
  config.attrs = &attribute;
  config.numAttrs = 1;
  int clusters = 0;
  check(cudaOccupancyMaxActiveClusters(&clusters, nothing, &config), "occupancy");
  Answer answer{"clusters", true, {static_cast<double>(clusters)}, {}, {}};
  answer.details.emplace_back("blocks", static_cast<double>(clusters) * size);
  return answer;
}

} // namespace

Rows cluster_rows() {
  Rows rows;
  for (const unsigned size : {2u, 4u, 8u, 16u})
    rows.push_back({"clusters/" + std::to_string(size), false, 0.1, [size] { return active(size); }});
  return rows;
}

} // namespace ceilings
