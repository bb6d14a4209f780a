#include "ops/random.h"

#include <algorithm>

#include "numerics/random.h"
#include "ops/registry.h"

namespace hrm {

namespace {

constexpr int64_t kBlocksPerTask = 2048;

// Takes n_blocks from the generator: the state before, and the counter moved on.
numerics::GeneratorState advance(const Tensor &tensor, int64_t n_blocks) {
  using numerics::GeneratorState;
  int32_t *words = tensor.data<int32_t>();
  const GeneratorState state{GeneratorState::joined(words[0], words[1]), GeneratorState::joined(words[2], words[3])};
  state.counter_after(n_blocks, words[2], words[3]);
  return state;
}

// y[i] from block i / N of this call, whatever thread computes it.
template <int N, class T, class Distribution> void generate(Call &call, const Distribution &distribution) {
  T *y = call.out[0].data<T>();
  const int64_t n = call.out[0].size(), n_blocks = (n + N - 1) / N;
  const numerics::GeneratorState state = advance(call.in[0], n_blocks);
  call.context.pool->parallel_for((n_blocks + kBlocksPerTask - 1) / kBlocksPerTask, [&](int64_t task, int) {
    const int64_t end = std::min(n_blocks, (task + 1) * kBlocksPerTask);
    for (int64_t block = task * kBlocksPerTask; block < end; ++block) {
      uint32_t words[4];
      state.words(block, words);
      T numbers[N];
      distribution(words, numbers);
      for (int64_t i = 0, count = std::min<int64_t>(N, n - block * N); i < count; ++i)
        y[block * N + i] = numbers[i];
    }
  });
}

template <class Distribution> void generate_float(Call &call, const Distribution &distribution) {
  dispatch_float(call.out[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    generate<numerics::kNumbersPerBlock<T>, T>(call, distribution);
  });
}

} // namespace

namespace cpu {

void uniform(Call &call) { generate_float(call, numerics::uniform{}); }

void normal(Call &call) {
  const auto &attrs = call.attrs<ops::NormalAttrs>();
  generate_float(call, numerics::normal{attrs.mean, attrs.std});
}

void trunc_normal(Call &call) {
  const auto &attrs = call.attrs<ops::NormalAttrs>();
  generate_float(call, numerics::trunc_normal{attrs.mean, attrs.std});
}

void random_integers(Call &call) {
  const auto &attrs = call.attrs<ops::random_integers::Attrs>();
  generate<2, int32_t>(call, numerics::random_integers{attrs.low, static_cast<uint64_t>(attrs.high - attrs.low)});
}

void random_permutation(Call &call) {
  const int64_t n = call.attrs<ops::random_permutation::Attrs>().n;
  auto *items = static_cast<ops::random_permutation::Item *>(call.workspace);
  const numerics::GeneratorState state = advance(call.in[0], (n + 1) / 2);
  for (int64_t i = 0; i < n; i += 2) {
    uint32_t words[4];
    state.words(i / 2, words);
    for (int64_t k = 0; k < std::min<int64_t>(2, n - i); ++k)
      items[i + k] = {numerics::sort_key(words, k != 0), i + k};
  }
  std::sort(items, items + n,
            [](const auto &a, const auto &b) { return a.key != b.key ? a.key < b.key : a.index < b.index; });
  int32_t *y = call.out[0].data<int32_t>();
  for (int64_t i = 0; i < n; ++i)
    y[i] = static_cast<int32_t>(items[i].index);
}

} // namespace cpu

HRM_SCHEMA(uniform) {
  using Attrs = ops::uniform::Attrs;
  Schema s{{mutated("state")}, {HRM_ATTR(Attrs, shape), HRM_ATTR(Attrs, dtype)}};
  s.rule = &erase_rule<Attrs, ops::uniform::rule>;
  return s;
}

static Schema normal_schema(Rule rule) {
  using Attrs = ops::NormalAttrs;
  Schema s{{mutated("state")},
           {HRM_ATTR(Attrs, shape), HRM_ATTR(Attrs, mean), HRM_ATTR(Attrs, std), HRM_ATTR(Attrs, dtype)}};
  s.rule = rule;
  return s;
}
HRM_SCHEMA(normal) { return normal_schema(&erase_rule<ops::NormalAttrs, ops::normal::rule>); }
HRM_SCHEMA(trunc_normal) { return normal_schema(&erase_rule<ops::NormalAttrs, ops::trunc_normal::rule>); }

HRM_SCHEMA(random_integers) {
  using Attrs = ops::random_integers::Attrs;
  Schema s{{mutated("state")}, {HRM_ATTR(Attrs, shape), HRM_ATTR(Attrs, low), HRM_ATTR(Attrs, high)}};
  s.rule = &erase_rule<Attrs, ops::random_integers::rule>;
  return s;
}
HRM_SCHEMA(random_permutation) {
  using Attrs = ops::random_permutation::Attrs;
  Schema s{{mutated("state")}, {HRM_ATTR(Attrs, n)}};
  s.rule = &erase_rule<Attrs, ops::random_permutation::rule>;
  return s;
}

} // namespace hrm
