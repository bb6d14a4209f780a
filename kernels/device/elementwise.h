#pragma once
// One element a thread: T is loaded, the formula works on Acc<T>, the result is stored as R. Reads and writes each
// operand once; bound by memory.
#include "device/launch.h"
#include "device/walk.h"
#include "numerics/elementwise.h"
#include "ops/op.h"

namespace hrm::device {

template <class F, class T> __global__ void unary_kernel(OutPart<T> y, In<T> x, Walk<2> walk, F f) {
  const int64_t step = int64_t{n_blocks()} * n_threads();
  for (int64_t i = int64_t{block_x()} * n_threads() + thread_x(); i < walk.size; i += step) {
    int64_t at[2];
    walk.offsets(i, at);
    y.set(at[0], static_cast<T>(f.template of<numerics::ScalarMath>(static_cast<Acc<T>>(x[at[1]]))));
  }
}

template <class F, class T> __global__ void binary_kernel(OutPart<T> z, In<T> x, In<T> y, Walk<3> walk, F f) {
  const int64_t step = int64_t{n_blocks()} * n_threads();
  for (int64_t i = int64_t{block_x()} * n_threads() + thread_x(); i < walk.size; i += step) {
    int64_t at[3];
    walk.offsets(i, at);
    z.set(at[0], static_cast<T>(f.template of<numerics::ScalarMath>(static_cast<Acc<T>>(x[at[1]]),
                                                                    static_cast<Acc<T>>(y[at[2]]))));
  }
}

template <class F, class T> __global__ void compare_kernel(OutPart<bool> z, In<T> x, In<T> y, Walk<3> walk, F f) {
  const int64_t step = int64_t{n_blocks()} * n_threads();
  for (int64_t i = int64_t{block_x()} * n_threads() + thread_x(); i < walk.size; i += step) {
    int64_t at[3];
    walk.offsets(i, at);
    z.set(at[0], f(static_cast<Acc<T>>(x[at[1]]), static_cast<Acc<T>>(y[at[2]])));
  }
}

inline Walk<2> walk_of(const Tensor &y, const Tensor &x) {
  return Walk<2>(y.shape, {y.strides, broadcast_strides(x.shape, x.strides, y.shape)});
}
inline Walk<3> walk_of(const Tensor &z, const Tensor &x, const Tensor &y) {
  return Walk<3>(z.shape, {z.strides, broadcast_strides(x.shape, x.strides, z.shape),
                           broadcast_strides(y.shape, y.strides, z.shape)});
}

template <class F> void run_unary(Call &call, F f) {
  const Tensor &x = call.in[0], &y = call.out[0];
  if (y.size() == 0)
    return;
  dispatch_device(x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(call, &unary_kernel<F, T>, {blocks_for(y.size(), kThreads), kThreads}, out_part<T>(y), in<T>(x),
           walk_of(y, x), f);
  });
}
template <class F> void run_float_unary(Call &call, F f) {
  const Tensor &x = call.in[0], &y = call.out[0];
  if (y.size() == 0)
    return;
  dispatch_device_float(x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(call, &unary_kernel<F, T>, {blocks_for(y.size(), kThreads), kThreads}, out_part<T>(y), in<T>(x),
           walk_of(y, x), f);
  });
}
template <class F> void run_binary(Call &call, F f) {
  const Tensor &x = call.in[0], &y = call.in[1], &z = call.out[0];
  if (z.size() == 0)
    return;
  dispatch_device(x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(call, &binary_kernel<F, T>, {blocks_for(z.size(), kThreads), kThreads}, out_part<T>(z), in<T>(x), in<T>(y),
           walk_of(z, x, y), f);
  });
}
template <class F> void run_float_binary(Call &call, F f) {
  const Tensor &x = call.in[0], &y = call.in[1], &z = call.out[0];
  if (z.size() == 0)
    return;
  dispatch_device_float(x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(call, &binary_kernel<F, T>, {blocks_for(z.size(), kThreads), kThreads}, out_part<T>(z), in<T>(x), in<T>(y),
           walk_of(z, x, y), f);
  });
}
template <class F> void run_compare(Call &call, F f) {
  const Tensor &x = call.in[0], &y = call.in[1], &z = call.out[0];
  if (z.size() == 0)
    return;
  dispatch_device(x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(call, &compare_kernel<F, T>, {blocks_for(z.size(), kThreads), kThreads}, out_part<bool>(z), in<T>(x),
           in<T>(y), walk_of(z, x, y), f);
  });
}

// Which dtypes reach a kernel (binding/op_call.cpp): kFloat only floating ones.
template <Promotion promotion, class F> void run_promoted_unary(Call &call, F f) {
  if constexpr (promotion == Promotion::kFloat)
    run_float_unary(call, f);
  else
    run_unary(call, f);
}
template <Promotion promotion, class F> void run_promoted_binary(Call &call, F f) {
  if constexpr (promotion == Promotion::kFloat)
    run_float_binary(call, f);
  else
    run_binary(call, f);
}

} // namespace hrm::device
