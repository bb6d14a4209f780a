// Linked with every kernel and without N-API: a registered op whose kernel is missing fails this build (see
// CMakeLists).
#include <cstdio>

#include "ops/registry.h"

int main() {
  std::printf("%zu ops, %zu views\n", hrm::op_registry().size(), hrm::view_registry().size());
  return 0;
}
