#pragma once
// Values of indices are data: kernels check them, before they write anything.
#include "core/error.h"
#include "core/tensor.h"
#include "ops/refused_index.h"

namespace hrm::cpu {

/** Where element i of a tensor stands. */
inline Dims position_of(int64_t i, const Dims &shape) {
  Dims at = shape;
  for (int d = at.rank - 1; d >= 0; --d) {
    at[d] = i % shape[d];
    i /= shape[d];
  }
  return at;
}

inline void check_indices(const char *op, const Tensor &index, int64_t size) {
  const int32_t *values = index.data<int32_t>();
  for (int64_t i = 0, n = index.size(); i < n; ++i) {
    if (values[i] >= 0 && values[i] < size)
      continue;
    fail(Code::kArgument, op, ": ", ops::refused_index(values[i], size), " at ", position_of(i, index.shape));
  }
}

/** Labels of n_classes classes, or `ignored`. */
inline void check_labels(const char *op, const Tensor &labels, int64_t n_classes, int64_t ignored) {
  const int32_t *values = labels.data<int32_t>();
  for (int64_t i = 0, n = labels.size(); i < n; ++i)
    if (values[i] != ignored && (values[i] < 0 || values[i] >= n_classes))
      fail(Code::kArgument, op, ": ", ops::refused_label(values[i], n_classes, ignored), " at ",
           position_of(i, labels.shape));
}

} // namespace hrm::cpu
