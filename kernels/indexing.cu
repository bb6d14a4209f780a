// index_select and gather read each index and each element that they write once: bound by memory. Their adjoints sum in
// an order that the shapes decide, without atomics; how is said at each kernel. Indices out of range are reported
// (device/finding.h) and left out: what should have been read is 0.
#include "ops/indexing.h"

#include <algorithm>
#include <cstdint>

#include "device/finding.h"
#include "device/launch.h"
#include "device/walk.h"

namespace hrm {

namespace device {

namespace {

// For ops that do not look at every index, or at none.
__global__ void check_kernel(In<int32_t> index, int64_t n, IndexCheck check) {
  const int64_t step = int64_t{n_blocks()} * n_threads();
  for (int64_t i = int64_t{block_x()} * n_threads() + thread_x(); i < n; i += step)
    check.require(index[i]);
}
void check_indices(Call &call, const Tensor &index, int64_t limit) {
  if (index.size() > 0)
    launch(call, &check_kernel, {blocks_for(index.size(), kThreads), kThreads}, in<int32_t>(index), index.size(),
           IndexCheck(call, limit));
}

using ops::Split;

// ---- index_select --------------------------------------------------------------------------------------------------

// `row_threads` threads copy a row, N elements at once.
template <class T, int N>
__global__ void index_select_kernel(Out<T> y, In<T> x, In<int32_t> ids, IndexCheck check, Split split, int64_t n_ids,
                                    int row_threads) {
  const int rows_at_once = n_threads() / row_threads;
  const int first_column = thread_x() % row_threads * N;
  const int64_t n_rows = split.outer * n_ids, step = int64_t{n_blocks()} * rows_at_once;
  for (int64_t row = int64_t{block_x()} * rows_at_once + thread_x() / row_threads; row < n_rows; row += step) {
    const int32_t id = ids[row % n_ids];
    const bool exists = check.require(id);
    const int64_t from = (row / n_ids * split.size + id) * split.inner, to = row * split.inner;
    for (int64_t c = first_column; c < split.inner; c += int64_t{row_threads} * N)
      y.template store<N>(to + c, exists ? x.template load<N>(from + c) : Vec<T, N>{});
  }
}

template <class T, int N> void select(Call &call, const Split &split) {
  const Tensor &x = call.in[0], &ids = call.in[1], &y = call.out[0];
  int row_threads = 1;
  while (row_threads < kThreads && row_threads * N < split.inner)
    row_threads *= 2;
  launch(call, &index_select_kernel<T, N>, {blocks_for(split.outer * ids.size(), kThreads / row_threads), kThreads},
         out<T>(y), in<T>(x), in<int32_t>(ids), IndexCheck(call, split.size), split, ids.size(), row_threads);
}

// As its bytes; T is the unsigned integer of an element's size.
template <class T> void select_any(Call &call, const Split &split) {
  constexpr int kMost = 16 / sizeof(T);
  if (split.inner % kMost == 0 && reinterpret_cast<uintptr_t>(call.in[0].raw()) % 16 == 0)
    select<T, kMost>(call, split);
  else
    select<T, 1>(call, split);
}

// ---- its adjoint ---------------------------------------------------------------------------------------------------

// Few rows (an embedding of tokens): a thread owns a column of one chunk of the ids and sums it for all rows in shared
// memory, [size][kColumns] floats, in the order of ids. dy is read once; bound by memory. More than one chunk leaves
// partial sums [chunk, outer, size, inner] for combine_kernel.
constexpr int kColumns = 64, kFewRows = 64, kMostChunks = 64, kLeastChunk = 128;

struct Chunks {
  int64_t n_ids, length, count;
  explicit Chunks(int64_t n) : n_ids(n) {
    length = std::max<int64_t>(kLeastChunk, (n + kMostChunks - 1) / kMostChunks);
    count = std::max<int64_t>(1, (n + length - 1) / length);
  }
};

template <class R, class T>
__global__ void sum_few_rows_kernel(Out<R> sums, In<T> dy, In<int32_t> ids, IndexCheck check, Split split,
                                    Chunks chunks, int64_t tiles) {
  float *own = shared_memory<float>() + thread_x();
  const int size = static_cast<int>(split.size);
  for (int64_t task = block_x(); task < chunks.count * split.outer * tiles; task += n_blocks()) {
    const int64_t column = task % tiles * kColumns + thread_x(), part = task / tiles;
    const int64_t outer = part % split.outer, begin = part / split.outer * chunks.length;
    const int64_t end = begin + chunks.length < chunks.n_ids ? begin + chunks.length : chunks.n_ids;
    if (column >= split.inner)
      continue;
    for (int row = 0; row < size; ++row)
      own[row * kColumns] = 0.0f;
    for (int64_t i = begin; i < end; ++i) {
      const int32_t id = ids[i];
      if (check.holds(id))
        own[id * kColumns] += static_cast<float>(dy[(outer * chunks.n_ids + i) * split.inner + column]);
    }
    for (int row = 0; row < size; ++row)
      sums.set((part * size + row) * split.inner + column, static_cast<R>(own[row * kColumns]));
  }
}

template <class T> __global__ void combine_kernel(Out<T> dx, In<float> sums, int64_t n, int64_t n_chunks) {
  const int64_t step = int64_t{n_blocks()} * n_threads();
  for (int64_t i = int64_t{block_x()} * n_threads() + thread_x(); i < n; i += step) {
    float sum = 0.0f;
    for (int64_t chunk = 0; chunk < n_chunks; ++chunk)
      sum += sums[chunk * n + i];
    dx.set(i, static_cast<T>(sum));
  }
}

struct Or {
  HRM_HD unsigned operator()(unsigned a, unsigned b) const { return a | b; }
};

// Many rows (a table of which few rows are in use): a block owns a row and up to kBlock * kPerThread of its columns,
// and looks for the row among all ids: rows * ids comparisons in all, which for tables pays while writing dx takes
// longer. What it finds it sums in the order of ids.
template <class T, int kBlock, int kPerThread>
__global__ void sum_row_kernel(Out<T> dx, In<T> dy, In<int32_t> ids, Split split, int64_t n_ids, int64_t tiles) {
  unsigned *found = shared_memory<unsigned>();
  for (int64_t task = block_x(); task < split.outer * split.size * tiles; task += n_blocks()) {
    const int64_t at = task / tiles, outer = at / split.size, row = at % split.size;
    const int64_t first = task % tiles * (kBlock * kPerThread) + thread_x();
    float sums[kPerThread] = {};
    for (int64_t base = 0; base < n_ids; base += kBlock) {
      const int64_t i = base + thread_x();
      const bool hit = i < n_ids && ids[i] == row;
      const unsigned hits = reduce_warp(hit ? 1u << lane() : 0u, Or{});
      if (lane() == 0)
        found[thread_x() / kWarp] = hits;
      sync_block();
      for (int warp = 0; warp < kBlock / kWarp; ++warp) {
        const unsigned mask = found[warp];
        for (int bit = 0; bit < kWarp && mask >> bit != 0; ++bit) {
          if (((mask >> bit) & 1u) == 0)
            continue;
          const int64_t from = (outer * n_ids + base + warp * kWarp + bit) * split.inner;
          for (int k = 0; k < kPerThread; ++k)
            if (first + k * kBlock < split.inner)
              sums[k] += static_cast<float>(dy[from + first + k * kBlock]);
        }
      }
      sync_block();
    }
    for (int k = 0; k < kPerThread; ++k)
      if (first + k * kBlock < split.inner)
        dx.set(at * split.inner + first + k * kBlock, static_cast<T>(sums[k]));
  }
}

template <class T> void select_backward(Call &call, const Split &split) {
  const Tensor &dy = call.in[0], &ids = call.in[1], &dx = call.out[0];
  const int64_t n_ids = ids.size();
  if (split.size > kFewRows) {
    constexpr int kBlock = 128, kPerThread = 4;
    const int64_t tiles = (split.inner + kBlock * kPerThread - 1) / (kBlock * kPerThread);
    launch(call, &sum_row_kernel<T, kBlock, kPerThread>,
           {blocks_for(split.outer * split.size * tiles, 1), kBlock, kBlock / kWarp * sizeof(unsigned)}, out<T>(dx),
           in<T>(dy), in<int32_t>(ids), split, n_ids, tiles);
    return;
  }
  const Chunks chunks(n_ids);
  const int64_t tiles = (split.inner + kColumns - 1) / kColumns;
  const Grid grid{blocks_for(chunks.count * split.outer * tiles, 1), kColumns,
                  static_cast<size_t>(split.size) * kColumns * sizeof(float)};
  const IndexCheck check(call, split.size);
  if (chunks.count == 1) {
    launch(call, &sum_few_rows_kernel<T, T>, grid, out<T>(dx), in<T>(dy), in<int32_t>(ids), check, split, chunks,
           tiles);
    return;
  }
  float *sums = static_cast<float *>(call.workspace);
  const int64_t n = dx.size();
  launch(call, &sum_few_rows_kernel<float, T>, grid, Out<float>(sums, chunks.count * n), in<T>(dy), in<int32_t>(ids),
         check, split, chunks, tiles);
  launch(call, &combine_kernel<T>, {blocks_for(n, kThreads), kThreads}, out<T>(dx), In<float>(sums, chunks.count * n),
         n, chunks.count);
}

size_t select_backward_bytes(const Args &in, const void *attrs) {
  const auto &backward = *static_cast<const ops::index_select_backward::Attrs *>(attrs);
  const Chunks chunks(in[1].size());
  if (backward.size > kFewRows || chunks.count == 1)
    return 0;
  return static_cast<size_t>(chunks.count * numel(ops::index_select_backward::rule(in, backward).outputs[0].shape)) *
         sizeof(float);
}

// ---- gather and its adjoint ----------------------------------------------------------------------------------------

// Operands of the walk: y and index, which lie alike, and x without dim.
template <class T>
__global__ void gather_kernel(Out<T> y, In<T> x, In<int32_t> index, IndexCheck check, Walk<2> walk, int64_t x_step) {
  const int64_t step = int64_t{n_blocks()} * n_threads();
  for (int64_t i = int64_t{block_x()} * n_threads() + thread_x(); i < walk.size; i += step) {
    int64_t at[2];
    walk.offsets(i, at);
    const int32_t from = index[at[0]];
    y.set(at[0], check.require(from) ? x[at[1] + from * x_step] : T{});
  }
}

// What scatter_add adds to an element of x: the elements of src along dim, at the same other coordinates, whose index
// names it.
struct Line {
  int rank, dim;
  int64_t x_shape[kMaxRank], index_shape[kMaxRank], index_strides[kMaxRank];
  Line(const Dims &x, const Dims &index, int d) : rank(x.rank), dim(d) {
    const Dims strides = contiguous_strides(index);
    for (int k = 0; k < rank; ++k) {
      x_shape[k] = x[k];
      index_shape[k] = index[k];
      index_strides[k] = strides[k];
    }
  }
};

// A thread owns an element of y and reads the whole line of indices: x.size * index.shape[dim] comparisons. Good for
// short lines; a histogram of millions wants another kernel. Sums in the order of the line from x on, as the CPU does.
template <class T, class Sum>
__global__ void scatter_add_kernel(Out<T> y, In<T> x, In<int32_t> index, In<T> src, Line line, int64_t n) {
  const int64_t step = int64_t{n_blocks()} * n_threads();
  for (int64_t i = int64_t{block_x()} * n_threads() + thread_x(); i < n; i += step) {
    int64_t rest = i, at = 0, row = 0;
    bool inside = true;
    for (int d = line.rank - 1; d >= 0; --d) {
      const int64_t c = rest % line.x_shape[d];
      rest /= line.x_shape[d];
      if (d == line.dim) {
        row = c;
      } else {
        inside = inside && c < line.index_shape[d];
        at += c * line.index_strides[d];
      }
    }
    Sum sum = static_cast<Sum>(x[i]);
    const int64_t length = inside ? line.index_shape[line.dim] : 0, along = line.index_strides[line.dim];
    for (int64_t j = 0; j < length; ++j, at += along)
      if (index[at] == row)
        sum += static_cast<Sum>(src[at]);
    y.set(i, static_cast<T>(sum));
  }
}

template <class T, class Sum> void add_scattered(Call &call, int dim) {
  const Tensor &x = call.in[0], &index = call.in[1], &src = call.in[2], &y = call.out[0];
  launch(call, &scatter_add_kernel<T, Sum>, {blocks_for(x.size(), kThreads), kThreads}, out<T>(y), in<T>(x),
         in<int32_t>(index), in<T>(src), Line(x.shape, index.shape, dim), x.size());
}

} // namespace

} // namespace device

namespace cuda {

extern const GpuOp index_select = {[](Call &call) {
  const Tensor &x = call.in[0], &ids = call.in[1];
  const ops::Split split(x.shape, normalize_dim(call.op, call.attrs<ops::DimAttrs>().dim, x.shape.rank));
  if (call.out[0].size() == 0)
    return device::check_indices(call, ids, split.size);
  switch (item_size(x.dtype)) {
  case 1:
    return device::select_any<uint8_t>(call, split);
  case 2:
    return device::select_any<uint16_t>(call, split);
  default:
    return device::select_any<uint32_t>(call, split);
  }
}};

extern const GpuOp index_select_backward = {[](Call &call) {
                                              const Tensor &dx = call.out[0];
                                              const int64_t dim = call.attrs<ops::index_select_backward::Attrs>().dim;
                                              const ops::Split split(dx.shape,
                                                                     normalize_dim(call.op, dim, dx.shape.rank));
                                              device::check_indices(call, call.in[1], split.size);
                                              if (dx.size() > 0)
                                                device::dispatch_device_float(dx.dtype, [&](auto tag) {
                                                  device::select_backward<typename decltype(tag)::type>(call, split);
                                                });
                                            },
                                            &device::select_backward_bytes};

extern const GpuOp gather = {[](Call &call) {
  using namespace device;
  const Tensor &x = call.in[0], &index = call.in[1], &y = call.out[0];
  const int dim = normalize_dim(call.op, call.attrs<ops::DimAttrs>().dim, x.shape.rank);
  if (y.size() == 0)
    return;
  Dims x_strides = x.strides;
  x_strides[dim] = 0;
  const Walk<2> walk(y.shape, {y.strides, x_strides});
  dispatch_device(x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(call, &gather_kernel<T>, {blocks_for(y.size(), kThreads), kThreads}, device::out<T>(y), device::in<T>(x),
           device::in<int32_t>(index), IndexCheck(call, x.shape[dim]), walk, x.strides[dim]);
  });
}};

extern const GpuOp scatter_add = {[](Call &call) {
  using namespace device;
  const Tensor &x = call.in[0];
  const int dim = normalize_dim(call.op, call.attrs<ops::DimAttrs>().dim, x.shape.rank);
  check_indices(call, call.in[1], x.shape[dim]);
  if (x.size() == 0)
    return;
  switch (x.dtype) {
  case DType::kU8:
    return add_scattered<uint8_t, uint32_t>(call, dim);
  case DType::kI32:
    // Wraps.
    return add_scattered<int32_t, uint32_t>(call, dim);
  case DType::kBF16:
    return add_scattered<BFloat16, float>(call, dim);
  default:
    return add_scattered<float, float>(call, dim);
  }
}};

} // namespace cuda

} // namespace hrm
