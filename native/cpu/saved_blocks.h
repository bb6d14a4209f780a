#pragma once
#include <vector>

#include "cpu/block.h"

namespace hrm::cpu {

// The blocks' parts of the stacked tensors that `level` keeps, in the order of its outputs: qkv, attention, lse, y1,
// r1, gateUp, r2, inner. The first block's input is not among them.
template <class T>
std::vector<SavedBlock<T>> saved_blocks(const BlockShape<T> &s, int64_t batch, size_t layers, T *const (&parts)[8]) {
  const int64_t tokens = batch * s.seqLen, n = tokens * s.hidden;
  std::vector<SavedBlock<T>> saved;
  for (int64_t i = 0; i < static_cast<int64_t>(layers); ++i)
    saved.push_back({i == 0 ? nullptr : parts[7] + (i - 1) * n, parts[0] + i * 3 * n, parts[1] + i * n,
                     parts[2] + i * tokens * s.nHeads, parts[3] + i * n, parts[4] + i * tokens,
                     parts[5] + i * tokens * 2 * s.inner, parts[6] + i * tokens});
  return saved;
}

} // namespace hrm::cpu
