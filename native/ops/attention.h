#pragma once
#include <algorithm>

#include "core/carver.h"
#include "cpu/gemm.h"
#include "ops/require.h"

namespace hrm::ops {

// softmax(scale q k^T) v for each head: q [B, S, H, d], k and v [B, T, H, d] -> y [B, S, H, d] and the log-sum-exp of
// the scaled scores [B, H, S] in the compute dtype. `causal`: query i sees keys 0..i.
struct attention {
  struct Attrs {
    bool causal;
    double scale;
  };
  struct Sizes {
    int64_t batch, queries, keys, heads, d;
    static constexpr int64_t kBlock = 64;
    // Queries whose scores are held at a time.
    int64_t block() const { return std::min(queries, kBlock); }
    // Scratch of the products [m, k] x [k, n], for whole blocks of queries (m or k < 0) and for the last one.
    template <class A> size_t gemm_bytes(int64_t m, int64_t n, int64_t k, int n_threads) const {
      size_t bytes = 0;
      for (const int64_t rows : {block(), queries % std::max<int64_t>(block(), 1)})
        bytes = std::max(bytes, cpu::gemm_workspace_bytes<A>(m < 0 ? rows : m, n, k < 0 ? rows : k, n_threads));
      return bytes;
    }
  };

  // What one thread needs; A is the compute type. The kernels run the same layout.
  template <class A> struct Scratch {
    A *q, *k, *v, *y, *scores;
    char *gemm;

    Scratch(WorkspaceCarver &carver, const Sizes &s, bool converts, int n_threads)
        : q(carver.take<A>(converts ? s.queries * s.d : 0)), k(carver.take<A>(converts ? s.keys * s.d : 0)),
          v(carver.take<A>(converts ? s.keys * s.d : 0)), y(carver.take<A>(converts ? s.queries * s.d : 0)),
          scores(carver.take<A>(s.block() * score_stride<A>(s))),
          gemm(carver.take<char>(static_cast<int64_t>(
              std::max({s.gemm_bytes<A>(-1, s.keys, s.d, n_threads), s.gemm_bytes<A>(-1, s.d, s.keys, n_threads)})))) {}
  };
  // Rows of scores start at a cache line, padded to whole registers of every instruction set.
  template <class A> static int64_t score_stride(const Sizes &s) {
    constexpr int64_t kLine = 64 / sizeof(A);
    return (s.keys + kLine - 1) / kLine * kLine;
  }

  static Sizes sizes(const char *op, const Tensor &q, const Tensor &k, const Tensor &v, const Attrs &attrs) {
    need_float(op, "q", q);
    need_same_dtype(op, "k", k, q.dtype);
    need_same_dtype(op, "v", v, q.dtype);
    if (q.shape.rank != 4)
      fail(Code::kShape, op, ": q must have shape [B, S, H, d], got ", q.shape);
    if (k.shape.rank != 4)
      fail(Code::kShape, op, ": k must have shape [B, S, H, d], got ", k.shape);
    const Sizes s{q.shape[0], q.shape[1], k.shape[1], q.shape[2], q.shape[3]};
    need_shape(op, "k", k, Dims{s.batch, s.keys, s.heads, s.d});
    need_shape(op, "v", v, k.shape);
    if (s.d == 0 || (s.keys == 0 && s.queries > 0))
      fail(Code::kShape, op, ": needs at least one key and d >= 1, got q ", q.shape, " and k ", k.shape);
    if (attrs.causal && s.keys != s.queries)
      fail(Code::kShape, op, ": causal attention needs as many keys as queries, got ", s.keys, " and ", s.queries);
    if (!(attrs.scale > 0) || attrs.scale > 1e30)
      fail(Code::kArgument, op, ": scale must be positive and finite, got ", attrs.scale);
    return s;
  }

  static Plan rule(const Args &in, const Attrs &attrs) {
    const Sizes s = sizes("attention", in[0], in[1], in[2], attrs);
    Plan plan(in[0].dtype, in[0].shape);
    plan.outputs.push_back({compute_dtype(in[0].dtype), Dims{s.batch, s.heads, s.queries}});
    WorkspaceCarver carver(nullptr);
    for (int i = 0; i < in.n_threads(); ++i) {
      if (in[0].dtype == DType::kF64)
        Scratch<double>(carver, s, false, in.n_threads());
      else
        Scratch<float>(carver, s, in[0].dtype == DType::kBF16, in.n_threads());
    }
    plan.workspace_bytes = carver.bytes();
    return plan;
  }
};

// dq, dk, dv from dy, the inputs and the log-sum-exp.
struct attention_backward {
  template <class A> struct Scratch {
    A *q, *k, *v, *dy, *dq, *dk, *dv, *probabilities, *d_scores;
    char *gemm;

    Scratch(WorkspaceCarver &carver, const attention::Sizes &s, bool converts, int n_threads) {
      const int64_t n_query = converts ? s.queries * s.d : 0, n_key = converts ? s.keys * s.d : 0;
      q = carver.take<A>(n_query);
      k = carver.take<A>(n_key);
      v = carver.take<A>(n_key);
      dy = carver.take<A>(n_query);
      dq = carver.take<A>(n_query);
      dk = carver.take<A>(n_key);
      dv = carver.take<A>(n_key);
      probabilities = carver.take<A>(s.block() * attention::score_stride<A>(s));
      d_scores = carver.take<A>(s.block() * attention::score_stride<A>(s));
      gemm = carver.take<char>(static_cast<int64_t>(
          std::max({s.gemm_bytes<A>(-1, s.keys, s.d, n_threads), s.gemm_bytes<A>(-1, s.d, s.keys, n_threads),
                    s.gemm_bytes<A>(s.keys, s.d, -1, n_threads)})));
    }
  };

  static Plan rule(const Args &in, const attention::Attrs &attrs) {
    const char *op = "attention_backward";
    const Tensor &dy = in[0], &q = in[1], &k = in[2], &v = in[3], &lse = in[4];
    const attention::Sizes s = attention::sizes(op, q, k, v, attrs);
    need_same_dtype(op, "dy", dy, q.dtype);
    need_same_dtype(op, "lse", lse, compute_dtype(q.dtype));
    need_shape(op, "dy", dy, q.shape);
    need_shape(op, "lse", lse, Dims{s.batch, s.heads, s.queries});
    Plan plan;
    plan.outputs = {{q.dtype, q.shape}, {k.dtype, k.shape}, {v.dtype, v.shape}};
    WorkspaceCarver carver(nullptr);
    for (int i = 0; i < in.n_threads(); ++i) {
      if (q.dtype == DType::kF64)
        Scratch<double>(carver, s, false, in.n_threads());
      else
        Scratch<float>(carver, s, q.dtype == DType::kBF16, in.n_threads());
    }
    plan.workspace_bytes = carver.bytes();
    return plan;
  }
};

} // namespace hrm::ops
