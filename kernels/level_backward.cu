// level_backward: the gradient of `level`, block by block from the last, in scratch that the blocks share. Weight
// gradients come straight from the products' float accumulators; products of a long k are split in a fixed order.
#include "ops/level_backward.h"

#include <utility>

#include "device/block.h"
#include "device/convert.h"
#include "device/gemm.h"
#include "device/level_saved.h"
#include "device/walk.h"
#include "ops/registry.h"
#include "ops/rope.h"

namespace hrm {

namespace {

using Op = ops::level_backward;
using device::BlockParts;
using device::BlockSaved;
using device::BlockSizes;
using device::part;
using device::shaped;

// Where the gradients of one block's weights go, in the order of the lists; null for lists that are empty.
struct BlockGradients {
  const Tensor *of[ops::BlockLists::kCount] = {};
};

struct BackwardScratch {
  // dz: gradient of what the second norm took, then of y1. dy: of the block's output, in turn.
  Tensor dz, inner, d_inner, d_gate_up, dy[2];
  // Attention: gradients of its result, of q, k, v, and of q and k before the rotation.
  Tensor d_attention, d_qkv, d_raw;
  // A SwiGLU over the sequence: everything transposed.
  Tensor t, dt, dzt, t_inner, d_t_inner, d_t_gate_up;
  void *attention = nullptr, *products = nullptr;

  BackwardScratch(device::Arena &arena, const BlockSizes &s) {
    const int64_t M = s.tokens(), D = s.hidden, F = s.inner, rows = s.batch * D;
    const auto take = [&](const Dims &shape) { return arena.take(shape, s.dtype); };
    dz = take({M, D});
    inner = take({M, F});
    d_inner = take({M, F});
    d_gate_up = take({M, 2 * F});
    for (Tensor &each : dy)
      each = take(s.state());
    size_t most = 0;
    const auto weight = [&](int64_t out, int64_t in, int64_t sum) {
      most = std::max(most, device::gemm_workspace_bytes({out, in, sum}));
    };
    weight(D, F, M);
    weight(2 * F, D, M);
    if (s.over_sequence()) {
      for (Tensor *each : {&t, &dt, &dzt})
        *each = take({rows, s.seq});
      t_inner = take({rows, s.seq_inner});
      d_t_inner = take({rows, s.seq_inner});
      d_t_gate_up = take({rows, 2 * s.seq_inner});
      weight(s.seq, s.seq_inner, rows);
      weight(2 * s.seq_inner, s.seq, rows);
    } else {
      d_attention = take({M, D});
      d_qkv = take({3, M, D});
      d_raw = take({M, D});
      weight(D, D, M);
      const ops::attention::Attrs attrs = device::attention_attrs(s);
      const Tensor q = part(d_qkv, 0, s.by_head());
      Tensor lse = part(d_raw, 0, {s.batch, s.heads, s.seq});
      lse.dtype = DType::kF32;
      attention = arena.take_bytes(device::workspace_bytes(cuda::attention_backward, {&q, &q, &q, &q, &lse}, &attrs));
    }
    products = arena.take_bytes(most);
  }
};

// One block's gradient.
class BlockBackward {
public:
  BlockBackward(Call &call, const BlockSizes &sizes, const device::RopeTables &rope, BackwardScratch &scratch)
      : call_(call), s_(sizes), rope_(rope), scratch_(scratch) {}

  void run(const BlockParts &w, const BlockSaved &saved, const BlockGradients &gradients, const Tensor &input,
           const Tensor &y, const Tensor &dy, const Tensor &d_input) {
    const int64_t M = s_.tokens(), D = s_.hidden, F = s_.inner;
    const Tensor y_rows = shaped(y, {M, D}), dy_rows = shaped(dy, {M, D}), gate_up = shaped(saved.gate_up, {M, 2 * F});
    device::run(call_, cuda::rms_norm_backward, {&dy_rows, &y_rows, &saved.r2}, {scratch_.dz});
    device::run(call_, cuda::swiglu, {&gate_up}, {scratch_.inner});
    weight_gradient(*gradients.of[ops::BlockLists::kDown], scratch_.dz, scratch_.inner, D, F, M);
    input_gradient(scratch_.d_inner, scratch_.dz, *w.down, M, F, D, false);
    device::run(call_, cuda::swiglu_backward, {&scratch_.d_inner, &gate_up}, {scratch_.d_gate_up});
    weight_gradient(*gradients.of[ops::BlockLists::kGateUp], scratch_.d_gate_up, saved.y1, 2 * F, D, M);
    // The residual's gradient is there already.
    input_gradient(scratch_.dz, scratch_.d_gate_up, *w.gate_up, M, D, 2 * F, true);
    if (s_.over_sequence())
      mix_over_sequence(w, saved, gradients, input, d_input);
    else
      mix_by_attention(w, saved, gradients, input, d_input);
  }

private:
  // [n, k] = dy^T x, of dy [rows, n] and x [rows, k]; float32
  void weight_gradient(const Tensor &to, const Tensor &dy, const Tensor &x, int64_t n, int64_t k, int64_t rows) {
    device::dispatch_device_float(s_.dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      device::GemmOptions<T> options;
      options.workspace = scratch_.products;
      device::gemm<T, float>(call_.op, cuda::stream_of(call_), {n, k, rows}, {dy.data<T>(), 1, n}, {x.data<T>(), k, 1},
                             {to.data<float>(), k}, options);
    });
  }
  // dx [rows, k] = or += dy W, of dy [rows, n] and W [n, k]
  void input_gradient(const Tensor &dx, const Tensor &dy, const Tensor &weight, int64_t rows, int64_t k, int64_t n,
                      bool accumulate) {
    device::dispatch_device_float(s_.dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      device::GemmOptions<T> options;
      options.accumulate = accumulate;
      device::gemm<T, T>(call_.op, cuda::stream_of(call_), {rows, k, n}, {dy.data<T>(), n, 1}, {weight.data<T>(), k, 1},
                         {dx.data<T>(), k}, options);
    });
  }

  void mix_by_attention(const BlockParts &w, const BlockSaved &saved, const BlockGradients &gradients,
                        const Tensor &input, const Tensor &d_input) {
    const int64_t M = s_.tokens(), D = s_.hidden;
    const Dims by_head = s_.by_head();
    const Tensor y1 = shaped(saved.y1, {M, D}), dx = shaped(d_input, {M, D});
    device::run(call_, cuda::rms_norm_backward, {&scratch_.dz, &y1, &saved.r1}, {dx});
    weight_gradient(*gradients.of[ops::BlockLists::kO], dx, saved.attention, D, D, M);
    input_gradient(scratch_.d_attention, dx, *w.o, M, D, D, false);

    const Tensor dy = shaped(scratch_.d_attention, by_head), lse = shaped(saved.lse, {s_.batch, s_.heads, s_.seq});
    Tensor qkv[3], d_qkv[3];
    for (int i = 0; i < 3; ++i) {
      qkv[i] = part(saved.qkv, i * M * D, by_head);
      d_qkv[i] = part(scratch_.d_qkv, i * M * D, by_head);
    }
    const ops::attention::Attrs attrs = device::attention_attrs(s_);
    device::run(call_, cuda::attention_backward, {&dy, &qkv[0], &qkv[1], &qkv[2], &lse}, {d_qkv[0], d_qkv[1], d_qkv[2]},
                &attrs, scratch_.attention);
    const ops::rope::Attrs adjoint{true};
    for (int i = 0; i < 3; ++i) {
      Tensor d = d_qkv[i];
      if (rope_.cosines && i < 2) {
        device::run(call_, cuda::rope, {&d_qkv[i], rope_.cosines, rope_.sines}, {shaped(scratch_.d_raw, by_head)},
                    &adjoint);
        d = scratch_.d_raw;
      }
      const Dims square{D, D};
      weight_gradient(part(*gradients.of[ops::BlockLists::kQkv], i * D * D, square), d, input, D, D, M);
      input_gradient(dx, d, part(*w.qkv, i * D * D, square), M, D, D, true);
    }
  }

  void mix_over_sequence(const BlockParts &w, const BlockSaved &saved, const BlockGradients &gradients,
                         const Tensor &input, const Tensor &d_input) {
    const int64_t rows = s_.batch * s_.hidden, S = s_.seq, F = s_.seq_inner;
    const Tensor gate_up = shaped(saved.t_gate_up, {rows, 2 * F});
    const int64_t B = s_.batch, D = s_.hidden;
    device::transpose(call_, scratch_.t, saved.y1, B, S, D);
    device::transpose(call_, scratch_.dt, scratch_.dz, B, S, D);
    device::run(call_, cuda::rms_norm_backward, {&scratch_.dt, &scratch_.t, &saved.r1}, {scratch_.dzt});
    device::run(call_, cuda::swiglu, {&gate_up}, {scratch_.t_inner});
    weight_gradient(*gradients.of[ops::BlockLists::kTDown], scratch_.dzt, scratch_.t_inner, S, F, rows);
    input_gradient(scratch_.d_t_inner, scratch_.dzt, *w.t_down, rows, F, S, false);
    device::run(call_, cuda::swiglu_backward, {&scratch_.d_t_inner, &gate_up}, {scratch_.d_t_gate_up});
    device::transpose(call_, scratch_.t, input, B, S, D);
    weight_gradient(*gradients.of[ops::BlockLists::kTGateUp], scratch_.d_t_gate_up, scratch_.t, 2 * F, S, rows);
    input_gradient(scratch_.dzt, scratch_.d_t_gate_up, *w.t_gate_up, rows, S, 2 * F, true);
    device::transpose(call_, d_input, scratch_.dzt, B, D, S);
  }

  Call &call_;
  const BlockSizes &s_;
  const device::RopeTables &rope_;
  BackwardScratch &scratch_;
};

BlockSizes sizes_of(const Args &in, const Op::Attrs &attrs) {
  return device::block_sizes(in[Op::kInput], attrs.nHeads, Op::check(in, attrs), attrs.eps);
}

size_t workspace_bytes(const Args &in, const void *data) {
  device::Arena arena{StorageRef{}};
  BackwardScratch(arena, sizes_of(in, *static_cast<const Op::Attrs *>(data)));
  return arena.bytes();
}

void run(Call &call) {
  const auto &attrs = call.attrs<Op::Attrs>();
  const BlockSizes sizes = sizes_of(call.in, attrs);
  const std::vector<BlockParts> blocks = device::block_parts(call.in, Op::kWeights);
  std::vector<BlockGradients> gradients(blocks.size());
  size_t next = 1;
  for (BlockGradients &each : gradients)
    for (int list = 0; list < ops::BlockLists::kCount; ++list)
      if (call.in.count(Op::kWeights + list) > 0)
        each.of[list] = &call.out[next++];
  if (call.in[Op::kInput].size() == 0) {
    for (size_t i = 1; i < call.out.size(); ++i)
      device::fill(call.op, cuda::stream_of(call), call.out[i], 0);
    return;
  }
  device::Arena arena(call.workspace_storage);
  BackwardScratch scratch(arena, sizes);
  const device::RopeTables rope = device::rope_tables(call.in, Op::kCos);
  const device::LevelSaved saved(sizes, [&](int slot) { return call.in[slot]; }, Op::kQkv);
  BlockBackward backward(call, sizes, rope, scratch);
  Tensor dy = call.in[Op::kDy];
  for (int64_t i = static_cast<int64_t>(blocks.size()) - 1; i >= 0; --i) {
    const size_t at = static_cast<size_t>(i);
    const bool last = at + 1 == blocks.size();
    const Tensor input = i == 0 ? call.in[Op::kInput] : saved.output(i - 1),
                 y = last ? call.in[Op::kY] : saved.output(i);
    const Tensor d_input = i == 0 ? call.out[0] : scratch.dy[i % 2];
    backward.run(blocks[at], saved.block(i), gradients[at], input, y, dy, d_input);
    dy = d_input;
  }
}

} // namespace

namespace cuda {
extern const GpuOp level_backward = {run, workspace_bytes};
} // namespace cuda

} // namespace hrm
