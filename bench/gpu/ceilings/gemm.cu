// Matrix products of the library at the linear maps of the model (hidden 512, SwiGLU inner size 1536; the head's few
// columns padded to 16), bf16 with fp32 accumulation: forward, the gradient of the input, and that of the weight, in
// fp32. In a graph, over buffers that pass the L2 several times, with the fastest of the library's candidates.
#include "buffer.h"
#include "cublas_lt.h"
#include "timing.h"
#include <algorithm>
#include <cmath>
#include <cuda_bf16.h>
#include <limits>

namespace ceilings {
namespace {

constexpr int kCandidates = 8;

const CublasLt &library() {
  static const CublasLt opened;
  return opened;
}

struct Linear {
  const char *name;
  int64_t out, in;
};
constexpr Linear kLinears[] = {
    {"qkv", 1536, 512}, {"o", 512, 512}, {"gate_up", 3072, 512}, {"down", 512, 1536}, {"head", 16, 512}};
constexpr int64_t kTokens[] = {82, 7872, 31488, 62976, 86496};

enum class Pass { kForward, kInput, kWeight };
constexpr std::pair<const char *, Pass> kPasses[] = {
    {"forward", Pass::kForward}, {"input", Pass::kInput}, {"weight", Pass::kWeight}};

/// Row-major in the model, column-major for the library: x [M, K], W [N, K], y [M, N] are its K x M, K x N, N x M.
Product product_of(const Linear &linear, int64_t tokens, Pass pass) {
  switch (pass) {
  case Pass::kForward: // y^T = W x^T
    return {linear.out, tokens, linear.in, true, false, CUDA_R_16BF};
  case Pass::kInput: // dx^T = W^T dy^T
    return {linear.in, tokens, linear.out, false, false, CUDA_R_16BF};
  case Pass::kWeight: // dW^T = x^T dy
    return {linear.in, linear.out, tokens, false, true, CUDA_R_32F};
  }
  throw std::logic_error("unknown pass");
}

size_t bytes_of(cudaDataType type) { return type == CUDA_R_32F ? 4 : 2; }

struct Operands {
  Buffer a, b, d;
  Operands(const Product &p, uint64_t seed)
      : a(static_cast<size_t>(p.m * p.k) * 2), b(static_cast<size_t>(p.k * p.n) * 2),
        d(static_cast<size_t>(p.m * p.n) * bytes_of(p.result)) {
    fill_bfloat16(a, 2 * seed);
    fill_bfloat16(b, 2 * seed + 1);
    check(cudaMemset(d.as<void>(), 0xFF, d.bytes()), "poison");
  }
};

double element(const Buffer &buffer, int64_t at) {
  return __bfloat162float(read_back(buffer.as<__nv_bfloat16>() + at));
}

/// Some elements against sums in double: a product in the wrong layout must not be timed as a right one.
void expect_product(const Product &p, const Operands &set) {
  constexpr double bound = 2e-2;
  const int64_t most = std::min<int64_t>(p.k, 4096);
  if (most < p.k)
    return; // Thousands of single reads; the layout is the same at fewer tokens.
  for (const auto &[row, column] : {std::pair<int64_t, int64_t>{0, p.n - 1}, {p.m - 1, p.n / 2}}) {
    double sum = 0, size = 0;
    for (int64_t i = 0; i < p.k; ++i) {
      const double a = element(set.a, p.transpose_a ? i + row * p.k : row + i * p.m);
      const double b = element(set.b, p.transpose_b ? column + i * p.n : i + column * p.k);
      sum += a * b;
      size += std::abs(a * b);
    }
    const int64_t at = row + column * p.m;
    const double got = p.result == CUDA_R_32F ? read_back(set.d.as<float>() + at) : element(set.d, at);
    if (!(std::abs(got - sum) <= bound * size))
      throw std::runtime_error("gemm: element (" + std::to_string(row) + ", " + std::to_string(column) + ") is " +
                               std::to_string(got) + ", expected " + std::to_string(sum));
  }
}

Answer measure(const Product &p) {
  const auto plan = library().plan(p, kCandidates);
  if (plan->candidates() == 0)
    throw Unsupported("cuBLASLt has no algorithm for this product");
  const size_t set_bytes =
      static_cast<size_t>(p.m * p.k + p.k * p.n) * 2 + static_cast<size_t>(p.m * p.n) * bytes_of(p.result);
  const int n_sets = rotated(set_bytes);
  std::vector<std::unique_ptr<Operands>> sets;
  for (int i = 0; i < n_sets; ++i)
    sets.push_back(std::make_unique<Operands>(p, static_cast<uint64_t>(i)));
  const auto run = [&](int candidate, cudaStream_t stream, int i) {
    const Operands &set = *sets[static_cast<size_t>(i % n_sets)];
    plan->run(candidate, set.a.as<void>(), set.b.as<void>(), set.d.as<void>(), stream);
  };
  int fastest = -1;
  double least_ms = std::numeric_limits<double>::infinity();
  for (int candidate = 0; candidate < plan->candidates(); ++candidate) {
    const int launches = std::min(n_sets, 32);
    const Timed timed = time_launches([&](cudaStream_t stream, int i) { run(candidate, stream, i); }, launches);
    const double ms = *std::min_element(timed.ms.begin(), timed.ms.end());
    if (ms < least_ms) {
      least_ms = ms;
      fastest = candidate;
    }
  }
  const Timed timed = time_in_graph([&](cudaStream_t stream, int i) { run(fastest, stream, i); }, n_sets);
  expect_product(p, *sets[0]);
  const double flops = 2.0 * static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k);
  Answer answer = as_rate(timed, flops, "TFLOP/s", 1e12);
  std::vector<double> ms = timed.ms;
  std::nth_element(ms.begin(), ms.begin() + static_cast<long>(ms.size() / 2), ms.end());
  answer.details.emplace_back("us", ms[ms.size() / 2] * 1e3);
  answer.details.emplace_back("flops", flops);
  answer.details.emplace_back("bytes", static_cast<double>(set_bytes));
  answer.details.emplace_back("rotatedSets", n_sets);
  answer.details.emplace_back("candidate", fastest);
  answer.details.emplace_back("candidates", plan->candidates());
  answer.labels.emplace_back("cublasLt", library().path() + " " + library().version());
  return answer;
}

} // namespace

Rows gemm_rows() {
  // The ceiling of the ceilings: a product large enough that nothing but the tensor cores counts.
  Rows rows{{"gemm/8192x8192x8192", true, 2, [] { return measure({8192, 8192, 8192, true, false, CUDA_R_16BF}); }}};
  for (const int64_t tokens : kTokens)
    for (const Linear &linear : kLinears)
      for (const auto &[name, pass] : kPasses) {
        const Product product = product_of(linear, tokens, pass);
        rows.push_back({"gemm/" + std::string(linear.name) + "-" + std::to_string(tokens) + "/" + name, true, 0.6,
                        [product] { return measure(product); }});
      }
  return rows;
}

} // namespace ceilings
