#pragma once
// Queueing work on a simulated stream: what the launch of kernels (kernels/device/launch.h) needs beyond the runtime's
// API.
#include <functional>
#include <string>

#include "simt/cuda_runtime.h"

namespace hrm::simt {

// Runs after everything that was queued before it. What it returns is why it failed, empty if it did not; after a
// failure the stream runs nothing more and every wait reports it, as on a device with a sticky error. Refused where the
// calling thread's device is not the stream's.
using Task = std::function<std::string()>;
cudaError_t enqueue(cudaStream_t stream, Task task);
// Why the process's simulated device failed; empty if it did not.
const std::string &failure();
// Tests go on after a planted fault.
void clear_failure();

// For tests: the `n_times` calls of this function of the runtime that follow `n_before` others of it give `error`.
void fail_call(const char *function, cudaError_t error, int n_before = 0, int n_times = 1);
// Streams, events, graphs and blocks of memory that nobody has given back.
int n_live();

} // namespace hrm::simt
