// Scratch for running blocks over sequences that keep nothing. Include after attention_head.h.
#ifndef HRM_CPU_SIMD_FORWARD_SCRATCH_H_
#define HRM_CPU_SIMD_FORWARD_SCRATCH_H_

namespace hrm::cpu::HRM_ISA {

/** What a sequence in work needs beside its states. */
template <class T> struct SequenceBuffers {
  T *h, *zH, *attention, *packed;
  T *wide; // qkv, then the packed operand of `down`: their lives do not overlap; those of both SwiGLUs in turn

  SequenceBuffers(const BlockShape<T> &s, Carver<T> &carver) {
    h = carver.take(s.seqLen * s.hidden);
    zH = carver.take(s.seqLen * s.hidden);
    attention = carver.take(s.seqLen * s.hidden);
    packed = carver.take(s.seqLen * s.hidden);
    const int64_t forDown = s.seqLen * s.inner, forMixer = s.hidden * (s.seqInner > 0 ? s.seqInner : 3 * s.seqLen);
    wide = carver.take(forDown > forMixer ? forDown : forMixer);
  }
};

/** Scratch of a call: one part for every thread. */
template <class T> struct ForwardScratch {
  std::vector<SequenceBuffers<T>> sequence;
  std::vector<AttentionScratch<T>> attention;

  ForwardScratch(const BlockShape<T> &s, int nThreads, Carver<T> &carver) {
    for (int i = 0; i < nThreads; ++i) {
      sequence.emplace_back(s, carver);
      if (s.seqInner == 0)
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
