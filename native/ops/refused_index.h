#pragma once
// What is said of values that are no index or no label: the same on every device.
#include <cstdint>
#include <string>

namespace hrm::ops {

// An index into a dimension of `size`.
inline std::string refused_index(int64_t value, int64_t size) {
  const std::string got = std::to_string(value);
  return size == 0 ? "the dimension is empty, got index " + got
                   : "indices must be in 0.." + std::to_string(size - 1) + ", got " + got;
}

// A label of n_classes classes.
inline std::string refused_label(int64_t value, int64_t n_classes, int64_t ignored) {
  return "labels must be in [0, V), V = " + std::to_string(n_classes) + ", or ignoreIndex, " + std::to_string(ignored) +
         ", got " + std::to_string(value);
}

} // namespace hrm::ops
