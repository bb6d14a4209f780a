#include "cpu/gemm.h"

namespace hrm::cpu {

template <class T> size_t gemm_workspace_bytes(int64_t m, int64_t n, int64_t k, int nThreads) {
  return HRM_ISA_CALL(gemm_workspace_bytes_of, m, n, k, nThreads, static_cast<const T *>(nullptr));
}
template <class T> void gemm(ThreadPool &pool, const GemmArgs<T> &args, void *workspace) {
  HRM_ISA_CALL(gemm_of, pool, args, workspace);
}
template <class T> size_t packed_elements(int64_t n, int64_t k) {
  return HRM_ISA_CALL(packed_elements_of, n, k, static_cast<const T *>(nullptr));
}
template <class T>
void pack_matrix(ThreadPool &pool, int64_t n, int64_t k, MatrixView<T> w, PackOrder order, T *packed) {
  HRM_ISA_CALL(pack_matrix_of, pool, n, k, w, order, packed);
}
template <class T> size_t gemm_packed_workspace_bytes(int64_t m, int64_t n, int64_t k, int nThreads) {
  return HRM_ISA_CALL(gemm_packed_workspace_bytes_of, m, n, k, nThreads, static_cast<const T *>(nullptr));
}
template <class T> void gemm_packed(ThreadPool &pool, const PackedGemmArgs<T> &args, void *workspace) {
  HRM_ISA_CALL(gemm_packed_of, pool, args, workspace);
}

#define HRM_GEMM_INSTANTIATE(T)                                                                                        \
  template size_t gemm_workspace_bytes<T>(int64_t, int64_t, int64_t, int);                                             \
  template void gemm<T>(ThreadPool &, const GemmArgs<T> &, void *);                                                    \
  template size_t packed_elements<T>(int64_t, int64_t);                                                                \
  template void pack_matrix<T>(ThreadPool &, int64_t, int64_t, MatrixView<T>, PackOrder, T *);                         \
  template size_t gemm_packed_workspace_bytes<T>(int64_t, int64_t, int64_t, int);                                      \
  template void gemm_packed<T>(ThreadPool &, const PackedGemmArgs<T> &, void *);
HRM_GEMM_INSTANTIATE(float)
HRM_GEMM_INSTANTIATE(double)
#undef HRM_GEMM_INSTANTIATE

} // namespace hrm::cpu
