#pragma once
// How kernels report indices that lie outside of what they index: the host cannot look at the data without waiting for
// it. The first finding stays until the next wait throws it (cuda::Stream::require_nothing_found).
#include <cstdint>

#include "cuda/stream.h"
#include "device/device.h"
#include "device/view.h"
#include "ops/registry.h"

namespace hrm::device {

// Where an op stands in ops.def, counted from 1.
inline int32_t op_number(const char *name) {
  const auto &ops = op_registry();
  for (size_t i = 0; i < ops.size(); ++i)
    if (ops[i].name == name)
      return static_cast<int32_t>(i) + 1;
  fail(Code::kNative, name, ": is not in ops.def");
}

// Indices of the call's op must be in 0..limit-1; of labels the caller lets `ignored` pass too.
class IndexCheck {
public:
  IndexCheck(const Call &call, int64_t limit)
      : finding_(cuda::stream_of(call).finding(), 1), op_(op_number(call.op)), limit_(limit) {}

  static IndexCheck of_labels(const Call &call, int64_t n_classes, int64_t ignored) {
    IndexCheck check(call, n_classes);
    check.is_label_ = 1;
    check.ignored_ = ignored;
    return check;
  }

  HRM_HD bool holds(int64_t index) const { return index >= 0 && index < limit_; }
  // Whether `index` may be used. Reports it if not; the caller then touches nothing by it.
  __device__ bool require(int64_t index) const {
    if (holds(index))
      return true;
    cuda::Finding *finding = finding_.at(0);
    if (atomic_compare_exchange(&finding->op, 0, op_) == 0) {
      finding->value = index;
      finding->limit = limit_;
      finding->is_label = is_label_;
      finding->ignored = ignored_;
    }
    return false;
  }

private:
  InOut<cuda::Finding> finding_;
  int32_t op_, is_label_ = 0;
  int64_t limit_, ignored_ = 0;
};

} // namespace hrm::device
