// Batched products with broadcasting: strides for everything, no copies. 2 m n k FLOPs a batch (device/gemm_*.h).
#include "ops/matmul.h"

#include "device/gemm.h"
#include "device/walk.h"

namespace hrm {

namespace device {
namespace {

GemmShape shape_of(const ops::matmul::Layout &l) { return {l.m, l.n, l.k, l.batch}; }

template <class T, class R> void run_matmul(Call &call) {
  const Tensor &a = call.in[0], &b = call.in[1], &c = call.out[0];
  const ops::matmul::Layout l = ops::matmul::layout(a, b);
  const bool batched = l.batch.rank > 0;
  gemm<T, R>(call.op, cuda::stream_of(call), shape_of(l), {a.data<T>(), l.a_row, l.a_col, batched ? l.a_batch : Dims{}},
             {b.data<T>(), l.b_row, l.b_col, batched ? l.b_batch : Dims{}}, {c.data<R>(), l.n, l.m * l.n},
             {false, nullptr, call.workspace});
}

size_t matmul_workspace_bytes(const Args &in, const void *) {
  return gemm_workspace_bytes(shape_of(ops::matmul::layout(in[0], in[1])));
}

} // namespace
} // namespace device

namespace cuda {

extern const GpuOp matmul = {[](Call &call) {
                               if (call.out[0].dtype != call.in[0].dtype)
                                 return device::run_matmul<BFloat16, float>(call);
                               device::dispatch_device_float(call.in[0].dtype, [&](auto tag) {
                                 using T = typename decltype(tag)::type;
                                 device::run_matmul<T, T>(call);
                               });
                             },
                             &device::matmul_workspace_bytes};

} // namespace cuda

} // namespace hrm
