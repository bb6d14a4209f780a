#include "ops/registry.h"

namespace hrm {

const std::vector<OpEntry> &op_registry() {
  static const std::vector<OpEntry> entries = {
#if defined(HRM_GPU)
#define HRM_OP(name) {#name, schemas::name(), &cpu::name, &cuda::name},
#else
#define HRM_OP(name) {#name, schemas::name(), &cpu::name, nullptr},
#endif
#define HRM_HOST(name) {#name, schemas::name(), &cpu::name, nullptr},
#include "ops/ops.def"
  };
  return entries;
}

const std::vector<ViewEntry> &view_registry() {
  static const std::vector<ViewEntry> entries = {
#define HRM_VIEW(name) {#name, views::name##_attrs(), &views::name},
#include "ops/ops.def"
  };
  return entries;
}

} // namespace hrm
