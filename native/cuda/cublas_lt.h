#pragma once
// NVIDIA's cuBLASLt, looked for when the process runs: never linked, never required, its few prototypes our own.
// Nothing of it is used that is not deterministic: one algorithm for a product of given sizes, no atomics.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "core/dtype.h"
#include "core/error.h"
#include "cuda/runtime.h"

namespace hrm::cuda {

// C [m, n] = A [m, k] B [k, n] or C += A B, in float sums. Element (i, j) of A lies at i * a_row + j * a_col, B's
// likewise; C's columns are contiguous. `in` and `out` are float32 or bfloat16.
struct Product {
  DType in, out;
  int64_t m, n, k;
  int64_t a_row, a_col, b_row, b_col, c_row;
  bool accumulate;
};
// By what one choice is made for: not whether it adds.
bool operator<(const Product &a, const Product &b);

// What was found in this process. Looks for it at the first call.
struct CublasLtState {
  // The file and its version, as 13.0.1; empty where there is none, and then `missing` says what was tried.
  std::string file, version, missing;
};
const CublasLtState &cublas_lt_state();

// A call of the library that did not succeed.
class CublasLtError : public Error {
public:
  explicit CublasLtError(const std::string &message) : Error(Code::kDevice, message) {}
};

// The library on the calling thread's device. Only where it was found. Throws CublasLtError.
class CublasLt {
public:
  // A product that the library does: how it sees the matrices, and the algorithm.
  class Plan {
  public:
    Plan() = default;
    Plan(const Plan &) = delete;
    Plan &operator=(const Plan &) = delete;
    Plan(Plan &&other) noexcept;
    Plan &operator=(Plan &&other) noexcept;
    ~Plan();

  private:
    friend class CublasLt;
    // In our names; the library's matrices are the transposes.
    void *product_ = nullptr, *a_ = nullptr, *b_ = nullptr, *c_ = nullptr;
    uint64_t algorithm_[8] = {};
  };

  // `workspace`: device memory of kWorkspaceBytes that products use in the order of their stream.
  explicit CublasLt(void *workspace);
  ~CublasLt();
  CublasLt(const CublasLt &) = delete;
  CublasLt &operator=(const CublasLt &) = delete;

  static constexpr size_t kWorkspaceBytes = size_t{32} << 20;
  // Matrices start at multiples of this.
  static constexpr size_t kAlignment = 16;

  // None where the library cannot see the matrices as its own or has no algorithm. Waits for nothing.
  std::optional<Plan> plan(const Product &product) const;
  // The plan stays until the stream is done with it.
  void run(const char *op, cudaStream_t stream, const Plan &plan, const void *a, const void *b, void *c,
           bool accumulate) const;

private:
  void *handle_ = nullptr;
  void *workspace_;
};

} // namespace hrm::cuda
