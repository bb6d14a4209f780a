#pragma once
// Tensor-core products of one warp and the loads that bring their operands from shared memory: D[16, 8] += A[16, 16]
// B[16, 8] in bfloat16 with float sums. Which lane holds which element is the PTX ISA's (mma.m16n8k16, ldmatrix); with
// g = lane / 4 and t = lane % 4, two elements a register:
//   A  register 0: row g, k 2t..2t+1      1: row g+8, k 2t..      2: row g, k 2t+8..      3: row g+8, k 2t+8..
//   B  register 0: k 2t..2t+1, column g   1: k 2t+8.., column g
//   D  0, 1: row g, columns 2t, 2t+1      2, 3: row g+8, the same columns
// Needs sm_80. In the simulation the lanes exchange their registers, so that a wrong layout gives wrong numbers there
// too.
#include "device/device.h"

namespace hrm::device {

struct FragmentA {
  uint32_t r[4];
};
struct FragmentB {
  uint32_t r[2];
};
struct FragmentD {
  float v[4];
};

// Two bfloat16 in a register, the first in the lower half.
HRM_HD uint32_t pack_pair(float low, float high) {
  return static_cast<uint32_t>(BFloat16(low).bits) | static_cast<uint32_t>(BFloat16(high).bits) << 16;
}
HRM_HD float pair_value(uint32_t pair, int i) {
  const uint32_t u = i == 0 ? pair << 16 : pair & 0xffff0000u;
  float value;
  std::memcpy(&value, &u, 4);
  return value;
}

#if defined(HRM_SIMT)

inline void mma(FragmentD &d, const FragmentA &a, const FragmentB &b) {
  struct Lane {
    const FragmentA *a;
    const FragmentB *b;
  };
  Lane own[kWarp];
  // The table is lane 0's; nobody leaves before all have read.
  Lane *const lanes = shuffle(&own[0], 0);
  lanes[lane()] = {&a, &b};
  sync_warp();
  const int g = lane() / 4, t = lane() % 4;
  float sums[4];
  for (int i = 0; i < 4; ++i) {
    const int row = g + i / 2 * 8, column = 2 * t + i % 2;
    float sum = d.v[i];
    for (int k = 0; k < 16; ++k) {
      const int quad = k % 8 / 2, upper = k / 8;
      const uint32_t x = lanes[row % 8 * 4 + quad].a->r[row / 8 + 2 * upper];
      const uint32_t y = lanes[column * 4 + quad].b->r[upper];
      sum += pair_value(x, k % 2) * pair_value(y, k % 2);
    }
    sums[i] = sum;
  }
  sync_warp();
  for (int i = 0; i < 4; ++i)
    d.v[i] = sums[i];
}

// Four 8 x 8 matrices of bfloat16: lanes 8 i .. 8 i + 7 say where the rows of matrix i are (16-byte aligned); register
// i takes of it row g, columns 2t and 2t+1; transposed: rows 2t and 2t+1 of column g.
template <bool transposed> inline void load_matrices(uint32_t (&r)[4], const BFloat16 *row) {
  if (reinterpret_cast<uintptr_t>(row) % 16 != 0)
    simt::fault("load_matrices: a row is not aligned to 16 bytes");
  const int g = lane() / 4, t = lane() % 4;
  for (int i = 0; i < 4; ++i) {
    const BFloat16 *first = shuffle(row, 8 * i + (transposed ? 2 * t : g));
    const BFloat16 *second = shuffle(row, 8 * i + (transposed ? 2 * t + 1 : g));
    const uint32_t low = transposed ? first[g].bits : first[2 * t].bits;
    const uint32_t high = transposed ? second[g].bits : second[2 * t + 1].bits;
    r[i] = low | high << 16;
  }
}

#else

__device__ __forceinline__ void mma(FragmentD &d, const FragmentA &a, const FragmentB &b) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
      : "+f"(d.v[0]), "+f"(d.v[1]), "+f"(d.v[2]), "+f"(d.v[3])
      : "r"(a.r[0]), "r"(a.r[1]), "r"(a.r[2]), "r"(a.r[3]), "r"(b.r[0]), "r"(b.r[1]));
}

template <bool transposed> __device__ __forceinline__ void load_matrices(uint32_t (&r)[4], const BFloat16 *row) {
  const unsigned from = static_cast<unsigned>(__cvta_generic_to_shared(row));
  if (transposed)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];\n"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(from)
                 : "memory");
  else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(from)
                 : "memory");
}

#endif

// A[16, 16] at (row, k) of shared memory: stored row by row (along_k: element (row, k) at row * stride + k) or as its
// transpose (k * stride + row).
template <bool along_k> __device__ inline FragmentA load_a(const BFloat16 *tile, int stride, int row, int k) {
  const int l = lane();
  FragmentA a;
  if (along_k)
    load_matrices<false>(a.r, tile + (row + l % 16) * stride + k + l / 16 * 8);
  else
    load_matrices<true>(a.r, tile + (k + l % 8 + l / 16 * 8) * stride + row + l / 8 % 2 * 8);
  return a;
}
// B[16, 16] as two fragments, columns column..column+7 and the next eight: element (k, column) at column * stride + k
// (along_k) or k * stride + column.
template <bool along_k>
__device__ inline void load_b(FragmentB (&b)[2], const BFloat16 *tile, int stride, int column, int k) {
  const int l = lane();
  uint32_t r[4];
  if (along_k)
    load_matrices<false>(r, tile + (column + l % 8 + l / 16 * 8) * stride + k + l / 8 % 2 * 8);
  else
    load_matrices<true>(r, tile + (k + l % 16) * stride + column + l / 16 * 8);
  b[0] = {{r[0], r[1]}};
  b[1] = {{r[2], r[3]}};
}

} // namespace hrm::device
