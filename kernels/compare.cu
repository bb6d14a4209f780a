// The comparisons and logic of two operands: ops.def names them, numerics/elementwise.h has the formulas.
#include "device/elementwise.h"

namespace hrm::cuda {

#define HRM_OP(name)
#define HRM_COMPARE(name) extern const GpuOp name = {[](Call &call) { device::run_compare(call, numerics::name{}); }};
#include "ops/ops.def"

} // namespace hrm::cuda
