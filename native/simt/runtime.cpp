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

cudaError_t enqueue(Stream *stream, Task task) {
  const std::lock_guard<std::recursive_mutex> guard(lock());
  if (!failed().empty())
    return report(cudaErrorLaunchFailure);
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
using hrm::simt::report;

cudaError_t cudaGetDeviceCount(int *count) {
  *count = hrm::simt::device_count();
  return *count > 0 ? cudaSuccess : report(cudaErrorNoDevice);
}
cudaError_t cudaSetDevice(int device) {
  return device >= 0 && device < hrm::simt::device_count() ? cudaSuccess : report(cudaErrorInvalidValue);
}
cudaError_t cudaMalloc(void **pointer, size_t n_bytes) {
  *pointer = std::aligned_alloc(256, (n_bytes + 255) / 256 * 256);
  return *pointer ? cudaSuccess : report(cudaErrorMemoryAllocation);
}
cudaError_t cudaFree(void *pointer) {
  std::free(pointer);
  return cudaSuccess;
}
cudaError_t cudaMallocHost(void **pointer, size_t n_bytes) { return cudaMalloc(pointer, n_bytes); }
cudaError_t cudaFreeHost(void *pointer) { return cudaFree(pointer); }
cudaError_t cudaMemGetInfo(size_t *available, size_t *total) {
  *available = *total = size_t{4} << 30;
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t n_bytes, cudaMemcpyKind, cudaStream_t stream) {
  return enqueue(stream, [=] {
    std::memcpy(to, from, n_bytes);
    return std::string();
  });
}
cudaError_t cudaMemsetAsync(void *to, int value, size_t n_bytes, cudaStream_t stream) {
  return enqueue(stream, [=] {
    std::memset(to, value, n_bytes);
    return std::string();
  });
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned) {
  *stream = new hrm::simt::Stream;
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const cudaError_t error = drain(stream);
  delete stream;
  return error;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) { return drain(stream); }
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned) {
  *event = new hrm::simt::Event;
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
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
  *graph = new hrm::simt::Graph{std::move(stream->captured)};
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long) {
  *exec = new hrm::simt::GraphExec{std::make_shared<const std::vector<hrm::simt::Task>>(graph->tasks)};
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
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  delete exec;
  return cudaSuccess;
}
