#pragma once
// Many tensors in one launch: their addresses and sizes by value among the parameters of the kernel (at most 4 KiB), so
// that nothing is uploaded and a captured launch holds all it needs. A block works on one piece of one tensor.
#include <cstdint>

#include "device/launch.h"

namespace hrm::device {

// Tensors of kLists lists: tensor i of every list has size[i] elements. Where a list is shorter, there is none (null).
template <int kLists> struct Chunk {
  static constexpr int kMost = 48, kPieceSize = 4096;
  static_assert(kMost * (kLists * sizeof(void *) + sizeof(int64_t) + sizeof(int32_t)) < 4000);

  int n = 0;
  // The first block of each tensor.
  int32_t first[kMost + 1] = {};
  void *data[kLists][kMost] = {};
  int64_t size[kMost] = {};

  int n_blocks() const { return first[n]; }
  template <class T = float> HRM_HD T *at(int list, int i) const { return static_cast<T *>(data[list][i]); }
  void add(void *const (&tensors)[kLists], int64_t n_elements) {
    for (int list = 0; list < kLists; ++list)
      data[list][n] = tensors[list];
    size[n] = n_elements;
    first[n + 1] = first[n] + static_cast<int32_t>((n_elements + kPieceSize - 1) / kPieceSize);
    ++n;
  }
  HRM_HD int tensor_of(int block) const {
    int i = 0;
    while (block >= first[i + 1])
      ++i;
    return i;
  }
};

// f(chunk) for the tensors of the slots 0..kLists-1 of a call, kMost at a time.
template <int kLists, class F> void each_chunk(const Args &in, F &&f) {
  Chunk<kLists> chunk;
  for (int i = 0; i < in.count(0); ++i) {
    void *tensors[kLists];
    for (int list = 0; list < kLists; ++list)
      tensors[list] = i < in.count(list) ? in.at(list, i).raw() : nullptr;
    if (in.at(0, i).size() > 0)
      chunk.add(tensors, in.at(0, i).size());
    if (chunk.n > 0 && (chunk.n == Chunk<kLists>::kMost || i + 1 == in.count(0))) {
      f(chunk);
      chunk = {};
    }
  }
}

} // namespace hrm::device
