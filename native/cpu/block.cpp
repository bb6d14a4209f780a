#include "cpu/block.h"

namespace hrm::cpu {

#define HRM_BLOCK_DEFINE(T, CALL)                                                                                      \
  template <> size_t loop_workspace_bytes<T>(const BlockShape<T> &shape, int nThreads) {                               \
    return CALL(loop_workspace_bytes_of, shape, nThreads);                                                             \
  }                                                                                                                    \
  template <> void run_loop<T>(ThreadPool & pool, const LoopArgs<T> &args, void *workspace) {                          \
    CALL(run_loop_of, pool, args, workspace);                                                                          \
  }                                                                                                                    \
  template <> size_t level_workspace_bytes<T>(const BlockShape<T> &shape, int nThreads) {                              \
    return CALL(level_workspace_bytes_of, shape, nThreads);                                                            \
  }                                                                                                                    \
  template <> void run_level<T>(ThreadPool & pool, const LevelArgs<T> &args, void *workspace) {                        \
    CALL(run_level_of, pool, args, workspace);                                                                         \
  }                                                                                                                    \
  template <> size_t level_backward_workspace_bytes<T>(const BlockShape<T> &shape, int64_t batch, int nThreads) {      \
    return shape.seqInner > 0 ? CALL(mixer_level_backward_workspace_bytes_of, shape, batch, nThreads)                  \
                              : CALL(level_backward_workspace_bytes_of, shape, batch, nThreads);                       \
  }                                                                                                                    \
  template <> void run_level_backward<T>(ThreadPool & pool, const LevelBackwardArgs<T> &args, void *workspace) {       \
    if (args.shape.seqInner > 0)                                                                                       \
      CALL(run_mixer_level_backward_of, pool, args, workspace);                                                        \
    else                                                                                                               \
      CALL(run_level_backward_of, pool, args, workspace);                                                              \
  }
HRM_BLOCK_DEFINE(float, HRM_ISA_CALL)
HRM_BLOCK_DEFINE(double, HRM_ISA_CALL_F64)
#undef HRM_BLOCK_DEFINE

} // namespace hrm::cpu
