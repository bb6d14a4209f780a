#include "simt/block.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <sstream>
#include <stdexcept>

namespace hrm::simt {

namespace {

enum class State { kReady, kAtBarrier, kAtExchange, kEnded };

struct Copy {
  void *shared;
  std::vector<char> bytes;
};

struct Fault : std::runtime_error {
  using std::runtime_error::runtime_error;
};

} // namespace

struct Thread {
  Fiber fiber;
  Position position;
  State state = State::kReady;
  Site site{};
  const void *value = nullptr;
  void *result = nullptr;
  size_t n_bytes = 0;
  int source = 0;
  // cp.async groups that were committed and not waited for, oldest first, and the group being filled.
  std::deque<std::vector<Copy>> groups;
  std::vector<Copy> open;
};

namespace {

struct Block {
  std::vector<std::unique_ptr<Thread>> threads;
  std::vector<char> shared;
  size_t shared_bytes = 0;
  std::string failure;
  Body body = nullptr;
  void *kernel = nullptr;
};

// Fibers are expensive to make: one block's worth is kept.
thread_local Block block;
thread_local Thread *current = nullptr;
thread_local uint64_t order_seed = 0x9e3779b97f4a7c15u;

// Overwritten before every block, so that what is read before it is written is no number: NaN, or a large integer.
constexpr unsigned char kPoison = 0xff;
constexpr size_t kGuard = 64;

uint64_t next_random() {
  order_seed ^= order_seed << 13;
  order_seed ^= order_seed >> 7;
  order_seed ^= order_seed << 17;
  return order_seed;
}

std::string text(Site site) {
  std::ostringstream out;
  const char *slash = std::strrchr(site.file, '/');
  out << (slash ? slash + 1 : site.file) << ':' << site.line;
  return out.str();
}

std::string text(const Position &p) {
  std::ostringstream out;
  out << "thread (" << p.thread.x << ", " << p.thread.y << ", " << p.thread.z << ") of block (" << p.block.x << ", "
      << p.block.y << ", " << p.block.z << ')';
  return out.str();
}

void run_thread(void *) {
  try {
    block.body(block.kernel);
    if (!current->open.empty() || !current->groups.empty())
      throw Fault("asynchronous copies were started and never waited for");
  } catch (const std::exception &error) {
    if (block.failure.empty())
      block.failure = std::string(error.what()) + ", in " + text(current->position);
  }
  current->state = State::kEnded;
}

void meet(State state, Site site) {
  current->state = state;
  current->site = site;
  ++counts().meetings;
  Fiber::yield();
  if (!block.failure.empty())
    throw Fault("the block has failed");
}

bool same(Site a, Site b) { return a.line == b.line && std::strcmp(a.file, b.file) == 0; }

void fail_meeting(const Thread &here, const Thread &there, const char *what) {
  std::string other = there.state == State::kEnded ? "has ended" : "waits at " + text(there.site);
  block.failure = std::string(what) + " at " + text(here.site) + ": " + text(here.position) + " is there, " +
                  text(there.position) + " " + other;
}

// Everybody waits or has ended: lets those go on that have met.
void release() {
  auto &threads = block.threads;
  const size_t n = threads.size();
  bool progress = false;
  // Exchanges first, warp by warp: a warp may go on while the others wait at the barrier.
  for (size_t first = 0; first < n; first += kWarp) {
    const size_t last = std::min(n, first + kWarp);
    const auto begin = threads.begin() + static_cast<std::ptrdiff_t>(first),
               end = threads.begin() + static_cast<std::ptrdiff_t>(last);
    const auto at = std::find_if(begin, end, [](const auto &t) { return t->state == State::kAtExchange; });
    if (at == end)
      continue;
    for (auto it = begin; it != end; ++it)
      if ((*it)->state != State::kAtExchange || !same((*it)->site, (*at)->site))
        return fail_meeting(**at, **it, "divergence in a warp");
    // Not every warp goes on at once: they drift apart as on a device, and a barrier missing between them shows.
    if (progress && next_random() % 2 == 0)
      continue;
    if (last - first < static_cast<size_t>(kWarp))
      return fail_meeting(**at, **at, "an exchange in a warp that has not 32 threads");
    for (size_t i = first; i < last; ++i) {
      Thread &t = *threads[i];
      if (t.n_bytes == 0)
        continue;
      const Thread &source = *threads[first + static_cast<size_t>(t.source & (kWarp - 1))];
      std::memcpy(t.result, source.value, t.n_bytes);
    }
    for (size_t i = first; i < last; ++i)
      threads[i]->state = State::kReady;
    progress = true;
  }
  if (progress)
    return;
  const auto at =
      std::find_if(threads.begin(), threads.end(), [](const auto &t) { return t->state == State::kAtBarrier; });
  if (at == threads.end())
    return;
  for (const auto &t : threads)
    if (t->state != State::kAtBarrier || !same(t->site, (*at)->site))
      return fail_meeting(**at, *t, "divergence at a barrier");
  for (const auto &t : threads)
    t->state = State::kReady;
}

bool guard_is_whole() {
  return std::all_of(block.shared.end() - kGuard, block.shared.end(),
                     [](char c) { return static_cast<unsigned char>(c) == kPoison; });
}

void run_block(Dim3 index, Dim3 grid, Dim3 dim, size_t bytes) {
  const size_t n = static_cast<size_t>(dim.count());
  while (block.threads.size() < n)
    block.threads.push_back(std::make_unique<Thread>());
  block.threads.resize(n);
  block.shared_bytes = bytes;
  block.shared.assign(bytes + kGuard, static_cast<char>(kPoison));
  ++counts().blocks;
  std::vector<size_t> order(n);
  for (size_t i = 0; i < n; ++i) {
    order[i] = i;
    Thread &t = *block.threads[i];
    const unsigned u = static_cast<unsigned>(i);
    t.position = {Dim3(u % dim.x, u / dim.x % dim.y, u / dim.x / dim.y), index, dim, grid};
    t.state = State::kReady;
    t.groups.clear();
    t.open.clear();
    t.fiber.start(run_thread, nullptr);
  }
  for (size_t alive = n; alive > 0;) {
    for (size_t i = n - 1; i > 0; --i)
      std::swap(order[i], order[next_random() % (i + 1)]);
    bool ran = false;
    for (size_t i : order) {
      Thread &t = *block.threads[i];
      if (t.state != State::kReady)
        continue;
      ran = true;
      current = &t;
      if (!t.fiber.resume())
        --alive;
      current = nullptr;
    }
    if (!ran && alive > 0) {
      if (block.failure.empty())
        release();
      // Those that wait go on into the failure, so that every stack unwinds.
      if (!block.failure.empty())
        for (const auto &t : block.threads)
          if (t->state != State::kEnded)
            t->state = State::kReady;
    }
  }
  if (block.failure.empty() && !guard_is_whole())
    block.failure = "a write beyond the end of shared memory";
}

} // namespace

Counts &counts() {
  static thread_local Counts total;
  return total;
}

const Position &position() { return current->position; }
void *shared_memory() { return block.shared.data(); }
size_t shared_bytes() { return block.shared_bytes; }
int lane() {
  const Position &p = current->position;
  return static_cast<int>((p.thread.x + p.block_dim.x * (p.thread.y + p.block_dim.y * p.thread.z)) % kWarp);
}

void sync_block(Site site) { meet(State::kAtBarrier, site); }

void exchange(const void *value, void *result, size_t n_bytes, int source, Site site) {
  current->value = value;
  current->result = result;
  current->n_bytes = n_bytes;
  current->source = source;
  meet(State::kAtExchange, site);
}
void sync_warp(Site site) { exchange(nullptr, nullptr, 0, 0, site); }

void copy_async(void *shared, const void *global, size_t n_bytes) {
  const char *from = static_cast<const char *>(global);
  current->open.push_back({shared, std::vector<char>(from, from + n_bytes)});
}
void commit_copies() { current->groups.push_back(std::move(current->open)), current->open.clear(); }
void wait_copies(int n_pending, Site) {
  while (current->groups.size() > static_cast<size_t>(n_pending)) {
    for (const Copy &copy : current->groups.front())
      std::memcpy(copy.shared, copy.bytes.data(), copy.bytes.size());
    current->groups.pop_front();
  }
}

void fault(const std::string &what) { throw Fault(what); }

std::string run_grid(Dim3 grid, Dim3 dim, size_t bytes, Body body, void *kernel) {
  block.failure.clear();
  block.body = body;
  block.kernel = kernel;
  for (unsigned z = 0; z < grid.z; ++z)
    for (unsigned y = 0; y < grid.y; ++y)
      for (unsigned x = 0; x < grid.x; ++x) {
        run_block(Dim3(x, y, z), grid, dim, bytes);
        if (!block.failure.empty())
          return block.failure;
      }
  return {};
}

} // namespace hrm::simt
