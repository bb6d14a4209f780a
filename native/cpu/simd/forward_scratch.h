// Scratch for running blocks over sequences that keep nothing. Include after attention_head.h.
#ifndef HRM_CPU_SIMD_FORWARD_SCRATCH_H_
#define HRM_CPU_SIMD_FORWARD_SCRATCH_H_

namespace hrm::cpu::HRM_ISA {

/** What a sequence in work needs beside its states. */
template <class T> struct SequenceBuffers {
  T *h, *zH, *attention, *packed;
  T *wide; // qkv, then the packed operand of `down`: their lives do not overlap

  SequenceBuffers(const BlockShape<T> &s, Carver<T> &carver) {
    h = carver.take(s.seqLen * s.hidden);
    zH = carver.take(s.seqLen * s.hidden);
    attention = carver.take(s.seqLen * s.hidden);
    packed = carver.take(s.seqLen * s.hidden);
    wide = carver.take(s.seqLen * (3 * s.hidden > s.inner ? 3 * s.hidden : s.inner));
  }
};

/** Scratch of a call: one part for every thread. */
template <class T> struct ForwardScratch {
  std::vector<SequenceBuffers<T>> sequence;
  std::vector<AttentionScratch<T>> attention;

  ForwardScratch(const BlockShape<T> &s, int nThreads, Carver<T> &carver) {
    for (int i = 0; i < nThreads; ++i) {
      sequence.emplace_back(s, carver);
      attention.emplace_back(s, carver);
    }
  }
  static size_t bytes(const BlockShape<T> &s, int nThreads) {
    Carver<T> carver(nullptr);
    const ForwardScratch scratch(s, nThreads, carver);
    return static_cast<size_t>(carver.used()) * sizeof(T);
  }
};

} // namespace hrm::cpu::HRM_ISA

#endif // HRM_CPU_SIMD_FORWARD_SCRATCH_H_
