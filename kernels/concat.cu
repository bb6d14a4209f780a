// The tensors one behind the other: one copy each, every element read once and written once; bound by memory.
#include "ops/concat.h"

#include "cuda/stream.h"
#include "device/convert.h"

namespace hrm::cuda {

extern const GpuOp concat = {[](Call &call) {
  Tensor part = call.out[0];
  const int dim = normalize_dim(call.op, call.attrs<ops::concat::Attrs>().dim, part.shape.rank);
  for (int i = 0; i < call.in.count(0); ++i) {
    const Tensor &x = call.in.at(0, i);
    part.shape = x.shape;
    device::convert(call.op, stream_of(call), x, part);
    part.offset += x.shape[dim] * part.strides[dim];
  }
}};

} // namespace hrm::cuda
