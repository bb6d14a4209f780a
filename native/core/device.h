#pragma once
#include <cstddef>
#include <cstdint>
#include <ostream>

namespace hrm {

// Where bytes lie. An addon has the CPU and at most one kind of accelerator, whose name gpu_name() gives (core/gpu.h).
enum class DeviceKind : uint8_t { kCpu, kGpu };

struct Device {
  DeviceKind kind = DeviceKind::kCpu;
  int index = 0;

  bool is_gpu() const { return kind == DeviceKind::kGpu; }
  bool operator==(const Device &other) const { return kind == other.kind && index == other.index; }
  bool operator!=(const Device &other) const { return !(*this == other); }
};

std::ostream &operator<<(std::ostream &out, Device device);

} // namespace hrm
