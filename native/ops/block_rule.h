#pragma once
// What the ops over transformer blocks (l_loop, level, level_backward) check alike.
#include "cpu/block.h"
#include "ops/op.h"

namespace hrm::ops {

// Where the four lists of block weights begin among an op's arguments: qkv, o, gateUp, down.
struct BlockLists {
  const char *op;
  int first;

  int64_t count(const Args &in) const { return in.count(first); }
  // F of the blocks, 0 for no blocks. Refuses lists of unequal length and weights of a wrong shape or dtype.
  int64_t check(const Args &in, int64_t hidden, DType dtype) const {
    constexpr const char *names[] = {"qkv", "o", "gateUp", "down"};
    for (int slot = 1; slot < 4; ++slot)
      if (in.count(first + slot) != in.count(first))
        fail(Code::kShape, op, ": the lists of weights must be equally long, got ", in.count(first), " of qkv and ",
             in.count(first + slot), " of ", names[slot]);
    int64_t inner = 0;
    for (int i = 0; i < in.count(first); ++i) {
      const Tensor &down = in.at(first + 3, i);
      if (down.shape.rank != 2 || down.shape[1] == 0)
        fail(Code::kShape, op, ": down must have shape [D, F] with F >= 1, got ", down.shape);
      if (i == 0)
        inner = down.shape[1];
      const Dims expected[] = {
          {3 * hidden, hidden}, {hidden, hidden}, {checked_mul(2, inner), hidden}, {hidden, inner}};
      for (int slot = 0; slot < 4; ++slot) {
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
};

// Refuses what is not a state [B, S, D] of float32 or float64.
inline void need_state(const char *op, const char *name, const Tensor &t) {
  if (t.dtype != DType::kF32 && t.dtype != DType::kF64)
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

// Checks heads and the RoPE tables (optional arguments cosSlot and cosSlot + 1).
inline void check_heads(const char *op, const Args &in, const Tensor &state, int64_t n_heads, int cos_slot) {
  const int64_t hidden = state.shape[2];
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
    if (table.dtype != state.dtype)
      fail(Code::kDType, op, ": ", name, " must be ", state.dtype, " as the states are, got ", table.dtype);
    if (table.shape.rank != 2 || table.shape[0] < state.shape[1] || table.shape[1] != d)
      fail(Code::kShape, op, ": ", name, " must have shape [n, ", d, "] with n >= ", state.shape[1], ", got ",
           table.shape);
  }
}

template <class T>
cpu::BlockShape<T> block_shape(const Args &in, const Tensor &state, int64_t n_heads, int64_t inner, double eps,
                               int cos_slot) {
  const bool rope = in.has(cos_slot);
  return {state.shape[1],
          state.shape[2],
          n_heads,
          inner,
          static_cast<T>(eps),
          rope ? in[cos_slot].data<T>() : nullptr,
          rope ? in[cos_slot + 1].data<T>() : nullptr,
          state.shape[2] / n_heads};
}

inline void check_eps(const char *op, double eps) {
  if (!(eps >= 0) || eps > 1e30)
    fail(Code::kArgument, op, ": eps must be a finite number of at least 0, got ", eps);
}

template <class F> decltype(auto) dispatch_state(DType dtype, F &&f) {
  return dtype == DType::kF64 ? f(Type<double>{}) : f(Type<float>{});
}

} // namespace hrm::ops
