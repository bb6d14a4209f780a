#include "cuda/cublas_lt.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <tuple>
#include <utility>
#include <vector>

#if defined(HRM_SIMT)
#include "simt/runtime.h"
#endif

namespace hrm::cuda {

namespace {

// Of cublasLt.h (docs.nvidia.com/cuda/cublas, "Using the cuBLASLt API"; the same in 12 and 13), handles as void *.
using Status = int;
struct Algorithm {
  uint64_t data[8];
};
struct HeuristicResult {
  Algorithm algorithm;
  size_t workspace_bytes;
  Status state;
  float waves;
  int reserved[4];
};
constexpr Status kSuccess = 0, kNotSupported = 15;
constexpr int kReal32 = 0, kRealBF16 = 14; // cudaDataType_t
constexpr int kCompute32 = 68;             // CUBLAS_COMPUTE_32F: no TF32
constexpr int32_t kPlain = 0, kTransposed = 1;
constexpr int kDescTransA = 3, kDescTransB = 4;
constexpr int kPrefWorkspace = 1, kPrefReductions = 3, kPrefAlignment[] = {5, 6, 7, 8};
// Parts of a k that is split are added in the compute type from the workspace, in one order; CUBLASLT_REDUCTION_SCHEME_
// INPLACE (1), which adds them into C as they come, and OUTPUT_TYPE (4), which rounds them, stay out.
constexpr uint32_t kReductions = 2;

// Of the versions that these prototypes are from.
constexpr size_t kFirstVersion = 120000, kFirstUnknownVersion = 140000;

struct Functions {
  Status (*cublasLtCreate)(void **handle);
  Status (*cublasLtDestroy)(void *handle);
  size_t (*cublasLtGetVersion)();
  Status (*cublasLtMatmulDescCreate)(void **desc, int compute, int scale);
  Status (*cublasLtMatmulDescDestroy)(void *desc);
  Status (*cublasLtMatmulDescSetAttribute)(void *desc, int attribute, const void *value, size_t n_bytes);
  Status (*cublasLtMatrixLayoutCreate)(void **layout, int type, uint64_t rows, uint64_t cols, int64_t ld);
  Status (*cublasLtMatrixLayoutDestroy)(void *layout);
  Status (*cublasLtMatmulPreferenceCreate)(void **preference);
  Status (*cublasLtMatmulPreferenceDestroy)(void *preference);
  Status (*cublasLtMatmulPreferenceSetAttribute)(void *preference, int attribute, const void *value, size_t n_bytes);
  Status (*cublasLtMatmulAlgoGetHeuristic)(void *handle, void *desc, void *a, void *b, void *c, void *d,
                                           void *preference, int n_wanted, HeuristicResult *results, int *n_found);
  Status (*cublasLtMatmul)(void *handle, void *desc, const void *alpha, const void *a, void *a_layout, const void *b,
                           void *b_layout, const void *beta, const void *c, void *c_layout, void *d, void *d_layout,
                           const Algorithm *algorithm, void *workspace, size_t workspace_bytes, cudaStream_t stream);
};

struct Library {
  Functions call{};
  CublasLtState state;
};

// Sets every function or says which is missing.
std::string resolve(void *file, Functions &f) {
  std::string missing;
  const auto find = [&](auto &function, const char *name) {
    void *symbol = dlsym(file, name);
    function = reinterpret_cast<std::decay_t<decltype(function)>>(symbol);
    if (!symbol && missing.empty())
      missing = name;
  };
#define HRM_FIND(name) find(f.name, #name)
  HRM_FIND(cublasLtCreate);
  HRM_FIND(cublasLtDestroy);
  HRM_FIND(cublasLtGetVersion);
  HRM_FIND(cublasLtMatmulDescCreate);
  HRM_FIND(cublasLtMatmulDescDestroy);
  HRM_FIND(cublasLtMatmulDescSetAttribute);
  HRM_FIND(cublasLtMatrixLayoutCreate);
  HRM_FIND(cublasLtMatrixLayoutDestroy);
  HRM_FIND(cublasLtMatmulPreferenceCreate);
  HRM_FIND(cublasLtMatmulPreferenceDestroy);
  HRM_FIND(cublasLtMatmulPreferenceSetAttribute);
  HRM_FIND(cublasLtMatmulAlgoGetHeuristic);
  HRM_FIND(cublasLtMatmul);
#undef HRM_FIND
  return missing;
}

// 130001 is 13.0.1.
std::string version_text(size_t v) {
  return std::to_string(v / 10000) + '.' + std::to_string(v / 100 % 100) + '.' + std::to_string(v % 100);
}

// What keeps a file from being used; empty: nothing, and it is in `found`.
std::string failure_to_open(const std::string &name, Library &found) {
  void *file = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!file) {
    const char *error = dlerror();
    return error ? error : name;
  }
  std::string why = resolve(file, found.call);
  if (!why.empty()) {
    why = name + " has no " + why;
  } else if (const size_t version = found.call.cublasLtGetVersion();
             version < kFirstVersion || version >= kFirstUnknownVersion) {
    why = name + " is version " + version_text(version) + ", not 12 or 13";
  } else {
    found.state = {name, version_text(version), ""};
    return "";
  }
  dlclose(file);
  return why;
}

Library load() {
  std::vector<std::string> names;
#if !defined(HRM_SIMT)
  // What a simulation calls device memory is none to the real library.
  names = {"libcublasLt.so.13", "libcublasLt.so.12"};
#endif
  if (const char *named = std::getenv("HRM_CUBLASLT"); named && *named)
    names.emplace_back(named);
  Library library;
  for (const std::string &name : names) {
    const std::string why = failure_to_open(name, library);
    if (why.empty())
      return library;
    library.state.missing += (library.state.missing.empty() ? "" : "; ") + why;
  }
  if (names.empty())
    library.state.missing = "HRM_CUBLASLT names none";
  return library;
}

const Library &library() {
  static const Library loaded = load();
  return loaded;
}

const Functions &lt() { return library().call; }

void check(Status status, const char *op, const char *what) {
  if (status != kSuccess)
    throw CublasLtError(std::string(op) + ": " + what + " failed with status " + std::to_string(status) + " (" +
                        library().state.file + ' ' + library().state.version + "); HRM_GEMM=own does without it");
}
#define HRM_LT(op, name, ...) check(lt().name(__VA_ARGS__), op, #name)

int type_of(DType dtype) { return dtype == DType::kBF16 ? kRealBF16 : kReal32; }

// How the library, whose matrices are column-major, sees op(X) [rows, cols] with element (i, j) at i * down + j *
// along.
struct View {
  int32_t operation;
  uint64_t rows, cols;
  int64_t ld;
};
std::optional<View> view_of(int64_t rows, int64_t cols, int64_t down, int64_t along) {
  if (down == 1 && along >= rows)
    return View{kPlain, static_cast<uint64_t>(rows), static_cast<uint64_t>(cols), along};
  if (along == 1 && down >= cols)
    return View{kTransposed, static_cast<uint64_t>(cols), static_cast<uint64_t>(rows), down};
  return std::nullopt;
}

} // namespace

bool operator<(const Product &a, const Product &b) {
  const auto key = [](const Product &p) {
    return std::tie(p.in, p.out, p.m, p.n, p.k, p.a_row, p.a_col, p.b_row, p.b_col, p.c_row);
  };
  return key(a) < key(b);
}

const CublasLtState &cublas_lt_state() { return library().state; }

CublasLt::Plan::Plan(Plan &&other) noexcept { *this = std::move(other); }
CublasLt::Plan &CublasLt::Plan::operator=(Plan &&other) noexcept {
  std::swap(product_, other.product_);
  std::swap(a_, other.a_);
  std::swap(b_, other.b_);
  std::swap(c_, other.c_);
  std::swap(algorithm_, other.algorithm_);
  return *this;
}
CublasLt::Plan::~Plan() {
  if (product_)
    lt().cublasLtMatmulDescDestroy(product_);
  for (void *layout : {a_, b_, c_})
    if (layout)
      lt().cublasLtMatrixLayoutDestroy(layout);
}

CublasLt::CublasLt(void *workspace) : workspace_(workspace) { HRM_LT("matmul", cublasLtCreate, &handle_); }
CublasLt::~CublasLt() { lt().cublasLtDestroy(handle_); }

std::optional<CublasLt::Plan> CublasLt::plan(const Product &p) const {
  const char *op = "matmul";
  // C^T [n, m] = B^T [n, k] A^T [k, m].
  const std::optional<View> left = view_of(p.n, p.k, p.b_col, p.b_row), right = view_of(p.k, p.m, p.a_col, p.a_row);
  if (!left || !right || p.m == 0 || p.n == 0 || p.k == 0)
    return std::nullopt;
  Plan plan;
  HRM_LT(op, cublasLtMatmulDescCreate, &plan.product_, kCompute32, kReal32);
  HRM_LT(op, cublasLtMatmulDescSetAttribute, plan.product_, kDescTransA, &left->operation, sizeof left->operation);
  HRM_LT(op, cublasLtMatmulDescSetAttribute, plan.product_, kDescTransB, &right->operation, sizeof right->operation);
  const auto layout = [&](void *&to, DType dtype, const View &view) {
    HRM_LT(op, cublasLtMatrixLayoutCreate, &to, type_of(dtype), view.rows, view.cols, view.ld);
  };
  layout(plan.b_, p.in, *left);
  layout(plan.a_, p.in, *right);
  layout(plan.c_, p.out, {kPlain, static_cast<uint64_t>(p.n), static_cast<uint64_t>(p.m), p.c_row});

  struct Preference {
    void *it = nullptr;
    ~Preference() {
      if (it)
        lt().cublasLtMatmulPreferenceDestroy(it);
    }
  } preference;
  HRM_LT(op, cublasLtMatmulPreferenceCreate, &preference.it);
  const auto prefer = [&](int attribute, auto value) {
    HRM_LT(op, cublasLtMatmulPreferenceSetAttribute, preference.it, attribute, &value, sizeof value);
  };
  prefer(kPrefWorkspace, uint64_t{kWorkspaceBytes});
  prefer(kPrefReductions, kReductions);
  for (const int attribute : kPrefAlignment)
    prefer(attribute, uint32_t{kAlignment});
  HeuristicResult result{};
  int n_found = 0;
  const Status status = lt().cublasLtMatmulAlgoGetHeuristic(handle_, plan.product_, plan.b_, plan.a_, plan.c_, plan.c_,
                                                            preference.it, 1, &result, &n_found);
  if (status == kNotSupported)
    return std::nullopt;
  check(status, op, "cublasLtMatmulAlgoGetHeuristic");
  if (n_found == 0 || result.state != kSuccess || result.workspace_bytes > kWorkspaceBytes)
    return std::nullopt;
  std::copy(std::begin(result.algorithm.data), std::end(result.algorithm.data), plan.algorithm_);
  return plan;
}

void CublasLt::run(const char *op, cudaStream_t stream, const Plan &plan, const void *a, const void *b, void *c,
                   bool accumulate) const {
  static const float one = 1, zero = 0;
  const float *beta = accumulate ? &one : &zero;
  Algorithm algorithm;
  std::copy(std::begin(plan.algorithm_), std::end(plan.algorithm_), algorithm.data);
  const auto multiply = [this, product = plan.product_, a_layout = plan.a_, b_layout = plan.b_, c_layout = plan.c_,
                         algorithm, a, b, c, beta](cudaStream_t on) {
    return lt().cublasLtMatmul(handle_, product, &one, b, b_layout, a, a_layout, beta, c, c_layout, c, c_layout,
                               &algorithm, workspace_, kWorkspaceBytes, on);
  };
#if defined(HRM_SIMT)
  // The double multiplies when it is called, which has to be in the stream's turn; without a stream it only says what
  // it would answer.
  check(multiply(nullptr), op, "cublasLtMatmul");
  HRM_CUDA(op, simt::enqueue(stream, [=] {
             const Status status = multiply(stream);
             return status == kSuccess ? std::string() : "cublasLtMatmul gave status " + std::to_string(status);
           }));
#else
  check(multiply(stream), op, "cublasLtMatmul");
#endif
}

} // namespace hrm::cuda
