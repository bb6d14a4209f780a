// rms_norm: x is read and y written once, 3 FLOPs an element; backward dy and y are read and dx written once, 5 FLOPs.
// Bound by memory: rows of up to 1024 bfloat16 or 512 float32 stay in the registers of one warp between the two passes,
// longer ones come from the cache the second time.
#include "ops/rms_norm.h"

#include "device/rows.h"

namespace hrm {

namespace device {

namespace {

template <class T, class Plan>
__global__ void rms_norm_kernel(Out<T> y, Out<float> r, In<T> x, RowSpace space, float eps) {
  constexpr int N = Plan::kWidth;
  for_rows<typename Plan::Team>(space.rows, [&](int64_t row, bool exists) {
    const RowPlace<Plan> place(space, row, exists);
    const RowPart<float, T, Plan> part(x, place);
    const float square = reduce_row(place, 0.0f, Sum{}, [&](int k, int64_t i) {
      Vec<float, N> v = part.get(k, i);
      HRM_UNROLL
      for (int j = 0; j < N; ++j)
        v[j] *= v[j];
      return v;
    });
    const float factor = 1.0f / std::sqrt(square / static_cast<float>(space.n) + eps);
    if (exists && Plan::Team::rank() == 0)
      r.set(row, factor);
    place.each([&](int k, int64_t i) {
      Vec<float, N> v = part.get(k, i);
      HRM_UNROLL
      for (int j = 0; j < N; ++j)
        v[j] *= factor;
      place.store(y, i, v);
    });
  });
}

// dx = r (dy - y mean(dy y))
template <class T, class Plan>
__global__ void rms_norm_backward_kernel(Out<T> dx, In<T> dy, In<T> y, In<float> r, RowSpace space) {
  constexpr int N = Plan::kWidth;
  for_rows<typename Plan::Team>(space.rows, [&](int64_t row, bool exists) {
    const RowPlace<Plan> place(space, row, exists);
    const RowPart<float, T, Plan> gradient(dy, place), result(y, place);
    const float dot = reduce_row(place, 0.0f, Sum{}, [&](int k, int64_t i) {
      Vec<float, N> g = gradient.get(k, i);
      const Vec<float, N> v = result.get(k, i);
      HRM_UNROLL
      for (int j = 0; j < N; ++j)
        g[j] *= v[j];
      return g;
    });
    const float mean = dot / static_cast<float>(space.n), factor = exists ? r[row] : 0;
    place.each([&](int k, int64_t i) {
      Vec<float, N> g = gradient.get(k, i);
      const Vec<float, N> v = result.get(k, i);
      HRM_UNROLL
      for (int j = 0; j < N; ++j)
        g[j] = factor * (g[j] - v[j] * mean);
      place.store(dx, i, g);
    });
  });
}

void run_rms_norm(Call &call) {
  const Tensor &x = call.in[0], &y = call.out[0], &r = call.out[1];
  const RowSpace space{r.size(), x.shape.back()};
  if (space.rows == 0)
    return;
  const float eps = static_cast<float>(call.attrs<ops::rms_norm::Attrs>().eps);
  dispatch_device_float(x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    with_row_plan<T>(space.n, aligned16({&x, &y}), [&](auto plan) {
      launch(call, &rms_norm_kernel<T, decltype(plan)>, grid_of(plan, space.rows), out<T>(y), out<float>(r), in<T>(x),
             space, eps);
    });
  });
}

void run_rms_norm_backward(Call &call) {
  const Tensor &dy = call.in[0], &y = call.in[1], &r = call.in[2], &dx = call.out[0];
  if (dx.size() == 0)
    return;
  const RowSpace space{r.size(), y.shape.back()};
  dispatch_device_float(y.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    with_row_plan<T>(space.n, aligned16({&dy, &y, &dx}), [&](auto plan) {
      launch(call, &rms_norm_backward_kernel<T, decltype(plan)>, grid_of(plan, space.rows), out<T>(dx), in<T>(dy),
             in<T>(y), in<float>(r), space);
    });
  });
}

} // namespace

} // namespace device

namespace cuda {

extern const GpuOp rms_norm = {device::run_rms_norm};
extern const GpuOp rms_norm_backward = {device::run_rms_norm_backward};

} // namespace cuda

} // namespace hrm
