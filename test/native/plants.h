#pragma once
// Kernels of ours with one line altered each (scripts/plant_faults.mjs writes them).
#include <vector>

#include "ops/op.h"

namespace hrm::test {

struct Plant {
  const char *name, *op;
  const GpuOp &kernel;
  // False: a copy as it is, which must pass.
  bool is_faulty;
};
const std::vector<Plant> &plants();

} // namespace hrm::test
