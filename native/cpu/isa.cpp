#include "cpu/isa.h"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace hrm::cpu {

#if defined(__x86_64__)
namespace {

/** XCR0: which register files the operating system saves. */
uint64_t enabled_state() {
  uint32_t low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<uint64_t>(high) << 32) | low;
}

Isa detect() {
  uint32_t a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d))
    return Isa::kBase;
  constexpr uint32_t kFma = 1u << 12, kOsxsave = 1u << 27, kAvx = 1u << 28, kF16c = 1u << 29;
  const uint32_t need1 = kFma | kOsxsave | kAvx | kF16c;
  if ((c & need1) != need1)
    return Isa::kBase;
  constexpr uint64_t kYmm = 0x6, kZmm = 0xe6;
  const uint64_t state = enabled_state();
  if ((state & kYmm) != kYmm || !__get_cpuid_count(7, 0, &a, &b, &c, &d))
    return Isa::kBase;
  constexpr uint32_t kBmi1 = 1u << 3, kAvx2 = 1u << 5, kBmi2 = 1u << 8;
  if ((b & (kBmi1 | kAvx2 | kBmi2)) != (kBmi1 | kAvx2 | kBmi2))
    return Isa::kBase;
  constexpr uint32_t kF = 1u << 16, kDq = 1u << 17, kBw = 1u << 30, kVl = 1u << 31;
  const uint32_t need512 = kF | kDq | kBw | kVl;
  return (b & need512) == need512 && (state & kZmm) == kZmm ? Isa::kAvx512 : Isa::kAvx2;
}

std::array<char, 49> brand_string() {
  std::array<char, 49> name{};
  uint32_t a = 0, b = 0, c = 0, d = 0;
  for (uint32_t leaf = 0; leaf < 3; ++leaf) {
    if (!__get_cpuid(0x80000002u + leaf, &a, &b, &c, &d))
      return {"unknown"};
    const uint32_t words[4] = {a, b, c, d};
    std::memcpy(name.data() + 16 * leaf, words, sizeof words);
  }
  return name;
}

} // namespace
#else
namespace {
Isa detect() { return Isa::kBase; }
std::array<char, 49> brand_string() { return {"unknown"}; }
} // namespace
#endif

Isa detected_isa() {
  static const Isa found = detect();
  return found;
}

Isa isa() {
  static const Isa used = [] {
    const Isa best = detected_isa();
    const char *wish = std::getenv("HRM_ISA");
    if (!wish)
      return best;
    for (Isa candidate : {Isa::kBase, Isa::kAvx2, Isa::kAvx512})
      if (std::strcmp(wish, isa_name(candidate)) == 0)
        return candidate < best ? candidate : best;
    return best;
  }();
  return used;
}

const char *isa_name(Isa isa) { return isa == Isa::kAvx512 ? "avx512" : isa == Isa::kAvx2 ? "avx2" : "base"; }

const char *cpu_name() {
  static const std::array<char, 49> name = brand_string();
  return name.data();
}

} // namespace hrm::cpu
