#include "simt/runtime.h"

#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

namespace hrm::simt {

struct Stream {
  int device = 0;
  std::deque<Task> tasks;
  bool capturing = false, invalidated = false;
  std::vector<Task> captured;
};
// Done when what was queued before it has run.
struct Event {
  Stream *stream = nullptr;
  // Recorded into a graph: it never happens for the host.
  bool captured = false;
};
struct Graph {
  std::vector<Task> tasks;
};
struct GraphExec {
  std::shared_ptr<const std::vector<Task>> tasks;
};

namespace {

// Streams of all environments share one lock: waits come from libuv's threads too.
std::recursive_mutex &lock() {
  static std::recursive_mutex mutex;
  return mutex;
}
std::string &failed() {
  static std::string what;
  return what;
}
cudaError_t &last_error() {
  static thread_local cudaError_t error = cudaSuccess;
  return error;
}
cudaError_t report(cudaError_t error) { return last_error() = error; }
int &current_device() {
  static thread_local int device = 0;
  return device;
}

// Calls that a test wants to fail (fail_call).
struct Planned {
  std::string function;
  cudaError_t error = cudaSuccess;
  int n_before = 0, n_times = 0;
};
Planned &planned() {
  static Planned plan;
  return plan;
}
cudaError_t planned_failure(const char *function) {
  Planned &plan = planned();
  if (plan.function != function || plan.n_before-- > 0 || plan.n_times-- <= 0)
    return cudaSuccess;
  return report(plan.error);
}
#define HRM_MAY_FAIL                                                                                                   \
  if (const cudaError_t failure = hrm::simt::planned_failure(__func__); failure != cudaSuccess)                        \
  return failure

int &live() {
  static int n_live = 0;
  return n_live;
}
template <class T> T *made(T *object) {
  const std::lock_guard<std::recursive_mutex> guard(lock());
  ++live();
  return object;
}
void unmade(bool existed) {
  const std::lock_guard<std::recursive_mutex> guard(lock());
  live() -= existed ? 1 : 0;
}

cudaError_t invalidate(Stream *stream) {
  stream->invalidated = true;
  return report(cudaErrorStreamCaptureUnsupported);
}

cudaError_t run_queued(Stream *stream) {
  const std::lock_guard<std::recursive_mutex> guard(lock());
  while (!stream->tasks.empty()) {
    const Task task = std::move(stream->tasks.front());
    stream->tasks.pop_front();
    if (failed().empty())
      failed() = task();
  }
  return report(failed().empty() ? cudaSuccess : cudaErrorLaunchFailure);
}

cudaError_t drain(Stream *stream) {
  const std::lock_guard<std::recursive_mutex> guard(lock());
  return stream->capturing ? invalidate(stream) : run_queued(stream);
}

int device_count() {
  const char *text = std::getenv("HRM_SIMT_DEVICES");
  return text ? std::atoi(text) : 1;
}

} // namespace

const std::string &failure() { return failed(); }
void clear_failure() { failed().clear(); }
void fail_call(const char *function, cudaError_t error, int n_before, int n_times) {
  planned() = {function, error, n_before, n_times};
}
int n_live() { return live(); }

cudaError_t enqueue(Stream *stream, Task task) {
  const std::lock_guard<std::recursive_mutex> guard(lock());
  if (!failed().empty())
    return report(cudaErrorLaunchFailure);
  // As of kernels and events there; copies are less particular.
  if (stream->device != current_device())
    return report(cudaErrorInvalidResourceHandle);
  if (stream->capturing)
    stream->captured.push_back(std::move(task));
  else
    stream->tasks.push_back(std::move(task));
  return cudaSuccess;
}

} // namespace hrm::simt

using hrm::simt::drain;
using hrm::simt::enqueue;
using hrm::simt::lock;
using hrm::simt::made;
using hrm::simt::report;
using hrm::simt::unmade;

cudaError_t cudaGetDeviceCount(int *count) {
  *count = hrm::simt::device_count();
  return *count > 0 ? cudaSuccess : report(cudaErrorNoDevice);
}
cudaError_t cudaSetDevice(int device) {
  HRM_MAY_FAIL;
  if (device < 0 || device >= hrm::simt::device_count())
    return report(cudaErrorInvalidValue);
  hrm::simt::current_device() = device;
  return cudaSuccess;
}
cudaError_t cudaMalloc(void **pointer, size_t n_bytes) {
  HRM_MAY_FAIL;
  *pointer = std::aligned_alloc(256, (n_bytes + 255) / 256 * 256);
  return *pointer && made(*pointer) ? cudaSuccess : report(cudaErrorMemoryAllocation);
}
cudaError_t cudaFree(void *pointer) {
  unmade(pointer != nullptr);
  std::free(pointer);
  return cudaSuccess;
}
cudaError_t cudaMallocHost(void **pointer, size_t n_bytes) { return cudaMalloc(pointer, n_bytes); }
cudaError_t cudaFreeHost(void *pointer) { return cudaFree(pointer); }
cudaError_t cudaMemGetInfo(size_t *available, size_t *total) {
  HRM_MAY_FAIL;
  *available = *total = size_t{4} << 30;
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t n_bytes, cudaMemcpyKind, cudaStream_t stream) {
  HRM_MAY_FAIL;
  return enqueue(stream, [=] {
    std::memcpy(to, from, n_bytes);
    return std::string();
  });
}
cudaError_t cudaMemsetAsync(void *to, int value, size_t n_bytes, cudaStream_t stream) {
  HRM_MAY_FAIL;
  return enqueue(stream, [=] {
    std::memset(to, value, n_bytes);
    return std::string();
  });
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned) {
  HRM_MAY_FAIL;
  *stream = made(new hrm::simt::Stream{hrm::simt::current_device(), {}, false, false, {}});
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const cudaError_t error = drain(stream);
  unmade(stream != nullptr);
  delete stream;
  return error;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) { return drain(stream); }
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned) {
  HRM_MAY_FAIL;
  *event = made(new hrm::simt::Event);
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  unmade(event != nullptr);
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  HRM_MAY_FAIL;
  if (stream->device != hrm::simt::current_device())
    return report(cudaErrorInvalidResourceHandle);
  event->stream = stream;
  event->captured = stream->capturing;
  return cudaSuccess;
}
// An event of before a capture is waited for as ever, one in the graph makes it invalid.
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  if (event->stream == nullptr)
    return cudaSuccess;
  const std::lock_guard<std::recursive_mutex> guard(lock());
  return event->captured ? hrm::simt::invalidate(event->stream) : hrm::simt::run_queued(event->stream);
}
cudaError_t cudaGetLastError() {
  const cudaError_t error = hrm::simt::last_error();
  hrm::simt::last_error() = cudaSuccess;
  return error;
}
const char *cudaGetErrorName(cudaError_t error) {
  switch (error) {
  case cudaErrorMemoryAllocation:
    return "cudaErrorMemoryAllocation";
  case cudaErrorInvalidResourceHandle:
    return "cudaErrorInvalidResourceHandle";
  case cudaErrorLaunchFailure:
    return "cudaErrorLaunchFailure";
  case cudaErrorNoDevice:
    return "cudaErrorNoDevice";
  case cudaErrorStreamCaptureUnsupported:
    return "cudaErrorStreamCaptureUnsupported";
  case cudaErrorStreamCaptureInvalidated:
    return "cudaErrorStreamCaptureInvalidated";
  default:
    return "cudaErrorInvalidValue";
  }
}
const char *cudaGetErrorString(cudaError_t error) {
  return error == cudaErrorLaunchFailure ? hrm::simt::failure().c_str() : cudaGetErrorName(error);
}
cudaError_t cudaDriverGetVersion(int *version) {
  *version = 0;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int *version) {
  *version = 0;
  return cudaSuccess;
}
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  const std::lock_guard<std::recursive_mutex> guard(lock());
  if (stream->capturing)
    return report(cudaErrorInvalidValue);
  stream->capturing = true;
  stream->invalidated = false;
  stream->captured.clear();
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph) {
  const std::lock_guard<std::recursive_mutex> guard(lock());
  if (!stream->capturing)
    return report(cudaErrorInvalidValue);
  stream->capturing = false;
  if (stream->invalidated)
    return report(cudaErrorStreamCaptureInvalidated);
  *graph = made(new hrm::simt::Graph{std::move(stream->captured)});
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long) {
  HRM_MAY_FAIL;
  *exec = made(new hrm::simt::GraphExec{std::make_shared<const std::vector<hrm::simt::Task>>(graph->tasks)});
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  return enqueue(stream, [tasks = exec->tasks] {
    for (const hrm::simt::Task &task : *tasks)
      if (std::string failure = task(); !failure.empty())
        return failure;
    return std::string();
  });
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  unmade(graph != nullptr);
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  unmade(exec != nullptr);
  delete exec;
  return cudaSuccess;
}
