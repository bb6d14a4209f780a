#include "cpu/reduce.h"

#include <algorithm>
#include <limits>

#include "cpu/strided.h"
#include "ops/reduce.h"
#include "ops/registry.h"

namespace hrm {

namespace {
template <Plan (*rule)(const Args &, const ops::ReduceAttrs &)> Schema reduce_schema() {
  Schema s{{strided("x")}, {HRM_ATTR(ops::ReduceAttrs, dims), HRM_ATTR(ops::ReduceAttrs, keepdim)}};
  s.rule = &erase_rule<ops::ReduceAttrs, rule>;
  return s;
}
} // namespace

HRM_SCHEMA(sum) { return reduce_schema<ops::sum::rule>(); }
HRM_SCHEMA(mean) { return reduce_schema<ops::mean::rule>(); }
HRM_SCHEMA(max) { return reduce_schema<ops::max::rule>(); }
HRM_SCHEMA(min) { return reduce_schema<ops::min::rule>(); }

namespace cpu {

namespace {

constexpr int64_t kReduceTaskElements = 32768, kTileWidth = 512;

// Where kernels write up to kTileWidth results before they become R, unless that is the result itself.
template <class A, class R> class Results {
public:
  Results(R *out, double divisor) : out_(out), divisor_(static_cast<A>(divisor)) {}
  A *data() {
    if constexpr (std::is_same_v<A, R>)
      return out_;
    else
      return buffer_;
  }
  void finish(int64_t n) {
    const A *from = data();
    if (!std::is_same_v<A, R> || divisor_ != A(1))
      for (int64_t i = 0; i < n; ++i)
        out_[i] = static_cast<R>(from[i] / divisor_);
  }

private:
  R *out_;
  A divisor_;
  A buffer_[std::is_same_v<A, R> ? 1 : kTileWidth];
};

// [outer, n, inner] in pieces of `chunk` of n, to out [outer, pieces, inner]: chunks of n, tiles of inner and groups of
// outer are tasks.
template <class T, class A, class R>
void reduce_into(ThreadPool &pool, ReduceKernel<T, A> kernel, const T *in, R *out, const ops::ReduceForm &form,
                 int64_t n, int64_t chunk, double divisor) {
  const int64_t outer = form.outer, inner = form.inner;
  const int64_t chunks = std::max<int64_t>(1, (n + chunk - 1) / chunk), tiles = (inner + kTileWidth - 1) / kTileWidth;
  const int64_t each = chunks * tiles;
  const int64_t group = each > 1 ? 1 : std::max<int64_t>(1, kReduceTaskElements / std::max<int64_t>(1, n * inner));
  pool.parallel_for((outer + group - 1) / group * each, [&](int64_t task, int) {
    const int64_t tile = task % tiles, c = task / tiles % chunks, first = task / each * group;
    const int64_t column = tile * kTileWidth, width = std::min(kTileWidth, inner - column);
    const int64_t begin = c * chunk, rows = std::min(n - begin, chunk);
    const int64_t end = std::min(outer, first + group), step = each > 1 ? 1 : std::max<int64_t>(1, kTileWidth / width);
    for (int64_t o = first; o < end; o += step) {
      const int64_t count = std::min(step, end - o);
      Results<A, R> results(out + (o * chunks + c) * inner + column, divisor);
      kernel(in + (o * n + begin) * inner + column, inner, count, rows, width, results.data());
      results.finish(count * width);
    }
  });
}

template <class T> const T *in_form(Call &call, const ops::ReduceForm &form) {
  const Tensor &x = call.in[0];
  if (form.direct)
    return x.data<T>();
  copy_elements(*call.context.pool, sizeof(T), form.shape, x.raw(), form.strides, call.workspace,
                contiguous_strides(form.shape));
  return static_cast<const T *>(call.workspace);
}

} // namespace

template <class T, class R> void run_reduce(Call &call, const ReduceKernels<T> &kernels, double divisor) {
  const Tensor &x = call.in[0];
  bool reduced[kMaxRank];
  ops::reduced_shape("reduce", x.shape, call.attrs<ops::ReduceAttrs>(), reduced);
  const ops::ReduceForm form = ops::reduce_form(x, reduced);
  if (form.outer * form.inner == 0)
    return;
  ThreadPool &pool = *call.context.pool;
  const T *in = in_form<T>(call, form);
  R *out = call.out[0].data<R>();
  const int64_t chunks = ops::reduce_chunks(form), all = std::numeric_limits<int64_t>::max() / 2;
  if (chunks == 1)
    return reduce_into(pool, kernels.input, in, out, form, form.n, all, divisor);
  auto *partial =
      reinterpret_cast<Acc<T> *>(static_cast<char *>(call.workspace) + ops::reduce_copy_bytes(form, x.dtype));
  const int64_t chunk = form.inner == 1 ? ops::kReduceRowChunk : ops::kReduceColumnChunk;
  reduce_into(pool, kernels.input, in, partial, form, form.n, chunk, 1);
  reduce_into(pool, kernels.partial, static_cast<const Acc<T> *>(partial), out, form, chunks, all, divisor);
}
template void run_reduce<BFloat16, BFloat16>(Call &, const ReduceKernels<BFloat16> &, double);
template void run_reduce<float, float>(Call &, const ReduceKernels<float> &, double);
template void run_reduce<double, double>(Call &, const ReduceKernels<double> &, double);

// ---- integers: exact in any order -------------------------------------------------------------------------------

namespace {

// Wraps; signed overflow would be undefined.
struct IntegerSum {
  static constexpr int32_t kIdentity = 0;
  int32_t operator()(int32_t a, int32_t b) const {
    return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
  }
};
struct IntegerMax {
  static constexpr int32_t kIdentity = std::numeric_limits<int32_t>::min();
  int32_t operator()(int32_t a, int32_t b) const { return a > b ? a : b; }
};
struct IntegerMin {
  static constexpr int32_t kIdentity = std::numeric_limits<int32_t>::max();
  int32_t operator()(int32_t a, int32_t b) const { return a < b ? a : b; }
};

// One accumulator: g++ 12 loses lanes when it vectorizes several of integers.
template <class Op, class T>
void integer_kernel(const T *p, int64_t stride, int64_t count, int64_t rows, int64_t width, int32_t *r) {
  for (int64_t c = 0; c < count; ++c, p += rows * stride, r += width) {
    if (width == 1) {
      int32_t total = Op::kIdentity;
      for (int64_t i = 0; i < rows; ++i)
        total = Op{}(total, static_cast<int32_t>(p[i * stride]));
      *r = total;
      continue;
    }
    std::fill_n(r, width, Op::kIdentity);
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < width; ++j)
        r[j] = Op{}(r[j], static_cast<int32_t>(p[i * stride + j]));
  }
}

// bool is a byte that is 0 or 1: its sums and extremes are those of uint8.
template <class Op, class ByteResult> void reduce_integers(Call &call) {
  if (call.in[0].dtype == DType::kI32)
    run_reduce<int32_t, int32_t>(call, {integer_kernel<Op, int32_t>, integer_kernel<Op, int32_t>}, 1);
  else
    run_reduce<uint8_t, ByteResult>(call, {integer_kernel<Op, uint8_t>, integer_kernel<Op, int32_t>}, 1);
}

} // namespace

void integer::sum(Call &call) { reduce_integers<IntegerSum, int32_t>(call); }
void integer::max(Call &call) { reduce_integers<IntegerMax, uint8_t>(call); }
void integer::min(Call &call) { reduce_integers<IntegerMin, uint8_t>(call); }

} // namespace cpu

} // namespace hrm
