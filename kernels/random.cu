// Random numbers: those of the CPU, from the state of the generator on the device, which a last small kernel moves on:
// every block of the first reads it. 10 rounds of Philox and what the distribution costs a block of 2 or 4 numbers;
// each is written once. uniform and random_integers are bound by integer work, the normal ones by their double
// arithmetic.
#include "ops/random.h"

#include <algorithm>

#include "core/carver.h"
#include "device/launch.h"
#include "device/walk.h"
#include "numerics/random.h"

namespace hrm {

namespace device {

namespace {

__device__ inline numerics::GeneratorState state_of(In<int32_t> state) {
  using numerics::GeneratorState;
  return {GeneratorState::joined(state[0], state[1]), GeneratorState::joined(state[2], state[3])};
}

__device__ inline void advance(InOut<int32_t> state, int64_t n_blocks) {
  using numerics::GeneratorState;
  const GeneratorState before{0, GeneratorState::joined(state[2], state[3])};
  int32_t low, high;
  before.counter_after(n_blocks, low, high);
  state.set(2, low);
  state.set(3, high);
}

__global__ void advance_kernel(InOut<int32_t> state, int64_t n_blocks) { advance(state, n_blocks); }

// A thread makes the N numbers of a block of Philox.
template <int N, class T, class Distribution>
__global__ void draw_kernel(Out<T> y, In<int32_t> state, Distribution distribution, int64_t n) {
  const numerics::GeneratorState generator = state_of(state);
  const int64_t step = int64_t{n_blocks()} * n_threads();
  for (int64_t block = int64_t{block_x()} * n_threads() + thread_x(); block * N < n; block += step) {
    uint32_t words[4];
    generator.words(block, words);
    Vec<T, N> numbers;
    distribution(words, numbers.values);
    if (block * N + N <= n)
      y.template store<N>(block * N, numbers);
    else
      for (int i = 0; block * N + i < n; ++i)
        y.set(block * N + i, numbers[i]);
  }
}

template <int N, class T, class Distribution> void draw(Call &call, const Distribution &distribution) {
  const Tensor &state = call.in[0], &y = call.out[0];
  const int64_t n = y.size(), n_blocks = (n + N - 1) / N;
  if (n == 0)
    return;
  launch(call, &draw_kernel<N, T, Distribution>, {blocks_for(n_blocks, kThreads), kThreads}, out<T>(y),
         in<int32_t>(state), distribution, n);
  launch(call, &advance_kernel, {1, 1}, in_out<int32_t>(state), n_blocks);
}
template <class Distribution> void draw_float(Call &call, const Distribution &distribution) {
  dispatch_device_float(call.out[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    draw<numerics::kNumbersPerBlock<T>, T>(call, distribution);
  });
}

// ---- random_permutation: a bitonic sort (Batcher, 1968) of (key, index), in tiles
// ------------------------------------

// Items of a tile in shared memory: 24 KiB. n items are sorted as the next power of two, what is behind them last.
// About log2(n / kTile)^2 / 2 passes over the memory, each reads and writes 12 bytes an item.
constexpr int kTile = 2048, kSortThreads = 512;

// The CPU sorts by key, equal keys by index: no two items are equal, so that the order is one.
HRM_HD bool is_after(uint64_t key_a, uint32_t index_a, uint64_t key_b, uint32_t index_b) {
  return key_a != key_b ? key_a > key_b : index_a > index_b;
}

template <int kTileItems> struct Tile {
  uint64_t *keys;
  uint32_t *indices;
  static constexpr size_t kBytes = kTileItems * (sizeof(uint64_t) + sizeof(uint32_t));

  __device__ static Tile shared() {
    uint64_t *keys = shared_memory<uint64_t>();
    return {keys, reinterpret_cast<uint32_t *>(keys + kTileItems)};
  }
  // Merges runs of `width`, of which the tile of n items at `base` is a part, from pairs `distance` apart on. A run
  // whose number is odd descends. Barriers before and after.
  __device__ void merge(int64_t base, int n, int64_t width, int distance) const {
    for (; distance > 0; distance /= 2) {
      sync_block();
      for (int t = thread_x(); t < n / 2; t += n_threads()) {
        const int a = 2 * t - (t & (distance - 1)), b = a + distance;
        const bool ascends = ((base + a) & width) == 0;
        if (is_after(keys[a], indices[a], keys[b], indices[b]) != ascends)
          continue;
        const uint64_t key = keys[a];
        const uint32_t index = indices[a];
        keys[a] = keys[b];
        indices[a] = indices[b];
        keys[b] = key;
        indices[b] = index;
      }
    }
    sync_block();
  }
};

// Draws the keys and leaves every tile sorted, every second one downwards.
template <int kTileItems>
__global__ void sort_tiles_kernel(Out<uint64_t> keys, Out<uint32_t> indices, In<int32_t> state, int64_t n,
                                  int tile_items, int64_t n_tiles) {
  const numerics::GeneratorState generator = state_of(state);
  const auto tile = Tile<kTileItems>::shared();
  for (int64_t number = block_x(); number < n_tiles; number += n_blocks()) {
    const int64_t base = number * tile_items;
    for (int t = thread_x(); t < tile_items; t += n_threads()) {
      uint32_t words[4];
      generator.words((base + t) / 2, words);
      tile.keys[t] = base + t < n ? numerics::sort_key(words, (base + t) % 2 != 0) : ~uint64_t{0};
      tile.indices[t] = static_cast<uint32_t>(base + t);
    }
    for (int width = 2; width <= tile_items; width *= 2)
      tile.merge(base, tile_items, width, width / 2);
    for (int t = thread_x(); t < tile_items; t += n_threads()) {
      keys.set(base + t, tile.keys[t]);
      indices.set(base + t, tile.indices[t]);
    }
    sync_block();
  }
}

// Pairs farther apart than a tile.
__global__ void merge_far_kernel(InOut<uint64_t> keys, InOut<uint32_t> indices, int64_t n_pairs, int64_t width,
                                 int64_t distance) {
  const int64_t step = int64_t{n_blocks()} * n_threads();
  for (int64_t t = int64_t{block_x()} * n_threads() + thread_x(); t < n_pairs; t += step) {
    const int64_t a = 2 * t - (t & (distance - 1)), b = a + distance;
    const uint64_t key_a = keys[a], key_b = keys[b];
    const uint32_t index_a = indices[a], index_b = indices[b];
    if (is_after(key_a, index_a, key_b, index_b) != ((a & width) == 0))
      continue;
    keys.set(a, key_b);
    indices.set(a, index_b);
    keys.set(b, key_a);
    indices.set(b, index_a);
  }
}

// The rest of a merge, within tiles.
template <int kTileItems>
__global__ void merge_tiles_kernel(InOut<uint64_t> keys, InOut<uint32_t> indices, int64_t width, int64_t n_tiles) {
  const auto tile = Tile<kTileItems>::shared();
  for (int64_t number = block_x(); number < n_tiles; number += n_blocks()) {
    const int64_t base = number * kTileItems;
    for (int t = thread_x(); t < kTileItems; t += n_threads()) {
      tile.keys[t] = keys[base + t];
      tile.indices[t] = indices[base + t];
    }
    tile.merge(base, kTileItems, width, kTileItems / 2);
    for (int t = thread_x(); t < kTileItems; t += n_threads()) {
      keys.set(base + t, tile.keys[t]);
      indices.set(base + t, tile.indices[t]);
    }
    sync_block();
  }
}

// Nobody reads the state any more.
__global__ void order_kernel(Out<int32_t> y, In<uint32_t> indices, InOut<int32_t> state, int64_t n) {
  const int64_t step = int64_t{n_blocks()} * n_threads();
  for (int64_t i = int64_t{block_x()} * n_threads() + thread_x(); i < n; i += step)
    y.set(i, static_cast<int32_t>(indices[i]));
  if (block_x() == 0 && thread_x() == 0)
    advance(state, (n + 1) / 2);
}

struct Items {
  int64_t size = 1;
  uint64_t *keys;
  uint32_t *indices;
  size_t bytes;
  Items(int64_t n, void *base) {
    while (size < n)
      size *= 2;
    WorkspaceCarver carver(base);
    keys = carver.take<uint64_t>(size);
    indices = carver.take<uint32_t>(size);
    bytes = carver.bytes();
  }
};

void permute(Call &call, int64_t n) {
  const Tensor &state = call.in[0], &y = call.out[0];
  if (n == 0)
    return;
  const Items items(n, call.workspace);
  const int tile_items = static_cast<int>(std::min<int64_t>(kTile, items.size));
  const int64_t n_tiles = items.size / tile_items;
  const InOut<uint64_t> keys(items.keys, items.size);
  const InOut<uint32_t> indices(items.indices, items.size);
  const Grid tiles{blocks_for(n_tiles, 1), kSortThreads, Tile<kTile>::kBytes};
  launch(call, &sort_tiles_kernel<kTile>, tiles, Out<uint64_t>(items.keys, items.size),
         Out<uint32_t>(items.indices, items.size), in<int32_t>(state), n, tile_items, n_tiles);
  for (int64_t width = 2 * tile_items; width <= items.size; width *= 2) {
    for (int64_t distance = width / 2; distance >= tile_items; distance /= 2)
      launch(call, &merge_far_kernel, {blocks_for(items.size / 2, kThreads), kThreads}, keys, indices, items.size / 2,
             width, distance);
    launch(call, &merge_tiles_kernel<kTile>, tiles, keys, indices, width, n_tiles);
  }
  launch(call, &order_kernel, {blocks_for(n, kThreads), kThreads}, out<int32_t>(y),
         In<uint32_t>(items.indices, items.size), in_out<int32_t>(state), n);
}

} // namespace

} // namespace device

namespace cuda {

extern const GpuOp uniform = {[](Call &call) { device::draw_float(call, numerics::uniform{}); }};
extern const GpuOp normal = {[](Call &call) {
  const auto &attrs = call.attrs<ops::NormalAttrs>();
  device::draw_float(call, numerics::normal{attrs.mean, attrs.std});
}};
extern const GpuOp trunc_normal = {[](Call &call) {
  const auto &attrs = call.attrs<ops::NormalAttrs>();
  device::draw_float(call, numerics::trunc_normal{attrs.mean, attrs.std});
}};
extern const GpuOp random_integers = {[](Call &call) {
  const auto &attrs = call.attrs<ops::random_integers::Attrs>();
  device::draw<2, int32_t>(call, numerics::random_integers{attrs.low, static_cast<uint64_t>(attrs.high - attrs.low)});
}};
extern const GpuOp random_permutation = {
    [](Call &call) { device::permute(call, call.attrs<ops::random_permutation::Attrs>().n); },
    [](const Args &, const void *attrs) {
      return device::Items(static_cast<const ops::random_permutation::Attrs *>(attrs)->n, nullptr).bytes;
    }};

} // namespace cuda

} // namespace hrm
