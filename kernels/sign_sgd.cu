// SignSGD of the rows that ids name: gradients of equal ids are summed in the order of ids, once a distinct id. A first
// kernel links equal ids, B^2 / 32 steps of warps for a batch of B; the second reads each gradient and each row in use
// once and writes the row: 12 bytes an element where ids are distinct, bound by memory.
#include "ops/sign_sgd.h"

#include "core/carver.h"
#include "device/finding.h"
#include "device/launch.h"
#include "device/walk.h"
#include "numerics/sign_sgd.h"

namespace hrm {

namespace device {

namespace {

// [B] each: whether the position is the first of its id, and the next position of the same id, B behind the last.
struct Links {
  int32_t *leads, *next;
  size_t bytes;
  Links(int64_t n, void *base) {
    WorkspaceCarver carver(base);
    leads = carver.take<int32_t>(n);
    next = carver.take<int32_t>(n);
    bytes = carver.bytes();
  }
};

struct Least {
  HRM_HD int32_t operator()(int32_t a, int32_t b) const { return a < b ? a : b; }
};

// A warp a position. Every one looks at all ids: if any is no row, no position leads, and nothing will be written.
__global__ void link_kernel(Out<int32_t> leads, Out<int32_t> next, In<int32_t> ids, int32_t n, IndexCheck check) {
  const int warps = n_threads() / kWarp;
  for (int64_t i = int64_t{block_x()} * warps + thread_x() / kWarp; i < n; i += int64_t{n_blocks()} * warps) {
    const int32_t id = ids[i];
    int32_t bad = n, first = n, after = n;
    for (int32_t j = lane(); j < n; j += kWarp) {
      const int32_t other = ids[j];
      if (!check.holds(other))
        bad = j < bad ? j : bad;
      if (other == id && j < first)
        first = j;
      if (other == id && j > i && j < after)
        after = j;
    }
    bad = reduce_warp(bad, Least{});
    first = reduce_warp(first, Least{});
    after = reduce_warp(after, Least{});
    if (lane() != 0)
      continue;
    if (bad == i)
      check.require(id);
    leads.set(i, bad == n && first == i ? 1 : 0);
    next.set(i, after);
  }
}

__global__ void sign_sgd_kernel(InOut<float> weights, In<int32_t> leads, In<int32_t> next, In<int32_t> ids,
                                In<float> gradients, In<float> lr, In<bool> finite, int64_t n, int64_t width,
                                int64_t tiles, double weight_decay) {
  if (!finite[0])
    return;
  const auto update = numerics::sign_sgd<float>::of(lr[0], weight_decay);
  for (int64_t task = block_x(); task < n * tiles; task += n_blocks()) {
    const int64_t i = task / tiles, column = task % tiles * n_threads() + thread_x();
    if (leads[i] == 0 || column >= width)
      continue;
    float sum = 0.0f;
    for (int64_t k = i; k < n; k = next[k])
      sum += gradients[k * width + column];
    const int64_t at = ids[i] * width + column;
    weights.set(at, update(weights[at], sum));
  }
}

} // namespace

} // namespace device

namespace cuda {

extern const GpuOp sign_sgd = {
    [](Call &call) {
      using namespace device;
      using Op = ops::sign_sgd;
      const Tensor &weights = call.in[Op::kWeights], &ids = call.in[Op::kIds];
      const int64_t n = ids.size(), width = weights.shape[1];
      if (n == 0)
        return;
      const Links links(n, call.workspace);
      launch(call, &link_kernel, {blocks_for(n, kThreads / kWarp), kThreads}, Out<int32_t>(links.leads, n),
             Out<int32_t>(links.next, n), device::in<int32_t>(ids), static_cast<int32_t>(n),
             IndexCheck(call, weights.shape[0]));
      if (weights.size() == 0)
        return;
      constexpr int kColumns = 128;
      const int64_t tiles = (width + kColumns - 1) / kColumns;
      launch(call, &sign_sgd_kernel, {blocks_for(n * tiles, 1), kColumns}, in_out<float>(weights),
             In<int32_t>(links.leads, n), In<int32_t>(links.next, n), device::in<int32_t>(ids),
             device::in<float>(call.in[Op::kGradients]), device::in<float>(call.in[Op::kLr]),
             device::in<bool>(call.in[Op::kFinite]), n, width, tiles, call.attrs<Op::Attrs>().weight_decay);
    },
    [](const Args &in, const void *) { return device::Links(in[ops::sign_sgd::kIds].size(), nullptr).bytes; }};

} // namespace cuda

} // namespace hrm
