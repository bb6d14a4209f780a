#pragma once
// The rows of the ceilings program: what each is called, and what it answers.
#include <cuda_runtime.h>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace ceilings {

struct Answer {
  /// "us", "GB/s", "TFLOP/s", "clusters"
  std::string unit;
  bool higher_is_better = false;
  /// One figure a sample, in the order in which they were taken.
  std::vector<double> samples;
  std::vector<std::pair<std::string, double>> details;
  std::vector<std::pair<std::string, std::string>> labels;
};

struct Row {
  std::string name;
  bool essential;
  /// What a budget is planned with.
  double seconds;
  std::function<Answer()> run;
};
using Rows = std::vector<Row>;

Rows bandwidth_rows();
Rows l2_rows();
Rows launch_rows();
Rows barrier_rows();
Rows cluster_rows();
Rows gemm_rows();

/// This device or library lacks what the row measures.
struct Unsupported : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Throws with the name of the error, and clears it where it is not a lasting one.
void check(cudaError_t error, const char *what);

/// Of device 0, which every row uses.
const cudaDeviceProp &device();

/// Throws Unsupported below compute capability 9.0.
void need_hopper(const char *what);

} // namespace ceilings
