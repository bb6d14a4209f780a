// Gradients of weights are products over the tokens of a group of sequences. Include after gemm_kernel.h and
// attention_head.h.
#ifndef HRM_CPU_SIMD_TOKEN_GROUPS_H_
#define HRM_CPU_SIMD_TOKEN_GROUPS_H_

namespace hrm::cpu::HRM_ISA {

/** Sequences whose token gradients are held at a time: enough tokens for a product, few enough for memory. */
inline int64_t group_size(int64_t seqLen, int64_t batch) {
  constexpr int64_t kTokens = 1024, kMultiple = 8, kLong = 512;
  const int64_t size = seqLen >= kLong ? 4 : round_up_to((kTokens + seqLen - 1) / seqLen, kMultiple);
  return std::min(size, batch);
}

/** dW[n, k] (+)= dy[tokens, n]^T x[tokens, k] */
template <class T>
void weight_gradient(ThreadPool &pool, int64_t n, int64_t k, int64_t tokens, const T *dy, const T *x, T *dW,
                     bool accumulate, T *workspace) {
  const GemmArgs<T> args{n, k, tokens, row_major(dy, n).transposed(), row_major(x, k), dW, k, accumulate};
  gemm_of(pool, args, workspace);
}

} // namespace hrm::cpu::HRM_ISA

#endif // HRM_CPU_SIMD_TOKEN_GROUPS_H_
