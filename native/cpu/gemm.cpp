#include "cpu/gemm.h"

namespace hrm::cpu {

#define HRM_GEMM_DEFINE(T, CALL)                                                                                       \
  template <> size_t gemm_workspace_bytes<T>(int64_t m, int64_t n, int64_t k, int nThreads) {                          \
    return CALL(gemm_workspace_bytes_of, m, n, k, nThreads, static_cast<const T *>(nullptr));                          \
  }                                                                                                                    \
  template <> void gemm<T>(ThreadPool & pool, const GemmArgs<T> &args, void *workspace) {                              \
    CALL(gemm_of, pool, args, workspace);                                                                              \
  }                                                                                                                    \
  template <> size_t packed_elements<T>(int64_t n, int64_t k) {                                                        \
    return CALL(packed_elements_of, n, k, static_cast<const T *>(nullptr));                                            \
  }                                                                                                                    \
  template <>                                                                                                          \
  void pack_matrix<T>(ThreadPool & pool, int64_t n, int64_t k, MatrixView<T> w, PackOrder order, T *packed) {          \
    CALL(pack_matrix_of, pool, n, k, w, order, packed);                                                                \
  }                                                                                                                    \
  template <> size_t gemm_packed_workspace_bytes<T>(int64_t m, int64_t n, int64_t k, int nThreads) {                   \
    return CALL(gemm_packed_workspace_bytes_of, m, n, k, nThreads, static_cast<const T *>(nullptr));                   \
  }                                                                                                                    \
  template <> void gemm_packed<T>(ThreadPool & pool, const PackedGemmArgs<T> &args, void *workspace) {                 \
    CALL(gemm_packed_of, pool, args, workspace);                                                                       \
  }
HRM_GEMM_DEFINE(float, HRM_ISA_CALL)
HRM_GEMM_DEFINE(double, HRM_ISA_CALL_F64)
#undef HRM_GEMM_DEFINE

} // namespace hrm::cpu
