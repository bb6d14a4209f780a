#pragma once
// The elementwise ops of ops.def that take integers and bool, on these (elementwise_integer.cpp).
#include "ops/op.h"

// Expands to what it is given for promotions that leave integers integers.
#define HRM_IF_INTEGER_kAny(...) __VA_ARGS__
#define HRM_IF_INTEGER_kNumber(...) __VA_ARGS__
#define HRM_IF_INTEGER_kFloat(...)

namespace hrm::cpu::integer {
#define HRM_UNARY(name, domain) HRM_IF_INTEGER_##domain(void name(Call &call);)
#define HRM_BINARY(name, domain) HRM_UNARY(name, domain)
#define HRM_COMPARE(name) void name(Call &call);
#include "ops/ops.def"

void clamp(Call &call);
} // namespace hrm::cpu::integer
