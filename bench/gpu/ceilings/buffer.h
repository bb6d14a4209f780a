#pragma once
// Device memory with random contents. Zeros would make matrix products look a tenth faster than they are.
#include "row.h"
#include <cstdint>
#include <type_traits>

namespace ceilings {

class Buffer {
public:
  explicit Buffer(size_t bytes) : bytes_(bytes) { check(cudaMalloc(&data_, bytes), "cudaMalloc"); }
  ~Buffer() { cudaFree(data_); }
  Buffer(const Buffer &) = delete;
  Buffer &operator=(const Buffer &) = delete;

  template <typename T> T *as(size_t byte_offset = 0) const {
    return reinterpret_cast<T *>(static_cast<char *>(data_) + byte_offset);
  }
  size_t bytes() const { return bytes_; }

private:
  void *data_ = nullptr;
  size_t bytes_;
};

/// The i-th word of every random buffer, on the host as on the device.
__host__ __device__ inline uint32_t random_word(uint64_t i) {
  uint64_t x = (i + 1) * 0x9E3779B97F4A7C15ull;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return static_cast<uint32_t>(x >> 32);
}

void fill_words(const Buffer &buffer);

/// bf16 values, uniform in [-1, 1).
void fill_bfloat16(const Buffer &buffer, uint64_t seed);

template <typename T> T read_back(const T *from) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  check(cudaMemcpy(&value, from, sizeof(T), cudaMemcpyDeviceToHost), "reading back");
  return value;
}

} // namespace ceilings
