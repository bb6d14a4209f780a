#pragma once
#include "ops/op.h"

namespace hrm::ops {

// Float to integer truncates toward zero and saturates, NaN gives 0; anything to bool is x != 0.
struct cast {
  struct Attrs {
    DType dtype;
  };
  static Plan rule(const Args &in, const Attrs &attrs) { return {attrs.dtype, in[0].shape}; }
};

// y[...] = x, broadcast; casts as `cast` does. Both may have any strides.
struct copy {
  static Plan rule(const Args &in, const NoAttrs &) {
    const Dims shape = broadcast("copy_", in[0].shape, in[1].shape);
    if (shape != in[0].shape)
      fail(Code::kShape, "copy_: the source of shape ", in[1].shape, " does not broadcast to ", in[0].shape);
    return {};
  }
};

struct fill {
  struct Attrs {
    double value;
  };
  static Plan rule(const Args &, const Attrs &) { return {}; }
};

} // namespace hrm::ops
