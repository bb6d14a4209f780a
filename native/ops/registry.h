#pragma once
#include "ops/op.h"

namespace hrm {

struct OpEntry {
  const char *name;
  const Schema &schema;
  Backend cpu;
  // Null in an addon without accelerator, and for ops that run on the CPU only.
  const GpuOp *gpu;
};
struct ViewEntry {
  const char *name;
  const std::vector<AttrSpec> &attrs;
  ViewRule rule;
};

const std::vector<OpEntry> &op_registry();
const std::vector<ViewEntry> &view_registry();

// Defines the schema of an op, once, beside its CPU kernel: HRM_SCHEMA(rms_norm) { Schema s{...}; ...; return s; }
#define HRM_SCHEMA(name)                                                                                               \
  static Schema make_schema_##name();                                                                                  \
  const Schema &schemas::name() {                                                                                      \
    static const Schema schema = make_schema_##name();                                                                 \
    return schema;                                                                                                     \
  }                                                                                                                    \
  static Schema make_schema_##name()

#define HRM_OP(name)                                                                                                   \
  namespace schemas {                                                                                                  \
  const Schema &name();                                                                                                \
  }                                                                                                                    \
  namespace cpu {                                                                                                      \
  void name(Call &call);                                                                                               \
  }                                                                                                                    \
  namespace cuda {                                                                                                     \
  extern const GpuOp name;                                                                                             \
  }
#define HRM_VIEW(name)                                                                                                 \
  namespace views {                                                                                                    \
  const std::vector<AttrSpec> &name##_attrs();                                                                         \
  bool name(const Tensor &in, const void *attrs, Tensor &out);                                                         \
  }
#include "ops/ops.def"

} // namespace hrm
