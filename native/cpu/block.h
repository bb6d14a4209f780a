// The transformer block of HRM section 1 on the CPU, as plain functions over plain memory: what the ops l_loop, level
// and level_backward share. h = rmsNorm(h + attention(h)); h = rmsNorm(h + swiglu(h)). Where tokens mix by a SwiGLU
// over the sequence instead (TRM), the first half is t = rmsNorm(t + swiglu(t)) of the transposed state t [D, S].
#ifndef HRM_CPU_BLOCK_H_
#define HRM_CPU_BLOCK_H_

#include <cstddef>
#include <cstdint>

#include "cpu/isa.h"
#include "cpu/parallel.h"

namespace hrm::cpu {

/** Sizes and constants of all blocks of a model. */
template <class T> struct BlockShape {
  int64_t seqLen; // S: tokens of a sequence, the puzzle's included
  int64_t hidden; // D
  int64_t nHeads; // divides hidden
  int64_t inner;  // F
  T eps;          // of rmsNorm
  // RoPE tables [S, ropeCols], ropeCols = d or d/2 with d = D / nHeads; null: positions are in the embedding.
  const T *cosTable;
  const T *sinTable;
  int64_t ropeCols;
  int64_t seqInner = 0; // F' of the SwiGLU over the sequence; 0: tokens mix by attention, and only then nHeads counts

  int64_t headDim() const { return hidden / nHeads; }
};

/**
 * Weights of a block, packed by pack_matrix: qkv [3D, D], o [D, D], gateUp [2F, D] (PackOrder::kGateUp), down [D, F];
 * in place of qkv and o there may be tGateUp [2F', S] (kGateUp) and tDown [S, F'].
 */
template <class T> struct PackedBlock {
  const T *qkv;
  const T *o;
  const T *gateUp;
  const T *down;
  const T *tGateUp = nullptr;
  const T *tDown = nullptr;
};

/** The same matrices as they are stored, row-major. */
template <class T> struct PlainBlock {
  const T *qkv;
  const T *o;
  const T *gateUp;
  const T *down;
  const T *tGateUp = nullptr;
  const T *tDown = nullptr;
};

/** All no-grad updates of a segment (HRM section 2). Sequences are independent: b of zH is zH + b * S * D. */
template <class T> struct LoopArgs {
  BlockShape<T> shape;
  int64_t batch;
  int64_t hCycles, lCycles;
  int64_t
      skippedUpdates; // trailing L-updates that are left to the caller; 0 runs everything, the last H-update included
  int64_t nHLayers, nLLayers;
  const PackedBlock<T> *hLayers;
  const PackedBlock<T> *lLayers;
  int64_t hTokens; // in 0..S: leading tokens of zH that are wanted in the end
  const T *zH;     // [B, S, D]
  const T *zL;     // [B, S, D]
  const T *x;      // [B, S, D]
  T *newH;         // [B, hTokens, D]
  T *newL;         // [B, S, D]
};

/** Bytes of scratch for run_loop, 64-byte aligned. */
template <class T> size_t loop_workspace_bytes(const BlockShape<T> &shape, int nThreads);
template <class T> void run_loop(ThreadPool &pool, const LoopArgs<T> &args, void *workspace);

/** What one block keeps for its gradient (HRM section 2), for the whole batch. */
template <class T> struct SavedBlock {
  T *input;     // [B, S, D]
  T *qkv;       // [B, S, 3D], q and k after RoPE
  T *attention; // [B, S, D], before the output projection
  T *logSumExp; // [B, H, S] of the scaled scores
  T *y1;        // [B, S, D], after the attention's rmsNorm
  T *r1;        // [B, S], factor of that rmsNorm
  T *gateUp;    // [B, S, 2F], gate first
  T *r2;        // [B, S], factor of the last rmsNorm
  // With a SwiGLU over the sequence there are no qkv, attention and logSumExp, and r1 is [B, D].
  T *tGateUp = nullptr; // [B, D, 2F'], gate first
};

/**
 * layers(input of the first block), keeping what the gradient needs: saved[i + 1].input is the output of block i.
 * Without `saved` nothing is kept and only y is written.
 */
template <class T> struct LevelArgs {
  BlockShape<T> shape;
  int64_t batch;
  int64_t nLayers;
  const PackedBlock<T> *layers;
  const T *input;             // [B, S, D]; saved[0].input is not used
  const SavedBlock<T> *saved; // nLayers of them, or null
  T *y;                       // [B, S, D]
};

template <class T> size_t level_workspace_bytes(const BlockShape<T> &shape, int nThreads);
template <class T> void run_level(ThreadPool &pool, const LevelArgs<T> &args, void *workspace);

/** Gradients of one block's weights, written (not accumulated). */
template <class T> struct BlockGradients {
  T *qkv;               // [3D, D]
  T *o;                 // [D, D]
  T *gateUp;            // [2F, D]
  T *down;              // [D, F]
  T *tGateUp = nullptr; // [2F', S]
  T *tDown = nullptr;   // [S, F']
};

template <class T> struct LevelBackwardArgs {
  BlockShape<T> shape;
  int64_t batch;
  int64_t nLayers;
  const PlainBlock<T> *layers;
  const T *input; // [B, S, D]; saved[0].input is not used
  const SavedBlock<T> *saved;
  const T *y;  // [B, S, D], output of the last block
  const T *dy; // [B, S, D]
  T *dInput;   // [B, S, D], gradient of the first block's input
  const BlockGradients<T> *gradients;
};

template <class T> size_t level_backward_workspace_bytes(const BlockShape<T> &shape, int64_t batch, int nThreads);
template <class T> void run_level_backward(ThreadPool &pool, const LevelBackwardArgs<T> &args, void *workspace);

} // namespace hrm::cpu

#define HRM_BLOCK_DECLARE(T)                                                                                           \
  HRM_ISA_DECLARE(size_t loop_workspace_bytes_of(const BlockShape<T> &shape, int nThreads))                            \
  HRM_ISA_DECLARE(void run_loop_of(ThreadPool &pool, const LoopArgs<T> &args, void *workspace))                        \
  HRM_ISA_DECLARE(size_t level_workspace_bytes_of(const BlockShape<T> &shape, int nThreads))                           \
  HRM_ISA_DECLARE(void run_level_of(ThreadPool &pool, const LevelArgs<T> &args, void *workspace))                      \
  HRM_ISA_DECLARE(size_t level_backward_workspace_bytes_of(const BlockShape<T> &shape, int64_t batch, int nThreads))   \
  HRM_ISA_DECLARE(void run_level_backward_of(ThreadPool &pool, const LevelBackwardArgs<T> &args, void *workspace))     \
  HRM_ISA_DECLARE(                                                                                                     \
      size_t mixer_level_backward_workspace_bytes_of(const BlockShape<T> &shape, int64_t batch, int nThreads))         \
  HRM_ISA_DECLARE(void run_mixer_level_backward_of(ThreadPool &pool, const LevelBackwardArgs<T> &args, void *workspace))
HRM_BLOCK_DECLARE(float)
HRM_BLOCK_DECLARE(double)
#undef HRM_BLOCK_DECLARE

#endif // HRM_CPU_BLOCK_H_
