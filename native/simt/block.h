#pragma once
// A block of a grid, simulated: one fiber for every thread, in an order drawn anew for every block. Threads run until
// they meet: at a barrier of the block, or at an exchange of their warp. A meeting checks that everybody came, and to
// the same place in the source; that is how a missing or divergent barrier shows.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "simt/fiber.h"

namespace hrm::simt {

struct Dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr Dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
  int64_t count() const { return int64_t{x} * y * z; }
};

constexpr int kWarp = 32;

// A line of the source. Meetings of one block must be called from one line.
struct Site {
  const char *file;
  int line;
};

struct Thread;

// What a kernel sees of its position; set while its fiber runs.
struct Position {
  Dim3 thread, block, block_dim, grid_dim;
};
const Position &position();

// All threads of the block.
void sync_block(Site site);
// All 32 threads of the warp: every one puts in `value`, and gets that of lane `source`.
void exchange(const void *value, void *result, size_t n_bytes, int source, Site site);
// The lanes of a warp see each other's writes after this.
void sync_warp(Site site);
// Copies at the next wait, not before: what reads without waiting sees what was there.
void copy_async(void *shared, const void *global, size_t n_bytes);
void commit_copies();
void wait_copies(int n_pending, Site site);
void *shared_memory();
size_t shared_bytes();
int lane();

[[noreturn]] void fault(const std::string &what);

using Body = void (*)(void *kernel);

// Runs every block of a grid. Returns what went wrong, empty if nothing did.
std::string run_grid(Dim3 grid, Dim3 block, size_t shared_bytes, Body body, void *kernel);

// How many threads, blocks, barriers and exchanges ran so far in this process: for tests.
struct Counts {
  int64_t blocks = 0, meetings = 0;
};
Counts &counts();

} // namespace hrm::simt
