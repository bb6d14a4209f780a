// Softmax attention of every head and its gradient: bfloat16 heads of up to 128 columns on tensor cores
// (device/attention_mma.h), everything else in float (device/attention_tiled.h). Bytes, FLOPs and bounds are said
// there.
#include "ops/attention.h"

#include <type_traits>

#include "core/carver.h"
#include "device/attention_mma.h"
#include "device/attention_tiled.h"
#include "device/launch.h"
#include "device/walk.h"

namespace hrm {

namespace device {
namespace {

using Large = AttentionConfig<64, 64, 64, 4>;
// For few queries, or a small head.
using Small = AttentionConfig<16, 16, 16, 2>;

template <class T> Heads<T> heads(const Tensor &t) {
  constexpr int64_t kVector = 16 / sizeof(T);
  bool vectors = t.strides[3] == 1 && reinterpret_cast<uintptr_t>(t.data<T>()) % 16 == 0;
  for (int d = 0; d < 3; ++d)
    vectors = vectors && t.strides[d] % kVector == 0;
  return {in<T>(t), t.strides[0], t.strides[1], t.strides[2], t.strides[3], vectors};
}

AttentionSizes sizes_of(const Tensor &q, const Tensor &k, const ops::attention::Attrs &attrs) {
  return {q.shape[0], q.shape[1], k.shape[1], q.shape[2], q.shape[3], static_cast<float>(attrs.scale), attrs.causal};
}

bool is_small(const AttentionSizes &s) { return s.queries <= 16 || s.keys <= 16; }

template <class F> void with_config(const AttentionSizes &s, F &&f) {
  if (is_small(s))
    f(Small{});
  else
    f(Large{});
}
template <class Config> Grid grid_of(const AttentionSizes &s, int64_t rows) {
  return {blocks_for(AttentionTask<Config>::count(s, rows), 1), Config::kThreads,
          sizeof(float) * (3 * Config::kTile + 2 * Config::kBq)};
}

// Bfloat16 heads of up to this many columns go through tensor cores.
constexpr int kMmaColumns = 128;

// Columns are padded to the next of these.
template <class F> void with_columns(int64_t d, F &&f) {
  if (d <= 16)
    f(std::integral_constant<int, 16>{});
  else if (d <= 64)
    f(std::integral_constant<int, 64>{});
  else
    f(std::integral_constant<int, kMmaColumns>{});
}
template <class F> void with_mma_config(const AttentionSizes &s, F &&f) {
  with_columns(s.d, [&](auto columns) {
    constexpr int kD = decltype(columns)::value;
    if (is_small(s))
      f(MmaHeadConfig<kD, 1, 32, 1>{});
    else if (s.queries <= 128 && s.keys <= 128)
      f(MmaHeadConfig<kD, 8, kD == 128 ? 64 : 128, 1>{});
    else
      f(MmaHeadConfig<kD, 4, 64, 2>{});
  });
}
// Registers hold scores and their gradients, for dK and dV also two results: fewer of the other side at a time.
template <class F> void with_mma_backward_config(const AttentionSizes &s, F &&f) {
  with_columns(s.d, [&](auto columns) {
    constexpr int kD = decltype(columns)::value;
    if (is_small(s))
      f(MmaHeadConfig<kD, 1, 32, 1>{});
    else
      f(MmaHeadConfig<kD, 4, kD == 128 ? 32 : 64, 1>{});
  });
}
template <class Config> Grid mma_grid_of(const AttentionSizes &s, int64_t rows, size_t bytes) {
  return {blocks_for(Config::count(s, rows), 1), Config::kThreads, bytes};
}

void run_mma_attention(Call &call, const AttentionSizes &s) {
  const Tensor &q = call.in[0], &k = call.in[1], &v = call.in[2];
  with_mma_config(s, [&](auto config) {
    using Config = decltype(config);
    launch(call, &attention_mma_kernel<Config>, mma_grid_of<Config>(s, s.queries, Config::kForwardBytes),
           out<BFloat16>(call.out[0]), out<float>(call.out[1]), heads<BFloat16>(q), heads<BFloat16>(k),
           heads<BFloat16>(v), s);
  });
}

void run_mma_backward(Call &call, const AttentionSizes &s, float *delta, int64_t n_rows) {
  const Tensor &lse = call.in[4];
  const auto dy = heads<BFloat16>(call.in[0]), q = heads<BFloat16>(call.in[1]), k = heads<BFloat16>(call.in[2]),
             v = heads<BFloat16>(call.in[3]);
  with_mma_backward_config(s, [&](auto config) {
    using Config = decltype(config);
    if (s.queries > 0)
      launch(call, &attention_mma_dq_kernel<Config>, mma_grid_of<Config>(s, s.queries, Config::kBackwardBytes),
             out<BFloat16>(call.out[0]), Out<float>(delta, n_rows), dy, q, k, v, in<float>(lse), s);
    if (s.keys > 0)
      launch(call, &attention_mma_dkv_kernel<Config>, mma_grid_of<Config>(s, s.keys, Config::kBackwardBytes),
             out<BFloat16>(call.out[1]), out<BFloat16>(call.out[2]), dy, q, k, v, in<float>(lse),
             In<float>(delta, n_rows), s);
  });
}

template <class T> void run_attention(Call &call) {
  const Tensor &q = call.in[0], &k = call.in[1], &v = call.in[2];
  const AttentionSizes s = sizes_of(q, k, call.attrs<ops::attention::Attrs>());
  if (q.size() == 0)
    return;
  if (std::is_same_v<T, BFloat16> && s.d <= kMmaColumns)
    return run_mma_attention(call, s);
  with_config(s, [&](auto config) {
    using Config = decltype(config);
    launch(call, &attention_kernel<Config, T>, grid_of<Config>(s, s.queries), out<T>(call.out[0]),
           out<float>(call.out[1]), heads<T>(q), heads<T>(k), heads<T>(v), s);
  });
}

int64_t n_rows(const Args &in) { return in[4].size(); }

size_t backward_workspace_bytes(const Args &in, const void *) {
  WorkspaceCarver carver(nullptr);
  carver.take<float>(n_rows(in));
  return carver.bytes();
}

template <class T> void run_backward(Call &call) {
  const Tensor &dy = call.in[0], &q = call.in[1], &k = call.in[2], &v = call.in[3], &lse = call.in[4];
  const AttentionSizes s = sizes_of(q, k, call.attrs<ops::attention::Attrs>());
  WorkspaceCarver carver(call.workspace);
  float *const delta = carver.take<float>(n_rows(call.in));
  if (s.batch * s.heads == 0)
    return;
  if (std::is_same_v<T, BFloat16> && s.d <= kMmaColumns)
    return run_mma_backward(call, s, delta, n_rows(call.in));
  with_config(s, [&](auto config) {
    using Config = decltype(config);
    if (q.size() > 0)
      launch(call, &attention_dq_kernel<Config, T>, grid_of<Config>(s, s.queries), out<T>(call.out[0]),
             Out<float>(delta, n_rows(call.in)), heads<T>(dy), heads<T>(q), heads<T>(k), heads<T>(v), in<float>(lse),
             s);
    if (k.size() > 0)
      launch(call, &attention_dkv_kernel<Config, T>, grid_of<Config>(s, s.keys), out<T>(call.out[1]),
             out<T>(call.out[2]), heads<T>(dy), heads<T>(q), heads<T>(k), heads<T>(v), in<float>(lse),
             In<float>(delta, n_rows(call.in)), s);
  });
}

} // namespace
} // namespace device

namespace cuda {

extern const GpuOp attention = {[](Call &call) {
  device::dispatch_device_float(call.in[0].dtype,
                                [&](auto tag) { device::run_attention<typename decltype(tag)::type>(call); });
}};
extern const GpuOp attention_backward = {[](Call &call) {
                                           device::dispatch_device_float(call.in[1].dtype, [&](auto tag) {
                                             device::run_backward<typename decltype(tag)::type>(call);
                                           });
                                         },
                                         &device::backward_workspace_bytes};

} // namespace cuda

} // namespace hrm
