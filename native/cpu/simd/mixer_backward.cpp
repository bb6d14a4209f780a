// Gradient of one level of blocks with a SwiGLU over the sequence, as block_backward.cpp does it for attention.
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
#include "cpu/simd/mixer_forward.h"
#include "cpu/simd/token_groups.h"

#include "cpu/simd/mixer_backward.h"

namespace hrm::cpu::HRM_ISA {
namespace {

/** One of the two SwiGLUs of a block: what its weights' gradients need of a group of sequences. */
template <class T> struct GroupScratch {
  SwigluSize<T> size; // of one sequence
  SwigluTokens<T> tokens;
  PackedSwigluTransposed<T> weights;

  GroupScratch(const SwigluSize<T> &s, int64_t group, Carver<T> &carver) : size(s) {
    const int64_t rows = group * s.rows;
    tokens = {carver.take(rows * s.width), carver.take(rows * s.inner), carver.take(rows * 2 * s.inner)};
    const T *type = nullptr;
    weights = {carver.take(static_cast<int64_t>(packed_elements_of(s.width, 2 * s.inner, type))),
               carver.take(static_cast<int64_t>(packed_elements_of(s.inner, s.width, type)))};
  }
  size_t product_bytes(int64_t group, int nThreads) const {
    const T *type = nullptr;
    const int64_t rows = group * size.rows;
    return std::max(gemm_workspace_bytes_of(size.width, size.inner, rows, nThreads, type),
                    gemm_workspace_bytes_of(2 * size.inner, size.width, rows, nThreads, type));
  }
  /** The tokens of sequence c of the group. */
  SwigluTokens<T> of(int64_t c) const {
    const int64_t row = c * size.rows;
    return {tokens.sum + row * size.width, tokens.inner + row * size.inner, tokens.gateUp + row * 2 * size.inner};
  }
  void pack(ThreadPool &pool, const T *gateUp, const T *down) const {
    const int64_t N = size.width, F = size.inner;
    pack_matrix_of(pool, N, 2 * F, row_major(gateUp, N).transposed(), PackOrder::kPlain, weights.gateUp);
    pack_matrix_of(pool, F, N, row_major(down, F).transposed(), PackOrder::kPlain, weights.down);
  }
  /** x: [count * rows, width], the SwiGLU's input. */
  void weight_gradients(ThreadPool &pool, int64_t count, const T *x, T *dGateUp, T *dDown, bool accumulate,
                        T *product) const {
    const int64_t rows = count * size.rows, N = size.width, F = size.inner;
    weight_gradient(pool, N, F, rows, tokens.sum, tokens.inner, dDown, accumulate, product);
    weight_gradient(pool, 2 * F, N, rows, tokens.gateUp, x, dGateUp, accumulate, product);
  }
};

template <class T> struct SequenceScratch {
  T *packed, *own1, *own2, *own3;

  SequenceScratch(const SwigluSize<T> &hidden, const SwigluSize<T> &sequence, Carver<T> &carver) {
    packed = carver.take(std::max(hidden.rows * packed_width(hidden), sequence.rows * packed_width(sequence)));
    const int64_t n = hidden.rows * hidden.width;
    own1 = carver.take(n);
    own2 = carver.take(n);
    own3 = carver.take(n);
  }
};

template <class T> struct MixerScratch {
  int64_t group;
  GroupScratch<T> overHidden, overSequence;
  T *tInput; // [group, D, S]
  std::vector<SequenceScratch<T>> sequence;
  T *product;

  MixerScratch(const BlockShape<T> &s, int64_t batch, int nThreads, Carver<T> &carver)
      : group(group_size(std::max<int64_t>(s.seqLen, 1), batch)),
        overHidden({s.seqLen, s.hidden, s.inner, s.eps}, group, carver),
        overSequence({s.hidden, s.seqLen, s.seqInner, s.eps}, group, carver) {
    tInput = carver.take(group * s.seqLen * s.hidden);
    for (int i = 0; i < nThreads; ++i)
      sequence.emplace_back(overHidden.size, overSequence.size, carver);
    // The last group may be smaller, and a smaller product may want more scratch than a larger one.
    size_t bytes = product_bytes(group, nThreads);
    if (group > 0 && batch % group != 0)
      bytes = std::max(bytes, product_bytes(batch % group, nThreads));
    product = carver.take(static_cast<int64_t>(bytes / sizeof(T)) + 1);
  }
  size_t product_bytes(int64_t count, int nThreads) const {
    return std::max(overHidden.product_bytes(count, nThreads), overSequence.product_bytes(count, nThreads));
  }
};

template <class T> size_t workspace_bytes(const BlockShape<T> &s, int64_t batch, int nThreads) {
  Carver<T> carver(nullptr);
  const MixerScratch<T> scratch(s, batch, nThreads, carver);
  return static_cast<size_t>(carver.used()) * sizeof(T);
}

template <class T> void run(ThreadPool &pool, const LevelBackwardArgs<T> &args, void *workspace) {
  const BlockShape<T> &s = args.shape;
  const int64_t S = s.seqLen, D = s.hidden, SD = S * D;
  Carver<T> carver(static_cast<T *>(workspace));
  const MixerScratch<T> scratch(s, args.batch, pool.nThreads(), carver);
  const GroupScratch<T> &overHidden = scratch.overHidden, &overSequence = scratch.overSequence;
  for (int64_t first = 0; first < args.batch || first == 0; first += std::max<int64_t>(scratch.group, 1)) {
    const int64_t count = std::min(scratch.group, args.batch - first);
    for (int64_t i = args.nLayers - 1; i >= 0; --i) {
      const PlainBlock<T> &w = args.layers[i];
      const SavedBlock<T> &k = args.saved[i];
      const T *y = i + 1 < args.nLayers ? args.saved[i + 1].input : args.y;
      const T *dy = i + 1 < args.nLayers ? args.dInput : args.dy;
      const T *input = i > 0 ? k.input : args.input;
      overHidden.pack(pool, w.gateUp, w.down);
      overSequence.pack(pool, w.tGateUp, w.tDown);
      if (S > 0)
        for_sequences(pool, count, [&](const Crew &crew, int64_t c, int slot) {
          const SequenceScratch<T> &own = scratch.sequence[static_cast<size_t>(slot)];
          const int64_t b = first + c;
          mixer_block_backward(
              crew, s, overHidden.weights, overSequence.weights,
              MixerBackwardBuffers<T>{input + b * SD, k.y1 + b * SD, k.r1 + b * D, k.tGateUp + b * D * 2 * s.seqInner,
                                      k.gateUp + b * S * 2 * s.inner, k.r2 + b * S, y + b * SD, dy + b * SD,
                                      args.dInput + b * SD, overHidden.of(c), overSequence.of(c),
                                      scratch.tInput + c * SD, own.packed, own.own1, own.own2, own.own3});
        });
      const BlockGradients<T> &dW = args.gradients[i];
      const bool accumulate = first > 0;
      overHidden.weight_gradients(pool, count, k.y1 + first * SD, dW.gateUp, dW.down, accumulate, scratch.product);
      overSequence.weight_gradients(pool, count, scratch.tInput, dW.tGateUp, dW.tDown, accumulate, scratch.product);
    }
  }
}

} // namespace

size_t mixer_level_backward_workspace_bytes_of(const BlockShape<float> &shape, int64_t batch, int nThreads) {
  return workspace_bytes(shape, batch, nThreads);
}
void run_mixer_level_backward_of(ThreadPool &pool, const LevelBackwardArgs<float> &args, void *workspace) {
  run(pool, args, workspace);
}

#if HRM_HAS_F64
size_t mixer_level_backward_workspace_bytes_of(const BlockShape<double> &shape, int64_t batch, int nThreads) {
  return workspace_bytes(shape, batch, nThreads);
}
void run_mixer_level_backward_of(ThreadPool &pool, const LevelBackwardArgs<double> &args, void *workspace) {
  run(pool, args, workspace);
}
#endif

} // namespace hrm::cpu::HRM_ISA

#include "cpu/simd/end.h"
