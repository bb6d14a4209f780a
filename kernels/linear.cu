// y = x W^T + b as one product (device/gemm_*.h), the bias added where results are stored.
#include "ops/linear.h"

#include "device/gemm.h"
#include "device/walk.h"

namespace hrm {

namespace device {
namespace {

template <class T> void run_linear(Call &call) {
  const Tensor &x = call.in[0], &weight = call.in[1], &y = call.out[0];
  const auto [m, n, k] = ops::linear::sizes(x, weight);
  gemm<T, T>(call.op, cuda::stream_of(call), {m, n, k}, {x.data<T>(), k, 1},
             {weight.data<T>(), weight.strides[1], weight.strides[0]}, {y.data<T>(), n},
             {false, call.in.has(2) ? call.in[2].data<T>() : nullptr, call.workspace});
}

size_t linear_workspace_bytes(const Args &in, const void *) {
  const auto [m, n, k] = ops::linear::sizes(in[0], in[1]);
  return gemm_workspace_bytes({m, n, k});
}

} // namespace
} // namespace device

namespace cuda {

extern const GpuOp linear = {[](Call &call) {
                               device::dispatch_device_float(call.in[0].dtype, [&](auto tag) {
                                 device::run_linear<typename decltype(tag)::type>(call);
                               });
                             },
                             &device::linear_workspace_bytes};

} // namespace cuda

} // namespace hrm
