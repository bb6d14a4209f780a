// Device memory: a copy counts the bytes read and the bytes written, a read those read.
#include "buffer.h"
#include "timing.h"
#include <memory>

namespace ceilings {
namespace {

constexpr size_t kBytes = size_t{1} << 30;
constexpr int kThreads = 512;
constexpr int kUnroll = 4;

__global__ void copy(const uint4 *__restrict__ from, uint4 *__restrict__ to, size_t count) {
  const size_t stride = static_cast<size_t>(gridDim.x) * blockDim.x;
  size_t i = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  for (; i + (kUnroll - 1) * stride < count; i += kUnroll * stride) {
    uint4 values[kUnroll];
#pragma unroll
    for (int u = 0; u < kUnroll; ++u)
      values[u] = __ldcs(from + i + u * stride);
#pragma unroll
    for (int u = 0; u < kUnroll; ++u)
      __stcs(to + i + u * stride, values[u]);
  }
  for (; i < count; i += stride)
    __stcs(to + i, __ldcs(from + i));
}

__global__ void read(const uint4 *__restrict__ from, uint32_t *result, size_t count) {
  const size_t stride = static_cast<size_t>(gridDim.x) * blockDim.x;
  size_t i = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  uint32_t sum = 0;
  for (; i + (kUnroll - 1) * stride < count; i += kUnroll * stride) {
    uint4 values[kUnroll];
#pragma unroll
    for (int u = 0; u < kUnroll; ++u)
      values[u] = __ldcs(from + i + u * stride);
#pragma unroll
    for (int u = 0; u < kUnroll; ++u)
      sum ^= values[u].x ^ values[u].y ^ values[u].z ^ values[u].w;
  }
  for (; i < count; i += stride)
    sum ^= __ldcs(from + i).x;
  // Never true of what is read, but the compiler cannot know: so the loads stay.
  if (sum == 0x12345678u && count == 1)
    *result = sum;
}

unsigned blocks() { return static_cast<unsigned>(device().multiProcessorCount) * 4; }

/// Many times the L2, so that a pass finds next to nothing of the one before.
struct Pair {
  Buffer from{kBytes}, to{kBytes};
  Pair() { fill_words(from); }
};

void expect_copied(const Pair &pair) {
  for (const size_t word : {size_t{0}, kBytes / 8 + 12345, kBytes / 4 - 1})
    if (read_back(pair.to.as<uint32_t>() + word) != random_word(word))
      throw std::runtime_error("copy: the data did not arrive");
}

template <typename Run> Answer copied(const Run &run) {
  Pair pair;
  const Timed timed = time_in_graph([&](cudaStream_t stream, int) { run(pair, stream); });
  expect_copied(pair);
  return as_rate(timed, 2.0 * kBytes, "GB/s", 1e9);
}

Answer copy_kernel() {
  return copied([](const Pair &pair, cudaStream_t stream) {
    copy<<<blocks(), kThreads, 0, stream>>>(pair.from.as<uint4>(), pair.to.as<uint4>(), kBytes / sizeof(uint4));
  });
}

Answer copy_engine() {
  return copied([](const Pair &pair, cudaStream_t stream) {
    check(cudaMemcpyAsync(pair.to.as<void>(), pair.from.as<void>(), kBytes, cudaMemcpyDeviceToDevice, stream),
          "cudaMemcpyAsync");
  });
}

Answer read_kernel() {
  const Buffer from(kBytes), result(sizeof(uint32_t));
  fill_words(from);
  const Timed timed = time_in_graph([&](cudaStream_t stream, int) {
    read<<<blocks(), kThreads, 0, stream>>>(from.as<uint4>(), result.as<uint32_t>(), kBytes / sizeof(uint4));
  });
  return as_rate(timed, static_cast<double>(kBytes), "GB/s", 1e9);
}

} // namespace

Rows bandwidth_rows() {
  return {{"bandwidth/copy", true, 1, copy_kernel},
          {"bandwidth/memcpy", true, 1, copy_engine},
          {"bandwidth/read", true, 1, read_kernel}};
}

} // namespace ceilings
