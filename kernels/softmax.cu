// softmax, its logarithm, logsumexp, their gradients, argmax and argmin along one dimension. x (dy and y) is read once
// from memory: short rows stay in registers, longer ones are read again from the cache. The result is written once.
// Bound by memory; one exponential an element or two.
#include "ops/softmax.h"

#include <limits>

#include "device/rows.h"

namespace hrm {

namespace device {

namespace {

enum class Mode { kSoftmax, kLogSoftmax, kLogSumExp };

template <Mode mode, class T, class Plan> __global__ void softmax_kernel(Out<T> y, In<T> x, RowSpace space) {
  constexpr int N = Plan::kWidth;
  constexpr float kLeast = -std::numeric_limits<float>::infinity();
  for_rows<typename Plan::Team>(space.rows, [&](int64_t row, bool exists) {
    const RowPlace<Plan> place(space, row, exists);
    const RowPart<float, T, Plan> part(x, place);
    float shift = reduce_row(place, kLeast, Largest{}, [&](int k, int64_t i) { return part.get(k, i); });
    // exp(x - shift) of an infinite shift is NaN, which logsumexp is not.
    if (mode == Mode::kLogSumExp && std::isinf(shift))
      shift = 0;
    const float total = reduce_row(place, 0.0f, Sum{}, [&](int k, int64_t i) {
      Vec<float, N> v = part.get(k, i);
      HRM_UNROLL
      for (int j = 0; j < N; ++j)
        v[j] = std::exp(v[j] - shift);
      return v;
    });
    if constexpr (mode == Mode::kLogSumExp) {
      if (exists && Plan::Team::rank() == 0)
        y.set(row, static_cast<T>(shift + std::log(total)));
    } else {
      const float log_total = mode == Mode::kLogSoftmax ? std::log(total) : 0;
      place.each([&](int k, int64_t i) {
        Vec<float, N> v = part.get(k, i);
        HRM_UNROLL
        for (int j = 0; j < N; ++j)
          v[j] = mode == Mode::kLogSoftmax ? v[j] - shift - log_total : std::exp(v[j] - shift) / total;
        place.store(y, i, v);
      });
    }
  });
}

template <Mode mode, class T, class Plan>
__global__ void softmax_grad_kernel(Out<T> dx, In<T> dy, In<T> y, RowSpace space) {
  constexpr int N = Plan::kWidth;
  for_rows<typename Plan::Team>(space.rows, [&](int64_t row, bool exists) {
    const RowPlace<Plan> place(space, row, exists);
    const RowPart<float, T, Plan> gradient(dy, place), result(y, place);
    const float total = reduce_row(place, 0.0f, Sum{}, [&](int k, int64_t i) {
      Vec<float, N> g = gradient.get(k, i);
      if constexpr (mode == Mode::kSoftmax) {
        const Vec<float, N> v = result.get(k, i);
        HRM_UNROLL
        for (int j = 0; j < N; ++j)
          g[j] *= v[j];
      }
      return g;
    });
    place.each([&](int k, int64_t i) {
      Vec<float, N> g = gradient.get(k, i);
      const Vec<float, N> v = result.get(k, i);
      HRM_UNROLL
      for (int j = 0; j < N; ++j)
        g[j] = mode == Mode::kSoftmax ? v[j] * (g[j] - total) : g[j] - std::exp(v[j]) * total;
      place.store(dx, i, g);
    });
  });
}

// The best value, then the lowest place of those that hold it; NaN is better than all, the first one best.
template <class Best, class T, class Plan> __global__ void arg_extreme_kernel(Out<int32_t> y, In<T> x, RowSpace space) {
  using A = Acc<T>;
  constexpr int32_t kNone = std::numeric_limits<int32_t>::max();
  for_rows<typename Plan::Team>(space.rows, [&](int64_t row, bool exists) {
    const RowPlace<Plan> place(space, row, exists);
    const RowPart<A, T, Plan> part(x, place);
    // What a thread without elements brings must not be better than anything: the row's first element.
    A best = exists ? static_cast<A>(x[place.at(0)]) : A(0);
    int32_t at = kNone;
    place.each([&](int k, int64_t i) {
      const A value = part.get(k, i)[0];
      const bool nan = best != best, better = !nan && Best{}(best, value) != best;
      const bool first = at == kNone && (value == best || (nan && value != value));
      if (better || first) {
        best = value;
        at = static_cast<int32_t>(i);
      }
    });
    const A top = Plan::Team::reduce(best, Best{});
    const bool holds = best == top || (best != best && top != top);
    const int32_t lowest = Plan::Team::reduce(holds ? at : kNone, Smallest{});
    if (exists && Plan::Team::rank() == 0)
      y.set(row, lowest);
  });
}

RowSpace space_of(const Call &call, const Tensor &x) {
  const ops::AroundDim form(call.op, x.shape, call.attrs<ops::DimAttrs>().dim);
  return {form.outer * form.inner, form.n, form.inner};
}

template <Mode mode> void run_softmax(Call &call) {
  const Tensor &x = call.in[0], &y = call.out[0];
  if (y.size() == 0)
    return;
  const RowSpace space = space_of(call, x);
  dispatch_device_float(x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    with_plan<T>(space, aligned16({&x, &y}), [&](auto plan) {
      launch(call, &softmax_kernel<mode, T, decltype(plan)>, grid_of(plan, space.rows), out<T>(y), in<T>(x), space);
    });
  });
}

template <Mode mode> void run_softmax_grad(Call &call) {
  const Tensor &dy = call.in[0], &y = call.in[1], &dx = call.out[0];
  if (dx.size() == 0)
    return;
  const RowSpace space = space_of(call, y);
  dispatch_device_float(y.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    with_plan<T>(space, aligned16({&dy, &y, &dx}), [&](auto plan) {
      launch(call, &softmax_grad_kernel<mode, T, decltype(plan)>, grid_of(plan, space.rows), out<T>(dx), in<T>(dy),
             in<T>(y), space);
    });
  });
}

template <class Best> void run_arg_extreme(Call &call) {
  const Tensor &x = call.in[0], &y = call.out[0];
  if (y.size() == 0)
    return;
  const RowSpace space = space_of(call, x);
  dispatch_device(x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto with = [&](auto plan) {
      launch(call, &arg_extreme_kernel<Best, T, decltype(plan)>, grid_of(plan, space.rows), out<int32_t>(y), in<T>(x),
             space);
    };
    if (space.inner > 1)
      with(RowPlan<ColumnTeam, 1, 0>{});
    else if (space.n <= 1024)
      with(RowPlan<WarpTeam, 1, 0>{});
    else
      with(RowPlan<BlockTeam, 1, 0>{});
  });
}

} // namespace

} // namespace device

namespace cuda {

using device::Mode;
extern const GpuOp softmax = {device::run_softmax<Mode::kSoftmax>};
extern const GpuOp log_softmax = {device::run_softmax<Mode::kLogSoftmax>};
extern const GpuOp logsumexp = {device::run_softmax<Mode::kLogSumExp>};
extern const GpuOp softmax_grad = {device::run_softmax_grad<Mode::kSoftmax>};
extern const GpuOp log_softmax_grad = {device::run_softmax_grad<Mode::kLogSoftmax>};
extern const GpuOp argmax = {device::run_arg_extreme<device::Largest>};
extern const GpuOp argmin = {device::run_arg_extreme<device::Smallest>};

} // namespace cuda

} // namespace hrm
