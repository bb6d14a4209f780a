// condition ? a : b, broadcast; bound by memory.
#include "ops/where.h"

#include "device/launch.h"
#include "device/walk.h"

namespace hrm {

namespace device {

namespace {
template <class T> __global__ void where_kernel(Out<T> z, In<bool> condition, In<T> a, In<T> b, Walk<4> walk) {
  const int64_t step = int64_t{n_blocks()} * n_threads();
  for (int64_t i = int64_t{block_x()} * n_threads() + thread_x(); i < walk.size; i += step) {
    int64_t at[4];
    walk.offsets(i, at);
    z.set(at[0], condition[at[1]] ? a[at[2]] : b[at[3]]);
  }
}
} // namespace

} // namespace device

namespace cuda {

extern const GpuOp where = {[](Call &call) {
  using namespace device;
  const Tensor &c = call.in[0], &a = call.in[1], &b = call.in[2], &z = call.out[0];
  if (z.size() == 0)
    return;
  const Walk<4> walk(z.shape,
                     {z.strides, broadcast_strides(c.shape, c.strides, z.shape),
                      broadcast_strides(a.shape, a.strides, z.shape), broadcast_strides(b.shape, b.strides, z.shape)});
  dispatch_device(z.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(call, &where_kernel<T>, {blocks_for(z.size(), kThreads), kThreads}, device::out<T>(z), device::in<bool>(c),
           device::in<T>(a), device::in<T>(b), walk);
  });
}};

} // namespace cuda

} // namespace hrm
