#include "cuda/products.h"

#include <chrono>
#include <cstdlib>
#include <cstring>

#include "cuda/stream.h"

namespace hrm::cuda {

namespace {

// Launches that are timed together, after one that is not.
constexpr int kTimedLaunches = 10;
// The library has to win by this much, so that noise does not decide.
constexpr double kClearWin = 0.95;

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

Products::~Products() {
  choices_.clear();
  library_.reset();
  if (workspace_)
    stream_.memory().release(workspace_, CublasLt::kWorkspaceBytes);
}

void Products::multiply(const char *op, const Product &product, const void *a, const void *b, void *c, const Own &own) {
  // Not worth a second choice of algorithm: our own tensors start at multiples of 256 bytes, views of them seldom come.
  if (mode_ == Mode::kOwn || !is_aligned(a) || !is_aligned(b) || !is_aligned(c))
    return own(c, product.accumulate);
  auto found = choices_.find(product);
  if (found == choices_.end())
    found = choices_.emplace(product, choose(op, product, a, b, own)).first;
  if (found->second)
    library_->run(op, stream_.stream(), *found->second, a, b, c, product.accumulate);
  else
    own(c, product.accumulate);
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
  if (!library_) {
    workspace_ = stream_.memory().allocate(CublasLt::kWorkspaceBytes);
    library_.emplace(workspace_);
  }
  Choice plan = library_->plan(product);
  if (plan && mode_ == Mode::kMeasured && !is_faster(op, *plan, product, a, b, own))
    plan.reset();
  return plan;
}

bool Products::is_faster(const char *op, const CublasLt::Plan &plan, const Product &product, const void *a,
                         const void *b, const Own &own) {
  // C is not touched: adding to it again and again would change it.
  const size_t n_bytes = static_cast<size_t>((product.m - 1) * product.c_row + product.n) * item_size(product.out);
  Allocator &allocator = stream_.allocator();
  struct Block {
    Allocator &allocator;
    size_t n_bytes;
    void *data = allocator.allocate(n_bytes);
    ~Block() { allocator.release(data, n_bytes); }
  } result{allocator, n_bytes};
  const auto seconds = [&](auto &&launch) {
    launch();
    HRM_CUDA(op, cudaStreamSynchronize(stream_.stream()));
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < kTimedLaunches; ++i)
      launch();
    HRM_CUDA(op, cudaStreamSynchronize(stream_.stream()));
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  const double ours = seconds([&] { own(result.data, false); });
  const double theirs = seconds([&] { library_->run(op, stream_.stream(), plan, a, b, result.data, false); });
  return theirs < kClearWin * ours;
}

} // namespace hrm::cuda
