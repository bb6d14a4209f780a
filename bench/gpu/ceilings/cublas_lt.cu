#include "buffer.h"
#include "cublas_lt.h"
#include <cstdlib>
#include <dlfcn.h>
#include <vector>

namespace ceilings {
namespace {

// As in cublasLt.h, of which versions 12 and 13 agree on all that is used here.
using Status = int;
using Opaque = void *;
struct Algorithm {
  uint64_t data[8];
};
struct Heuristic {
  Algorithm algorithm;
  size_t workspace_bytes;
  Status state;
  float waves;
  int reserved[4];
};
static_assert(sizeof(Heuristic) == 96);
constexpr int kCompute32F = 68;
constexpr int kTransposeA = 3, kTransposeB = 4;
constexpr int kMaxWorkspaceBytes = 1;
/// What NVIDIA advises for Hopper.
constexpr size_t kWorkspaceBytes = 32 << 20;

void check_status(Status status, const char *what) {
  if (status != 0)
    throw std::runtime_error(std::string(what) + ": cuBLASLt status " + std::to_string(status));
}

} // namespace

struct CublasLt::Library {
  void *handle_of_file = nullptr;
  std::string path;
  Opaque handle{};
  Buffer workspace{kWorkspaceBytes};

  Status (*create)(Opaque *) = nullptr;
  Status (*destroy)(Opaque) = nullptr;
  size_t (*version)() = nullptr;
  Status (*desc_create)(Opaque *, int, cudaDataType) = nullptr;
  Status (*desc_destroy)(Opaque) = nullptr;
  Status (*desc_set)(Opaque, int, const void *, size_t) = nullptr;
  Status (*layout_create)(Opaque *, cudaDataType, uint64_t, uint64_t, int64_t) = nullptr;
  Status (*layout_destroy)(Opaque) = nullptr;
  Status (*preference_create)(Opaque *) = nullptr;
  Status (*preference_destroy)(Opaque) = nullptr;
  Status (*preference_set)(Opaque, int, const void *, size_t) = nullptr;
  Status (*heuristic)(Opaque, Opaque, Opaque, Opaque, Opaque, Opaque, Opaque, int, Heuristic *, int *) = nullptr;
  Status (*matmul)(Opaque, Opaque, const void *, const void *, Opaque, const void *, Opaque, const void *, const void *,
                   Opaque, void *, Opaque, const Algorithm *, void *, size_t, cudaStream_t) = nullptr;

  template <typename Function> void find(Function &function, const char *name) {
    function = reinterpret_cast<Function>(dlsym(handle_of_file, name));
    if (!function)
      throw Unsupported(path + " has no " + name);
  }
};

namespace {

class LtPlan final : public CublasLt::Plan {
public:
  // The library outlives its plans: it is opened once for the whole program.
  template <typename Library> LtPlan(const Library &library, const Product &p, int most) {
    const auto layout = [&](cudaDataType type, int64_t rows, int64_t columns) {
      Opaque made{};
      check_status(
          library.layout_create(&made, type, static_cast<uint64_t>(rows), static_cast<uint64_t>(columns), rows),
          "layout");
      return std::shared_ptr<void>(made, library.layout_destroy);
    };
    a_ = p.transpose_a ? layout(CUDA_R_16BF, p.k, p.m) : layout(CUDA_R_16BF, p.m, p.k);
    b_ = p.transpose_b ? layout(CUDA_R_16BF, p.n, p.k) : layout(CUDA_R_16BF, p.k, p.n);
    d_ = layout(p.result, p.m, p.n);
    Opaque made{};
    check_status(library.desc_create(&made, kCompute32F, CUDA_R_32F), "matmul");
    matmul_ = std::shared_ptr<void>(made, library.desc_destroy);
    const int operation_a = p.transpose_a, operation_b = p.transpose_b;
    check_status(library.desc_set(made, kTransposeA, &operation_a, sizeof(int)), "transpose A");
    check_status(library.desc_set(made, kTransposeB, &operation_b, sizeof(int)), "transpose B");
    Opaque preference{};
    check_status(library.preference_create(&preference), "preference");
    const std::shared_ptr<void> owner(preference, library.preference_destroy);
    const size_t workspace = library.workspace.bytes();
    check_status(library.preference_set(preference, kMaxWorkspaceBytes, &workspace, sizeof(size_t)), "workspace");
    std::vector<Heuristic> found(static_cast<size_t>(most));
    int count = 0;
    check_status(library.heuristic(library.handle, made, a_.get(), b_.get(), d_.get(), d_.get(), preference, most,
                                   found.data(), &count),
                 "choice of algorithm");
    for (int i = 0; i < count; ++i)
      if (found[static_cast<size_t>(i)].state == 0)
        algorithms_.push_back(found[static_cast<size_t>(i)].algorithm);
    run_ = [&library, this](int candidate, const void *a, const void *b, void *d, cudaStream_t stream) {
      const float one = 1, zero = 0;
      check_status(library.matmul(library.handle, matmul_.get(), &one, a, a_.get(), b, b_.get(), &zero, d, d_.get(), d,
                                  d_.get(), &algorithms_[static_cast<size_t>(candidate)],
                                  library.workspace.template as<void>(), library.workspace.bytes(), stream),
                   "matmul");
    };
  }
  int candidates() const override { return static_cast<int>(algorithms_.size()); }
  void run(int candidate, const void *a, const void *b, void *d, cudaStream_t stream) const override {
    run_(candidate, a, b, d, stream);
  }

private:
  std::shared_ptr<void> a_, b_, d_, matmul_;
  std::vector<Algorithm> algorithms_;
  std::function<void(int, const void *, const void *, void *, cudaStream_t)> run_;
};

} // namespace

CublasLt::CublasLt() : library_(std::make_unique<Library>()) {
  Library &library = *library_;
  std::vector<std::string> names{"libcublasLt.so.13", "libcublasLt.so.12"};
  if (const char *asked = std::getenv("HRM_CUBLASLT"))
    names.push_back(asked);
  std::string tried;
  for (const std::string &name : names) {
    library.handle_of_file = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library.handle_of_file) {
      library.path = name;
      break;
    }
    tried += (tried.empty() ? "" : ", ") + name;
  }
  if (!library.handle_of_file)
    throw Unsupported("cuBLASLt was not found; tried " + tried + "; HRM_CUBLASLT may name it");
  library.find(library.create, "cublasLtCreate");
  library.find(library.destroy, "cublasLtDestroy");
  library.find(library.version, "cublasLtGetVersion");
  library.find(library.desc_create, "cublasLtMatmulDescCreate");
  library.find(library.desc_destroy, "cublasLtMatmulDescDestroy");
  library.find(library.desc_set, "cublasLtMatmulDescSetAttribute");
  library.find(library.layout_create, "cublasLtMatrixLayoutCreate");
  library.find(library.layout_destroy, "cublasLtMatrixLayoutDestroy");
  library.find(library.preference_create, "cublasLtMatmulPreferenceCreate");
  library.find(library.preference_destroy, "cublasLtMatmulPreferenceDestroy");
  library.find(library.preference_set, "cublasLtMatmulPreferenceSetAttribute");
  library.find(library.heuristic, "cublasLtMatmulAlgoGetHeuristic");
  library.find(library.matmul, "cublasLtMatmul");
  check_status(library.create(&library.handle), "cublasLtCreate");
}

CublasLt::~CublasLt() {
  // The file stays open: a library that registers handlers at exit must not vanish before.
  if (library_->handle)
    library_->destroy(library_->handle);
}

const std::string &CublasLt::path() const { return library_->path; }

std::string CublasLt::version() const { return std::to_string(library_->version()); }

std::unique_ptr<CublasLt::Plan> CublasLt::plan(const Product &product, int most) const {
  return std::make_unique<LtPlan>(*library_, product, most);
}

} // namespace ceilings
