#include "cpu/parallel.h"

#include <system_error>

namespace hrm::cpu {

namespace {

/** Polls before a thread goes to sleep: about 150 microseconds, what is between two jobs of a training step. */
constexpr int kSpins = 6000;

thread_local int currentThread = 0;
thread_local bool insideTask = false;

inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  std::atomic_signal_fence(std::memory_order_seq_cst);
#endif
}

} // namespace

ThreadPool::ThreadPool(int nThreads) {
  const int nWorkers = nThreads > 1 ? nThreads - 1 : 0;
  shares_ = std::make_unique<Share[]>(static_cast<size_t>(nWorkers) + 1);
  workers_.reserve(static_cast<size_t>(nWorkers));
  try {
    for (int i = 1; i <= nWorkers; ++i)
      workers_.emplace_back([this, i] { worker_main(i); });
  } catch (const std::system_error &) {
    // The system refuses more threads: the pool works with those it got.
  }
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_.store(true);
  }
  wake_.notify_all();
  for (std::thread &worker : workers_)
    worker.join();
}

bool ThreadPool::inside_task() { return insideTask; }
int ThreadPool::current_thread() { return insideTask ? currentThread : 0; }

void ThreadPool::work(int thread) {
  const bool outerInside = insideTask;
  const int outerThread = currentThread;
  insideTask = true;
  currentThread = thread;
  const int n = nThreads();
  for (int i = 0; i < n; ++i) {
    Share &share = shares_[static_cast<size_t>((thread + i) % n)];
    while (share.next.load(std::memory_order_relaxed) < share.end) {
      const int64_t task = share.next.fetch_add(1);
      if (task >= share.end)
        break;
      try {
        invoke_(context_, task, thread);
      } catch (...) {
        std::lock_guard<std::mutex> lock(mutex_);
        if (!error_)
          error_ = std::current_exception();
        for (int j = 0; j < n; ++j)
          shares_[static_cast<size_t>(j)].next.store(shares_[static_cast<size_t>(j)].end);
      }
    }
  }
  insideTask = outerInside;
  currentThread = outerThread;
}

void ThreadPool::run(int64_t nTasks, Invoke invoke, void *context) {
  // No worker is inside and the last job is closed, so nobody reads these fields.
  const int n = nThreads();
  for (int i = 0; i < n; ++i) {
    shares_[static_cast<size_t>(i)].next.store(nTasks * i / n, std::memory_order_relaxed);
    shares_[static_cast<size_t>(i)].end = nTasks * (i + 1) / n;
  }
  invoke_ = invoke;
  context_ = context;
  const uint64_t job = (state_.load() & ~(kOpen | kInside)) + kJob;
  state_.store(job | kOpen);
  if (sleepers_.load() > 0) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
    }
    if (nTasks > 2)
      wake_.notify_all();
    else
      wake_.notify_one();
  }
  work(0);
  uint64_t state = state_.fetch_and(~kOpen) & ~kOpen;
  for (int spin = 0; (state & kInside) != 0 && spin < kSpins; ++spin) {
    relax();
    state = state_.load();
  }
  if ((state & kInside) != 0) {
    std::unique_lock<std::mutex> lock(mutex_);
    callerSleeps_.store(true);
    done_.wait(lock, [this] { return (state_.load() & kInside) == 0; });
    callerSleeps_.store(false);
  }
  if (error_) {
    std::exception_ptr error;
    std::swap(error, error_);
    std::rethrow_exception(error);
  }
}

/** Spins, then sleeps, until a job other than `seen` is open or the pool stops. */
uint64_t ThreadPool::wait_for_job(uint64_t seen) {
  const auto ready = [&](uint64_t state) { return (state & kOpen) != 0 && (state / kJob) != seen; };
  uint64_t state = state_.load();
  for (int spin = 0; spin < kSpins && !ready(state) && !stop_.load(std::memory_order_relaxed); ++spin) {
    relax();
    state = state_.load(std::memory_order_relaxed);
  }
  if (ready(state) || stop_.load())
    return state_.load();
  std::unique_lock<std::mutex> lock(mutex_);
  sleepers_.fetch_add(1);
  wake_.wait(lock, [&] { return stop_.load() || ready(state_.load()); });
  sleepers_.fetch_sub(1);
  return state_.load();
}

void ThreadPool::worker_main(int thread) {
  uint64_t seen = 0;
  while (!stop_.load()) {
    uint64_t state = wait_for_job(seen);
    // Enter only while the job is open: after it is closed the caller may already prepare the next one.
    bool entered = false;
    while ((state & kOpen) != 0 && state / kJob != seen &&
           !(entered = state_.compare_exchange_weak(state, state + 1))) {
    }
    if (!entered)
      continue;
    seen = state / kJob;
    work(thread);
    const uint64_t left = state_.fetch_sub(1) - 1;
    if ((left & (kOpen | kInside)) == 0 && callerSleeps_.load()) {
      {
        std::lock_guard<std::mutex> lock(mutex_);
      }
      done_.notify_one();
    }
  }
}

} // namespace hrm::cpu
