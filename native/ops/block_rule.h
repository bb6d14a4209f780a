#pragma once
// What the ops over transformer blocks (l_loop, level, level_backward) check alike.
#include "cpu/block.h"
#include "ops/op.h"

namespace hrm::ops {

// F of the SwiGLU over the hidden axis, F' of that over the sequence. 0: no blocks; F' also where attention mixes
// tokens.
struct InnerSizes {
  int64_t hidden = 0, sequence = 0;
};

// Where the lists of block weights begin among an op's arguments: gateUp and down; qkv and o of blocks that mix tokens
// by attention; tGateUp and tDown of blocks that mix them by a SwiGLU over the sequence. Either of the latter are
// empty.
struct BlockLists {
  enum List { kQkv, kO, kGateUp, kDown, kTGateUp, kTDown, kCount };
  const char *op;
  int first;

  int64_t count(const Args &in) const { return in.count(first + kGateUp); }
  bool over_sequence(const Args &in) const { return in.count(first + kTGateUp) > 0 || in.count(first + kTDown) > 0; }
  // Refuses lists of unequal length and weights of a wrong shape or dtype.
  InnerSizes check(const Args &in, const Dims &state, DType dtype) const {
    constexpr const char *names[] = {"qkv", "o", "gateUp", "down", "tGateUp", "tDown"};
    const int64_t S = state[1], D = state[2];
    const bool mlp = over_sequence(in);
    if (mlp && (in.count(first + kQkv) > 0 || in.count(first + kO) > 0))
      fail(Code::kArgument, op, ": blocks mix tokens by attention (qkv, o) or over the sequence (tGateUp, tDown), ",
           "got weights of both");
    const int lists[] = {kGateUp, kDown, mlp ? kTGateUp : kQkv, mlp ? kTDown : kO};
    for (const int list : lists)
      if (in.count(first + list) != count(in))
        fail(Code::kShape, op, ": the lists of weights must be equally long, got ", count(in), " of gateUp and ",
             in.count(first + list), " of ", names[list]);
    InnerSizes inner;
    for (int i = 0; i < count(in); ++i) {
      if (i == 0)
        inner = {columns_of_down(in.at(first + kDown, 0), "down must have shape [D, F] with F >= 1, got "),
                 mlp ? columns_of_down(in.at(first + kTDown, 0), "tDown must have shape [S, F'] with F' >= 1, got ")
                     : 0};
      const Dims expected[] = {{3 * D, D},
                               {D, D},
                               {checked_mul(2, inner.hidden), D},
                               {D, inner.hidden},
                               {checked_mul(2, inner.sequence), S},
                               {S, inner.sequence}};
      for (const int slot : lists) {
        const Tensor &w = in.at(first + slot, i);
        if (w.dtype != dtype)
          fail(Code::kDType, op, ": ", names[slot], " must be ", dtype, " as the states are, got ", w.dtype);
        if (w.shape != expected[slot])
          fail(Code::kShape, op, ": ", names[slot], " of block ", i, " must have shape ", expected[slot], ", got ",
               w.shape);
      }
    }
    return inner;
  }

private:
  int64_t columns_of_down(const Tensor &down, const char *expectation) const {
    if (down.shape.rank != 2 || down.shape[1] == 0)
      fail(Code::kShape, op, ": ", expectation, down.shape);
    return down.shape[1];
  }
};

// What is small or must be exact beside states of a dtype: tables, factors of norms, gradients of weights.
inline DType wide_of(DType state) { return state == DType::kBF16 ? DType::kF32 : state; }

// Refuses what is not a state [B, S, D] of float32 or float64, on an accelerator of bfloat16 or float32.
inline void need_state(const char *op, const char *name, const Tensor &t) {
  if (t.dtype != DType::kF32 && t.dtype != DType::kF64 && !(t.dtype == DType::kBF16 && t.device().is_gpu()))
    fail(Code::kDType, op, ": ", name, " must be float32 or float64, got ", t.dtype, "; cast it first");
  if (t.shape.rank != 3 || t.shape[2] == 0)
    fail(Code::kShape, op, ": ", name, " must have shape [B, S, D] with D >= 1, got ", t.shape);
}

inline void need_like(const char *op, const char *name, const Tensor &t, DType dtype, const Dims &shape) {
  if (t.dtype != dtype)
    fail(Code::kDType, op, ": ", name, " must be ", dtype, ", got ", t.dtype);
  if (t.shape != shape)
    fail(Code::kShape, op, ": ", name, " must have shape ", shape, ", got ", t.shape);
}

// Checks heads and the RoPE tables (optional arguments cosSlot and cosSlot + 1), or that there are none.
inline void check_heads(const BlockLists &lists, const Args &in, const Tensor &state, int64_t n_heads, int cos_slot) {
  const int64_t hidden = state.shape[2];
  const char *op = lists.op;
  if (lists.over_sequence(in)) {
    if (in.has(cos_slot) || in.has(cos_slot + 1))
      fail(Code::kArgument, op, ": cos and sin rotate q and k, which blocks that mix over the sequence do not have");
    return;
  }
  if (n_heads < 1 || hidden % n_heads != 0)
    fail(Code::kShape, op, ": nHeads must divide D = ", hidden, ", got ", n_heads);
  if (in.has(cos_slot) != in.has(cos_slot + 1))
    fail(Code::kArgument, op, ": cos and sin are given together or not at all");
  if (!in.has(cos_slot))
    return;
  const int64_t d = hidden / n_heads;
  if (d % 2 != 0)
    fail(Code::kShape, op, ": a rotation needs an even D / nHeads, got ", d);
  for (int slot = cos_slot; slot < cos_slot + 2; ++slot) {
    const Tensor &table = in[slot];
    const char *name = slot == cos_slot ? "cos" : "sin";
    if (table.dtype != wide_of(state.dtype))
      fail(Code::kDType, op, ": ", name, " must be ", wide_of(state.dtype), " beside states of ", state.dtype, ", got ",
           table.dtype);
    if (table.shape.rank != 2 || table.shape[0] < state.shape[1] || table.shape[1] != d)
      fail(Code::kShape, op, ": ", name, " must have shape [n, ", d, "] with n >= ", state.shape[1], ", got ",
           table.shape);
  }
}

template <class T>
cpu::BlockShape<T> block_shape(const Args &in, const Tensor &state, int64_t n_heads, const InnerSizes &inner,
                               double eps, int cos_slot) {
  const bool rope = in.has(cos_slot), heads = inner.sequence == 0;
  return {state.shape[1],
          state.shape[2],
          heads ? n_heads : 1,
          inner.hidden,
          static_cast<T>(eps),
          rope ? in[cos_slot].data<T>() : nullptr,
          rope ? in[cos_slot + 1].data<T>() : nullptr,
          heads ? state.shape[2] / n_heads : 0,
          inner.sequence};
}

inline void check_eps(const char *op, double eps) {
  if (!(eps >= 0) || eps > 1e30)
    fail(Code::kArgument, op, ": eps must be a finite number of at least 0, got ", eps);
}

template <class F> decltype(auto) dispatch_state(DType dtype, F &&f) {
  return dtype == DType::kF64 ? f(Type<double>{}) : f(Type<float>{});
}

} // namespace hrm::ops
