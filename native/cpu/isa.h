// Which of the instruction sets that cpu/simd is compiled for this process uses.
#ifndef HRM_CPU_ISA_H_
#define HRM_CPU_ISA_H_

namespace hrm::cpu {

enum class Isa { kBase = 0, kAvx2 = 1, kAvx512 = 2 };

/** The best that CPU and operating system support, whatever the environment says. */
Isa detected_isa();

/** What the kernels use: detected_isa(), or a lower one if the environment variable HRM_ISA (base, avx2, avx512) asks
 * for it. Decided at the first call, the same for the life of the process. */
Isa isa();

/** "base", "avx2" or "avx512". */
const char *isa_name(Isa isa);

/** Name of the processor, or "unknown". */
const char *cpu_name();

} // namespace hrm::cpu

/** Calls hrm::cpu::<isa>::name(...): for functions that cpu/simd defines once for each instruction set. */
#if defined(__x86_64__)
#define HRM_ISA_CALL(name, ...)                                                                                        \
  (::hrm::cpu::isa() == ::hrm::cpu::Isa::kAvx512 ? ::hrm::cpu::avx512::name(__VA_ARGS__)                               \
   : ::hrm::cpu::isa() == ::hrm::cpu::Isa::kAvx2 ? ::hrm::cpu::avx2::name(__VA_ARGS__)                                 \
                                                 : ::hrm::cpu::base::name(__VA_ARGS__))
/** The same for functions on float64, which AVX-512 takes from AVX2 (cpu/simd/begin.h). */
#define HRM_ISA_CALL_F64(name, ...)                                                                                    \
  (::hrm::cpu::isa() >= ::hrm::cpu::Isa::kAvx2 ? ::hrm::cpu::avx2::name(__VA_ARGS__)                                   \
                                               : ::hrm::cpu::base::name(__VA_ARGS__))
/** Declares what HRM_ISA_CALL calls. */
#define HRM_ISA_DECLARE(declaration)                                                                                   \
  namespace hrm::cpu::base {                                                                                           \
  declaration;                                                                                                         \
  }                                                                                                                    \
  namespace hrm::cpu::avx2 {                                                                                           \
  declaration;                                                                                                         \
  }                                                                                                                    \
  namespace hrm::cpu::avx512 {                                                                                         \
  declaration;                                                                                                         \
  }
#else
#define HRM_ISA_CALL(name, ...) ::hrm::cpu::base::name(__VA_ARGS__)
#define HRM_ISA_CALL_F64(name, ...) ::hrm::cpu::base::name(__VA_ARGS__)
#define HRM_ISA_DECLARE(declaration)                                                                                   \
  namespace hrm::cpu::base {                                                                                           \
  declaration;                                                                                                         \
  }
#endif

#endif // HRM_CPU_ISA_H_
