// sum, mean, max and min over any dimensions, as [outer, n, inner] reduced over n (ops/reduce.h). x is read once; what
// does not lie in memory like that is copied first, one more read and write. One FLOP an element; bound by memory. Long
// reductions with few results are cut along n into partial results, a second launch finishes them; how depends on the
// shape only.
#include "ops/reduce.h"

#include <limits>
#include <type_traits>

#include "core/carver.h"
#include "device/rows.h"

namespace hrm {

namespace device {

namespace {

struct Add {
  template <class T> HRM_HD T operator()(T a, T b) const { return numerics::add{}.of<numerics::ScalarMath>(a, b); }
};

template <class F, class A> constexpr A identity_of() {
  if constexpr (std::is_same_v<F, Add>)
    return 0;
  constexpr bool infinite = std::numeric_limits<A>::has_infinity;
  constexpr A largest = infinite ? std::numeric_limits<A>::infinity() : std::numeric_limits<A>::max();
  constexpr A least = infinite ? -std::numeric_limits<A>::infinity() : std::numeric_limits<A>::lowest();
  return std::is_same_v<F, Largest> ? least : largest;
}

// [outer, n, inner] in `chunks` pieces of at most `chunk` of n, to [outer, chunks, inner]. The sum is divided by
// divisor.
struct Cut {
  int64_t outer, n, inner, chunk, chunks;
  float divisor = 1;

  __device__ int64_t length(int64_t c) const { return chunk < n - c * chunk ? chunk : n - c * chunk; }
};

template <class R, class A> __device__ R finished(A value, float divisor) {
  if constexpr (std::is_integral_v<A>)
    return static_cast<R>(value);
  else
    return static_cast<R>(value / divisor);
}

// inner = 1
template <class F, class T, class R, class Plan> __global__ void reduce_rows_kernel(Out<R> y, In<T> x, Cut cut) {
  using A = Acc<T>;
  for_rows<typename Plan::Team>(cut.outer * cut.chunks, [&](int64_t row, bool exists) {
    const int64_t c = row % cut.chunks;
    RowPlace<Plan> place({0, cut.length(c)}, 0, exists);
    place.base = row / cut.chunks * cut.n + c * cut.chunk;
    const RowPart<A, T, Plan> part(x, place);
    const A value = reduce_row(place, identity_of<F, A>(), F{}, [&](int k, int64_t i) { return part.get(k, i); });
    if (exists && Plan::Team::rank() == 0)
      y.set(row, finished<R>(value, cut.divisor));
  });
}

// N columns a thread, a multiple of which inner is.
template <class F, class T, class R, int N> __global__ void reduce_columns_kernel(Out<R> y, In<T> x, Cut cut) {
  using A = Acc<T>;
  using Team = ColumnTeam;
  const int64_t width = cut.inner / N;
  for_rows<Team>(cut.outer * cut.chunks * width, [&](int64_t position, bool exists) {
    const int64_t column = position % width * N, oc = position / width, c = oc % cut.chunks;
    const int64_t base = (oc / cut.chunks * cut.n + c * cut.chunk) * cut.inner + column;
    const int64_t n = exists ? cut.length(c) : 0;
    Vec<A, N> total;
    HRM_UNROLL
    for (int j = 0; j < N; ++j)
      total[j] = identity_of<F, A>();
    for (int64_t i = Team::rank(); i < n; i += Team::kSize) {
      const Vec<T, N> value = x.template load<N>(base + i * cut.inner);
      HRM_UNROLL
      for (int j = 0; j < N; ++j)
        total[j] = F{}(total[j], static_cast<A>(value[j]));
    }
    Vec<R, N> result;
    HRM_UNROLL
    for (int j = 0; j < N; ++j)
      result[j] = finished<R>(Team::reduce(total[j], F{}), cut.divisor);
    if (exists && Team::rank() == 0)
      y.template store<N>(oc * cut.inner + column, result);
  });
}

template <class T> __global__ void copy_kernel(Out<T> y, In<T> x, Walk<2> walk) {
  const int64_t step = int64_t{n_blocks()} * n_threads();
  for (int64_t i = int64_t{block_x()} * n_threads() + thread_x(); i < walk.size; i += step) {
    int64_t at[2];
    walk.offsets(i, at);
    y.set(at[0], x[at[1]]);
  }
}

// ---- on the host
// -------------------------------------------------------------------------------------------------------

// Elements of n that one block takes, at least, and how many pieces one row is cut into, at most.
constexpr int64_t kRowChunk = 2048, kColumnChunk = 256, kMostChunks = 1024;
// Blocks that keep a device busy: with more there is no cutting.
constexpr int64_t kEnoughBlocks = 512;

Cut cut_of(const ops::ReduceForm &form) {
  const int64_t blocks = form.outer * ((form.inner + kWarp - 1) / kWarp);
  const int64_t least = form.inner == 1 ? kRowChunk : kColumnChunk;
  Cut cut{form.outer, form.n, form.inner, form.n, 1};
  if (blocks < kEnoughBlocks && form.n > least) {
    cut.chunk = (form.n + least * kMostChunks - 1) / (least * kMostChunks) * least;
    cut.chunks = (form.n + cut.chunk - 1) / cut.chunk;
  }
  return cut;
}

ops::ReduceForm form_of(const Tensor &x, const ops::ReduceAttrs &attrs) {
  bool reduced[kMaxRank];
  ops::reduced_shape("reduce", x.shape, attrs, reduced);
  return ops::reduce_form(x, reduced);
}

// In bytes for all dtypes: what one is for needs no more than the form.
struct Scratch {
  char *copy = nullptr, *partial = nullptr;
  size_t n_bytes;

  Scratch(void *base, const ops::ReduceForm &form, DType dtype) {
    WorkspaceCarver carver(base);
    if (!form.direct)
      copy = carver.take<char>(form.outer * form.n * static_cast<int64_t>(item_size(dtype)));
    const Cut cut = cut_of(form);
    if (cut.chunks > 1)
      partial = carver.take<char>(cut.outer * cut.chunks * cut.inner * static_cast<int64_t>(sizeof(float)));
    n_bytes = carver.bytes();
  }
};

size_t reduce_scratch_bytes(const Args &in, const void *attrs) {
  const ops::ReduceForm form = form_of(in[0], *static_cast<const ops::ReduceAttrs *>(attrs));
  return Scratch(nullptr, form, in[0].dtype).n_bytes;
}

template <class F, class T, class R> void reduce_pass(Call &call, R *y, const T *x, const Cut &cut) {
  const Out<R> to(y, cut.outer * cut.chunks * cut.inner);
  const In<T> from(x, cut.outer * cut.n * cut.inner);
  // Integers are few: one element a load.
  constexpr int kWide = std::is_integral_v<T> ? 1 : 16 / sizeof(T);
  const bool aligned = reinterpret_cast<uintptr_t>(x) % sizeof(Vec<T, kWide>) == 0 &&
                       reinterpret_cast<uintptr_t>(y) % sizeof(Vec<R, kWide>) == 0;
  const auto columns = [&](auto width) {
    constexpr int N = decltype(width)::value;
    launch(call, &reduce_columns_kernel<F, T, R, N>,
           grid_of(RowPlan<ColumnTeam, 1, 0>{}, cut.outer * cut.chunks * (cut.inner / N)), to, from, cut);
  };
  const auto rows = [&](auto plan) {
    launch(call, &reduce_rows_kernel<F, T, R, decltype(plan)>, grid_of(plan, cut.outer * cut.chunks), to, from, cut);
  };
  const bool short_rows = cut.chunk <= 1024;
  if (cut.inner > 1 && aligned && cut.inner % kWide == 0)
    columns(std::integral_constant<int, kWide>{});
  else if (cut.inner > 1)
    columns(std::integral_constant<int, 1>{});
  else if (aligned && cut.n % kWide == 0)
    short_rows ? rows(RowPlan<WarpTeam, kWide, 0>{}) : rows(RowPlan<BlockTeam, kWide, 0>{});
  else
    short_rows ? rows(RowPlan<WarpTeam, 1, 0>{}) : rows(RowPlan<BlockTeam, 1, 0>{});
}

template <class T> void copy_form(Call &call, const ops::ReduceForm &form, char *target) {
  const Walk<2> walk(form.shape, {contiguous_strides(form.shape), form.strides});
  launch(call, &copy_kernel<T>, {blocks_for(walk.size, kThreads), kThreads},
         Out<T>(reinterpret_cast<T *>(target), walk.size), in<T>(call.in[0]), walk);
}

// R: the dtype of the result.
template <class F, class T, class R> void reduce(Call &call, float divisor) {
  const Tensor &x = call.in[0], &y = call.out[0];
  if (y.size() == 0)
    return;
  const ops::ReduceForm form = form_of(x, call.attrs<ops::ReduceAttrs>());
  const Scratch scratch(call.workspace, form, x.dtype);
  const T *from = x.data<T>();
  if (!form.direct) {
    copy_form<T>(call, form, scratch.copy);
    from = reinterpret_cast<const T *>(scratch.copy);
  }
  Cut cut = cut_of(form);
  if (cut.chunks > 1) {
    auto *partial = reinterpret_cast<Acc<T> *>(scratch.partial);
    reduce_pass<F>(call, partial, from, cut);
    cut = {cut.outer, cut.chunks, cut.inner, cut.chunks, 1, divisor};
    reduce_pass<F>(call, y.data<R>(), static_cast<const Acc<T> *>(partial), cut);
  } else {
    cut.divisor = divisor;
    reduce_pass<F>(call, y.data<R>(), from, cut);
  }
}

// Sums of bytes are int32, extremes bytes; bool is a byte that is 0 or 1.
template <class F> void run_reduce(Call &call) {
  using Byte = std::conditional_t<std::is_same_v<F, Add>, int32_t, uint8_t>;
  switch (call.in[0].dtype) {
  case DType::kF32:
    return reduce<F, float, float>(call, 1);
  case DType::kBF16:
    return reduce<F, BFloat16, BFloat16>(call, 1);
  case DType::kI32:
    return reduce<F, int32_t, int32_t>(call, 1);
  default:
    return reduce<F, uint8_t, Byte>(call, 1);
  }
}

void run_mean(Call &call) {
  const Tensor &x = call.in[0], &y = call.out[0];
  const double n = y.size() == 0 ? 1 : static_cast<double>(x.size()) / static_cast<double>(y.size());
  dispatch_device_float(x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    reduce<Add, T, T>(call, static_cast<float>(n));
  });
}

} // namespace

} // namespace device

namespace cuda {

extern const GpuOp sum = {device::run_reduce<device::Add>, device::reduce_scratch_bytes};
extern const GpuOp mean = {device::run_mean, device::reduce_scratch_bytes};
extern const GpuOp max = {device::run_reduce<device::Largest>, device::reduce_scratch_bytes};
extern const GpuOp min = {device::run_reduce<device::Smallest>, device::reduce_scratch_bytes};

} // namespace cuda

} // namespace hrm
