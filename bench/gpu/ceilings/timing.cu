#include "timing.h"
#include <algorithm>
#include <cmath>

namespace ceilings {
namespace {

constexpr int kMaxNodes = 2048;

struct Stream {
  cudaStream_t handle{};
  Stream() { check(cudaStreamCreateWithFlags(&handle, cudaStreamNonBlocking), "stream"); }
  ~Stream() { cudaStreamDestroy(handle); }
  Stream(const Stream &) = delete;
  Stream &operator=(const Stream &) = delete;
};

struct Event {
  cudaEvent_t handle{};
  Event() { check(cudaEventCreate(&handle), "event"); }
  ~Event() { cudaEventDestroy(handle); }
  Event(const Event &) = delete;
  Event &operator=(const Event &) = delete;
};

struct Graph {
  cudaGraph_t graph{};
  cudaGraphExec_t executable{};
  Graph() = default;
  ~Graph() {
    if (executable)
      cudaGraphExecDestroy(executable);
    if (graph)
      cudaGraphDestroy(graph);
  }
  Graph(const Graph &) = delete;
  Graph &operator=(const Graph &) = delete;
};

double time_ms(cudaStream_t stream, const std::function<void()> &enqueue) {
  Event begin, end;
  check(cudaEventRecord(begin.handle, stream), "event");
  enqueue();
  check(cudaEventRecord(end.handle, stream), "event");
  check(cudaEventSynchronize(end.handle), "what is timed");
  float ms = 0;
  check(cudaEventElapsedTime(&ms, begin.handle, end.handle), "event");
  return ms;
}

Timed take_samples(cudaStream_t stream, int launches, const std::function<void()> &enqueue) {
  constexpr int warm_ups = 2;
  Timed timed{{}, launches};
  for (int i = -warm_ups; i < kRepeats; ++i) {
    const double ms = time_ms(stream, enqueue) / launches;
    if (i >= 0)
      timed.ms.push_back(ms);
  }
  return timed;
}

} // namespace

Timed time_in_graph(const Launch &launch, int multiple) {
  Stream stream;
  const auto some = [&](int launches) {
    for (int i = 0; i < launches; ++i)
      launch(stream.handle, i);
    check(cudaGetLastError(), "launch");
  };
  // Loads the kernels first, then sees how long one round takes.
  some(multiple);
  check(cudaStreamSynchronize(stream.handle), "first launch");
  const double round_ms = std::max(1e-3, time_ms(stream.handle, [&] { some(multiple); }));
  const int most = std::max(1, kMaxNodes / multiple);
  const int rounds = static_cast<int>(std::clamp(std::ceil(kSampleMs / round_ms), 1.0, static_cast<double>(most)));
  const int launches = rounds * multiple;
  Graph graph;
  check(cudaStreamBeginCapture(stream.handle, cudaStreamCaptureModeThreadLocal), "capture");
  some(launches);
  check(cudaStreamEndCapture(stream.handle, &graph.graph), "capture");
  check(cudaGraphInstantiate(&graph.executable, graph.graph, 0), "graph");
  return take_samples(stream.handle, launches,
                      [&] { check(cudaGraphLaunch(graph.executable, stream.handle), "graph launch"); });
}

Timed time_launches(const Launch &launch, int launches) {
  Stream stream;
  return take_samples(stream.handle, launches, [&] {
    for (int i = 0; i < launches; ++i)
      launch(stream.handle, i);
    check(cudaGetLastError(), "launch");
  });
}

int rotated(size_t bytes) {
  const size_t l2_bytes = static_cast<size_t>(std::max(device().l2CacheSize, 1 << 20));
  return static_cast<int>(std::clamp<size_t>((kRotation * l2_bytes + bytes - 1) / bytes, 2, 4096));
}

Answer as_rate(const Timed &timed, double work, const char *unit, double scale) {
  Answer answer{unit, true, {}, {}, {}};
  for (const double ms : timed.ms)
    answer.samples.push_back(work / (ms * 1e-3) / scale);
  answer.details.emplace_back("runsPerSample", timed.launches_a_sample);
  return answer;
}

Answer as_latency(const Timed &timed, double per_launch) {
  Answer answer{"us", false, {}, {}, {}};
  for (const double ms : timed.ms)
    answer.samples.push_back(ms * 1e3 / per_launch);
  answer.details.emplace_back("runsPerSample", timed.launches_a_sample);
  return answer;
}

} // namespace ceilings
