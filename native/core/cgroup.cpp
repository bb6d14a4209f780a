#include "core/cgroup.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <sstream>

namespace hrm {

namespace {

// The least of a group and those above it. In a container the path may be the host's and not exist here: its own group
// is the mount's root, which is asked in any case.
double least_upward(const std::string &mount, std::string path, const GroupLimit &limit) {
  double least = limit(mount);
  while (path.size() > 1) {
    least = std::min(least, limit(mount + path));
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
  return least;
}

bool names(const std::string &controllers, const std::string &controller) {
  std::istringstream list(controllers);
  for (std::string name; std::getline(list, name, ',');)
    if (name == controller)
      return true;
  return false;
}

} // namespace

std::string first_line(const std::string &path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// Lines of /proc/self/cgroup: hierarchy:controllers:path, version 2 with hierarchy 0 and no controllers.
double least_group_limit(const std::string &root, const std::string &controller, const GroupLimit &version2,
                         const GroupLimit &version1) {
  const std::string base = root + "/sys/fs/cgroup";
  double least = version2(base);
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos)
      continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    if (controllers.empty()) {
      for (const char *mount : {"", "/unified"})
        least = std::min(least, least_upward(base + mount, path, version2));
    } else if (names(controllers, controller)) {
      // Mounted under its own name, or under all of the hierarchy's.
      for (const std::string &mount : {controller, controllers})
        least = std::min(least, least_upward(base + '/' + mount, path, version1));
    }
  }
  return least;
}

} // namespace hrm
