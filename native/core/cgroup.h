#pragma once
#include <functional>
#include <string>

namespace hrm {

// What one control group's folder grants; infinity without a limit.
using GroupLimit = std::function<double(const std::string &folder)>;

// The least that the process's control groups grant, its own and those above it; infinity without a limit. `controller`
// is the name of version 1 ("cpu", "memory"). `root` is put before the paths of /proc and /sys, for tests.
double least_group_limit(const std::string &root, const std::string &controller, const GroupLimit &version2,
                         const GroupLimit &version1);

// Empty where there is no such file.
std::string first_line(const std::string &path);

} // namespace hrm
