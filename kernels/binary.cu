// The elementwise ops of two operands: ops.def names them, numerics/elementwise.h has the formulas.
#include "device/elementwise.h"

namespace hrm::cuda {

#define HRM_OP(name)
#define HRM_BINARY(name, promotion)                                                                                    \
  extern const GpuOp name = {                                                                                          \
      [](Call &call) { device::run_promoted_binary<Promotion::promotion>(call, numerics::name{}); }};
#include "ops/ops.def"

} // namespace hrm::cuda
