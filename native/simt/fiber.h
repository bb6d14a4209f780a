#pragma once
// Threads of control that one CPU thread switches between: one for every thread of a simulated block.
#include <cstddef>
#include <memory>

namespace hrm::simt {

class Fiber {
public:
  struct State;
  Fiber();
  ~Fiber();
  Fiber(const Fiber &) = delete;
  Fiber &operator=(const Fiber &) = delete;

  // Takes a new body; the one before must have ended.
  void start(void (*body)(void *), void *argument);
  // Runs the body until it yields or ends. False: it has ended.
  bool resume();
  // From inside a body: back to resume().
  static void yield();

private:
  std::unique_ptr<State> state_;
};

} // namespace hrm::simt
