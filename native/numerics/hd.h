#pragma once
// The same formula compiles for the host (g++, clang++) and the device (nvcc).
#if defined(__CUDACC__)
#define HRM_HD __host__ __device__ __forceinline__
#else
#define HRM_HD inline __attribute__((always_inline))
#endif
