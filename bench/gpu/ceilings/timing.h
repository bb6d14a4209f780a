#pragma once
// Samples of device work, taken with events around graph replays or launches.
#include "row.h"

namespace ceilings {

inline constexpr int kRepeats = 15;
/// A sample lasts at least this long, far above the clock's step.
inline constexpr double kSampleMs = 5.0;
/// Rotated buffers take this many times the L2.
inline constexpr size_t kRotation = 4;

/// Enqueues one launch, the i-th of a sample.
using Launch = std::function<void(cudaStream_t, int)>;

struct Timed {
  /// Milliseconds a launch, one figure a sample.
  std::vector<double> ms;
  int launches_a_sample;
};

/// A graph of as many launches as a sample takes (a multiple of `multiple`), replayed; its gaps are the shortest ones.
Timed time_in_graph(const Launch &launch, int multiple = 1);

/// `launches` of them one by one, as a program without graphs does.
Timed time_launches(const Launch &launch, int launches);

/// How many buffers of this size pass the L2 kRotation times; at least 2, at most 4096.
int rotated(size_t bytes);

/// `work` units a launch (bytes, FLOPs) as a rate in units of 1 / scale a second: GB/s for bytes and 1e9.
Answer as_rate(const Timed &timed, double work, const char *unit, double scale);

/// Microseconds a launch.
Answer as_latency(const Timed &timed, double per_launch = 1);

} // namespace ceilings
