#include "core/device.h"

#include "core/gpu.h"

namespace hrm {

std::ostream &operator<<(std::ostream &out, Device device) {
  if (!device.is_gpu())
    return out << "cpu";
  return out << (gpu_name() ? gpu_name() : "gpu") << ':' << device.index;
}

} // namespace hrm
