// L2 bandwidth. A set that fits is read over and over: by ordinary loads past the L1, and by the copy engine into
// shared memory, by each block for itself or once a cluster and multicast to all its blocks. Bytes are those delivered.
#include "buffer.h"
#include "device.h"
#include "timing.h"
#include <string>

namespace ceilings {
namespace {

namespace dc = device_code;

constexpr size_t kSetBytes = size_t{16} << 20;
constexpr int kThreads = 1024;

__global__ void __launch_bounds__(kThreads, 2)
    read_l2(const uint4 *__restrict__ set, uint32_t *result, unsigned count) {
  uint32_t sum = 0;
  // Every block reads the whole set and begins elsewhere, so that they do not ask for the same line at the same time.
  const unsigned begin = static_cast<unsigned>(static_cast<uint64_t>(blockIdx.x) * count / gridDim.x);
#pragma unroll 4
  for (unsigned i = threadIdx.x; i < count; i += kThreads) {
    const unsigned at = begin + i;
    const uint4 value = __ldcg(set + (at >= count ? at - count : at));
    sum ^= value.x ^ value.y ^ value.z ^ value.w;
  }
  if (sum == 0x12345678u && count == 1)
    *result = sum;
}

Answer plain_loads() {
  const Buffer set(kSetBytes), result(sizeof(uint32_t));
  fill_words(set);
  const unsigned blocks = static_cast<unsigned>(device().multiProcessorCount) * 2;
  const Timed timed = time_in_graph([&](cudaStream_t stream, int) {
    read_l2<<<blocks, kThreads, 0, stream>>>(set.as<uint4>(), result.as<uint32_t>(), kSetBytes / sizeof(uint4));
  });
  return as_rate(timed, static_cast<double>(blocks) * kSetBytes, "GB/s", 1e9);
}

constexpr uint32_t kTileBytes = 32 << 10;
constexpr int kStages = 4;
constexpr int kTiles = static_cast<int>(kSetBytes / kTileBytes);
constexpr int kSteps = 256;
constexpr size_t kSharedBytes = kStages * kTileBytes;

__host__ __device__ inline int tile_of(int cluster, int step) { return (cluster * 37 + step) % kTiles; }

/// Tiles go through kStages slots of shared memory. Each of the `size` blocks of a cluster loads 1/size of every tile
/// for all of them; a slot is loaded again when every block of the cluster has let go of it.
__global__ void stream_tiles(const unsigned char *__restrict__ set, uint32_t *checks, uint32_t size) {
  extern __shared__ __align__(128) unsigned char slots[];
  __shared__ uint64_t full[kStages], free_[kStages];
  const uint32_t rank = size > 1 ? dc::cluster_rank() : 0;
  const int cluster = static_cast<int>(blockIdx.x / size);
  if (threadIdx.x == 0) {
    for (int s = 0; s < kStages; ++s) {
      dc::barrier_init(&full[s], 1);
      dc::barrier_init(&free_[s], size);
    }
    dc::barrier_init_fence();
  }
  __syncthreads();
  dc::cluster_barrier();
  if (threadIdx.x == 0) {
    const uint32_t part = kTileBytes / size;
    const auto load = [&](int step) {
      const int slot = step % kStages;
      dc::barrier_expect(&full[slot], kTileBytes);
      const unsigned char *from = set + static_cast<size_t>(tile_of(cluster, step)) * kTileBytes + rank * part;
      unsigned char *to = slots + slot * kTileBytes + rank * part;
      if (size == 1)
        dc::bulk_load(to, from, part, &full[slot]);
      else
        dc::bulk_load_multicast(to, from, part, &full[slot], static_cast<uint16_t>((1u << size) - 1));
    };
    for (int step = 0; step < kStages; ++step)
      load(step);
    for (int step = 0; step < kSteps; ++step) {
      const int slot = step % kStages;
      const uint32_t parity = (step / kStages) & 1;
      dc::barrier_wait(&full[slot], parity);
      if (step + kStages < kSteps) {
        for (uint32_t other = 0; other < size; ++other)
          dc::barrier_arrive_remote(&free_[slot], other);
        dc::barrier_wait(&free_[slot], parity);
        load(step + kStages);
      }
    }
    uint32_t sum = 0;
    const auto *last = reinterpret_cast<const uint32_t *>(slots + (kSteps - 1) % kStages * kTileBytes);
    for (uint32_t word = 0; word < kTileBytes / 4; word += 61)
      sum ^= last[word];
    checks[blockIdx.x] = sum;
  }
  __syncthreads();
  // No block leaves while another may still signal it.
  dc::cluster_barrier();
}

Answer tiles(unsigned size) {
  need_hopper("the bulk copy engine");
  if (device().sharedMemPerBlockOptin < kSharedBytes + 1024)
    throw Unsupported("this device has too little shared memory");
  check(cudaFuncSetAttribute(stream_tiles, cudaFuncAttributeMaxDynamicSharedMemorySize, kSharedBytes), "shared memory");
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim.x = size;
  attribute.val.clusterDim.y = attribute.val.clusterDim.z = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = static_cast<unsigned>(device().multiProcessorCount) / size * size;
  config.blockDim = 32;
  config.dynamicSmemBytes = kSharedBytes;
  config.attrs = &attribute;
  config.numAttrs = 1;
  int clusters = 0;
  check(cudaOccupancyMaxActiveClusters(&clusters, stream_tiles, &config), "occupancy");
  if (clusters == 0)
    throw Unsupported("no cluster of this size fits");
  config.gridDim = static_cast<unsigned>(clusters) * size;
  const Buffer set(kSetBytes), checks(config.gridDim.x * sizeof(uint32_t));
  fill_words(set);
  const Timed timed = time_in_graph([&](cudaStream_t stream, int) {
    config.stream = stream;
    check(cudaLaunchKernelEx(&config, stream_tiles, static_cast<const unsigned char *>(set.as<unsigned char>()),
                             checks.as<uint32_t>(), static_cast<uint32_t>(size)),
          "launch");
  });
  for (unsigned block = 0; block < config.gridDim.x; ++block) {
    uint32_t sum = 0;
    const size_t first = static_cast<size_t>(tile_of(static_cast<int>(block / size), kSteps - 1)) * (kTileBytes / 4);
    for (uint32_t word = 0; word < kTileBytes / 4; word += 61)
      sum ^= random_word(first + word);
    if (read_back(checks.as<uint32_t>() + block) != sum)
      throw std::runtime_error("tiles: the data did not arrive");
  }
  Answer answer = as_rate(timed, static_cast<double>(config.gridDim.x) * kSteps * kTileBytes, "GB/s", 1e9);
  answer.details.emplace_back("blocks", config.gridDim.x);
  return answer;
}

} // namespace

Rows l2_rows() {
  Rows rows{{"l2/loads", false, 1, plain_loads}, {"l2/tma", false, 1, [] { return tiles(1); }}};
  for (const unsigned size : {2u, 4u, 8u})
    rows.push_back({"l2/multicast-" + std::to_string(size), false, 1, [size] { return tiles(size); }});
  return rows;
}

} // namespace ceilings
