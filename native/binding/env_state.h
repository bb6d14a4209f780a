#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "binding/napi.h"

#include "core/context.h"
#include "core/cpu_limits.h"
#include "ops/registry.h"

namespace hrm::binding {

// Tensors are known to JavaScript by a number: slot + generation * 2^26. A number costs a tenth of an unwrapped object,
// and the generation turns any stale or invented number into a DisposedError instead of a wild pointer.
class HandleTable {
public:
  static constexpr int kSlotBits = 26;

  uint64_t insert(Tensor tensor) {
    uint32_t slot;
    if (free_.empty()) {
      if (slots_.size() >> kSlotBits)
        fail(Code::kOutOfMemory, "at most ", slots_.size(),
             " tensors can live at once, and as many do; dispose() some");
      slot = static_cast<uint32_t>(slots_.size());
      slots_.emplace_back();
    } else {
      slot = free_.back();
      free_.pop_back();
    }
    Slot &s = slots_[slot];
    s.tensor = std::move(tensor);
    s.used = true;
    ++count_;
    return (static_cast<uint64_t>(s.generation) << kSlotBits) | slot;
  }
  const Tensor *find(uint64_t id) const {
    const uint64_t slot = id & ((uint64_t{1} << kSlotBits) - 1);
    if (slot >= slots_.size())
      return nullptr;
    const Slot &s = slots_[slot];
    return s.used && s.generation == id >> kSlotBits ? &s.tensor : nullptr;
  }
  // False when it was released already: dispose() twice, or dispose() and then the finalizer.
  bool erase(uint64_t id) {
    if (find(id) == nullptr)
      return false;
    const uint32_t slot = static_cast<uint32_t>(id & ((uint64_t{1} << kSlotBits) - 1));
    Slot &s = slots_[slot];
    s.tensor = Tensor{};
    s.used = false;
    s.generation = (s.generation + 1) & ((uint32_t{1} << 27) - 1);
    free_.push_back(slot);
    --count_;
    return true;
  }
  // Every tensor in the memory of one allocator.
  void erase_all(const Allocator &allocator) {
    for (size_t slot = 0; slot < slots_.size(); ++slot)
      if (slots_[slot].used && &slots_[slot].tensor.storage->allocator() == &allocator)
        erase((static_cast<uint64_t>(slots_[slot].generation) << kSlotBits) | slot);
  }
  size_t count() const { return count_; }

private:
  struct Slot {
    Tensor tensor;
    uint32_t generation = 0;
    bool used = false;
  };
  std::deque<Slot> slots_;
  std::vector<uint32_t> free_;
  size_t count_ = 0;
};

struct EnvState;
enum class OpMode { kNew, kInPlace, kView };

// The data of one JavaScript function that runs one op in one mode.
struct OpFunction {
  EnvState *state;
  const OpEntry *op = nullptr;
  const ViewEntry *view = nullptr;
  OpMode mode = OpMode::kNew;
};

// The one thing environments share: how many of them there are, so that they do not all start a thread per core.
inline std::atomic<int> live_environments{0};

// Where a tensor lies in its storage: the elements first..last, those between its own included.
struct Span {
  const Storage *storage;
  int64_t first, last;
};

// A read that was ordered and that nobody has waited for yet: on its way from an accelerator, or copied already.
struct OrderedRead {
  // Shape and dtype, without storage.
  Tensor meta;
  std::unique_ptr<Download> download;
  std::vector<char> bytes;
};

// Everything of one environment (main thread or worker). Deleted by the instance-data finalizer, which Node runs after
// the finalizers of all objects of the environment.
struct EnvState {
  EnvState(size_t memory_limit, const CpuLimits &limits)
      : cpus(limits), context(memory_limit, limits.threads()), environments(1) {
    share_threads();
  }

  // Until setNumThreads, an environment's threads are its part of the process's: checked before every op, because other
  // environments come and go. Results do not depend on it.
  void share_threads() {
    const int n = live_environments.load(std::memory_order_relaxed);
    if (n == environments)
      return;
    environments = n;
    const int n_threads = std::max(1, cpus.threads() / std::max(1, n));
    if (default_threads && n_threads != context.pool->nThreads())
      context.set_threads(n_threads);
  }

  const CpuLimits cpus;
  Context context;
  // Among how many environments the threads are divided.
  int environments;
  bool default_threads = true;
  HandleTable handles;
  // Captured graphs by number. Numbers do not come again.
  std::unordered_map<uint64_t, std::unique_ptr<Graph>> graphs;
  uint64_t n_graphs = 0;
  std::unordered_map<uint64_t, OrderedRead> reads;
  uint64_t n_reads = 0;
  // Reused by every op call: no allocation on the op path.
  Args args;
  std::deque<Tensor> temporaries;
  std::vector<Tensor> outputs;
  std::vector<Span> written;
  std::deque<OpFunction> functions;
  // What V8 has been told of native memory. Telling it costs more than an add, so it is told in steps.
  int64_t reported_bytes = 0;

  void report_memory(node_api_basic_env env) {
    size_t live = context.allocator.live();
    for (const std::unique_ptr<Gpu> &gpu : context.gpus)
      live += gpu ? gpu->memory().live() : 0;
    const int64_t total_bytes = static_cast<int64_t>(live) + static_cast<int64_t>(handles.count()) * kHandleBytes;
    const int64_t delta = total_bytes - reported_bytes;
    if (delta > kReportStep || delta < -kReportStep) {
      // Before the call: it may collect, and the finalizers that run in it report too. Seeing the old figure they would
      // report the same growth again, which starts a collection inside a collection: V8 aborts.
      reported_bytes = total_bytes;
      int64_t total;
      napi_adjust_external_memory(env, delta, &total);
    }
  }

private:
  static constexpr int64_t kReportStep = 256 << 10;
  // A handle's slot, storage, weak reference and JavaScript objects: without it small tensors would never press the
  // collector to run.
  static constexpr int64_t kHandleBytes = 1024;
};

} // namespace hrm::binding
