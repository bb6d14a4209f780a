// level: blocks(h), keeping what the gradient needs (HRM section 2). Memory for that is the op's outputs; scratch is
// reused by every block.
#include "ops/level.h"

#include "device/block.h"
#include "device/level_saved.h"
#include "ops/registry.h"

namespace hrm {

namespace {

using Op = ops::level;

struct LevelScratch {
  device::ForwardScratch forward;
  // Outputs of blocks that are not kept, in turn.
  Tensor states[2];

  LevelScratch(device::Arena &arena, const device::BlockSizes &sizes, bool keeps) : forward(arena, sizes, keeps) {
    for (Tensor &state : states)
      state = keeps ? Tensor{} : arena.take(sizes.state(), sizes.dtype);
  }
};

device::BlockSizes sizes_of(const Args &in, const Op::Attrs &attrs) {
  return device::block_sizes(in[Op::kInput], attrs.nHeads, Op::check(in, attrs), attrs.eps);
}

size_t workspace_bytes(const Args &in, const void *data) {
  const auto &attrs = *static_cast<const Op::Attrs *>(data);
  device::Arena arena{StorageRef{}};
  LevelScratch(arena, sizes_of(in, attrs), attrs.keep);
  return arena.bytes();
}

void run(Call &call) {
  const auto &attrs = call.attrs<Op::Attrs>();
  if (call.in[Op::kInput].size() == 0)
    return;
  const device::BlockSizes sizes = sizes_of(call.in, attrs);
  device::Arena arena(call.workspace_storage);
  LevelScratch scratch(arena, sizes, attrs.keep);
  const std::vector<device::BlockParts> blocks = device::block_parts(call.in, Op::kWeights);
  const device::RopeTables rope = device::rope_tables(call.in, Op::kCos);
  const Tensor *input = &call.in[Op::kInput];
  Tensor inputs[2];
  for (size_t i = 0; i < blocks.size(); ++i) {
    const bool last = i + 1 == blocks.size();
    const device::LevelSaved kept(sizes, [&](int output) { return call.out[static_cast<size_t>(output)]; }, Op::kQkv);
    const Tensor y = last         ? call.out[Op::kY]
                     : attrs.keep ? kept.output(static_cast<int64_t>(i))
                                  : scratch.states[i % 2];
    device::block_forward(call, sizes, blocks[i], rope, scratch.forward,
                          attrs.keep ? kept.block(static_cast<int64_t>(i)) : scratch.forward.saved, *input, y);
    inputs[i % 2] = y;
    input = &inputs[i % 2];
  }
}

} // namespace

namespace cuda {
extern const GpuOp level = {run, workspace_bytes};
} // namespace cuda

} // namespace hrm
