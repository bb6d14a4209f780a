#pragma once
#include "ops/op.h"

namespace hrm::ops {

// condition ? a : b, broadcast; a and b of one dtype.
struct where {
  static Plan rule(const Args &in, const NoAttrs &) {
    if (in[0].dtype != DType::kBool)
      fail(Code::kDType, "where: condition must be bool, got ", in[0].dtype, "; compare first, e.g. ne(x, 0)");
    if (in[1].dtype != in[2].dtype)
      fail(Code::kDType, "where: a and b must have one dtype, got ", in[1].dtype, " and ", in[2].dtype);
    return {in[1].dtype, broadcast("where", in[0].shape, broadcast("where", in[1].shape, in[2].shape))};
  }
};

} // namespace hrm::ops
