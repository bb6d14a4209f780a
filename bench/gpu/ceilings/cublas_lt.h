#pragma once
// cuBLASLt, found at run time: the few of its functions that a matrix product needs, under our own prototypes, so that
// the program builds where the library is not and starts where it is missing.
#include <cstddef>
#include <cstdint>
#include <cuda_runtime.h>
#include <library_types.h>
#include <memory>
#include <string>

namespace ceilings {

/// D = op(A) op(B), column-major, fp32 accumulation; A and B bf16, D bf16 or fp32.
struct Product {
  int64_t m, n, k;
  bool transpose_a, transpose_b;
  cudaDataType result;
};

class CublasLt {
public:
  /// Throws Unsupported with what was tried.
  CublasLt();
  ~CublasLt();
  CublasLt(const CublasLt &) = delete;
  CublasLt &operator=(const CublasLt &) = delete;

  const std::string &path() const;
  std::string version() const;

  class Plan;
  /// The library's candidates for a product, at most `most`, each of which `run` can use.
  std::unique_ptr<Plan> plan(const Product &product, int most) const;

private:
  struct Library;
  std::unique_ptr<Library> library_;
};

class CublasLt::Plan {
public:
  virtual ~Plan() = default;
  virtual int candidates() const = 0;
  virtual void run(int candidate, const void *a, const void *b, void *d, cudaStream_t stream) const = 0;
};

} // namespace ceilings
