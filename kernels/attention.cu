// Softmax attention of every head and its gradient.
#include "ops/attention.h"

#include "core/carver.h"
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
  return {in<T>(t), t.strides[0], t.strides[1], t.strides[2], t.strides[3]};
}

AttentionSizes sizes_of(const Tensor &q, const Tensor &k, const ops::attention::Attrs &attrs) {
  return {q.shape[0], q.shape[1],   k.shape[1], q.shape[2], q.shape[3], static_cast<float>(attrs.scale),
          attrs.causal};
}

template <class F> void with_config(const AttentionSizes &s, F &&f) {
  if (s.queries <= 16 || s.keys <= 16)
    f(Small{});
  else
    f(Large{});
}
template <class Config> Grid grid_of(const AttentionSizes &s, int64_t rows) {
  return {blocks_for(AttentionTask<Config>::count(s, rows), 1), Config::kThreads,
          sizeof(float) * (3 * Config::kTile + 2 * Config::kBq)};
}

template <class T> void run_attention(Call &call) {
  const Tensor &q = call.in[0], &k = call.in[1], &v = call.in[2];
  const AttentionSizes s = sizes_of(q, k, call.attrs<ops::attention::Attrs>());
  if (q.size() == 0)
    return;
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
  with_config(s, [&](auto config) {
    using Config = decltype(config);
    if (q.size() > 0)
      launch(call, &attention_dq_kernel<Config, T>, grid_of<Config>(s, s.queries), out<T>(call.out[0]),
             Out<float>(delta, n_rows(call.in)), heads<T>(dy), heads<T>(q), heads<T>(k), heads<T>(v), in<float>(lse), s);
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
extern const GpuOp attention_backward = {
    [](Call &call) {
      device::dispatch_device_float(call.in[1].dtype,
                                    [&](auto tag) { device::run_backward<typename decltype(tag)::type>(call); });
    },
    &device::backward_workspace_bytes};

} // namespace cuda

} // namespace hrm
