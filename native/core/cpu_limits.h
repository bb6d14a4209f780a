#pragma once
#include <string>
#include <vector>

namespace hrm {

// How many threads are worth starting, and why.
struct CpuLimits {
  // CPUs that the process may run on (its affinity).
  int affinity = 1;
  // Physical cores among them: two hardware threads share the units that the kernels keep busy.
  int cores = 1;
  // CPUs' worth of time that the control groups grant; infinity without a limit.
  double quota = 0;

  // min(cores, quota), at least one: threads beyond the quota would be stopped for a part of every period.
  int threads() const;
};

// `root` is put before the paths of /proc and /sys, for tests; `cpus` are the numbers of those of the affinity.
CpuLimits cpu_limits(const std::string &root, const std::vector<int> &cpus);
// Those that the process may run on now.
std::vector<int> affinity_cpus();

} // namespace hrm
