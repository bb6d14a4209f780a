#include "ops/l_loop.h"

#include "cpu/pack_cache.h"
#include "cpu/packed_blocks.h"
#include "ops/registry.h"

namespace hrm {

void cpu::l_loop(Call &call) {
  using Op = ops::l_loop;
  const auto &attrs = call.attrs<Op::Attrs>();
  const Tensor &zH = call.in[Op::kZH], &zL = call.in[Op::kZL];
  ops::dispatch_state(zH.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if (zH.size() == 0)
      return;
    const std::vector<PackedBlock<T>> l = packed_blocks<T>(call, Op::kL), h = packed_blocks<T>(call, Op::kH);
    LoopArgs<T> loop;
    loop.shape = ops::block_shape<T>(call.in, zH, attrs.nHeads, Op::check(call.in, attrs), attrs.eps, Op::kCos);
    loop.batch = zH.shape[0];
    loop.hCycles = attrs.hCycles;
    loop.lCycles = attrs.lCycles;
    loop.skippedUpdates = attrs.gradSteps;
    loop.nHLayers = static_cast<int64_t>(h.size());
    loop.nLLayers = static_cast<int64_t>(l.size());
    loop.hLayers = h.data();
    loop.lLayers = l.data();
    loop.hTokens = attrs.hTokens;
    loop.zH = zH.data<T>();
    loop.zL = zL.data<T>();
    loop.x = call.in[Op::kX].data<T>();
    loop.newH = call.out[0].data<T>();
    loop.newL = call.out[1].data<T>();
    run_loop<T>(*call.context.pool, loop, call.workspace);
  });
}

HRM_SCHEMA(l_loop) {
  using Attrs = ops::l_loop::Attrs;
  Schema s{{in("zH"), in("zL"), in("x"), optional("cos"), optional("sin"), list("lQkv"), list("lO"), list("lGateUp"),
            list("lDown"), list("lTGateUp"), list("lTDown"), list("hQkv"), list("hO"), list("hGateUp"), list("hDown"),
            list("hTGateUp"), list("hTDown")},
           {HRM_ATTR(Attrs, nHeads), HRM_ATTR(Attrs, hCycles), HRM_ATTR(Attrs, lCycles), HRM_ATTR(Attrs, gradSteps),
            HRM_ATTR(Attrs, hTokens), HRM_ATTR(Attrs, eps)}};
  s.outputs = {"newH", "newL"};
  s.rule = &erase_rule<Attrs, ops::l_loop::rule>;
  return s;
}

} // namespace hrm
