// Elementwise ops on int32, uint8 and bool, computed in int32, which wraps. They are rare: compiled once, for no
// instruction set in particular, with one loop an op over contiguous int32; other dtypes and strides pass through
// tiles.
#include <algorithm>
#include <cstdint>
#include <limits>

#include "cpu/elementwise_integer.h"
#include "cpu/strided.h"
#include "numerics/clamp.h"
#include "numerics/elementwise.h"
#include "ops/clamp.h"

namespace hrm::cpu::integer {
namespace {

using numerics::ScalarMath;

constexpr int64_t kTile = 512;

// r[i] = f(a[i], b[i]) for n elements; r may be an operand. Ops of one operand do not read b.
using Kernel = void (*)(const void *f, int32_t *r, const int32_t *a, const int32_t *b, int64_t n);

template <class F> void unary_kernel(const void *f, int32_t *r, const int32_t *a, const int32_t *, int64_t n) {
  const F op = *static_cast<const F *>(f);
  // In place means the very same element, so the iterations are independent.
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i)
    r[i] = op.template of<ScalarMath>(a[i]);
}
template <class F> void binary_kernel(const void *f, int32_t *r, const int32_t *a, const int32_t *b, int64_t n) {
  const F op = *static_cast<const F *>(f);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i)
    r[i] = op.template of<ScalarMath>(a[i], b[i]);
}
template <class F> void compare_kernel(const void *, int32_t *r, const int32_t *a, const int32_t *b, int64_t n) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i)
    r[i] = F{}(a[i], b[i]);
}

// bool is a byte that is 0 or 1, so it is read and written as uint8.
struct Elements {
  char *data;
  bool wide; // int32, else bytes

  explicit Elements(const Tensor &t) : data(static_cast<char *>(t.raw())), wide(t.dtype == DType::kI32) {}
  int32_t *ints(int64_t at) const { return reinterpret_cast<int32_t *>(data) + at; }
  uint8_t *bytes(int64_t at) const { return reinterpret_cast<uint8_t *>(data) + at; }

  // n elements, `step` apart, as int32: where they lie, or in `buffer`.
  const int32_t *read(int64_t at, int64_t step, int64_t n, int32_t *buffer) const {
    if (wide && step == 1)
      return ints(at);
    if (step == 0)
      std::fill_n(buffer, n, wide ? *ints(at) : *bytes(at));
    else if (wide)
      for (int64_t i = 0; i < n; ++i)
        buffer[i] = ints(at)[i * step];
    else
      for (int64_t i = 0; i < n; ++i)
        buffer[i] = bytes(at)[i * step];
    return buffer;
  }
  void write(const int32_t *from, int64_t at, int64_t step, int64_t n) const {
    if (wide)
      for (int64_t i = 0; i < n; ++i)
        ints(at)[i * step] = from[i];
    else
      for (int64_t i = 0; i < n; ++i)
        bytes(at)[i * step] = static_cast<uint8_t>(from[i]);
  }
};

// The inputs are broadcast to the shape of the result, whose dtype is theirs, or bool.
void run(Call &call, int nOperands, const void *f, Kernel kernel) {
  const Tensor &x = call.in[0], &y = call.in[nOperands - 1], &z = call.out[0];
  const Elements a(x), b(y), out(z);
  StridedLoop<3>(z.shape, {z.strides, broadcast_strides(x.shape, x.strides, z.shape),
                           broadcast_strides(y.shape, y.strides, z.shape)})
      .run(*call.context.pool, [&](const int64_t *at, const int64_t *step, int64_t n) {
        int32_t buffers[3][kTile];
        for (int64_t i = 0; i < n; i += kTile) {
          const int64_t m = std::min(kTile, n - i);
          const int32_t *left = a.read(at[1] + i * step[1], step[1], m, buffers[0]);
          const int32_t *right = nOperands == 1 ? left : b.read(at[2] + i * step[2], step[2], m, buffers[1]);
          const bool direct = out.wide && step[0] == 1;
          int32_t *result = direct ? out.ints(at[0] + i) : buffers[2];
          kernel(f, result, left, right, m);
          if (!direct)
            out.write(result, at[0] + i * step[0], step[0], m);
        }
      });
}

template <class F> void run_unary(Call &call, const F &f) { run(call, 1, &f, unary_kernel<F>); }
template <class F> void run_binary(Call &call, const F &f) { run(call, 2, &f, binary_kernel<F>); }

} // namespace

#define HRM_INTEGER_UNARY(name)                                                                                        \
  void name(Call &call) { run_unary(call, numerics::name{}); }
#define HRM_INTEGER_BINARY(name)                                                                                       \
  void name(Call &call) { run_binary(call, numerics::name{}); }
#define HRM_UNARY(name, domain) HRM_IF_INTEGER_##domain(HRM_INTEGER_UNARY(name))
#define HRM_BINARY(name, domain) HRM_IF_INTEGER_##domain(HRM_INTEGER_BINARY(name))
#define HRM_COMPARE(name)                                                                                              \
  void name(Call &call) { run(call, 2, nullptr, compare_kernel<numerics::name>); }
#include "ops/ops.def"

void clamp(Call &call) {
  numerics::clamp f{call.attrs<ops::ClampAttrs>().min, call.attrs<ops::ClampAttrs>().max};
  const bool wide = call.in[0].dtype == DType::kI32;
  const double least = wide ? std::numeric_limits<int32_t>::min() : 0;
  const double greatest = wide ? std::numeric_limits<int32_t>::max() : std::numeric_limits<uint8_t>::max();
  f.min = std::min(std::max(f.min, least), greatest);
  f.max = std::min(std::max(f.max, least), greatest);
  run_unary(call, f);
}

} // namespace hrm::cpu::integer
