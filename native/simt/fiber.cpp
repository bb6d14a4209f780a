#include "simt/fiber.h"

#include <cstdint>
#include <cstdlib>
#include <sys/mman.h>
#include <ucontext.h>

namespace hrm::simt {

namespace {
constexpr size_t kStackBytes = 256 << 10;
}

#if defined(__x86_64__)
// swapcontext asks the kernel for the signal mask each time, a thousand times the price of the switch itself.
extern "C" void hrm_simt_switch(void **from, void *to);
__asm__(R"(
.text
.globl hrm_simt_switch
.hidden hrm_simt_switch
.type hrm_simt_switch,@function
hrm_simt_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size hrm_simt_switch,.-hrm_simt_switch
)");
#endif

struct Fiber::State {
  void *stack = nullptr;
  void (*body)(void *) = nullptr;
  void *argument = nullptr;
  bool ended = true;
#if defined(__x86_64__)
  void *own = nullptr, *caller = nullptr;
#else
  ucontext_t own, caller;
#endif
};

namespace {
thread_local Fiber::State *running = nullptr;
}

#if defined(__x86_64__)
[[noreturn]] static void enter() {
  Fiber::State *state = running;
  state->body(state->argument);
  state->ended = true;
  hrm_simt_switch(&state->own, state->caller);
  std::abort();
}
#else
static void enter() {
  Fiber::State *state = running;
  state->body(state->argument);
  state->ended = true;
  swapcontext(&state->own, &state->caller);
}
#endif

Fiber::Fiber() : state_(std::make_unique<State>()) {
  state_->stack =
      mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (state_->stack == MAP_FAILED)
    throw std::bad_alloc();
}

Fiber::~Fiber() { munmap(state_->stack, kStackBytes); }

void Fiber::start(void (*body)(void *), void *argument) {
  State &s = *state_;
  s.body = body;
  s.argument = argument;
  s.ended = false;
#if defined(__x86_64__)
  // What the switch pops: six registers, then the address it returns to. One word more, so that the stack is aligned as
  // after a call.
  void **top = reinterpret_cast<void **>(static_cast<char *>(s.stack) + kStackBytes) - 1;
  *--top = reinterpret_cast<void *>(&enter);
  for (int i = 0; i < 6; ++i)
    *--top = nullptr;
  s.own = top;
#else
  getcontext(&s.own);
  s.own.uc_stack.ss_sp = s.stack;
  s.own.uc_stack.ss_size = kStackBytes;
  s.own.uc_link = nullptr;
  makecontext(&s.own, enter, 0);
#endif
}

bool Fiber::resume() {
  State *before = running;
  running = state_.get();
#if defined(__x86_64__)
  hrm_simt_switch(&state_->caller, state_->own);
#else
  swapcontext(&state_->caller, &state_->own);
#endif
  running = before;
  return !state_->ended;
}

void Fiber::yield() {
  State *state = running;
#if defined(__x86_64__)
  hrm_simt_switch(&state->own, state->caller);
#else
  swapcontext(&state->own, &state->caller);
#endif
}

} // namespace hrm::simt
