#pragma once
// The one way to start a kernel: launch(call, kernel, {blocks, threads, sharedBytes}, arguments...).
#include <tuple>
#include <utility>

#include "cuda/stream.h"
#include "device/device.h"
#include "device/view.h"

#if defined(HRM_SIMT)
#include "simt/runtime.h"
#endif

namespace hrm::device {

struct Grid {
  dim3 blocks;
  // Multiples of 32 where the kernel shuffles.
  dim3 threads;
  size_t shared_bytes = 0;
};

// Blocks for n elements, `per_block` each. Kernels whose blocks loop over the rest cap it.
inline unsigned blocks_for(int64_t n, int64_t per_block) {
  constexpr int64_t kMost = int64_t{1} << 20;
  const int64_t blocks = (n + per_block - 1) / per_block;
  return static_cast<unsigned>(blocks < kMost ? blocks : kMost);
}

#if defined(HRM_SIMT)
namespace detail {
template <class A> void begin(A &) {}
template <class A> std::string end(const A &) { return {}; }
template <class T, Writes writes> void begin(Target<T, writes> &target) { target.begin(); }
template <class T, Writes writes> std::string end(const Target<T, writes> &target) { return target.end(); }

template <class... P> struct Bound {
  void (*kernel)(P...);
  std::tuple<std::decay_t<P>...> arguments;
  static void run(void *self) {
    Bound &bound = *static_cast<Bound *>(self);
    std::apply(bound.kernel, bound.arguments);
  }
};
} // namespace detail

template <class... P, class... A>
void launch(const char *op, cuda::Stream &stream, void (*kernel)(P...), const Grid &grid, A &&...arguments) {
  stream.activate();
  if (grid.blocks.count() == 0 || grid.threads.count() == 0)
    fail(Code::kNative, op, ": a launch of no threads");
  if (grid.threads.count() > 1024 || grid.shared_bytes > (size_t{99} << 10))
    fail(Code::kNative, op, ": a block of ", grid.threads.count(), " threads and ", grid.shared_bytes,
         " bytes of shared memory");
  using Bound = detail::Bound<P...>;
  auto bound = Bound{kernel, std::tuple<std::decay_t<P>...>(std::forward<A>(arguments)...)};
  HRM_CUDA(op, simt::enqueue(stream.stream(), [=]() mutable {
             std::string failure;
             std::apply([](auto &...a) { (detail::begin(a), ...); }, bound.arguments);
             failure = simt::run_grid(grid.blocks, grid.threads, grid.shared_bytes, &Bound::run, &bound);
             if (failure.empty())
               std::apply([&](auto &...a) { ((failure = failure.empty() ? detail::end(a) : failure), ...); },
                          bound.arguments);
             return failure.empty() ? failure : std::string(op) + ": " + failure;
           }));
}
#else
template <class... P, class... A>
void launch(const char *op, cuda::Stream &stream, void (*kernel)(P...), const Grid &grid, A &&...arguments) {
  stream.activate();
  if (grid.shared_bytes > (size_t{48} << 10))
    HRM_CUDA(op,
             cudaFuncSetAttribute(reinterpret_cast<const void *>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize,
                                  static_cast<int>(grid.shared_bytes)));
  std::tuple<std::decay_t<P>...> values(std::forward<A>(arguments)...);
  std::apply(
      [&](auto &...value) {
        void *pointers[] = {const_cast<void *>(static_cast<const void *>(&value))...};
        HRM_CUDA(op, cudaLaunchKernel(reinterpret_cast<const void *>(kernel), grid.blocks, grid.threads, pointers,
                                      grid.shared_bytes, stream.stream()));
      },
      values);
}
#endif

template <class... P, class... A> void launch(Call &call, void (*kernel)(P...), const Grid &grid, A &&...arguments) {
  launch(call.op, cuda::stream_of(call), kernel, grid, std::forward<A>(arguments)...);
}

} // namespace hrm::device
