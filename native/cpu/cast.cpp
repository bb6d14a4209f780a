#include "ops/cast.h"

#include <cmath>
#include <limits>

#include "cpu/strided.h"
#include "ops/registry.h"

namespace hrm {

namespace {

template <class To, class From> To cast_value(From value) {
  if constexpr (std::is_same_v<To, From>) {
    return value;
  } else if constexpr (std::is_same_v<To, bool>) {
    if constexpr (std::is_same_v<From, BFloat16>)
      return static_cast<float>(value) != 0.0f;
    else
      return value != From(0);
  } else if constexpr (std::is_same_v<From, BFloat16>) {
    return cast_value<To>(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, BFloat16>) {
    return BFloat16(static_cast<float>(value));
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    if (std::isnan(value))
      return 0;
    if (value <= static_cast<From>(std::numeric_limits<To>::min()))
      return std::numeric_limits<To>::min();
    if (value >= static_cast<From>(std::numeric_limits<To>::max()))
      return std::numeric_limits<To>::max();
    return static_cast<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

template <class From, class To> void convert_loop(Context &context, const Tensor &source, const Tensor &target) {
  const From *in = source.data<From>();
  To *out = target.data<To>();
  cpu::StridedLoop<2>(target.shape,
                      {target.strides, cpu::broadcast_strides(source.shape, source.strides, target.shape)})
      .run(*context.pool, [=](const int64_t *at, const int64_t *step, int64_t n) {
        const From *a = in + at[1];
        To *r = out + at[0];
        if (step[0] == 1 && step[1] == 1)
          for (int64_t i = 0; i < n; ++i)
            r[i] = cast_value<To>(a[i]);
        else
          for (int64_t i = 0; i < n; ++i)
            r[i * step[0]] = cast_value<To>(a[i * step[1]]);
      });
}

} // namespace

namespace cpu {

void convert(Context &context, const Tensor &source, const Tensor &target) {
  dispatch_all(source.dtype, [&](auto from) {
    dispatch_all(target.dtype, [&](auto to) {
      convert_loop<typename decltype(from)::type, typename decltype(to)::type>(context, source, target);
    });
  });
}

void cast(Call &call) { convert(call.context, call.in[0], call.out[0]); }

void copy(Call &call) { convert(call.context, call.in[1], call.in[0]); }

void fill(Call &call) {
  const Tensor &y = call.in[0];
  const double value = call.attrs<ops::fill::Attrs>().value;
  dispatch_all(y.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T *out = y.data<T>();
    const T v = cast_value<T>(value);
    StridedLoop<1>(y.shape, {y.strides})
        .run(*call.context.pool, [=](const int64_t *at, const int64_t *step, int64_t n) {
          for (int64_t i = 0; i < n; ++i)
            out[at[0] + i * step[0]] = v;
        });
  });
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
