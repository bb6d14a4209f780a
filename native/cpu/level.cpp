#include "ops/level.h"

#include "cpu/packed_blocks.h"
#include "cpu/saved_blocks.h"
#include "ops/registry.h"

namespace hrm {

void cpu::level(Call &call) {
  using Op = ops::level;
  const auto &attrs = call.attrs<Op::Attrs>();
  const Tensor &h = call.in[Op::kInput];
  if (h.size() == 0)
    return;
  ops::dispatch_state(h.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const std::vector<PackedBlock<T>> blocks = packed_blocks<T>(call, Op::kWeights);
    const auto shape = ops::block_shape<T>(call.in, h, attrs.nHeads, Op::check(call.in, attrs), attrs.eps, Op::kCos);
    std::vector<SavedBlock<T>> saved;
    if (attrs.keep) {
      T *parts[kSavedParts];
      for (int i = 0; i < kSavedParts; ++i)
        parts[i] = call.out[static_cast<size_t>(Op::kQkv + i)].data<T>();
      saved = saved_blocks<T>(shape, h.shape[0], blocks.size(), parts);
    }
    run_level<T>(*call.context.pool,
                 {shape, h.shape[0], static_cast<int64_t>(blocks.size()), blocks.data(), h.data<T>(),
                  attrs.keep ? saved.data() : nullptr, call.out[0].data<T>()},
                 call.workspace);
  });
}

HRM_SCHEMA(level) {
  using Attrs = ops::level::Attrs;
  Schema s{{in("h"), optional("cos"), optional("sin"), list("wQkv"), list("wO"), list("wGateUp"), list("wDown"),
            list("wTGateUp"), list("wTDown")},
           {HRM_ATTR(Attrs, nHeads), HRM_ATTR(Attrs, eps), HRM_ATTR(Attrs, keep)}};
  s.outputs = {"y", "qkv", "attention", "lse", "y1", "r1", "gateUp", "r2", "inner", "tGateUp"};
  s.rule = &erase_rule<Attrs, ops::level::rule>;
  return s;
}

} // namespace hrm
