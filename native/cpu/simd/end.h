// Closes what begin.h opened.
#if HRM_ISA_ID != 0
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
#pragma GCC diagnostic pop
