#include "buffer.h"
#include <cuda_bf16.h>

namespace ceilings {
namespace {

constexpr int kThreads = 256;

__global__ void words(uint32_t *out, size_t count) {
  const size_t stride = static_cast<size_t>(gridDim.x) * blockDim.x;
  for (size_t i = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += stride)
    out[i] = random_word(i);
}

__global__ void bfloat16s(__nv_bfloat16 *out, size_t count, uint64_t seed) {
  const size_t stride = static_cast<size_t>(gridDim.x) * blockDim.x;
  for (size_t i = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += stride) {
    const float unit = static_cast<float>(random_word(i + (seed << 40)) >> 8) * 0x1p-24f;
    out[i] = __float2bfloat16(2.0f * unit - 1.0f);
  }
}

unsigned blocks() { return static_cast<unsigned>(device().multiProcessorCount) * 8; }

} // namespace

void fill_words(const Buffer &buffer) {
  words<<<blocks(), kThreads>>>(buffer.as<uint32_t>(), buffer.bytes() / sizeof(uint32_t));
  check(cudaDeviceSynchronize(), "random words");
}

void fill_bfloat16(const Buffer &buffer, uint64_t seed) {
  bfloat16s<<<blocks(), kThreads>>>(buffer.as<__nv_bfloat16>(), buffer.bytes() / sizeof(__nv_bfloat16), seed);
  check(cudaDeviceSynchronize(), "random values");
}

} // namespace ceilings
