// A device's stream, memory and graphs where calls of the runtime fail: what is thrown, that nothing is left behind,
// and that work goes on. Over the simulation of CUDA, which fails where it is told to.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "cuda/stream.h"
#include "simt/runtime.h"

using namespace hrm;

namespace {

int failures = 0;
void expect(bool right, const std::string &what) {
  std::printf("%s  %s\n", right ? "ok  " : "FAIL", what.c_str());
  failures += right ? 0 : 1;
}

// What f throws; no message where nothing is thrown.
struct Thrown {
  Code code = Code::kNative;
  std::string message;
};
template <class F> Thrown thrown_by(F &&f) {
  try {
    f();
  } catch (const Error &error) {
    return {error.code(), error.what()};
  }
  return {};
}

struct Subject {
  std::unique_ptr<Gpu> gpu;
  cuda::Stream &stream;
  explicit Subject(int index = 0) : gpu(open_gpu(index)), stream(static_cast<cuda::Stream &>(*gpu)) {}
  int read(const Tensor &t) {
    int value = 0;
    stream.download(t.raw(), sizeof value)->finish(&value);
    return value;
  }
  Tensor one() { return Tensor::empty(stream.allocator(), DType::kI32, Dims{1}); }
};

// A graph that fills `t` with a value.
void record(Subject &s, const Tensor &t, int value) {
  s.stream.begin_capture();
  s.stream.hold(t.storage, true);
  s.stream.fill(t, value);
}

void check_graphs_of_a_failed_device() {
  Subject s;
  const Tensor t = s.one();
  record(s, t, 5);
  std::unique_ptr<Graph> graph = s.stream.end_capture();
  simt::fail_call("cudaSetDevice", cudaErrorLaunchFailure);
  graph.reset();
  expect(t.storage->references == 1, "a graph goes where the device has failed, and lets go of what it held");
  cudaGetLastError();
}

void check_two_devices() {
  Subject first(0), second(1);
  const Tensor a = first.one(), b = second.one();
  first.stream.fill(a, 1);
  second.stream.fill(b, 2);
  record(first, a, 3);
  second.stream.activate();
  std::unique_ptr<Graph> graph = first.stream.end_capture();
  second.stream.fill(b, 4);
  graph->launch();
  expect(second.read(b) == 4 && first.read(a) == 3, "two devices take turns");
  second.stream.activate();
  expect(cudaMemsetAsync(a.raw(), 0, sizeof(int), first.stream.stream()) == cudaErrorInvalidResourceHandle,
         "work for a device that is not the current one is refused");
  cudaGetLastError();
}

} // namespace

int main() {
  setenv("HRM_SIMT_DEVICES", "2", 1);
  check_graphs_of_a_failed_device();
  check_two_devices();
  std::printf("%d failed\n", failures);
  return failures == 0 ? 0 : 1;
}
