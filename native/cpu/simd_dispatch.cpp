// The ops compiled once per instruction set (cpu/simd): their schema where it is shared, and the choice at run time.
#include "cpu/elementwise_integer.h"
#include "cpu/isa.h"
#include "ops/elementwise.h"
#include "ops/registry.h"

#define HRM_SIMD(name) HRM_ISA_DECLARE(void name(::hrm::Call &call))
#define HRM_UNARY(name, domain) HRM_SIMD(name)
#define HRM_BINARY(name, domain) HRM_SIMD(name)
#define HRM_COMPARE(name) HRM_SIMD(name)
#include "ops/ops.def"

namespace hrm::cpu {
#define HRM_SIMD(name)                                                                                                 \
  void name(Call &call) {                                                                                              \
    if (call.in.any(DType::kF64))                                                                                      \
      HRM_ISA_CALL_F64(name, call);                                                                                    \
    else                                                                                                               \
      HRM_ISA_CALL(name, call);                                                                                        \
  }
// Ops that leave integers integers have these compiled once, in elementwise_integer.cpp.
#define HRM_SIMD_OR_INTEGER(name)                                                                                      \
  void name(Call &call) {                                                                                              \
    if (call.in.any(DType::kF64))                                                                                      \
      HRM_ISA_CALL_F64(name, call);                                                                                    \
    else if (is_float(call.in[0].dtype))                                                                               \
      HRM_ISA_CALL(name, call);                                                                                        \
    else                                                                                                               \
      integer::name(call);                                                                                             \
  }
#define HRM_ROUTE_kAny(name) HRM_SIMD_OR_INTEGER(name)
#define HRM_ROUTE_kNumber(name) HRM_SIMD_OR_INTEGER(name)
#define HRM_ROUTE_kFloat(name) HRM_SIMD(name)
#define HRM_UNARY(name, domain) HRM_ROUTE_##domain(name)
#define HRM_BINARY(name, domain) HRM_ROUTE_##domain(name)
#define HRM_COMPARE(name) HRM_SIMD_OR_INTEGER(name)
#include "ops/ops.def"
} // namespace hrm::cpu

namespace hrm::schemas {
#define HRM_UNARY(name, domain)                                                                                        \
  const Schema &name() {                                                                                               \
    static const Schema schema = ops::unary_schema(Promotion::domain);                                                 \
    return schema;                                                                                                     \
  }
#define HRM_BINARY(name, domain)                                                                                       \
  const Schema &name() {                                                                                               \
    static const Schema schema = ops::binary_schema(                                                                   \
        Promotion::domain, [](const Args &in, const void *) { return ops::binary_rule(#name, in); });                  \
    return schema;                                                                                                     \
  }
#define HRM_COMPARE(name)                                                                                              \
  const Schema &name() {                                                                                               \
    static const Schema schema =                                                                                       \
        ops::compare_schema([](const Args &in, const void *) { return ops::compare_rule(#name, in); });                \
    return schema;                                                                                                     \
  }
#include "ops/ops.def"
} // namespace hrm::schemas
