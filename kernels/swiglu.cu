// swiglu: gate_up is read and y written once, 3 elements of memory a result and one exponential; backward reads 3 and
// writes 2, computing silu again. Bound by memory; 16-byte vectors.
#include "ops/swiglu.h"

#include <limits>

#include "device/rows.h"

namespace hrm {

namespace device {

namespace {

// Vectors of kWidth elements of a result [rows, width kWidth]; the halves of a row of gate_up lie width vectors apart.
// I is wide enough to count the vectors: dividing 64-bit numbers would cost more than the memory.
template <int kWidth_, class I> struct GatedSpace {
  static constexpr int kWidth = kWidth_;
  using Index = I;
  I size, width;
  __device__ int64_t gate(I v) const { return (int64_t{v / width} * width + v) * kWidth; }
  __device__ int64_t up(I v) const { return gate(v) + int64_t{width} * kWidth; }
};

// f(vector's number) for the vectors of this thread. The count of threads that start is far from overflowing I.
template <class I, class F> __device__ void each_vector(I size, F f) {
  const I step = static_cast<I>(n_blocks()) * static_cast<I>(n_threads());
  for (I v = static_cast<I>(block_x()) * static_cast<I>(n_threads()) + static_cast<I>(thread_x()); v < size; v += step)
    f(v);
}

template <class T, class Space> __global__ void swiglu_kernel(Out<T> y, In<T> gate_up, Space space) {
  constexpr int N = Space::kWidth;
  each_vector(space.size, [&](typename Space::Index v) {
    const Vec<T, N> gate = gate_up.template load<N>(space.gate(v)), up = gate_up.template load<N>(space.up(v));
    Vec<T, N> result;
    HRM_UNROLL
    for (int j = 0; j < N; ++j)
      result[j] = static_cast<T>(numerics::silu{}.of<numerics::ScalarMath>(static_cast<float>(gate[j])) *
                                 static_cast<float>(up[j]));
    y.template store<N>(int64_t{v} * N, result);
  });
}

// dGate = dy up silu'(gate), dUp = dy silu(gate)
template <class T, class Space>
__global__ void swiglu_backward_kernel(Out<T> dx, In<T> dy, In<T> gate_up, Space space) {
  constexpr int N = Space::kWidth;
  each_vector(space.size, [&](typename Space::Index v) {
    const Vec<T, N> gate = gate_up.template load<N>(space.gate(v)), up = gate_up.template load<N>(space.up(v));
    const Vec<T, N> d = dy.template load<N>(int64_t{v} * N);
    Vec<T, N> d_gate, d_up;
    HRM_UNROLL
    for (int j = 0; j < N; ++j) {
      const float g = static_cast<float>(gate[j]), e = static_cast<float>(d[j]);
      d_gate[j] = static_cast<T>(numerics::silu_grad{}.of<numerics::ScalarMath>(e * static_cast<float>(up[j]), g));
      d_up[j] = static_cast<T>(e * numerics::silu{}.of<numerics::ScalarMath>(g));
    }
    dx.template store<N>(space.gate(v), d_gate);
    dx.template store<N>(space.up(v), d_up);
  });
}

// f(space): for results of `size` elements in rows of n.
template <class T, class F> void with_gated_space(int64_t size, int64_t n, bool aligned, F f) {
  const auto with = [&](auto width) {
    constexpr int N = decltype(width)::value;
    // Room for the last step of every thread.
    if (size / N < std::numeric_limits<uint32_t>::max() / 2)
      f(GatedSpace<N, uint32_t>{static_cast<uint32_t>(size / N), static_cast<uint32_t>(n / N)});
    else
      f(GatedSpace<N, int64_t>{size / N, n / N});
  };
  constexpr int kWide = 16 / sizeof(T);
  if (aligned && n % kWide == 0)
    with(std::integral_constant<int, kWide>{});
  else
    with(std::integral_constant<int, 1>{});
}

template <class Space> Grid gated_grid(const Space &space) {
  return {blocks_for(static_cast<int64_t>(space.size), kThreads), kThreads};
}

void run_swiglu(Call &call) {
  const Tensor &gate_up = call.in[0], &y = call.out[0];
  if (y.size() == 0)
    return;
  dispatch_device_float(y.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    with_gated_space<T>(y.size(), y.shape.back(), aligned16({&gate_up, &y}), [&](auto space) {
      launch(call, &swiglu_kernel<T, decltype(space)>, gated_grid(space), out<T>(y), in<T>(gate_up), space);
    });
  });
}

void run_swiglu_backward(Call &call) {
  const Tensor &dy = call.in[0], &gate_up = call.in[1], &dx = call.out[0];
  if (dx.size() == 0)
    return;
  dispatch_device_float(dx.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    with_gated_space<T>(dy.size(), dy.shape.back(), aligned16({&dy, &gate_up, &dx}), [&](auto space) {
      launch(call, &swiglu_backward_kernel<T, decltype(space)>, gated_grid(space), out<T>(dx), in<T>(dy),
             in<T>(gate_up), space);
    });
  });
}

} // namespace

} // namespace device

namespace cuda {

extern const GpuOp swiglu = {device::run_swiglu};
extern const GpuOp swiglu_backward = {device::run_swiglu_backward};

} // namespace cuda

} // namespace hrm
