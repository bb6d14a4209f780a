#include "core/cpu_limits.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <sstream>
#include <thread>

#include "core/cgroup.h"

#ifdef __linux__
#include <sched.h>
#endif

namespace hrm {

namespace {

constexpr double kNoQuota = std::numeric_limits<double>::infinity();

double ratio(const std::string &quota, const std::string &period) {
  const double q = std::strtod(quota.c_str(), nullptr), p = std::strtod(period.c_str(), nullptr);
  // "max" and the -1 of version 1 mean no limit.
  return q > 0 && p > 0 ? q / p : kNoQuota;
}

double quota_v2(const std::string &folder) {
  std::istringstream words(first_line(folder + "/cpu.max"));
  std::string quota, period;
  words >> quota >> period;
  return ratio(quota, period);
}

double quota_v1(const std::string &folder) {
  return ratio(first_line(folder + "/cpu.cfs_quota_us"), first_line(folder + "/cpu.cfs_period_us"));
}

} // namespace

int CpuLimits::threads() const { return std::max(1, static_cast<int>(std::min<double>(cores, std::floor(quota)))); }

CpuLimits cpu_limits(const std::string &root, const std::vector<int> &cpus) {
  std::set<std::string> cores;
  for (int cpu : cpus) {
    const std::string number = std::to_string(cpu);
    const std::string siblings =
        first_line(root + "/sys/devices/system/cpu/cpu" + number + "/topology/thread_siblings_list");
    cores.insert(siblings.empty() ? number : siblings);
  }
  CpuLimits limits;
  limits.affinity = std::max(1, static_cast<int>(cpus.size()));
  limits.cores = std::max(1, static_cast<int>(cores.size()));
  limits.quota = least_group_limit(root, "cpu", quota_v2, quota_v1);
  return limits;
}

std::vector<int> affinity_cpus() {
  std::vector<int> cpus;
#ifdef __linux__
  // Machines may have more CPUs than cpu_set_t has bits; the kernel says so by refusing.
  for (int n = CPU_SETSIZE; n <= (1 << 16) && cpus.empty(); n *= 2) {
    cpu_set_t *set = CPU_ALLOC(static_cast<size_t>(n));
    if (set == nullptr)
      break;
    const size_t bytes = CPU_ALLOC_SIZE(static_cast<size_t>(n));
    if (sched_getaffinity(0, bytes, set) == 0)
      for (int cpu = 0; cpu < n; ++cpu)
        if (CPU_ISSET_S(static_cast<size_t>(cpu), bytes, set))
          cpus.push_back(cpu);
    CPU_FREE(set);
  }
#endif
  if (cpus.empty())
    for (int cpu = 0; cpu < std::max(1, static_cast<int>(std::thread::hardware_concurrency())); ++cpu)
      cpus.push_back(cpu);
  return cpus;
}

} // namespace hrm
