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

void check_memory_for_a_graph() {
  Subject s;
  const Tensor t = s.one();
  const int before = simt::n_live();
  record(s, t, 5);
  simt::fail_call("cudaGraphInstantiate", cudaErrorMemoryAllocation);
  std::unique_ptr<Graph> graph = s.stream.end_capture();
  graph->launch();
  expect(s.read(t) == 5, "no memory for a graph: what the pool keeps is given back for it");
  graph.reset();

  // No memory after that either, which the caller may find.
  record(s, t, 6);
  const std::string wanted = "capture: cannot allocate a graph on simt:0: the system refused, with " +
                             std::to_string(s.stream.memory().live()) + " bytes live, below the memory limit of " +
                             std::to_string(s.stream.memory().limit()) + " bytes";
  const auto fail_twice = [&] {
    simt::fail_call("cudaGraphInstantiate", cudaErrorMemoryAllocation, 0, 2);
    const Thrown thrown = thrown_by([&] { s.stream.end_capture(); });
    expect(thrown.code == Code::kOutOfMemory && thrown.message == wanted, "no memory for a graph: " + thrown.message);
  };
  fail_twice();
  fail_twice();
  expect(s.read(t) == 5, "what was recorded has not run");
  graph = s.stream.end_capture();
  graph->launch();
  expect(s.read(t) == 6, "and is a graph when there is memory");
  graph.reset();

  record(s, t, 7);
  fail_twice();
  s.stream.abort_capture();
  expect(!s.stream.is_capturing() && s.read(t) == 6, "or is dropped");
  record(s, t, 8);
  graph = s.stream.end_capture();
  graph->launch();
  expect(s.read(t) == 8, "and another is recorded");
  graph.reset();
  s.stream.synchronize();
  s.stream.memory().trim();
  s.stream.pinned().trim();
  expect(simt::n_live() == before, "graphs leave nothing behind");
}

// Each call that opening a device takes fails.
void check_failing_to_open() {
  const int before = simt::n_live();
  const std::pair<const char *, int> calls[] = {
      {"cudaSetDevice", 0},
      {"cudaStreamCreateWithFlags", 0},
      {"cudaMemGetInfo", 0},
      // Of the device and, in the end, of the host, each tried twice.
      {"cudaMalloc", 0},
      {"cudaMalloc", 1},
      // The first spoils new memory, seen or not.
      {"cudaMemsetAsync", 1},
  };
  for (const auto &[call, n_before] : calls) {
    simt::fail_call(call, cudaErrorMemoryAllocation, n_before, 2);
    const Thrown thrown = thrown_by([] { open_gpu(0); });
    expect(thrown.code == Code::kOutOfMemory, std::string("no memory in ") + call + ": " + thrown.message);
    expect(simt::n_live() == before, "leaves nothing behind");
  }
  simt::fail_call("", cudaSuccess);
  Subject s;
  const Tensor t = s.one();
  s.stream.fill(t, 3);
  expect(s.read(t) == 3, "the device can be opened then");
}

void check_failing_copies() {
  Subject s;
  const Tensor t = s.one();
  s.stream.fill(t, 3);
  expect(s.read(t) == 3, "a copy");
  const int value = 4;
  for (const char *call : {"cudaEventCreateWithFlags", "cudaMemcpyAsync", "cudaEventRecord"}) {
    s.stream.pinned().trim();
    const size_t live = s.stream.pinned().live();
    const int before = simt::n_live();
    simt::fail_call(call, cudaErrorLaunchFailure);
    const Thrown thrown = thrown_by([&] { s.read(t); });
    s.stream.pinned().trim();
    expect(thrown.code == Code::kDevice && simt::n_live() == before && s.stream.pinned().live() == live,
           std::string("a copy to the host, ") + call + " fails: " + thrown.message);
    simt::fail_call(call, cudaErrorLaunchFailure);
    const Thrown written = thrown_by([&] { s.stream.upload(&value, t.raw(), sizeof value); });
    expect(written.code == Code::kDevice, std::string("a copy from the host, ") + call + " fails: " + written.message);
  }
  s.stream.upload(&value, t.raw(), sizeof value);
  expect(s.read(t) == 4, "copies work again");
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
  check_memory_for_a_graph();
  check_failing_to_open();
  check_failing_copies();
  check_two_devices();
  std::printf("%d failed\n", failures);
  return failures == 0 ? 0 : 1;
}
