// The launch gap: time a kernel in a chain in which each needs the one before, and does next to nothing: one read and
// one write a thread, one block an SM. Eager, in a graph, and both with programmatic dependent launch, where the next
// kernel is already on the SMs when it may go on.
#include "buffer.h"
#include "device.h"
#include "timing.h"
#include <string>

namespace ceilings {
namespace {

constexpr int kThreads = 128;
constexpr int kEagerLaunches = 2000;

template <bool kProgrammatic> __global__ void increment(float *values) {
  if constexpr (kProgrammatic) {
    device_code::launch_dependents();
    device_code::dependency_wait();
  }
  values[blockIdx.x * kThreads + threadIdx.x] += 1.0f;
}

struct Chain {
  const unsigned blocks = static_cast<unsigned>(device().multiProcessorCount);
  Buffer values{blocks * kThreads * sizeof(float)};
  Buffer total{sizeof(float)};

  Chain() { check(cudaMemset(values.as<void>(), 0, values.bytes()), "memset"); }

  void launch(cudaStream_t stream, bool programmatic) {
    cudaLaunchAttribute attribute{};
    attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attribute.val.programmaticStreamSerializationAllowed = 1;
    cudaLaunchConfig_t config{};
    config.gridDim = blocks;
    config.blockDim = kThreads;
    config.stream = stream;
    config.attrs = &attribute;
    config.numAttrs = programmatic ? 1 : 0;
    float *pointer = values.as<float>();
    check(programmatic ? cudaLaunchKernelEx(&config, increment<true>, pointer)
                       : cudaLaunchKernelEx(&config, increment<false>, pointer),
          "launch");
  }

  /// Every launch has added one to every value: none was lost, and none overtook another.
  void expect_counted(double launches) const {
    check(cudaDeviceSynchronize(), "chain");
    for (const size_t at : {size_t{0}, values.bytes() / sizeof(float) - 1}) {
      const double counted = read_back(values.as<float>() + at);
      if (counted != launches)
        throw std::runtime_error("chain: expected " + std::to_string(launches) + " launches, the values say " +
                                 std::to_string(counted));
    }
  }
};

Answer eager(bool programmatic) {
  if (programmatic)
    need_hopper("programmatic dependent launch");
  Chain chain;
  double launches = 0;
  const Timed timed = time_launches(
      [&](cudaStream_t stream, int) {
        chain.launch(stream, programmatic);
        ++launches;
      },
      kEagerLaunches);
  chain.expect_counted(launches);
  return as_latency(timed);
}

Answer in_graph(bool programmatic) {
  if (programmatic)
    need_hopper("programmatic dependent launch");
  Chain chain;
  double launches = 0;
  const Timed timed = time_in_graph([&](cudaStream_t stream, int) {
    chain.launch(stream, programmatic);
    ++launches;
  });
  // Two rounds were launched, the rest was captured and replayed in the samples and two warm-ups.
  chain.expect_counted(2 + (launches - 2) * (kRepeats + 2));
  return as_latency(timed);
}

} // namespace

Rows launch_rows() {
  return {{"launch/eager", true, 1, [] { return eager(false); }},
          {"launch/graph", true, 1, [] { return in_graph(false); }},
          {"launch/eager-programmatic", false, 1, [] { return eager(true); }},
          {"launch/graph-programmatic", true, 1, [] { return in_graph(true); }}};
}

} // namespace ceilings
