#pragma once
// The same formula compiles for the host (g++, clang++) and the device (nvcc).
#if defined(__CUDACC__)
#define HRM_HD __host__ __device__ __forceinline__
#else
#define HRM_HD inline __attribute__((always_inline))
#endif

// On the CPU the formulas are compiled once for each instruction set, in a namespace of its own (cpu/simd/begin.h):
// include them after begin.h there, and what they include before it.
#if defined(HRM_ISA)
#define HRM_NUMERICS hrm::cpu::HRM_ISA::numerics
#else
#define HRM_NUMERICS hrm::numerics
#endif
