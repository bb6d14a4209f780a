// l_loop: all no-grad updates of a segment (HRM section 2) in reused scratch: no allocation, nothing kept.
#include "ops/l_loop.h"

#include <utility>

#include "device/block.h"
#include "device/convert.h"
#include "ops/registry.h"

namespace hrm {

namespace {

using Op = ops::l_loop;

struct LoopScratch {
  device::ForwardScratch forward;
  // The states, in two copies each where they are replaced; the input of a level and what its blocks give in turn; the
  // tokens of zH that are wanted.
  Tensor z_h, z_l, states[2], first;

  LoopScratch(device::Arena &arena, const device::BlockSizes &sizes, int64_t h_tokens) : forward(arena, sizes, false) {
    z_h = arena.take(sizes.state(), sizes.dtype);
    z_l = arena.take(sizes.state(), sizes.dtype);
    for (Tensor &state : states)
      state = arena.take(sizes.state(), sizes.dtype);
    if (h_tokens < sizes.seq)
      first = arena.take({sizes.batch, h_tokens, sizes.hidden}, sizes.dtype);
  }
};

device::BlockSizes sizes_of(const Args &in, const Op::Attrs &attrs) {
  return device::block_sizes(in[Op::kZH], attrs.nHeads, Op::check(in, attrs), attrs.eps);
}

size_t workspace_bytes(const Args &in, const void *data) {
  const auto &attrs = *static_cast<const Op::Attrs *>(data);
  device::Arena arena{StorageRef{}};
  LoopScratch(arena, sizes_of(in, attrs), attrs.hTokens);
  return arena.bytes();
}

// `to` = blocks(z + (a + b)), or the first tokens of that where `to` is shorter. `to` may be z: the blocks read it no
// more when it is written.
void update(Call &call, const device::BlockSizes &sizes, const std::vector<device::BlockParts> &blocks,
            const device::RopeTables &rope, LoopScratch &scratch, const Tensor &to, const Tensor &z, const Tensor &a,
            const Tensor *b) {
  device::add(call, blocks.empty() ? to : scratch.states[0], z, a, b);
  for (size_t i = 0; i < blocks.size(); ++i) {
    const bool last = i + 1 == blocks.size();
    if (last && to.shape[1] < sizes.seq)
      device::block_forward_first(call, sizes, blocks[i], rope, scratch.forward, scratch.states[i % 2], scratch.first,
                                  to);
    else
      device::block_forward(call, sizes, blocks[i], rope, scratch.forward, scratch.forward.saved, scratch.states[i % 2],
                            last ? to : scratch.states[(i + 1) % 2]);
  }
}

void run(Call &call) {
  const auto &attrs = call.attrs<Op::Attrs>();
  const Tensor &z_h = call.in[Op::kZH], &z_l = call.in[Op::kZL], &x = call.in[Op::kX];
  if (z_h.size() == 0)
    return;
  const device::BlockSizes sizes = sizes_of(call.in, attrs);
  device::Arena arena(call.workspace_storage);
  LoopScratch scratch(arena, sizes, attrs.hTokens);
  const std::vector<device::BlockParts> l = device::block_parts(call.in, Op::kL),
                                        h = device::block_parts(call.in, Op::kH);
  const device::RopeTables rope = device::rope_tables(call.in, Op::kCos);
  const Tensor *from_h = &z_h, *from_l = &z_l;
  cuda::Stream &stream = cuda::stream_of(call);
  const int64_t n_steps = attrs.hCycles * attrs.lCycles - attrs.gradSteps;
  // The last H update gives the wanted tokens alone, where no L update needs the others.
  const bool gives_first = !h.empty() && n_steps > 0 && n_steps % attrs.lCycles == 0 && attrs.hTokens < sizes.seq;
  for (int64_t step = 1; step <= n_steps; ++step) {
    update(call, sizes, l, rope, scratch, scratch.z_l, *from_l, *from_h, &x);
    from_l = &scratch.z_l;
    if (step % attrs.lCycles != 0)
      continue;
    const bool first = gives_first && step == n_steps;
    if (!first || attrs.hTokens > 0)
      update(call, sizes, h, rope, scratch, first ? call.out[0] : scratch.z_h, *from_h, *from_l, nullptr);
    from_h = &scratch.z_h;
  }
  if (!gives_first) {
    Tensor first = *from_h;
    first.shape[1] = attrs.hTokens;
    device::convert(call.op, stream, first, call.out[0]);
  }
  device::convert(call.op, stream, *from_l, call.out[1]);
}

} // namespace

namespace cuda {
extern const GpuOp l_loop = {run, workspace_bytes};
} // namespace cuda

} // namespace hrm
