// The simulation must catch a fault in a kernel of ours: every plant is run on the cases of its op, and its results are
// compared with those of the sound kernel.
#include <cstdio>

#include "simt/runtime.h"
#include "test/native/op_cases.h"
#include "test/native/plants.h"

using namespace hrm;
using namespace hrm::test;

int main() {
  Machine machine;
  int failures = 0, faulty = 0;
  for (const Plant &plant : plants()) {
    std::string caught;
    int ran = 0;
    for (const OpCase &c : op_cases()) {
      if (c.op != std::string(plant.op) || !caught.empty())
        continue;
      ++ran;
      const Results wanted = machine.on_gpu(c, DType::kF32);
      try {
        const Results found = machine.on_gpu(c, DType::kF32, &plant.kernel);
        for (size_t i = 0; i < wanted.size() && caught.empty(); ++i)
          if (const double error = error_of(found[i].values, wanted[i].values); error != 0)
            caught = "results differ by " + std::to_string(error);
      } catch (const Error &error) {
        caught = error.what();
        simt::clear_failure();
      }
    }
    const bool right = ran > 0 && caught.empty() != plant.is_faulty;
    faulty += plant.is_faulty ? 1 : 0;
    failures += right ? 0 : 1;
    std::printf("%s  %s in %s: %s\n", right ? "ok  " : "FAIL", plant.name, plant.op,
                caught.empty() ? "nothing found" : caught.c_str());
  }
  std::printf("%d planted faults, %d failed\n", faulty, failures);
  return failures == 0 && faulty > 0 ? 0 : 1;
}
