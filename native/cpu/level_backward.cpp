#include "ops/level_backward.h"

#include "cpu/packed_blocks.h"
#include "cpu/saved_blocks.h"
#include "ops/registry.h"

namespace hrm {

void cpu::level_backward(Call &call) {
  using Op = ops::level_backward;
  const auto &attrs = call.attrs<Op::Attrs>();
  const Tensor &h = call.in[Op::kInput];
  ops::dispatch_state(h.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const std::vector<PlainBlock<T>> blocks = plain_blocks<T>(call, Op::kWeights);
    const bool over_sequence = ops::BlockLists{"level_backward", Op::kWeights}.over_sequence(call.in);
    std::vector<BlockGradients<T>> gradients;
    for (size_t i = 0; i < blocks.size(); ++i) {
      const Tensor *dW = &call.out[1 + 4 * i];
      T *const part[] = {dW[0].data<T>(), dW[1].data<T>(), dW[2].data<T>(), dW[3].data<T>()};
      gradients.push_back(over_sequence ? BlockGradients<T>{nullptr, nullptr, part[0], part[1], part[2], part[3]}
                                        : BlockGradients<T>{part[0], part[1], part[2], part[3]});
    }
    const auto shape = ops::block_shape<T>(call.in, h, attrs.nHeads, Op::check(call.in, attrs), attrs.eps, Op::kCos);
    T *parts[kSavedParts];
    for (int i = 0; i < kSavedParts; ++i)
      parts[i] = call.in[Op::kQkv + i].data<T>();
    const std::vector<SavedBlock<T>> saved = saved_blocks<T>(shape, h.shape[0], blocks.size(), parts);
    run_level_backward<T>(*call.context.pool,
                          {shape, h.shape[0], static_cast<int64_t>(blocks.size()), blocks.data(), h.data<T>(),
                           saved.data(), call.in[Op::kY].data<T>(), call.in[Op::kDy].data<T>(), call.out[0].data<T>(),
                           gradients.data()},
                          call.workspace);
  });
}

HRM_SCHEMA(level_backward) {
  using Attrs = ops::level_backward::Attrs;
  Schema s{{in("dy"),    in("y"),         in("h"),         in("qkv"),        in("attention"),
            in("lse"),   in("y1"),        in("r1"),        in("gateUp"),     in("r2"),
            in("inner"), in("tGateUp"),   optional("cos"), optional("sin"),  list("wQkv"),
            list("wO"),  list("wGateUp"), list("wDown"),   list("wTGateUp"), list("wTDown")},
           {HRM_ATTR(Attrs, nHeads), HRM_ATTR(Attrs, eps)}};
  s.outputs = {"dh", "dWeights"};
  s.rule = &erase_rule<Attrs, ops::level_backward::rule>;
  return s;
}

} // namespace hrm
