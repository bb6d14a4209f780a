#include "cuda/products.h"

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <utility>

#include "cuda/stream.h"

namespace hrm::cuda {

namespace {

// Launches that are timed together, after one that is not.
constexpr int kTimedLaunches = 10;
// The library has to win by this much, so that noise does not decide.
constexpr double kClearWin = 0.95;

// What was measured in this process: who does a product on a device. Without it environments of one process, each with
// a stream of its own, could compute the same product differently.
struct Measured {
  // Held while a product is timed: nothing else is timed meanwhile.
  std::mutex mutex;
  std::map<std::pair<int, Product>, bool> is_by_library;
};
Measured &measured() {
  static Measured all;
  return all;
}

bool is_aligned(const void *pointer) { return reinterpret_cast<uintptr_t>(pointer) % CublasLt::kAlignment == 0; }

} // namespace

Products::Mode Products::mode_of_environment() {
  const char *text = std::getenv("HRM_GEMM");
  if (!text || !*text)
    return Mode::kMeasured;
  if (std::strcmp(text, "own") == 0)
    return Mode::kOwn;
  if (std::strcmp(text, "cublaslt") != 0)
    fail(Code::kArgument, "HRM_GEMM: must be own or cublaslt, got ", text);
  if (cublas_lt_state().file.empty())
    fail(Code::kDevice, "HRM_GEMM: cublaslt was not found (", cublas_lt_state().missing,
         "); put it on the library path, name it in HRM_CUBLASLT, or unset HRM_GEMM");
  return Mode::kLibrary;
}

Products::Products(Stream &stream) : stream_(stream), mode_(mode_of_environment()) {}

void Products::multiply(const char *op, const Product &product, const void *a, const void *b, void *c, const Own &own) {
  // Not worth a second choice of algorithm: our own tensors start at multiples of 256 bytes, views of them seldom come.
  if (mode_ == Mode::kOwn || !is_aligned(a) || !is_aligned(b) || !is_aligned(c))
    return own(c, product.accumulate);
  auto found = choices_.find(product);
  if (found == choices_.end())
    found = choices_.emplace(product, choose(op, product, a, b, own)).first;
  if (!found->second)
    return own(c, product.accumulate);
  stream_.activate();
  library_->run(op, stream_.stream(), *found->second, a, b, c, product.accumulate);
}

int Products::n_by_library() const {
  int n = 0;
  for (const auto &[product, choice] : choices_)
    n += choice.has_value();
  return n;
}

Products::Choice Products::choose(const char *op, const Product &product, const void *a, const void *b,
                                  const Own &own) {
  if (cublas_lt_state().file.empty() || stream_.is_capturing())
    return std::nullopt;
  stream_.activate();
  return mode_ == Mode::kLibrary ? plan(product) : measured_choice(op, product, a, b, own);
}

Products::Choice Products::measured_choice(const char *op, const Product &product, const void *a, const void *b,
                                           const Own &own) {
  const std::lock_guard<std::mutex> guard(measured().mutex);
  const auto [known, is_new] =
      measured().is_by_library.emplace(std::pair{stream_.allocator().device().index, product}, false);
  if (!is_new)
    return known->second ? plan(product) : std::nullopt;
  try {
    Choice by_library = plan(product);
    known->second = by_library && is_faster(op, *by_library, product, a, b, own);
    return known->second ? std::move(by_library) : std::nullopt;
  } catch (const Error &error) {
    // Nobody demanded the library, so that what it lacks here, down to memory to try it in, must not stop a product
    // that we can do. HRM_GEMM=cublaslt says what it was.
    if (dynamic_cast<const CublasLtError *>(&error) || error.code() == Code::kOutOfMemory)
      return std::nullopt;
    throw;
  }
}

Products::Choice Products::plan(const Product &product) {
  if (!workspace_.data())
    workspace_ = OwnedBlock(stream_.memory(), CublasLt::kWorkspaceBytes);
  if (!library_)
    library_.emplace(workspace_.data());
  return library_->plan(product);
}

bool Products::is_faster(const char *op, const CublasLt::Plan &plan, const Product &product, const void *a,
                         const void *b, const Own &own) {
  // C is not touched: adding to it again and again would change it.
  const size_t n_bytes = static_cast<size_t>((product.m - 1) * product.c_row + product.n) * item_size(product.out);
  const OwnedBlock result(stream_.allocator(), n_bytes);
  const auto seconds = [&](auto &&launch) {
    launch();
    HRM_CUDA(op, cudaStreamSynchronize(stream_.stream()));
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < kTimedLaunches; ++i)
      launch();
    HRM_CUDA(op, cudaStreamSynchronize(stream_.stream()));
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  const double ours = seconds([&] { own(result.data(), false); });
  const double theirs = seconds([&] { library_->run(op, stream_.stream(), plan, a, b, result.data(), false); });
  return theirs < kClearWin * ours;
}

} // namespace hrm::cuda
