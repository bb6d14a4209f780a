#pragma once
// The stacked tensors that `level` keeps and `level_backward` reads, by block (ops/level.h has their shapes).
#include <functional>

#include "device/block.h"

namespace hrm::device {

class LevelSaved {
public:
  // get(first + i) is the i-th of them, in the order of level's outputs.
  LevelSaved(const BlockSizes &sizes, const std::function<Tensor(int)> &get, int first) : s_(sizes) {
    for (int i = 0; i < kCount; ++i)
      parts_[i] = get(first + i);
  }

  BlockSaved block(int64_t i) const {
    const int64_t M = s_.tokens(), D = s_.hidden, norms = s_.first_norm()[0];
    BlockSaved saved;
    if (s_.over_sequence()) {
      saved.t_gate_up = at(kTGateUp, i, {s_.batch * D, 2 * s_.seq_inner});
    } else {
      saved.qkv = at(kQkv, i, {3, M, D});
      saved.attention = at(kAttention, i, {M, D});
      saved.lse = at(kLse, i, {s_.batch, s_.heads, s_.seq});
    }
    saved.y1 = at(kY1, i, {M, D});
    saved.r1 = at(kR1, i, {norms});
    saved.gate_up = at(kGateUp, i, {M, 2 * s_.inner});
    saved.r2 = at(kR2, i, {M});
    return saved;
  }
  // Of every block but the last.
  Tensor output(int64_t i) const { return at(kInner, i, s_.state()); }

private:
  enum Part { kQkv, kAttention, kLse, kY1, kR1, kGateUp, kR2, kInner, kTGateUp, kCount };
  Tensor at(Part which, int64_t i, const Dims &shape) const { return part(parts_[which], i * numel(shape), shape); }

  BlockSizes s_;
  Tensor parts_[kCount];
};

} // namespace hrm::device
