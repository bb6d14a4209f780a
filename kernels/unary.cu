// The elementwise ops of one operand: ops.def names them, numerics/elementwise.h has the formulas.
#include "device/elementwise.h"

namespace hrm::cuda {

#define HRM_OP(name)
#define HRM_UNARY(name, promotion)                                                                                     \
  extern const GpuOp name = {                                                                                          \
      [](Call &call) { device::run_promoted_unary<Promotion::promotion>(call, numerics::name{}); }};
#include "ops/ops.def"

} // namespace hrm::cuda
