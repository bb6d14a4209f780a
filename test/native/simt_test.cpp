// The simulation of CUDA (native/simt) must catch what it is for: kernels with a planted fault each, and sound ones
// beside them that must pass. Compiled like kernels/*.cu.
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "device/launch.h"
#include "simt/runtime.h"

using namespace hrm;
using namespace hrm::device;

namespace {

constexpr int kBlock = 64;

// Each thread leaves its number and reads its neighbour's from the other end.
template <bool barrier> __global__ void reverse(Out<int> y) {
  int *shared = shared_memory<int>();
  shared[thread_x()] = thread_x();
  if (barrier)
    sync_block();
  y.set(thread_x(), shared[n_threads() - 1 - thread_x()]);
}

__global__ void divergent_barrier(Out<int> y) {
  if (thread_x() < kBlock / 2)
    sync_block();
  y.set(thread_x(), 0);
}

__global__ void barriers_at_two_places(Out<int> y) {
  if (thread_x() < kBlock / 2)
    sync_block();
  else
    sync_block();
  y.set(thread_x(), 0);
}

template <bool early> __global__ void warp_sum(Out<int> y) {
  if (early && thread_x() == 5)
    return;
  y.set(thread_x(), reduce_warp(thread_x(), Sum{}));
}

__global__ void block_sum(Out<int> y) { y.set(thread_x(), reduce_block(thread_x(), shared_memory<int>(), Sum{})); }

template <bool wait> __global__ void staged(Out<int> y, In<int> x) {
  int *shared = shared_memory<int>();
  if (thread_x() < kBlock / 4)
    copy_async16(shared + 4 * thread_x(), x.at(4 * thread_x(), 4));
  commit_copies();
  if (wait)
    wait_copies<0>();
  sync_block();
  y.set(thread_x(), shared[thread_x()]);
  if (!wait)
    wait_copies<0>();
}

template <int n_threads_more> __global__ void bound(Out<int> y, In<int> x, int n) {
  if (thread_x() < n + n_threads_more)
    y.set(thread_x(), x[thread_x()]);
}

__global__ void twice(Out<int> y) {
  y.set(thread_x(), 1);
  if (thread_x() == 3)
    y.set(4, 1);
}

__global__ void beyond_shared(Out<int> y) {
  shared_memory<int>()[kBlock + thread_x() % 2] = 1;
  y.set(thread_x(), 0);
}

int failures = 0;

class Subject {
public:
  Subject() : gpu_(open_gpu(0)), stream_(static_cast<cuda::Stream &>(*gpu_)) {
    x_ = Tensor::empty(stream_.allocator(), DType::kI32, Dims{kBlock});
    y_ = Tensor::empty(stream_.allocator(), DType::kI32, Dims{kBlock});
    std::vector<int> values(kBlock);
    for (int i = 0; i < kBlock; ++i)
      values[static_cast<size_t>(i)] = i;
    stream_.upload(values.data(), x_.raw(), sizeof(int) * kBlock);
  }

  // Runs a kernel: what it failed with, or its result's check.
  template <class... P, class... A>
  void expect(const char *what, const char *failure, int (*wanted)(int), void (*kernel)(P...), A... arguments) {
    std::string found;
    std::vector<int> result(kBlock);
    try {
      launch(what, stream_, kernel, {1, kBlock, sizeof(int) * kBlock}, arguments...);
      stream_.synchronize();
      stream_.download(y_.raw(), sizeof(int) * kBlock)->finish(result.data());
    } catch (const Error &error) {
      found = error.what();
    }
    simt::clear_failure();
    bool right = failure == nullptr ? found.empty() : found.find(failure) != std::string::npos;
    if (failure == nullptr && wanted != nullptr)
      for (int i = 0; i < kBlock; ++i)
        right = right && result[static_cast<size_t>(i)] == wanted(i);
    // Faults that show in the result only.
    if (failure != nullptr && std::strcmp(failure, "wrong result") == 0) {
      right = !found.empty();
      for (int i = 0; i < kBlock; ++i)
        right = right || result[static_cast<size_t>(i)] != wanted(i);
    }
    std::printf("%s  %s%s%s\n", right ? "ok  " : "FAIL", what, found.empty() ? "" : ": ", found.c_str());
    failures += right ? 0 : 1;
  }

  Out<int> y() const { return out<int>(y_); }
  In<int> x() const { return in<int>(x_); }
  In<int> half() const { return In<int>(x_.data<int>(), kBlock / 2); }

private:
  std::unique_ptr<Gpu> gpu_;
  cuda::Stream &stream_;
  Tensor x_, y_;
};

int reversed(int i) { return kBlock - 1 - i; }
int same(int i) { return i; }
int sum_of_warp(int i) { return i < 32 ? 31 * 32 / 2 : 31 * 32 / 2 + 32 * 32; }
int sum_of_block(int) { return (kBlock - 1) * kBlock / 2; }

} // namespace

int main() {
  Subject s;
  s.expect("reverse through shared memory", nullptr, reversed, &reverse<true>, s.y());
  s.expect("a removed barrier", "wrong result", reversed, &reverse<false>, s.y());
  s.expect("a barrier that half of the threads meet", "divergence at a barrier", nullptr, &divergent_barrier, s.y());
  s.expect("barriers at two places", "divergence at a barrier", nullptr, &barriers_at_two_places, s.y());
  s.expect("sum of a warp", nullptr, sum_of_warp, &warp_sum<false>, s.y());
  s.expect("a lane that leaves before a shuffle", "divergence in a warp", nullptr, &warp_sum<true>, s.y());
  s.expect("sum of a block", nullptr, sum_of_block, &block_sum, s.y());
  s.expect("asynchronous copies", nullptr, same, &staged<true>, s.y(), s.x());
  s.expect("a removed wait", "wrong result", same, &staged<false>, s.y(), s.x());
  s.expect("bounds", nullptr, same, &bound<0>, s.y(), s.x(), kBlock);
  s.expect("an element that nobody writes", "was not written", nullptr, &bound<0>, s.y(), s.x(), kBlock - 1);
  s.expect("an element that two write", "second write", nullptr, &twice, s.y());
  s.expect("a read one beyond the end", "read element 32", nullptr, &bound<1>, s.y(), s.half(), 32);
  s.expect("a write beyond shared memory", "shared memory", nullptr, &beyond_shared, s.y());

  // Streams: what is queued has not run until somebody waits; a captured graph runs again.
  Subject other;
  std::unique_ptr<Gpu> gpu = open_gpu(0);
  auto &stream = static_cast<cuda::Stream &>(*gpu);
  Tensor t = Tensor::empty(stream.allocator(), DType::kI32, Dims{1});
  const auto check = [](const char *what, bool right) {
    std::printf("%s  %s\n", right ? "ok  " : "FAIL", what);
    failures += right ? 0 : 1;
  };
  stream.fill(t, 7);
  check("work waits for a wait", *t.data<int>() != 7);
  stream.synchronize();
  check("and has run after it", *t.data<int>() == 7);
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t exec = nullptr;
  check("capture begins", cudaStreamBeginCapture(stream.stream(), cudaStreamCaptureModeThreadLocal) == cudaSuccess);
  stream.fill(t, 9);
  check("capture ends", cudaStreamEndCapture(stream.stream(), &graph) == cudaSuccess);
  stream.synchronize();
  check("what is captured does not run", *t.data<int>() == 7);
  check("instantiate", cudaGraphInstantiate(&exec, graph, 0) == cudaSuccess);
  check("replay", cudaGraphLaunch(exec, stream.stream()) == cudaSuccess);
  stream.synchronize();
  check("a replay does", *t.data<int>() == 9);
  cudaGraphExecDestroy(exec);
  cudaGraphDestroy(graph);
  cudaStreamBeginCapture(stream.stream(), cudaStreamCaptureModeThreadLocal);
  check("a wait in a capture is refused", cudaStreamSynchronize(stream.stream()) != cudaSuccess);
  check("and spoils it", cudaStreamEndCapture(stream.stream(), &graph) != cudaSuccess);
  cudaEvent_t event = nullptr;
  cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
  stream.fill(t, 11);
  cudaEventRecord(event, stream.stream());
  cudaStreamBeginCapture(stream.stream(), cudaStreamCaptureModeThreadLocal);
  check("an event of before a capture happens", cudaEventSynchronize(event) == cudaSuccess && *t.data<int>() == 11);
  cudaEventRecord(event, stream.stream());
  check("one inside does not", cudaEventSynchronize(event) != cudaSuccess);
  check("and spoils it too", cudaStreamEndCapture(stream.stream(), &graph) != cudaSuccess);
  cudaEventDestroy(event);
  cudaGetLastError();

  // Graphs of the backend: their memory, and what they hold of others.
  const size_t live = stream.memory().live();
  stream.begin_capture();
  Tensor inside = Tensor::empty(stream.allocator(), DType::kI32, Dims{1});
  void *freed = Tensor::empty(stream.allocator(), DType::kI32, Dims{1}).raw();
  stream.hold(t.storage, true);
  stream.fill(t, 13);
  stream.fill(inside, 14);
  stream.memory().trim();
  std::unique_ptr<Graph> captured = stream.end_capture();
  stream.memory().trim();
  Tensor outside = Tensor::empty(stream.allocator(), DType::kI32, Dims{1});
  check("a graph keeps the memory that it freed", outside.raw() != freed && outside.raw() != inside.raw());
  const uint64_t versions[] = {t.storage->version(), inside.storage->version(), outside.storage->version()};
  captured->launch();
  stream.synchronize();
  check("a graph runs", *t.data<int>() == 13 && *inside.data<int>() == 14);
  check("what it writes has a new version", t.storage->version() > versions[0] &&
                                                inside.storage->version() > versions[1] &&
                                                outside.storage->version() == versions[2]);
  check("and is held", t.storage->references == 2);
  captured.reset();
  check("until it is gone", t.storage->references == 1);
  outside = inside = {};
  check("its memory is then the device's", stream.memory().live() == live);
  std::printf("%d failed\n", failures);
  return failures == 0 ? 0 : 1;
}
