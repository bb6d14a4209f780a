#pragma once
// Who computes a matrix product: this engine's kernel (kernels/gemm.cu) or cuBLASLt. Decided once for a product of
// given sizes and layouts, and kept: HRM_GEMM=own or cublaslt says which, otherwise the faster of the two when the
// process first asks for it, ours where the library fails at it. While a graph is captured nothing can be timed: a
// product that comes up there for the first time is ours.
#include <functional>
#include <map>
#include <optional>

#include "core/allocator.h"
#include "cuda/cublas_lt.h"

namespace hrm::cuda {

class Stream;

class Products {
public:
  // Throws Error(kArgument) for another HRM_GEMM, Error(kDevice) where that demands a library that was not found.
  explicit Products(Stream &stream);

  // Our own kernel, writing or adding to a C of the product's layout.
  using Own = std::function<void(void *c, bool accumulate)>;
  // The matrices start at `a`, `b` and `c`.
  void multiply(const char *op, const Product &product, const void *a, const void *b, void *c, const Own &own);

  // Products whose choice is the library's, of those asked for so far.
  int n_by_library() const;

private:
  enum class Mode { kMeasured, kOwn, kLibrary };
  static Mode mode_of_environment();

  // The library's plan; none where the product is ours.
  using Choice = std::optional<CublasLt::Plan>;
  Choice choose(const char *op, const Product &product, const void *a, const void *b, const Own &own);
  // As measured by whichever environment of this process asked for the product on this device first.
  Choice measured_choice(const char *op, const Product &product, const void *a, const void *b, const Own &own);
  Choice plan(const Product &product);
  // Whether the library takes less time for it, by enough that it would again.
  bool is_faster(const char *op, const CublasLt::Plan &plan, const Product &product, const void *a, const void *b,
                 const Own &own);

  Stream &stream_;
  const Mode mode_;
  OwnedBlock workspace_;
  std::optional<CublasLt> library_;
  std::map<Product, Choice> choices_;
};

} // namespace hrm::cuda
