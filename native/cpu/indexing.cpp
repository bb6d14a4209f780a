#include "ops/indexing.h"

#include <algorithm>
#include <cstring>

#include "cpu/check_indices.h"
#include "ops/registry.h"

namespace hrm {

namespace {

constexpr int64_t kTaskBytes = 64 << 10;
constexpr int64_t kTaskElements = 16384;

// The elements of `index` along dim, for one choice of the other coordinates: a line. Lines never meet in x.
struct Lines {
  int64_t count = 1, length, index_step, x_step;
  Lines(const Dims &x, const Dims &index, int dim)
      : length(index[dim]), index_step(contiguous_strides(index)[dim]), x_step(contiguous_strides(x)[dim]) {
    const Dims index_strides = contiguous_strides(index), x_strides = contiguous_strides(x);
    for (int d = 0; d < index.rank; ++d) {
      if (d == dim)
        continue;
      count *= index[d];
      shape_.push(index[d]);
      index_strides_.push(index_strides[d]);
      x_strides_.push(x_strides[d]);
    }
  }
  // f(offset in index, offset in x) for every line.
  template <class F> void run(cpu::ThreadPool &pool, F &&f) const {
    const int64_t per_task = std::max<int64_t>(1, kTaskElements / std::max<int64_t>(1, length));
    pool.parallel_for((count + per_task - 1) / per_task, [&](int64_t task, int) {
      for (int64_t line = task * per_task; line < std::min(count, (task + 1) * per_task); ++line) {
        int64_t rest = line, at_index = 0, at_x = 0;
        for (int d = shape_.rank - 1; d >= 0; --d) {
          const int64_t i = rest % shape_[d];
          rest /= shape_[d];
          at_index += i * index_strides_[d];
          at_x += i * x_strides_[d];
        }
        f(at_index, at_x);
      }
    });
  }

private:
  Dims shape_, index_strides_, x_strides_;
};

// What is summed in: the output itself, or for bfloat16 the workspace.
template <class T> Acc<T> *sums_of(Call &call) {
  if constexpr (std::is_same_v<T, BFloat16>)
    return static_cast<float *>(call.workspace);
  else
    return reinterpret_cast<Acc<T> *>(call.out[0].data<T>());
}

} // namespace

namespace cpu {

void index_select(Call &call) {
  const Tensor &x = call.in[0], &ids = call.in[1], &y = call.out[0];
  const int dim = normalize_dim("index_select", call.attrs<ops::DimAttrs>().dim, x.shape.rank);
  const ops::Split split(x.shape, dim);
  check_indices("index_select", ids, split.size);
  const int64_t n_ids = ids.size(), n_rows = y.size() == 0 ? 0 : split.outer * n_ids;
  const int64_t row_bytes = split.inner * static_cast<int64_t>(item_size(x.dtype));
  const int64_t per_task = std::max<int64_t>(1, kTaskBytes / std::max<int64_t>(1, row_bytes));
  const char *in = static_cast<const char *>(x.raw());
  char *out = static_cast<char *>(y.raw());
  const int32_t *id = ids.data<int32_t>();
  call.context.pool->parallel_for((n_rows + per_task - 1) / per_task, [&](int64_t task, int) {
    for (int64_t row = task * per_task; row < std::min(n_rows, (task + 1) * per_task); ++row) {
      const int64_t from = row / n_ids * split.size + id[row % n_ids];
      std::memcpy(out + row * row_bytes, in + from * row_bytes, static_cast<size_t>(row_bytes));
    }
  });
}

void index_select_backward(Call &call) {
  const Tensor &dy = call.in[0], &ids = call.in[1], &dx = call.out[0];
  const int dim =
      normalize_dim("index_select_backward", call.attrs<ops::index_select_backward::Attrs>().dim, dx.shape.rank);
  const ops::Split split(dx.shape, dim);
  check_indices("index_select_backward", ids, split.size);
  const int64_t n_ids = ids.size();
  const int32_t *id = ids.data<int32_t>();
  // A task owns some columns of one outer index: nobody else adds there, and it adds in the order of ids.
  constexpr int64_t kColumns = 128;
  const int64_t pieces = (split.inner + kColumns - 1) / kColumns;
  dispatch_float(dy.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T *in = dy.data<T>();
    T *out = dx.data<T>();
    Acc<T> *sums = sums_of<T>(call);
    call.context.pool->parallel_for(split.outer * pieces, [&](int64_t task, int) {
      const int64_t outer = task / pieces, first = task % pieces * kColumns;
      const int64_t width = std::min(kColumns, split.inner - first);
      const int64_t base = outer * split.size * split.inner + first;
      for (int64_t row = 0; row < split.size; ++row)
        std::fill_n(sums + base + row * split.inner, width, Acc<T>(0));
      for (int64_t i = 0; i < n_ids; ++i) {
        const T *from = in + (outer * n_ids + i) * split.inner + first;
        Acc<T> *to = sums + base + id[i] * split.inner;
        for (int64_t k = 0; k < width; ++k)
          to[k] += static_cast<Acc<T>>(from[k]);
      }
      if constexpr (std::is_same_v<T, BFloat16>)
        for (int64_t row = 0; row < split.size; ++row)
          for (int64_t at = base + row * split.inner, end = at + width; at < end; ++at)
            out[at] = T(sums[at]);
    });
  });
}

void gather(Call &call) {
  const Tensor &x = call.in[0], &index = call.in[1];
  const int dim = normalize_dim("gather", call.attrs<ops::DimAttrs>().dim, x.shape.rank);
  check_indices("gather", index, x.shape[dim]);
  const Lines lines(x.shape, index.shape, dim);
  const int32_t *indices = index.data<int32_t>();
  dispatch_all(x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T *in = x.data<T>();
    T *out = call.out[0].data<T>();
    lines.run(*call.context.pool, [&](int64_t at_index, int64_t at_x) {
      for (int64_t j = 0; j < lines.length; ++j) {
        const int64_t at = at_index + j * lines.index_step;
        out[at] = in[at_x + indices[at] * lines.x_step];
      }
    });
  });
}

void scatter_add(Call &call) {
  const Tensor &x = call.in[0], &index = call.in[1], &src = call.in[2], &y = call.out[0];
  const int dim = normalize_dim("scatter_add", call.attrs<ops::DimAttrs>().dim, x.shape.rank);
  check_indices("scatter_add", index, x.shape[dim]);
  const Lines lines(x.shape, index.shape, dim);
  const int32_t *indices = index.data<int32_t>();
  dispatch_all(x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    // Integers wrap.
    using S = std::conditional_t<std::is_same_v<T, int32_t>, uint32_t, T>;
    using Sum = std::conditional_t<std::is_same_v<T, BFloat16>, float, S>;
    const T *in = x.data<T>(), *from = src.data<T>();
    T *out = y.data<T>();
    const int64_t n = x.size();
    Sum *sums = std::is_same_v<T, BFloat16> ? static_cast<Sum *>(call.workspace) : reinterpret_cast<Sum *>(out);
    for (int64_t i = 0; i < n; ++i)
      sums[i] = static_cast<Sum>(in[i]);
    lines.run(*call.context.pool, [&](int64_t at_index, int64_t at_x) {
      for (int64_t j = 0; j < lines.length; ++j) {
        const int64_t at = at_index + j * lines.index_step;
        sums[at_x + indices[at] * lines.x_step] += static_cast<Sum>(from[at]);
      }
    });
    if constexpr (std::is_same_v<T, BFloat16>)
      for (int64_t i = 0; i < n; ++i)
        out[i] = T(sums[i]);
  });
}

} // namespace cpu

HRM_SCHEMA(index_select) {
  Schema s{{in("x"), in("ids")}, {HRM_ATTR(ops::DimAttrs, dim)}};
  s.rule = &erase_rule<ops::DimAttrs, ops::index_select::rule>;
  return s;
}
HRM_SCHEMA(index_select_backward) {
  using Attrs = ops::index_select_backward::Attrs;
  Schema s{{in("dy"), in("ids")}, {HRM_ATTR(Attrs, dim), HRM_ATTR(Attrs, size)}, {"dx"}};
  s.rule = &erase_rule<Attrs, ops::index_select_backward::rule>;
  return s;
}
HRM_SCHEMA(gather) {
  Schema s{{in("x"), in("index")}, {HRM_ATTR(ops::DimAttrs, dim)}};
  s.rule = &erase_rule<ops::DimAttrs, ops::gather::rule>;
  return s;
}
HRM_SCHEMA(scatter_add) {
  Schema s{{in("x"), in("index"), in("src")}, {HRM_ATTR(ops::DimAttrs, dim)}};
  s.rule = &erase_rule<ops::DimAttrs, ops::scatter_add::rule>;
  return s;
}

} // namespace hrm
