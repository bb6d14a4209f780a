// The loop of no-grad updates, and one level that keeps what its gradient needs (HRM section 2): a thread takes a
// sequence through every update before the next one, so that its states and activations stay in its caches and only the
// packed weights stream.
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

#include "cpu/simd/block_forward.h"
#include "cpu/simd/forward_scratch.h"
#include "cpu/simd/mixer_forward.h"

namespace hrm::cpu::HRM_ISA {
namespace {

/** h = a + (b + c), or a + b where c is null; element by element as the composed definition adds them. */
template <class T> void add_rows(const T *a, const T *b, const T *c, T *h, int64_t n) {
  constexpr int W = kLanes<T>;
  for (int64_t i = 0; i < n; i += W) {
    vec<T> injection = load_upto(b + i, n - i);
    if (c)
      injection += load_upto(c + i, n - i);
    store_upto(h + i, load_upto(a + i, n - i) + injection, n - i);
  }
}

/** One block of either kind. */
template <class T>
void run_block(const Crew &crew, const BlockShape<T> &s, const PackedBlock<T> &w, const BlockBuffers<T> &b,
               int64_t nTokens, const AttentionScratch<T> *attention) {
  if (s.seqInner > 0)
    mixer_block_forward(crew, s, w, b, nTokens);
  else
    block_forward(crew, s, w, b, nTokens, attention);
}

template <class T> class SequenceLoop {
public:
  SequenceLoop(const LoopArgs<T> &args, const Crew &crew, const SequenceBuffers<T> &scratch,
               const AttentionScratch<T> *attention, int64_t sequence)
      : args_(args), crew_(crew), scratch_(scratch), attention_(attention),
        offset_(sequence * args.shape.seqLen * args.shape.hidden) {}

  void run() const {
    const int64_t S = args_.shape.seqLen, D = args_.shape.hidden;
    T *zL = args_.newL + offset_, *newH = args_.newH + offset_ / S * args_.hTokens;
    // With all tokens wanted the result itself is worked on.
    T *zH = args_.hTokens == S ? newH : scratch_.zH;
    std::memcpy(zH, args_.zH + offset_, static_cast<size_t>(S * D) * sizeof(T));
    std::memcpy(zL, args_.zL + offset_, static_cast<size_t>(S * D) * sizeof(T));
    const T *x = args_.x + offset_;
    const int64_t updates = args_.hCycles * args_.lCycles - args_.skippedUpdates;
    for (int64_t t = 1; t <= updates; ++t) {
      level(args_.lLayers, args_.nLLayers, zL, zH, x, S);
      if (t % args_.lCycles == 0)
        level(args_.hLayers, args_.nHLayers, zH, zL, nullptr, t == updates ? args_.hTokens : S);
    }
    if (zH != newH)
      std::memcpy(newH, zH, static_cast<size_t>(args_.hTokens * D) * sizeof(T));
  }

private:
  /** z = layers(z + (a + b)); b may be null. Of the result only the first nTokens rows are computed. */
  void level(const PackedBlock<T> *layers, int64_t nLayers, T *z, const T *a, const T *b, int64_t nTokens) const {
    const BlockShape<T> &s = args_.shape;
    const RowBlocks blocks(s.seqLen);
    T *h = nLayers > 0 ? scratch_.h : z;
    crew_.stage(blocks.count, [&](int64_t block, int) {
      const int64_t at = blocks.begin(block) * s.hidden;
      add_rows(z + at, a + at, b ? b + at : nullptr, h + at, blocks.size(block) * s.hidden);
    });
    for (int64_t i = 0; i < nLayers; ++i) {
      T *output = i + 1 < nLayers ? h : z;
      run_block(crew_, s, layers[i],
                BlockBuffers<T>{h, scratch_.wide, scratch_.attention, nullptr, h, nullptr, nullptr, nullptr, output,
                                scratch_.packed, scratch_.wide},
                i + 1 < nLayers ? s.seqLen : nTokens, attention_);
    }
  }

  const LoopArgs<T> &args_;
  const Crew &crew_;
  const SequenceBuffers<T> &scratch_;
  const AttentionScratch<T> *attention_;
  int64_t offset_;
};

template <class T> void loop(ThreadPool &pool, const LoopArgs<T> &args, void *workspace) {
  Carver<T> carver(static_cast<T *>(workspace));
  const ForwardScratch<T> scratch(args.shape, pool.nThreads(), carver);
  if (args.shape.seqLen == 0 || args.shape.hidden == 0)
    return;
  for_sequences(pool, args.batch, [&](const Crew &crew, int64_t sequence, int slot) {
    SequenceLoop<T>(args, crew, scratch.sequence[static_cast<size_t>(slot)], scratch.attention.data(), sequence).run();
  });
}

/** Buffers of block i for sequence b. */
template <class T>
BlockBuffers<T> block_buffers(const LevelArgs<T> &args, int64_t i, int64_t b, const SequenceBuffers<T> &scratch) {
  const BlockShape<T> &s = args.shape;
  const int64_t S = s.seqLen, SD = S * s.hidden;
  const bool last = i + 1 == args.nLayers;
  if (!args.saved) {
    const T *input = i == 0 ? args.input + b * SD : scratch.h;
    T *output = last ? args.y + b * SD : scratch.h;
    return {input,   scratch.wide, scratch.attention, nullptr,     scratch.h, nullptr, nullptr,
            nullptr, output,       scratch.packed,    scratch.wide};
  }
  const SavedBlock<T> &k = args.saved[i];
  const T *input = i == 0 ? args.input : k.input;
  T *output = last ? args.y : args.saved[i + 1].input;
  if (s.seqInner > 0)
    return {input + b * SD,
            nullptr,
            scratch.attention,
            nullptr,
            k.y1 + b * SD,
            k.r1 + b * s.hidden,
            k.gateUp + b * S * 2 * s.inner,
            k.r2 + b * S,
            output + b * SD,
            scratch.packed,
            scratch.wide,
            k.tGateUp + b * s.hidden * 2 * s.seqInner};
  return {input + b * SD,
          k.qkv + b * 3 * SD,
          k.attention + b * SD,
          k.logSumExp + b * s.nHeads * S,
          k.y1 + b * SD,
          k.r1 + b * S,
          k.gateUp + b * S * 2 * s.inner,
          k.r2 + b * S,
          output + b * SD,
          scratch.packed,
          scratch.wide};
}

template <class T> void level(ThreadPool &pool, const LevelArgs<T> &args, void *workspace) {
  const BlockShape<T> &s = args.shape;
  Carver<T> carver(static_cast<T *>(workspace));
  const ForwardScratch<T> scratch(s, pool.nThreads(), carver);
  if (s.seqLen == 0)
    return;
  for_sequences(pool, args.batch, [&](const Crew &crew, int64_t b, int slot) {
    for (int64_t i = 0; i < args.nLayers; ++i)
      run_block(crew, s, args.layers[i], block_buffers(args, i, b, scratch.sequence[static_cast<size_t>(slot)]),
                s.seqLen, scratch.attention.data());
  });
}

} // namespace

size_t loop_workspace_bytes_of(const BlockShape<float> &shape, int nThreads) {
  return ForwardScratch<float>::bytes(shape, nThreads);
}
void run_loop_of(ThreadPool &pool, const LoopArgs<float> &args, void *workspace) { loop(pool, args, workspace); }
size_t level_workspace_bytes_of(const BlockShape<float> &shape, int nThreads) {
  return ForwardScratch<float>::bytes(shape, nThreads);
}
void run_level_of(ThreadPool &pool, const LevelArgs<float> &args, void *workspace) { level(pool, args, workspace); }

#if HRM_HAS_F64
size_t loop_workspace_bytes_of(const BlockShape<double> &shape, int nThreads) {
  return ForwardScratch<double>::bytes(shape, nThreads);
}
void run_loop_of(ThreadPool &pool, const LoopArgs<double> &args, void *workspace) { loop(pool, args, workspace); }
size_t level_workspace_bytes_of(const BlockShape<double> &shape, int nThreads) {
  return ForwardScratch<double>::bytes(shape, nThreads);
}
void run_level_of(ThreadPool &pool, const LevelArgs<double> &args, void *workspace) { level(pool, args, workspace); }
#endif

} // namespace hrm::cpu::HRM_ISA

#include "cpu/simd/end.h"
