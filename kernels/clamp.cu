// clamp and its gradient; the formulas are numerics/clamp.h's.
#include "ops/clamp.h"

#include <algorithm>
#include <limits>

#include "device/elementwise.h"
#include "numerics/clamp.h"

namespace hrm::cuda {

extern const GpuOp clamp = {[](Call &call) {
  numerics::clamp f{call.attrs<ops::ClampAttrs>().min, call.attrs<ops::ClampAttrs>().max};
  const DType dtype = call.in[0].dtype;
  if (!is_float(dtype)) {
    // Bounds that the dtype holds.
    const double least = dtype == DType::kI32 ? std::numeric_limits<int32_t>::min() : 0;
    const double greatest = dtype == DType::kI32 ? std::numeric_limits<int32_t>::max() : 255;
    f.min = std::min(std::max(f.min, least), greatest);
    f.max = std::min(std::max(f.max, least), greatest);
  }
  device::run_unary(call, f);
}};
extern const GpuOp clamp_grad = {[](Call &call) {
  const auto &attrs = call.attrs<ops::ClampAttrs>();
  device::run_float_binary(call, numerics::clamp_grad{attrs.min, attrs.max});
}};

} // namespace hrm::cuda
