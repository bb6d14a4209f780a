#pragma once
// The transformer block of HRM section 1 on the device: h = rmsNorm(h + attention(h)); h = rmsNorm(h + swiglu(h)), or
// with a SwiGLU over the sequence in place of attention (TRM). States and weights are float32 or bfloat16; sums, norms,
// softmax and rotation are float32 either way. What l_loop, level and level_backward share.
#include <cmath>
#include <vector>

#include "device/parts.h"
#include "ops/attention.h"
#include "ops/block_rule.h"

namespace hrm::device {

struct BlockSizes {
  int64_t batch, seq, hidden, heads, inner, seq_inner;
  float eps;
  // Of states, weights and most of what is kept.
  DType dtype;

  int64_t tokens() const { return batch * seq; }
  int64_t head_dim() const { return hidden / heads; }
  bool over_sequence() const { return seq_inner > 0; }
  Dims state() const { return {batch, seq, hidden}; }
  Dims by_head() const { return {batch, seq, heads, head_dim()}; }
  // [rows, n] that the first norm runs over: tokens, or with a SwiGLU over the sequence its columns.
  Dims first_norm() const { return over_sequence() ? Dims{batch * hidden, seq} : Dims{tokens(), hidden}; }
};

inline BlockSizes block_sizes(const Tensor &state, int64_t n_heads, const ops::InnerSizes &inner, double eps) {
  return {state.shape[0], state.shape[1], state.shape[2],          inner.sequence > 0 ? 1 : n_heads,
          inner.hidden,   inner.sequence, static_cast<float>(eps), state.dtype};
}

// Of the attention of a block: over all tokens.
inline ops::attention::Attrs attention_attrs(const BlockSizes &sizes) {
  return {false, 1 / std::sqrt(static_cast<double>(sizes.head_dim()))};
}

// The weights of one block: those of the other mixer are null.
struct BlockParts {
  const Tensor *qkv, *o, *gate_up, *down, *t_gate_up, *t_down;
};
std::vector<BlockParts> block_parts(const Args &in, int first_list);

// Tables [n >= S, d], or null: positions are in the embedding.
struct RopeTables {
  const Tensor *cosines, *sines;
};
RopeTables rope_tables(const Args &in, int cos_slot);

// What a block keeps for its gradient. q, k (rotated) and v lie behind one another, [B, S, H, d] each.
struct BlockSaved {
  Tensor qkv, attention, lse, y1, r1, gate_up, r2, t_gate_up;
};

// Scratch of a forward pass, reused by every block; `saved` is for blocks that keep nothing.
struct ForwardScratch {
  Tensor raw_qk, update, inner, transposed, t_inner, t_result;
  BlockSaved saved;
  void *attention = nullptr;
  size_t attention_bytes = 0;

  ForwardScratch(Arena &arena, const BlockSizes &sizes, bool keeps);
};

// y = block(input); fills `saved`.
void block_forward(Call &call, const BlockSizes &sizes, const BlockParts &weights, const RopeTables &rope,
                   ForwardScratch &scratch, const BlockSaved &saved, const Tensor &input, const Tensor &y);

// The first n tokens of block(input), y [B, n, D] with 0 < n < S: of the others only what these need is computed. Keeps
// nothing. `first` is scratch like y.
void block_forward_first(Call &call, const BlockSizes &sizes, const BlockParts &weights, const RopeTables &rope,
                         ForwardScratch &scratch, const Tensor &input, const Tensor &first, const Tensor &y);

// to [B, n, m] of from [B, m, n]
void transpose(Call &call, const Tensor &to, const Tensor &from, int64_t batch, int64_t m, int64_t n);

// y = a + (b + c); without c: a + b.
void add(Call &call, const Tensor &y, const Tensor &a, const Tensor &b, const Tensor *c);

// y = x W^T of contiguous x [rows, k] and W [n, k].
void product(Call &call, const Tensor &y, const Tensor &x, const Tensor &weight, int64_t rows, int64_t n, int64_t k);

} // namespace hrm::device
