// Elementwise ops of one operand: the functor in numerics/elementwise.h, the list in ops.def.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "core/context.h"
#include "numerics/hd.h"
#include "ops/op.h"

#include "cpu/simd/begin.h"

#include "cpu/simd/vec.h"

#include "cpu/simd/math.h"

#include "numerics/elementwise.h"

#include "cpu/simd/lanes.h"

#include "cpu/simd/elementwise.h"

namespace hrm::cpu::HRM_ISA {

#define HRM_UNARY(name, domain)                                                                                        \
  void name(Call &call) { run_unary(call, numerics::name{}); }
#include "ops/ops.def"

} // namespace hrm::cpu::HRM_ISA

#include "cpu/simd/end.h"
