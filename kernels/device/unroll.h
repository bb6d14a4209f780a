#pragma once
// Before a loop whose trip count is a constant and whose arrays must live in registers.
#if defined(__CUDACC__)
#define HRM_UNROLL _Pragma("unroll")
// Where unrolling all of it would only keep addresses and loads in registers ahead of their use.
#define HRM_UNROLL_TWO _Pragma("unroll 2")
#else
#define HRM_UNROLL
#define HRM_UNROLL_TWO
#endif
