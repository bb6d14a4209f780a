// The pool of worker threads of one environment.
#ifndef HRM_CPU_PARALLEL_H_
#define HRM_CPU_PARALLEL_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace hrm::cpu {

/**
 * Runs the tasks of one parallel_for at a time, on the calling thread and nThreads() - 1 workers.
 *
 * Every thread claims the tasks of its own contiguous share one by one, so that what a repeated job touches stays in
 * the caches of one core, then helps with the others' shares. The caller never waits for a worker that has not claimed
 * a task: on a busy machine, where a worker may not be scheduled for milliseconds, the caller does the work itself.
 * Workers spin for some hundred microseconds after a job, then sleep. One thread at a time may call parallel_for.
 */
class ThreadPool {
public:
  /** nThreads >= 1, the calling thread included. */
  explicit ThreadPool(int nThreads);
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  int nThreads() const { return static_cast<int>(workers_.size()) + 1; }

  /**
   * Calls fn(task, thread) for every task in [0, nTasks), in any order, thread in [0, nThreads()), and returns when all
   * are done. At any instant at most one task runs under a given thread number, so scratch may be indexed by it. The
   * first exception is rethrown here, after the running tasks have ended; tasks not yet begun are then dropped. From
   * within a task it runs inline, under the caller's thread number. Results must not depend on the thread number.
   */
  template <class F> void parallel_for(int64_t nTasks, F &&fn) {
    if (nTasks <= 0)
      return;
    if (nTasks == 1 || workers_.empty() || inside_task()) {
      const int thread = current_thread();
      for (int64_t task = 0; task < nTasks; ++task)
        fn(task, thread);
      return;
    }
    using Fn = std::remove_reference_t<F>;
    run(
        nTasks, [](void *context, int64_t task, int thread) { (*static_cast<Fn *>(context))(task, thread); },
        const_cast<void *>(static_cast<const void *>(&fn)));
  }

private:
  using Invoke = void (*)(void *context, int64_t task, int thread);

  static bool inside_task();
  static int current_thread();
  void run(int64_t nTasks, Invoke invoke, void *context);
  void work(int thread);
  void worker_main(int thread);
  uint64_t wait_for_job(uint64_t seen);

  // state_: job number << 33 | open << 32 | workers inside.
  static constexpr uint64_t kOpen = uint64_t{1} << 32;
  static constexpr uint64_t kInside = kOpen - 1;
  static constexpr uint64_t kJob = uint64_t{1} << 33;

  /** Tasks [next, end) of one thread's share are unclaimed. */
  struct alignas(64) Share {
    std::atomic<int64_t> next{0};
    int64_t end = 0;
  };

  alignas(64) std::atomic<uint64_t> state_{0};
  alignas(64) std::atomic<int> sleepers_{0};
  std::atomic<bool> callerSleeps_{false};
  std::atomic<bool> stop_{false};
  std::unique_ptr<Share[]> shares_;
  Invoke invoke_ = nullptr;
  void *context_ = nullptr;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  std::exception_ptr error_;
  std::vector<std::thread> workers_;
};

} // namespace hrm::cpu

#endif // HRM_CPU_PARALLEL_H_
