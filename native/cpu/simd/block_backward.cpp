// Gradient of one level: groups of sequences, blocks from the last to the first, first the activations (a thread takes
// whole sequences), then the weights as products over the group's tokens. Groups depend on the shape alone.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#include "cpu/block.h"
#include "cpu/gemm.h"
#include "cpu/parallel.h"
#include "cpu/simd/begin.h"

#include "cpu/simd/vec.h"

#include "cpu/simd/math.h"
#include "cpu/simd/pack.h"

#include "cpu/simd/gemm_kernel.h"
#include "cpu/simd/row_kernels.h"

#include "cpu/simd/attention_head.h"

#include "cpu/simd/attention_head_backward.h"
#include "cpu/simd/block_forward.h"

#include "cpu/simd/block_backward.h"
#include "cpu/simd/token_groups.h"

namespace hrm::cpu::HRM_ISA {
namespace {

template <class T> struct SequenceScratch {
  T *packed, *dAttention;

  SequenceScratch(const BlockShape<T> &s, Carver<T> &carver) {
    const int64_t longest = std::max(longest_sum_part<T>(2 * s.inner), longest_sum_part<T>(3 * s.hidden));
    packed = carver.take(s.seqLen * std::max(s.hidden, longest));
    dAttention = carver.take(s.seqLen * s.hidden);
  }
};

template <class T> size_t product_bytes(const BlockShape<T> &s, int64_t tokens, int nThreads) {
  const T *type = nullptr;
  const int64_t D = s.hidden, F = s.inner;
  return std::max(std::max(gemm_workspace_bytes_of(D, F, tokens, nThreads, type),
                           gemm_workspace_bytes_of(2 * F, D, tokens, nThreads, type)),
                  std::max(gemm_workspace_bytes_of(D, D, tokens, nThreads, type),
                           gemm_workspace_bytes_of(3 * D, D, tokens, nThreads, type)));
}

template <class T> struct BackwardScratch {
  int64_t group;
  TokenGradients<T> tokens;
  std::vector<SequenceScratch<T>> sequence;
  std::vector<AttentionBackwardScratch<T>> attention;
  PackedBlockTransposed<T> weights; // of the block in work: every weight is used once in a backward pass
  T *product;

  BackwardScratch(const BlockShape<T> &s, int64_t batch, int nThreads, Carver<T> &carver)
      : group(group_size(std::max<int64_t>(s.seqLen, 1), batch)) {
    const int64_t n = group * s.seqLen, D = s.hidden, F = s.inner;
    tokens = {carver.take(n * D), carver.take(n * F), carver.take(n * 2 * F), carver.take(n * D),
              carver.take(n * 3 * D)};
    const T *type = nullptr;
    const auto packed = [&](int64_t rows, int64_t k) {
      return carver.take(static_cast<int64_t>(packed_elements_of(rows, k, type)));
    };
    weights = {packed(D, 3 * D), packed(D, D), packed(D, 2 * F), packed(F, D)};
    for (int i = 0; i < nThreads; ++i) {
      sequence.emplace_back(s, carver);
      attention.emplace_back(s, carver);
    }
    // The last group may be smaller, and a smaller product may want more scratch than a larger one.
    size_t bytes = product_bytes(s, n, nThreads);
    if (group > 0 && batch % group != 0)
      bytes = std::max(bytes, product_bytes(s, batch % group * s.seqLen, nThreads));
    product = carver.take(static_cast<int64_t>(bytes / sizeof(T)) + 1);
  }
};

template <class T> size_t workspace_bytes(const BlockShape<T> &s, int64_t batch, int nThreads) {
  Carver<T> carver(nullptr);
  const BackwardScratch<T> scratch(s, batch, nThreads, carver);
  return static_cast<size_t>(carver.used()) * sizeof(T);
}

template <class T>
void pack_transposed_block(ThreadPool &pool, const BlockShape<T> &s, const PlainBlock<T> &w,
                           const PackedBlockTransposed<T> &packed) {
  const int64_t D = s.hidden, F = s.inner;
  const auto pack = [&](int64_t rows, int64_t cols, const T *weight, T *to) {
    pack_matrix_of(pool, cols, rows, row_major(weight, cols).transposed(), PackOrder::kPlain, to);
  };
  pack(3 * D, D, w.qkv, packed.qkv);
  pack(D, D, w.o, packed.o);
  pack(2 * F, D, w.gateUp, packed.gateUp);
  pack(D, F, w.down, packed.down);
}

template <class T> void run(ThreadPool &pool, const LevelBackwardArgs<T> &args, void *workspace) {
  const BlockShape<T> &s = args.shape;
  const int64_t S = s.seqLen, D = s.hidden, F = s.inner, SD = S * D;
  Carver<T> carver(static_cast<T *>(workspace));
  const BackwardScratch<T> scratch(s, args.batch, pool.nThreads(), carver);
  const TokenGradients<T> &g = scratch.tokens;
  for (int64_t first = 0; first < args.batch || first == 0; first += std::max<int64_t>(scratch.group, 1)) {
    const int64_t count = std::min(scratch.group, args.batch - first), tokens = count * S;
    for (int64_t i = args.nLayers - 1; i >= 0; --i) {
      const SavedBlock<T> &k = args.saved[i];
      const T *y = i + 1 < args.nLayers ? args.saved[i + 1].input : args.y;
      const T *dy = i + 1 < args.nLayers ? args.dInput : args.dy;
      const T *input = i > 0 ? k.input : args.input;
      pack_transposed_block(pool, s, args.layers[i], scratch.weights);
      if (tokens > 0)
        for_sequences(pool, count, [&](const Crew &crew, int64_t c, int slot) {
          const SequenceScratch<T> &own = scratch.sequence[static_cast<size_t>(slot)];
          const int64_t b = first + c;
          const TokenGradients<T> mine{g.t2 + c * SD, g.inner + c * S * F, g.gateUp + c * S * 2 * F, g.t1 + c * SD,
                                       g.qkv + c * 3 * SD};
          block_backward(crew, s, scratch.weights,
                         BlockBackwardBuffers<T>{k.qkv + b * 3 * SD, k.attention + b * SD,
                                                 k.logSumExp + b * s.nHeads * S, k.y1 + b * SD, k.r1 + b * S,
                                                 k.gateUp + b * S * 2 * F, k.r2 + b * S, y + b * SD, dy + b * SD,
                                                 args.dInput + b * SD, mine, own.packed, own.dAttention},
                         scratch.attention.data());
        });
      const BlockGradients<T> &dW = args.gradients[i];
      const bool accumulate = first > 0;
      const int64_t at = first * SD;
      weight_gradient(pool, D, F, tokens, g.t2, g.inner, dW.down, accumulate, scratch.product);
      weight_gradient(pool, 2 * F, D, tokens, g.gateUp, k.y1 + at, dW.gateUp, accumulate, scratch.product);
      weight_gradient(pool, D, D, tokens, g.t1, k.attention + at, dW.o, accumulate, scratch.product);
      weight_gradient(pool, 3 * D, D, tokens, g.qkv, input + at, dW.qkv, accumulate, scratch.product);
    }
  }
  if (args.nLayers == 0)
    std::copy_n(args.dy, args.batch * SD, args.dInput);
}

} // namespace

size_t level_backward_workspace_bytes_of(const BlockShape<float> &shape, int64_t batch, int nThreads) {
  return workspace_bytes(shape, batch, nThreads);
}
void run_level_backward_of(ThreadPool &pool, const LevelBackwardArgs<float> &args, void *workspace) {
  run(pool, args, workspace);
}

#if HRM_HAS_F64
size_t level_backward_workspace_bytes_of(const BlockShape<double> &shape, int64_t batch, int nThreads) {
  return workspace_bytes(shape, batch, nThreads);
}
void run_level_backward_of(ThreadPool &pool, const LevelBackwardArgs<double> &args, void *workspace) {
  run(pool, args, workspace);
}
#endif

} // namespace hrm::cpu::HRM_ISA

#include "cpu/simd/end.h"
