#pragma once
// At least one case for every op that has a kernel on accelerators; op_test demands it. Shapes are small and uneven,
// and there is one for each way that a kernel cuts its work: short and long rows, columns, aligned and not, split sums.
#include "test/native/op_run.h"

namespace hrm::test {

inline void add_elementwise(std::vector<OpCase> &cases) {
  const auto unary = [&](const char *op) { cases.push_back({op, {x({{5, 67}}, 0.1, 2)}, {}}); };
  const auto binary = [&](const char *op) {
    cases.push_back({op, {x({{7, 1, 33}}, 0.1, 2), x({{5, 33}}, 0.1, 2)}, {}});
    cases.push_back({op, {x({{1030}}, 0.1, 2), x({{1030}}, 0.1, 2)}, {}});
  };
#define HRM_OP(name)
#define HRM_UNARY(name, promotion) unary(#name);
#define HRM_BINARY(name, promotion) binary(#name);
#define HRM_COMPARE(name) binary(#name);
#include "ops/ops.def"
}

inline void add_rows(std::vector<OpCase> &cases) {
  for (const char *op : {"sum", "mean", "max", "min"}) {
    cases.push_back({op, {x({{5, 70}})}, {{"dims", Dims{1}}, {"keepdim", 0}}});
    cases.push_back({op, {x({{3, 300, 33}})}, {{"dims", Dims{1}}, {"keepdim", 1}}});
    cases.push_back({op, {x({{2, 20000}})}, {{"dims", Dims{}}, {"keepdim", 0}}});
  }
  for (const char *op : {"softmax", "log_softmax", "logsumexp", "argmax", "argmin"}) {
    cases.push_back({op, {x({{9, 33}})}, {{"dim", 1}}});
    cases.push_back({op, {x({{9, 64}})}, {{"dim", 1}}});
    cases.push_back({op, {x({{2, 2001}})}, {{"dim", 1}}});
    cases.push_back({op, {x({{4, 20, 5}})}, {{"dim", 1}}});
  }
  for (const char *op : {"softmax_grad", "log_softmax_grad"}) {
    cases.push_back({op, {x({{9, 33}}), x({{9, 33}}, 0, 0.1)}, {{"dim", 1}}});
    cases.push_back({op, {x({{2, 2001}}), x({{2, 2001}}, 0, 0.001)}, {{"dim", 1}}});
    cases.push_back({op, {x({{4, 20, 5}}), x({{4, 20, 5}}, 0, 0.1)}, {{"dim", 1}}});
  }
  for (const double stablemax : {0.0, 1.0}) {
    const std::vector<std::pair<const char *, Value>> attrs = {{"stablemax", stablemax}, {"ignoreIndex", -100}};
    cases.push_back({"cross_entropy", {x({{17, 11}}), below(11, {17})}, attrs});
    cases.push_back({"cross_entropy", {x({{3, 1500}}), below(1500, {3})}, attrs});
    cases.push_back({"cross_entropy_backward", {computed({{17}}), x({{17, 11}}), below(11, {17})}, attrs});
  }
  for (const int64_t n : {64, 33, 1040}) {
    cases.push_back({"rms_norm", {x({{9, n}})}, {{"eps", 1e-5}}});
    cases.push_back({"rms_norm_backward", {x({{9, n}}), x({{9, n}}), computed({{9}})}, {}});
  }
  for (const int64_t d : {8, 14})
    for (const double transposed : {0.0, 1.0})
      cases.push_back(
          {"rope", {x({{2, 5, 3, d}}), computed({{9, d}}), computed({{9, d}})}, {{"transposed", transposed}}});
  for (const int64_t f : {32, 13}) {
    cases.push_back({"swiglu", {x({{9, 2 * f}})}, {}});
    cases.push_back({"swiglu_backward", {x({{9, f}}), x({{9, 2 * f}})}, {}});
  }
}

inline void add_products(std::vector<OpCase> &cases) {
  cases.push_back({"matmul", {x({{2, 33, 17}}), x({{2, 17, 40}})}, {{"wide", 0}}});
  for (const double wide : {0.0, 1.0})
    cases.push_back({"matmul", {x({{70, 136}}), x({{136, 72}})}, {{"wide", wide}}});
  cases.push_back({"linear", {x({{3, 7, 33}}), x({{20, 33}}), none()}, {}});
  cases.push_back({"linear", {x({{82, 64}}), x({{96, 64}}), x({{96}})}, {}});
  // Few tiles of a long k.
  cases.push_back({"linear", {x({{30, 2064}}), x({{24, 2064}}), none()}, {}});
  struct Attention {
    int64_t batch, queries, keys, heads, d;
    double causal;
  };
  for (const Attention &a :
       {Attention{2, 20, 20, 2, 16, 0}, {1, 33, 82, 2, 64, 0}, {1, 130, 130, 1, 32, 1}, {2, 9, 9, 1, 20, 1}}) {
    const Dims q{a.batch, a.queries, a.heads, a.d}, k{a.batch, a.keys, a.heads, a.d};
    const std::vector<std::pair<const char *, Value>> attrs = {{"causal", a.causal},
                                                               {"scale", 1 / std::sqrt(static_cast<double>(a.d))}};
    cases.push_back({"attention", {x({q}), x({k}), x({k})}, attrs});
    cases.push_back({"attention_backward",
                     {x({q}), x({q}), x({k}), x({k}), computed({{a.batch, a.heads, a.queries}}, 3, 4)},
                     attrs});
  }
}

inline void add_places(std::vector<OpCase> &cases) {
  cases.push_back({"cast", {x({{5, 33}})}, {{"dtype", DType::kBF16}}});
  cases.push_back({"cast", {x({{5, 33}})}, {{"dtype", DType::kI32}}});
  cases.push_back({"copy", {x({{4, 33}}), x({{33}})}, {}});
  cases.push_back({"fill", {x({{4, 33}})}, {{"value", 2.5}}});
  cases.push_back({"where", {flags({4, 1}), x({{4, 9}}), x({{9}})}, {}});
  cases.push_back({"clamp", {x({{5, 33}})}, {{"min", -1}, {"max", 1}}});
  cases.push_back({"clamp_grad", {x({{5, 33}}), x({{5, 33}})}, {{"min", -1}, {"max", 1}}});
  cases.push_back({"index_select", {x({{9, 5}}), below(9, {7})}, {{"dim", 0}}});
  cases.push_back({"index_select", {x({{3, 9, 4}}), below(9, {2, 2})}, {{"dim", 1}}});
  cases.push_back({"index_select_backward", {x({{70, 5}}), below(9, {70})}, {{"dim", 0}, {"size", 9}}});
  cases.push_back({"gather", {x({{5, 6}}), below(6, {5, 3})}, {{"dim", 1}}});
  cases.push_back({"scatter_add", {x({{5, 6}}), below(6, {5, 3}), x({{5, 3}})}, {{"dim", 1}}});
  cases.push_back({"concat", {x({{2, 3}, {2, 5}, {2, 1}})}, {{"dim", 1}}});
  const Slot state = below(1000, {4});
  cases.push_back({"uniform", {state}, {{"shape", Dims{5, 67}}, {"dtype", Value::dtype_of_case()}}});
  for (const char *op : {"normal", "trunc_normal"})
    cases.push_back(
        {op, {state}, {{"shape", Dims{5, 67}}, {"mean", 0.5}, {"std", 2}, {"dtype", Value::dtype_of_case()}}});
  cases.push_back({"random_integers", {state}, {{"shape", Dims{5, 67}}, {"low", -3}, {"high", 100}}});
  for (const double n : {100, 3000})
    cases.push_back({"random_permutation", {state}, {{"n", n}}});
}

inline void add_optimizers(std::vector<OpCase> &cases) {
  const std::vector<Dims> shapes = {{33}, {4097}, {5, 6}};
  const Slot yes = flags({}, 1, 1), lr = computed({Dims{}}, 0.1, 0.2);
  cases.push_back({"adam_atan2",
                   {x(shapes), x(shapes), x(shapes, 0, 2), x(shapes),
                    slot(Holds::kBFloat16, {shapes[0], shapes[1]}, 0, 0), slot(Holds::kInt32, {Dims{}}, 3, 3), lr, yes},
                   {{"beta1", 0.9}, {"beta2", 0.95}, {"weight_decay", 0.5}}});
  cases.push_back({"sign_sgd", {x({{10, 33}}), below(10, {7}), x({{7, 33}}), lr, yes}, {{"weight_decay", 0.5}}});
  cases.push_back({"ema", {x(shapes), x(shapes), yes}, {{"decay", 0.9}}});
}

// Blocks over [B, S, D] = [2, 9, 32] with F = 48, of attention or over the sequence with F' = 12.
inline void add_blocks(std::vector<OpCase> &cases) {
  const int64_t b = 2, s = 9, d = 32, f = 48, ft = 12, heads = 2;
  const Dims h{b, s, d};
  const Slot table = computed({{s + 2, d / heads}}, -1, 1);
  const auto seeded = [](Slot slot, uint64_t seed) {
    slot.seed = seed;
    return slot;
  };
  const auto w = [&](uint64_t seed, Dims shape) { return seeded(x({shape, shape}, -0.3, 0.3), seed); };
  const auto joined = [](std::initializer_list<std::vector<Slot>> lists) {
    std::vector<Slot> all;
    for (const std::vector<Slot> &list : lists)
      all.insert(all.end(), list.begin(), list.end());
    return all;
  };
  for (const bool mlp : {false, true}) {
    const std::vector<Slot> weights =
        mlp ? std::vector<Slot>{none(),          none(), w(1000, {2 * f, d}), w(2000, {d, f}), w(3000, {2 * ft, s}),
                                w(4000, {s, ft})}
            : std::vector<Slot>{w(5000, {3 * d, d}), w(6000, {d, d}), w(1000, {2 * f, d}),
                                w(2000, {d, f}),     none(),          none()};
    const std::vector<Slot> tables =
        mlp ? std::vector<Slot>{none(), none()} : std::vector<Slot>{seeded(table, 7000), seeded(table, 8000)};
    OpCase loop{"l_loop", joined({{x({h}), x({h}), x({h})}, tables, weights, weights}), {}};
    loop.is_narrow_on_device = true;
    for (const auto &[grad_steps, h_tokens] : {std::pair<double, double>{1, s}, {0, 1}, {0, 4}}) {
      loop.attrs = {{"nHeads", heads},         {"eps", 1e-5},        {"hCycles", 2}, {"lCycles", 2},
                    {"gradSteps", grad_steps}, {"hTokens", h_tokens}};
      cases.push_back(loop);
    }
    OpCase level{"level", joined({{seeded(x({h}), 9000)}, tables, weights}), {}};
    level.n_compared = 1;
    level.is_narrow_on_device = true;
    for (const double keep : {0.0, 1.0}) {
      level.attrs = {{"nHeads", heads}, {"eps", 1e-5}, {"keep", keep}};
      cases.push_back(level);
    }
    // dy, y, h and what `level` kept, in the order of its outputs.
    std::vector<Slot> saved = {x({h}), kept(0), seeded(x({h}), 9000)};
    for (int output = 1; output <= 9; ++output)
      saved.push_back(kept(output));
    OpCase backward{"level_backward", joined({saved, tables, weights}), {{"nHeads", heads}, {"eps", 1e-5}}};
    backward.before = std::make_shared<OpCase>(level);
    backward.is_narrow_on_device = true;
    cases.push_back(backward);
  }
}

inline std::vector<OpCase> op_cases() {
  std::vector<OpCase> cases;
  add_elementwise(cases);
  add_rows(cases);
  add_products(cases);
  add_places(cases);
  add_optimizers(cases);
  add_blocks(cases);
  return cases;
}

} // namespace hrm::test
