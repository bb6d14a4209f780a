// How products are shared out to threads. Include after begin.h.
#ifndef HRM_CPU_SIMD_GEMM_TASKS_H_
#define HRM_CPU_SIMD_GEMM_TASKS_H_

namespace hrm::cpu::HRM_ISA {

inline constexpr int64_t kInlineFlops = 1 << 16; // products smaller than this stay on one thread

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/** The pool, or the calling thread for what is too small. */
template <class F> void for_tasks(ThreadPool &pool, bool parallel, int64_t nTasks, F &&fn) {
  if (parallel) {
    pool.parallel_for(nTasks, fn);
    return;
  }
  for (int64_t task = 0; task < nTasks; ++task)
    fn(task, 0);
}

} // namespace hrm::cpu::HRM_ISA

#endif // HRM_CPU_SIMD_GEMM_TASKS_H_
