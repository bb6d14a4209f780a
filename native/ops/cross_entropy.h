#pragma once
#include "ops/indexing.h"
#include "ops/require.h"

namespace hrm::ops {

// log(sum of scores) - log(score of the label) over the last dimension: logits [..., V], labels int32 [...] -> losses
// [...] in the compute dtype. Scores are exp(v), or stablemax(v) in double whatever the dtype. A label equal to
// ignoreIndex gives 0; the kernel checks the others.
struct cross_entropy {
  struct Attrs {
    bool stablemax;
    int64_t ignoreIndex;
  };
  static Dims loss_shape(const char *op, const Tensor &logits, const Tensor &labels) {
    need_float(op, "logits", logits);
    check_index_dtype(op, "labels", labels);
    if (logits.shape.rank == 0)
      fail(Code::kShape, op, ": logits need a dimension of classes, got a scalar");
    Dims rows = logits.shape;
    rows.rank -= 1;
    need_shape(op, "labels", labels, rows);
    return rows;
  }
  static Plan rule(const Args &in, const Attrs &) {
    return {compute_dtype(in[0].dtype), loss_shape("cross_entropy", in[0], in[1])};
  }
};

// dlogits from the gradients of the losses and the inputs.
struct cross_entropy_backward {
  static Plan rule(const Args &in, const cross_entropy::Attrs &) {
    const char *op = "cross_entropy_backward";
    const Tensor &dy = in[0], &logits = in[1];
    const Dims rows = cross_entropy::loss_shape(op, logits, in[2]);
    need_same_dtype(op, "dy", dy, compute_dtype(logits.dtype));
    need_shape(op, "dy", dy, rows);
    return {logits.dtype, logits.shape};
  }
};

} // namespace hrm::ops
