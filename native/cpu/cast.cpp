#include "ops/cast.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "cpu/strided.h"
#include "numerics/cast.h"
#include "ops/registry.h"

namespace hrm {

namespace {

using numerics::cast_value;

// n elements side by side; strides are the same for all pairs of dtypes, below.
using CastRow = void (*)(const void *from, void *to, int64_t n);
template <class From, class To> void cast_row(const void *from, void *to, int64_t n) {
  const From *a = static_cast<const From *>(from);
  To *r = static_cast<To *>(to);
  for (int64_t i = 0; i < n; ++i)
    r[i] = cast_value<To>(a[i]);
}

CastRow cast_row_of(DType from, DType to) {
  return dispatch_all(from, [&](auto source) {
    return dispatch_all(to, [](auto target) -> CastRow {
      return cast_row<typename decltype(source)::type, typename decltype(target)::type>;
    });
  });
}

// Elements of `size` bytes, `from_step` and `to_step` bytes apart.
void copy_bytes(size_t size, const char *from, int64_t from_step, char *to, int64_t to_step, int64_t n) {
  const auto copy = [=](auto bytes) {
    for (int64_t i = 0; i < n; ++i)
      std::memcpy(to + i * to_step, from + i * from_step, bytes());
  };
  switch (size) {
  case 1:
    return copy(std::integral_constant<size_t, 1>{});
  case 2:
    return copy(std::integral_constant<size_t, 2>{});
  case 4:
    return copy(std::integral_constant<size_t, 4>{});
  default:
    return copy(std::integral_constant<size_t, 8>{});
  }
}

} // namespace

namespace cpu {

void convert(Context &context, const Tensor &source, const Tensor &target) {
  const Dims strides = broadcast_strides(source.shape, source.strides, target.shape);
  if (source.dtype == target.dtype)
    return copy_elements(*context.pool, item_size(source.dtype), target.shape, source.raw(), strides, target.raw(),
                         target.strides);
  const CastRow row = cast_row_of(source.dtype, target.dtype);
  const size_t from_size = item_size(source.dtype), to_size = item_size(target.dtype);
  const char *in = static_cast<const char *>(source.raw());
  char *out = static_cast<char *>(target.raw());
  StridedLoop<2>(target.shape, {target.strides, strides})
      .run(*context.pool, [=](const int64_t *at, const int64_t *step, int64_t n) {
        const int64_t from_bytes = static_cast<int64_t>(from_size), to_bytes = static_cast<int64_t>(to_size);
        const char *a = in + at[1] * from_bytes;
        char *r = out + at[0] * to_bytes;
        if (step[0] == 1 && step[1] == 1)
          return row(a, r, n);
        constexpr int64_t kTile = 512;
        alignas(8) char from[kTile * 8], to[kTile * 8];
        for (int64_t i = 0; i < n; i += kTile) {
          const int64_t m = std::min(kTile, n - i);
          copy_bytes(from_size, a + i * step[1] * from_bytes, step[1] * from_bytes, from, from_bytes, m);
          row(from, to, m);
          copy_bytes(to_size, to, to_bytes, r + i * step[0] * to_bytes, step[0] * to_bytes, m);
        }
      });
}

void cast(Call &call) { convert(call.context, call.in[0], call.out[0]); }

void copy(Call &call) { convert(call.context, call.in[1], call.in[0]); }

void fill(Call &call) {
  const Tensor &y = call.in[0];
  char bytes[8];
  cast_row_of(DType::kF64, y.dtype)(&call.attrs<ops::fill::Attrs>().value, bytes, 1);
  Dims repeated;
  for (int d = 0; d < y.shape.rank; ++d)
    repeated.push(0);
  copy_elements(*call.context.pool, item_size(y.dtype), y.shape, bytes, repeated, y.raw(), y.strides);
}

} // namespace cpu

HRM_SCHEMA(cast) {
  Schema s{{strided("x")}, {HRM_ATTR(ops::cast::Attrs, dtype)}};
  s.rule = &erase_rule<ops::cast::Attrs, ops::cast::rule>;
  return s;
}
HRM_SCHEMA(copy) {
  Schema s{{strided(mutated("y")), strided("x")}, {}, {}};
  s.rule = &erase_rule<NoAttrs, ops::copy::rule>;
  return s;
}
HRM_SCHEMA(fill) {
  Schema s{{strided(mutated("y"))}, {HRM_ATTR(ops::fill::Attrs, value)}, {}};
  s.rule = &erase_rule<ops::fill::Attrs, ops::fill::rule>;
  return s;
}

} // namespace hrm
