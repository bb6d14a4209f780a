// rope: x is read and y written once, 3 FLOPs an element; a thread keeps its part of a token's tables for several
// heads. Bound by memory.
#include "ops/rope.h"

#include <type_traits>

#include "device/rows.h"

namespace hrm {

namespace device {

namespace {

// Heads that share one read of the tables.
constexpr int kHeads = 4;

// y [tokens, heads, 2 half], half = parts vectors of N. `tokens` says where a token starts in x; its heads lie
// head_stride apart, its elements element_stride (1 where N > 1).
struct RopeSpace {
  Walk<1> tokens;
  int64_t seq_len, heads, half, parts, groups, head_stride, element_stride;
};

template <class T, int N>
__global__ void rope_kernel(Out<T> y, In<T> x, In<float> cosines, In<float> sines, RopeSpace space, bool transposed) {
  const int64_t size = space.tokens.size * space.groups * space.parts, step = int64_t{n_blocks()} * n_threads();
  const int64_t half = space.half;
  for (int64_t n = int64_t{block_x()} * n_threads() + thread_x(); n < size; n += step) {
    const int64_t part = n % space.parts * N, rest = n / space.parts;
    const int64_t token = rest / space.groups, first = rest % space.groups * kHeads;
    int64_t at[1];
    space.tokens.offsets(token, at);
    const int64_t table = token % space.seq_len * 2 * half + part;
    const Vec<float, N> cos_low = cosines.template load<N>(table), cos_high = cosines.template load<N>(table + half);
    const Vec<float, N> sin_low = sines.template load<N>(table), sin_high = sines.template load<N>(table + half);
    for (int64_t head = first; head < first + kHeads && head < space.heads; ++head) {
      const int64_t from = at[0] + head * space.head_stride + part * space.element_stride;
      const Vec<T, N> low = x.template load<N>(from), high = x.template load<N>(from + half * space.element_stride);
      Vec<T, N> new_low, new_high;
      HRM_UNROLL
      for (int j = 0; j < N; ++j) {
        const float a = static_cast<float>(low[j]), b = static_cast<float>(high[j]);
        // The adjoint exchanges the halves of the sines and turns their signs.
        const float to_low = transposed ? sin_high[j] : -sin_low[j], to_high = transposed ? -sin_low[j] : sin_high[j];
        new_low[j] = static_cast<T>(a * cos_low[j] + b * to_low);
        new_high[j] = static_cast<T>(b * cos_high[j] + a * to_high);
      }
      const int64_t to = (token * space.heads + head) * 2 * half + part;
      y.template store<N>(to, new_low);
      y.template store<N>(to + half, new_high);
    }
  }
}

// Whether every vector of N elements of a half of a head starts at a multiple of N.
bool fits(const Tensor &x, int64_t half, int64_t N) {
  bool fit = half % N == 0 && x.strides.back() == 1;
  for (int d = 0; d < x.shape.rank - 1; ++d)
    fit = fit && x.strides[d] % N == 0;
  return fit;
}

void run_rope(Call &call) {
  const Tensor &x = call.in[0], &cosines = call.in[1], &sines = call.in[2], &y = call.out[0];
  if (y.size() == 0)
    return;
  Dims tokens = x.shape, strides = x.strides;
  tokens.rank -= 2;
  strides.rank -= 2;
  RopeSpace space{Walk<1>(tokens, {strides}), x.shape.back(2), x.shape.back(1), x.shape.back() / 2, 0, 0,
                  x.strides.back(1),          x.strides.back()};
  space.groups = (space.heads + kHeads - 1) / kHeads;
  const bool transposed = call.attrs<ops::rope::Attrs>().transposed;
  dispatch_device_float(x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto with = [&](auto width) {
      constexpr int N = decltype(width)::value;
      space.parts = space.half / N;
      const int64_t threads = space.tokens.size * space.groups * space.parts;
      launch(call, &rope_kernel<T, N>, {blocks_for(threads, kThreads), kThreads}, out<T>(y), in<T>(x),
             in<float>(cosines), in<float>(sines), space, transposed);
    };
    constexpr int kWide = 16 / sizeof(T);
    if (aligned_to(sizeof(Vec<float, kWide>), {&cosines, &sines}) && aligned16({&x, &y}) && fits(x, space.half, kWide))
      with(std::integral_constant<int, kWide>{});
    else
      with(std::integral_constant<int, 1>{});
  });
}

} // namespace

} // namespace device

namespace cuda {

extern const GpuOp rope = {device::run_rope};

} // namespace cuda

} // namespace hrm
