// Opens the code generation options of one instruction set; no include guard, because every use is closed by end.h.
//
// A file in cpu/simd is compiled once for each instruction set with -DHRM_ISA=base, avx2 or avx512 and no -m flag. It
// includes the standard library and everything that does not depend on the instruction set first: inline functions of
// those headers are then compiled for the baseline, whichever of the three objects the linker keeps.
#ifndef HRM_ISA
#error "compile files of cpu/simd with -DHRM_ISA=base, avx2 or avx512"
#endif

#define HRM_ISA_ID_base 0
#define HRM_ISA_ID_avx2 1
#define HRM_ISA_ID_avx512 2
#define HRM_JOIN_(a, b) a##b
#define HRM_JOIN(a, b) HRM_JOIN_(a, b)
#define HRM_ISA_ID HRM_JOIN(HRM_ISA_ID_, HRM_ISA)

// float64 is there for references and gradient checks: AVX-512 has no kernels of its own for it (HRM_ISA_CALL_F64
// takes those for AVX2), which saves a sixth of the time to compile cpu/simd.
#define HRM_HAS_F64 (HRM_ISA_ID != 2)

// g++ 12's own intrinsics headers trip this warning.
#pragma GCC diagnostic push
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#if defined(__x86_64__)
#include <immintrin.h>
#elif HRM_ISA_ID != 0
#error "only the base instruction set exists on this architecture"
#endif

#if HRM_ISA_ID == 1
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,bmi,bmi2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c,bmi,bmi2")
#endif
#elif HRM_ISA_ID == 2
#if defined(__clang__)
#pragma clang attribute push(                                                                                          \
    __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,f16c,bmi,bmi2,prefer-vector-width=512"))),      \
    apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,f16c,bmi,bmi2,prefer-vector-width=512")
#endif
#endif
