#pragma once
#include "core/carver.h"
#include "cpu/compute_matrix.h"
#include "cpu/strided.h"
#include "ops/op.h"

namespace hrm::ops {

// a [..., M, K] x b [..., K, N] -> [..., M, N], leading dimensions broadcast. With `wide` products of bfloat16 stay as
// they were summed, in float32.
struct matmul {
  struct Attrs {
    bool wide;
  };
  // One product as batches of [m, k] x [k, n], strides in elements.
  struct Layout {
    int64_t m, k, n;
    int64_t a_row, a_col, b_row, b_col;
    Dims batch, a_batch, b_batch;
    bool one_b; // every batch has the same b, and a's rows run on from batch to batch: one product of all rows

    int64_t batches() const { return numel(batch); }
  };

  static Layout layout(const Tensor &a, const Tensor &b) {
    if (a.shape.rank < 2 || b.shape.rank < 2)
      fail(Code::kShape, "matmul: needs matrices (rank 2 or more), got shapes ", a.shape, " and ", b.shape);
    if (a.shape.back() != b.shape.back(1))
      fail(Code::kShape, "matmul: a.shape[-1] must equal b.shape[-2] = ", b.shape.back(1), ", got ", a.shape.back(),
           " (shapes ", a.shape, " and ", b.shape, ")");
    Layout l;
    l.m = a.shape.back(1);
    l.k = a.shape.back();
    l.n = b.shape.back();
    l.a_row = a.strides.back(1);
    l.a_col = a.strides.back();
    l.b_row = b.strides.back(1);
    l.b_col = b.strides.back();
    const Dims left = leading(a.shape), right = leading(b.shape);
    l.batch = broadcast("matmul", left, right);
    l.a_batch = cpu::broadcast_strides(left, leading(a.strides), l.batch);
    l.b_batch = cpu::broadcast_strides(right, leading(b.strides), l.batch);
    l.one_b = true;
    int64_t step = l.a_row * l.m;
    for (int d = l.batch.rank - 1; d >= 0; --d) {
      if (l.batch[d] != 1 && (l.b_batch[d] != 0 || l.a_batch[d] != step))
        l.one_b = false;
      step *= l.batch[d];
    }
    if (l.one_b) {
      l.m *= l.batches();
      l.batch = Dims{};
    }
    return l;
  }

  template <class T> struct Scratch {
    Acc<T> *a, *b, *c;
    char *gemm;
    int64_t gemm_bytes;

    // One set a thread when whole products are the tasks.
    Scratch(WorkspaceCarver &carver, const Layout &l, int n_threads) {
      const int sets = by_batch(l) ? n_threads : 1;
      gemm_bytes = static_cast<int64_t>((cpu::gemm_workspace_bytes<Acc<T>>(l.m, l.n, l.k, n_threads) + 63) / 64 * 64);
      a = cpu::take_matrix<T>(carver, sets * l.m, l.k);
      b = cpu::take_matrix<T>(carver, sets * l.k, l.n);
      c = cpu::take_matrix<T>(carver, sets * l.m, l.n);
      gemm = carver.take<char>(sets * gemm_bytes);
    }
  };

  // Small products run one a task, large ones one after the other on all threads.
  static bool by_batch(const Layout &l) { return l.batches() >= 4 && l.m * l.n * l.k <= (int64_t{1} << 22); }

  static Plan rule(const Args &in, const Attrs &attrs) {
    const Tensor &a = in[0], &b = in[1];
    const Layout l = layout(a, b);
    Dims out = broadcast("matmul", leading(a.shape), leading(b.shape));
    out.push(a.shape.back(1));
    out.push(b.shape.back());
    Plan plan(attrs.wide && a.dtype == DType::kBF16 ? DType::kF32 : a.dtype, out);
    WorkspaceCarver carver(nullptr);
    dispatch_float(a.dtype, [&](auto tag) { Scratch<typename decltype(tag)::type>(carver, l, in.n_threads()); });
    plan.workspace_bytes = carver.bytes();
    return plan;
  }

private:
  static Dims leading(Dims dims) {
    dims.rank -= 2;
    return dims;
  }
};

} // namespace hrm::ops
