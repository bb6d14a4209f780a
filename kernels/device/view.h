#pragma once
// How kernels see memory. With nvcc a view is a pointer. In the simulation it knows its size and refuses what lies
// outside, and an Out counts the writes: every element exactly once in the launch (OutPart: at most once).
#include <cstdint>

#include "core/tensor.h"
#include "device/device.h"

#if defined(HRM_SIMT)
#include <memory>
#include <sstream>
#include <string>
#include <vector>
#endif

namespace hrm::device {

#if defined(HRM_SIMT)

[[noreturn]] inline void outside(const char *what, int64_t i, int64_t n) {
  std::ostringstream out;
  out << what << " element " << i << " of a view of " << n;
  simt::fault(out.str());
}

template <class T> class In {
public:
  In(const T *data, int64_t n) : data_(data), n_(n) {}
  const T &operator[](int64_t i) const {
    if (i < 0 || i >= n_)
      outside("read", i, n_);
    return data_[i];
  }
  // N elements from i on; i is a multiple of N.
  template <int N> Vec<T, N> load(int64_t i) const {
    if (i < 0 || i + N > n_ || reinterpret_cast<uintptr_t>(data_ + i) % sizeof(Vec<T, N>) != 0)
      outside("load (aligned) from", i, n_);
    return *reinterpret_cast<const Vec<T, N> *>(data_ + i);
  }
  // Where copy_async16 reads.
  const T *at(int64_t i, int n) const {
    if (i < 0 || i + n > n_)
      outside("copy from", i, n_);
    return data_ + i;
  }
  explicit operator bool() const { return data_ != nullptr; }

private:
  const T *data_;
  int64_t n_;
};

enum class Writes { kOnce, kAtMostOnce, kAny };

template <class T, Writes writes> class Target {
public:
  Target(T *data, int64_t n) : data_(data), n_(n) {}
  void set(int64_t i, T value) const {
    note(i);
    data_[i] = value;
  }
  template <int N> void store(int64_t i, const Vec<T, N> &value) const {
    if (reinterpret_cast<uintptr_t>(data_ + i) % sizeof(Vec<T, N>) != 0)
      outside("store (aligned) to", i, n_);
    for (int k = 0; k < N; ++k)
      set(i + k, value[k]);
  }
  T operator[](int64_t i) const {
    static_assert(writes == Writes::kAny, "only an InOut is read");
    if (i < 0 || i >= n_)
      outside("read", i, n_);
    return data_[i];
  }
  T *at(int64_t i) const {
    static_assert(writes == Writes::kAny, "atomics are for an InOut");
    if (i < 0 || i >= n_)
      outside("update", i, n_);
    return data_ + i;
  }
  explicit operator bool() const { return data_ != nullptr; }

  // Called by launch around the grid.
  void begin() {
    if constexpr (writes != Writes::kAny)
      counts_ = std::make_shared<std::vector<uint8_t>>(static_cast<size_t>(n_), uint8_t{0});
  }
  std::string end() const {
    if constexpr (writes == Writes::kOnce)
      for (size_t i = 0; i < counts_->size(); ++i)
        if ((*counts_)[i] == 0)
          return "element " + std::to_string(i) + " of an output of " + std::to_string(n_) + " was not written";
    return {};
  }

private:
  void note(int64_t i) const {
    if (i < 0 || i >= n_)
      outside("write", i, n_);
    if constexpr (writes != Writes::kAny)
      if ((*counts_)[static_cast<size_t>(i)]++ != 0)
        outside("second write to", i, n_);
  }
  T *data_;
  int64_t n_;
  std::shared_ptr<std::vector<uint8_t>> counts_;
};
template <class T> using Out = Target<T, Writes::kOnce>;
template <class T> using OutPart = Target<T, Writes::kAtMostOnce>;
template <class T> using InOut = Target<T, Writes::kAny>;

#else

template <class T> class In {
public:
  HRM_HD In(const T *data, int64_t) : data_(data) {}
  __device__ __forceinline__ const T &operator[](int64_t i) const { return data_[i]; }
  template <int N> __device__ __forceinline__ Vec<T, N> load(int64_t i) const {
    return *reinterpret_cast<const Vec<T, N> *>(data_ + i);
  }
  __device__ __forceinline__ const T *at(int64_t i, int) const { return data_ + i; }
  HRM_HD explicit operator bool() const { return data_ != nullptr; }

private:
  const T *data_;
};

template <class T> class InOut {
public:
  HRM_HD InOut(T *data, int64_t) : data_(data) {}
  __device__ __forceinline__ void set(int64_t i, T value) const { data_[i] = value; }
  template <int N> __device__ __forceinline__ void store(int64_t i, const Vec<T, N> &value) const {
    *reinterpret_cast<Vec<T, N> *>(data_ + i) = value;
  }
  __device__ __forceinline__ T operator[](int64_t i) const { return data_[i]; }
  __device__ __forceinline__ T *at(int64_t i) const { return data_ + i; }
  HRM_HD explicit operator bool() const { return data_ != nullptr; }

private:
  T *data_;
};
template <class T> using Out = InOut<T>;
template <class T> using OutPart = InOut<T>;

#endif

// Elements from the tensor's first to its last in memory.
inline int64_t extent(const Tensor &t) {
  int64_t n = 1;
  for (int d = 0; d < t.shape.rank; ++d) {
    if (t.shape[d] == 0)
      return 0;
    n += (t.shape[d] - 1) * t.strides[d];
  }
  return n;
}
template <class T> In<T> in(const Tensor &t) { return In<T>(t.data<T>(), extent(t)); }
template <class T> Out<T> out(const Tensor &t) { return Out<T>(t.data<T>(), extent(t)); }
template <class T> OutPart<T> out_part(const Tensor &t) { return OutPart<T>(t.data<T>(), extent(t)); }
template <class T> InOut<T> in_out(const Tensor &t) { return InOut<T>(t.data<T>(), extent(t)); }

} // namespace hrm::device
