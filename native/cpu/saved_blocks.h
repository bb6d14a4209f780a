#pragma once
#include <vector>

#include "cpu/block.h"

namespace hrm::cpu {

constexpr int kSavedParts = 9;

// The blocks' parts of the stacked tensors that `level` keeps, in the order of its outputs: qkv, attention, lse, y1,
// r1, gateUp, r2, inner, tGateUp. The first block's input is not among them.
template <class T>
std::vector<SavedBlock<T>> saved_blocks(const BlockShape<T> &s, int64_t batch, size_t layers,
                                        T *const (&parts)[kSavedParts]) {
  const int64_t tokens = batch * s.seqLen, n = tokens * s.hidden;
  const bool mlp = s.seqInner > 0;
  std::vector<SavedBlock<T>> saved;
  for (int64_t i = 0; i < static_cast<int64_t>(layers); ++i)
    saved.push_back({i == 0 ? nullptr : parts[7] + (i - 1) * n, mlp ? nullptr : parts[0] + i * 3 * n,
                     mlp ? nullptr : parts[1] + i * n, mlp ? nullptr : parts[2] + i * tokens * s.nHeads,
                     parts[3] + i * n, parts[4] + i * (mlp ? batch * s.hidden : tokens),
                     parts[5] + i * tokens * 2 * s.inner, parts[6] + i * tokens,
                     mlp ? parts[8] + i * batch * s.hidden * 2 * s.seqInner : nullptr});
  return saved;
}

} // namespace hrm::cpu
