#pragma once
// Before a loop whose trip count is a constant and whose arrays must live in registers.
#if defined(__CUDACC__)
#define HRM_UNROLL _Pragma("unroll")
#else
#define HRM_UNROLL
#endif
