// Every kernel on random inputs against the CPU's: `op_test [OP...]`. A bare process, so that compute-sanitizer has
// nothing else to watch (npm run test:gpu); over simulated threads it is a test of its own (npm run test:simt). Exit 3
// where there is no device.
#include <cstdio>
#include <set>

#include "test/native/op_cases.h"

using namespace hrm;
using namespace hrm::test;

namespace {

std::string shapes_of(const OpCase &c) {
  std::ostringstream out;
  for (const Slot &slot : c.slots)
    for (const Dims &shape : slot.shapes)
      out << ' ' << shape;
  return out.str();
}

} // namespace

int main(int argc, char **argv) {
  const GpuState state = gpu_state();
  if (state.count == 0) {
    std::printf("no device: %s\n", state.missing.c_str());
    return 3;
  }
  std::set<std::string> only(argv + 1, argv + argc), seen;
  for (const std::string &name : only)
    entry_of(name);
  Machine machine;
  int failures = 0, ran = 0;
  for (const OpCase &c : op_cases()) {
    if (!only.empty() && only.count(c.op) == 0)
      continue;
    int dtypes = 0;
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      Results wanted;
      std::string failure;
      const bool narrow = dtype == DType::kBF16 && c.is_narrow_on_device;
      try {
        wanted = machine.on_cpu(c, narrow ? DType::kF32 : dtype);
      } catch (const Error &error) {
        // Not of this dtype: said by the op's rule.
        if (error.code() == Code::kDType)
          continue;
        failure = std::string("on the CPU: ") + error.what();
      }
      ++dtypes;
      if (failure.empty()) {
        try {
          failure = difference(c, dtype, machine.on_gpu(c, dtype), wanted);
        } catch (const Error &error) {
          failure = error.what();
        }
      }
      ++ran;
      if (!failure.empty()) {
        ++failures;
        std::printf("FAIL  %s of %s%s: %s\n", c.op, dtype_name(dtype), shapes_of(c).c_str(), failure.c_str());
        // What a device reports once it reports for ever.
        if (failures > 20)
          return 1;
      }
    }
    if (dtypes == 0) {
      ++failures;
      std::printf("FAIL  %s%s: ran in no dtype\n", c.op, shapes_of(c).c_str());
    }
    seen.insert(c.op);
  }
  for (const OpEntry &entry : op_registry())
    if (only.empty() && entry.gpu != nullptr && seen.count(entry.name) == 0) {
      ++failures;
      std::printf("FAIL  %s has a kernel and no case\n", entry.name);
    }
  std::printf("%zu ops, %d cases on %s, %d failed\n", seen.size(), ran, gpu_name(), failures);
  return failures == 0 ? 0 : 1;
}
