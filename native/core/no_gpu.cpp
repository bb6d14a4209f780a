// An addon with the CPU alone. Built in place of native/cuda.
#if !defined(HRM_GPU)
#include "core/gpu.h"

namespace hrm {

const char *gpu_name() { return nullptr; }

GpuState gpu_state() { return {0, "this build has no CUDA backend; npm run build -- --cuda makes one that has"}; }

GpuBuild gpu_build() { fail(Code::kDevice, "cuda: ", gpu_state().missing); }

std::unique_ptr<Gpu> open_gpu(int) { fail(Code::kDevice, "cuda: ", gpu_state().missing); }

} // namespace hrm
#endif
