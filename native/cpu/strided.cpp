#include "cpu/strided.h"

#include <cstring>

namespace hrm::cpu {

namespace {
// B is an unsigned integer as wide as the elements.
template <class B> void copy_as(ThreadPool &pool, const StridedLoop<2> &loop, const void *source, void *target) {
  const B *from = static_cast<const B *>(source);
  B *to = static_cast<B *>(target);
  loop.run(pool, [=](const int64_t *at, const int64_t *step, int64_t n) {
    const B *a = from + at[1];
    B *r = to + at[0];
    if (step[0] == 1 && step[1] == 1)
      std::memmove(r, a, static_cast<size_t>(n) * sizeof(B));
    else if (step[0] == 1 && step[1] == 0)
      std::fill_n(r, n, *a);
    else
      for (int64_t i = 0; i < n; ++i)
        r[i * step[0]] = a[i * step[1]];
  });
}
} // namespace

void copy_elements(ThreadPool &pool, size_t item_size, const Dims &shape, const void *from, const Dims &from_strides,
                   void *to, const Dims &to_strides) {
  const StridedLoop<2> loop(shape, {to_strides, from_strides});
  switch (item_size) {
  case 1:
    return copy_as<uint8_t>(pool, loop, from, to);
  case 2:
    return copy_as<uint16_t>(pool, loop, from, to);
  case 4:
    return copy_as<uint32_t>(pool, loop, from, to);
  default:
    return copy_as<uint64_t>(pool, loop, from, to);
  }
}

} // namespace hrm::cpu
