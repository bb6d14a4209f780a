// cast, copy_ and fill_: each element read once and written once; bound by memory.
#include "ops/cast.h"

#include "device/convert.h"
#include "device/launch.h"
#include "device/walk.h"
#include "numerics/cast.h"

namespace hrm {

namespace device {

namespace {

template <class To, class From> __global__ void convert_kernel(OutPart<To> y, In<From> x, Walk<2> walk) {
  const int64_t step = int64_t{n_blocks()} * n_threads();
  for (int64_t i = int64_t{block_x()} * n_threads() + thread_x(); i < walk.size; i += step) {
    int64_t at[2];
    walk.offsets(i, at);
    y.set(at[0], numerics::cast_value<To>(static_cast<From>(x[at[1]])));
  }
}

template <class T> __global__ void fill_kernel(OutPart<T> y, Walk<1> walk, T value) {
  const int64_t step = int64_t{n_blocks()} * n_threads();
  for (int64_t i = int64_t{block_x()} * n_threads() + thread_x(); i < walk.size; i += step) {
    int64_t at[1];
    walk.offsets(i, at);
    y.set(at[0], value);
  }
}

} // namespace

void convert(const char *op, cuda::Stream &stream, const Tensor &source, const Tensor &target) {
  if (target.size() == 0)
    return;
  const Walk<2> walk(target.shape, {target.strides, broadcast_strides(source.shape, source.strides, target.shape)});
  dispatch_device(source.dtype, [&](auto from) {
    dispatch_device(target.dtype, [&](auto to) {
      using From = typename decltype(from)::type;
      using To = typename decltype(to)::type;
      launch(op, stream, &convert_kernel<To, From>, {blocks_for(target.size(), kThreads), kThreads},
             out_part<To>(target), in<From>(source), walk);
    });
  });
}

void fill(const char *op, cuda::Stream &stream, const Tensor &target, double value) {
  if (target.size() == 0)
    return;
  const Walk<1> walk(target.shape, {target.strides});
  dispatch_device(target.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(op, stream, &fill_kernel<T>, {blocks_for(target.size(), kThreads), kThreads}, out_part<T>(target), walk,
           numerics::cast_value<T>(value));
  });
}

} // namespace device

namespace cuda {

void Stream::convert(const Tensor &source, const Tensor &target) { device::convert("cast", *this, source, target); }
void Stream::fill(const Tensor &target, double value) { device::fill("fill", *this, target, value); }

extern const GpuOp cast = {[](Call &call) { device::convert(call.op, stream_of(call), call.in[0], call.out[0]); }};
extern const GpuOp copy = {[](Call &call) { device::convert(call.op, stream_of(call), call.in[1], call.in[0]); }};
extern const GpuOp fill = {
    [](Call &call) { device::fill(call.op, stream_of(call), call.in[0], call.attrs<ops::fill::Attrs>().value); }};

} // namespace cuda

} // namespace hrm
