// Include after begin.h and vec.h.
#ifndef HRM_CPU_SIMD_DISPATCH_H_
#define HRM_CPU_SIMD_DISPATCH_H_

namespace hrm::cpu::HRM_ISA {

/** dispatch_float over the dtypes that this instruction set has kernels of (see HRM_HAS_F64). */
template <class F> HRM_INLINE decltype(auto) dispatch_lanes(DType dtype, F &&f) {
#if !HRM_HAS_F64
  if (dtype == DType::kF64)
    fail(Code::kNative, "float64 has no kernel for this instruction set");
  return dtype == DType::kBF16 ? f(Type<BFloat16>{}) : f(Type<float>{});
#else
  return dispatch_float(dtype, f);
#endif
}

} // namespace hrm::cpu::HRM_ISA

#endif // HRM_CPU_SIMD_DISPATCH_H_
