// One transformer block, forward: the products are device/gemm.h's; beside them add_norm reads 2 and writes 1 element a
// result, bound by memory.
#include "device/block.h"

#include <cmath>

#include "device/convert.h"
#include "device/gemm.h"
#include "device/rows.h"
#include "device/walk.h"
#include "ops/registry.h"
#include "ops/rope.h"

namespace hrm::device {

namespace {

// y = r s with s = x + update and r = 1 / sqrt(mean(s^2) + eps)
template <class T, class Plan>
__global__ void add_norm_kernel(Out<T> y, Out<float> r, In<T> x, In<T> update, RowSpace space, float eps) {
  constexpr int N = Plan::kWidth;
  for_rows<typename Plan::Team>(space.rows, [&](int64_t row, bool exists) {
    const RowPlace<Plan> place(space, row, exists);
    const RowPart<float, T, Plan> left(x, place), right(update, place);
    const auto sum = [&](int k, int64_t i) {
      Vec<float, N> v = left.get(k, i);
      const Vec<float, N> u = right.get(k, i);
      HRM_UNROLL
      for (int j = 0; j < N; ++j)
        v[j] += u[j];
      return v;
    };
    const float square = reduce_row(place, 0.0f, Sum{}, [&](int k, int64_t i) {
      Vec<float, N> v = sum(k, i);
      HRM_UNROLL
      for (int j = 0; j < N; ++j)
        v[j] *= v[j];
      return v;
    });
    const float factor = 1.0f / std::sqrt(square / static_cast<float>(space.n) + eps);
    if (exists && Plan::Team::rank() == 0)
      r.set(row, factor);
    place.each([&](int k, int64_t i) {
      Vec<float, N> v = sum(k, i);
      HRM_UNROLL
      for (int j = 0; j < N; ++j)
        v[j] *= factor;
      place.store(y, i, v);
    });
  });
}

void add_norm(Call &call, const Tensor &y, const Tensor &r, const Tensor &x, const Tensor &update, const Dims &rows,
              float eps) {
  const RowSpace space{rows[0], rows[1]};
  if (space.rows == 0)
    return;
  dispatch_device_float(y.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    with_row_plan<T>(space.n, aligned16({&x, &update, &y}), [&](auto plan) {
      launch(call, &add_norm_kernel<T, decltype(plan)>, grid_of(plan, space.rows), out<T>(y), out<float>(r), in<T>(x),
             in<T>(update), space, eps);
    });
  });
}

template <class T, bool three> __global__ void add_kernel(Out<T> y, In<T> a, In<T> b, In<T> c, int64_t size) {
  const int64_t step = int64_t{n_blocks()} * n_threads();
  for (int64_t i = int64_t{block_x()} * n_threads() + thread_x(); i < size; i += step)
    y.set(i, static_cast<T>(float(a[i]) + (three ? float(b[i]) + float(c[i]) : float(b[i]))));
}

void rotate(Call &call, const RopeTables &rope, const Tensor &raw, const Tensor &to) {
  const ops::rope::Attrs forward{false};
  run(call, cuda::rope, {&raw, rope.cosines, rope.sines}, {to}, &forward);
}

void mix_by_attention(Call &call, const BlockSizes &s, const BlockParts &w, const RopeTables &rope,
                      ForwardScratch &scratch, const BlockSaved &saved, const Tensor &input) {
  const int64_t M = s.tokens(), D = s.hidden;
  const Tensor q = part(saved.qkv, 0, s.by_head()), k = part(saved.qkv, M * D, s.by_head()),
               v = part(saved.qkv, 2 * M * D, s.by_head());
  if (rope.cosines) {
    product(call, scratch.raw_qk, input, *w.qkv, M, 2 * D, D);
    for (const auto &[half, to] : {std::pair<int64_t, const Tensor *>{0, &q}, {1, &k}}) {
      Tensor raw = part(scratch.raw_qk, half * D, s.by_head());
      raw.strides = {s.seq * 2 * D, 2 * D, s.head_dim(), 1};
      rotate(call, rope, raw, *to);
    }
  } else {
    product(call, q, input, *w.qkv, M, D, D);
    product(call, k, input, part(*w.qkv, D * D, {D, D}), M, D, D);
  }
  product(call, v, input, part(*w.qkv, 2 * D * D, {D, D}), M, D, D);
  const ops::attention::Attrs attrs = attention_attrs(s);
  run(call, cuda::attention, {&q, &k, &v},
      {shaped(saved.attention, s.by_head()), shaped(saved.lse, {s.batch, s.heads, s.seq})}, &attrs, scratch.attention);
  product(call, scratch.update, saved.attention, *w.o, M, D, D);
  add_norm(call, saved.y1, saved.r1, input, scratch.update, s.first_norm(), s.eps);
}

// saved.y1 = rmsNorm(first + attention) of the tokens `first` of the input, which see all.
void attend_first(Call &call, const BlockSizes &s, const BlockParts &w, const RopeTables &rope, ForwardScratch &scratch,
                  const Tensor &input, const Tensor &first) {
  const int64_t M = s.tokens(), D = s.hidden, tokens = first.shape[1], rows = s.batch * tokens;
  const BlockSaved &saved = scratch.saved;
  const Dims by_head{s.batch, tokens, s.heads, s.head_dim()};
  const Tensor q = part(saved.qkv, 0, by_head), k = part(saved.qkv, M * D, s.by_head()),
               v = part(saved.qkv, 2 * M * D, s.by_head());
  const Tensor raw_k = part(scratch.raw_qk, 0, s.by_head()), raw_q = part(scratch.raw_qk, M * D, by_head);
  product(call, rope.cosines ? raw_q : q, first, *w.qkv, rows, D, D);
  product(call, rope.cosines ? raw_k : k, input, part(*w.qkv, D * D, {D, D}), M, D, D);
  if (rope.cosines) {
    rotate(call, rope, raw_q, q);
    rotate(call, rope, raw_k, k);
  }
  product(call, v, input, part(*w.qkv, 2 * D * D, {D, D}), M, D, D);
  const ops::attention::Attrs attrs = attention_attrs(s);
  run(call, cuda::attention, {&q, &k, &v},
      {shaped(saved.attention, by_head), shaped(saved.lse, {s.batch, s.heads, tokens})}, &attrs, scratch.attention);
  product(call, scratch.update, saved.attention, *w.o, rows, D, D);
  add_norm(call, part(saved.y1, 0, {rows, D}), part(saved.r1, 0, {rows}), first, part(scratch.update, 0, {rows, D}),
           {rows, D}, s.eps);
}

// y = rmsNorm(y1 + swiglu(y1)) of so many tokens.
void mlp(Call &call, int64_t rows, const BlockSizes &s, const BlockParts &w, ForwardScratch &scratch,
         const BlockSaved &saved, const Tensor &y1, const Tensor &y) {
  const int64_t D = s.hidden;
  const Tensor gate_up = shaped(saved.gate_up, {rows, 2 * s.inner});
  product(call, gate_up, y1, *w.gate_up, rows, 2 * s.inner, D);
  run(call, cuda::swiglu, {&gate_up}, {shaped(scratch.inner, {rows, s.inner})});
  product(call, scratch.update, scratch.inner, *w.down, rows, D, s.inner);
  add_norm(call, y, part(saved.r2, 0, {rows}), shaped(y1, {rows, D}), part(scratch.update, 0, {rows, D}), {rows, D},
           s.eps);
}

void mix_over_sequence(Call &call, const BlockSizes &s, const BlockParts &w, ForwardScratch &scratch,
                       const BlockSaved &saved, const Tensor &input) {
  const int64_t rows = s.batch * s.hidden;
  transpose(call, scratch.transposed, input, s.batch, s.seq, s.hidden);
  product(call, saved.t_gate_up, scratch.transposed, *w.t_gate_up, rows, 2 * s.seq_inner, s.seq);
  const Tensor gate_up = shaped(saved.t_gate_up, {rows, 2 * s.seq_inner});
  run(call, cuda::swiglu, {&gate_up}, {shaped(scratch.t_inner, {rows, s.seq_inner})});
  product(call, scratch.update, scratch.t_inner, *w.t_down, rows, s.seq, s.seq_inner);
  add_norm(call, scratch.t_result, saved.r1, scratch.transposed, scratch.update, s.first_norm(), s.eps);
  transpose(call, saved.y1, scratch.t_result, s.batch, s.hidden, s.seq);
}

} // namespace

std::vector<BlockParts> block_parts(const Args &in, int first) {
  std::vector<BlockParts> blocks;
  using List = ops::BlockLists;
  const auto of = [&](List::List list, int i) {
    return in.count(first + list) > i ? &in.at(first + list, i) : nullptr;
  };
  for (int i = 0; i < in.count(first + List::kGateUp); ++i)
    blocks.push_back({of(List::kQkv, i), of(List::kO, i), of(List::kGateUp, i), of(List::kDown, i),
                      of(List::kTGateUp, i), of(List::kTDown, i)});
  return blocks;
}

RopeTables rope_tables(const Args &in, int cos_slot) {
  return in.has(cos_slot) ? RopeTables{&in[cos_slot], &in[cos_slot + 1]} : RopeTables{nullptr, nullptr};
}

ForwardScratch::ForwardScratch(Arena &arena, const BlockSizes &s, bool keeps) {
  const int64_t M = s.tokens(), D = s.hidden, rows = s.batch * D;
  const auto take = [&](const Dims &shape) { return arena.take(shape, s.dtype); };
  const auto kept = [&](const Dims &shape) { return keeps ? Tensor{} : take(shape); };
  const auto kept_wide = [&](const Dims &shape) { return keeps ? Tensor{} : arena.take(shape); };
  update = take({M, D});
  inner = take({M, s.inner});
  if (s.over_sequence()) {
    transposed = take({rows, s.seq});
    t_result = take({rows, s.seq});
    t_inner = take({rows, s.seq_inner});
    saved.t_gate_up = kept({rows, 2 * s.seq_inner});
  } else {
    raw_qk = take({M, 2 * D});
    saved.qkv = kept({3, M, D});
    saved.attention = kept({M, D});
    saved.lse = kept_wide({s.batch, s.heads, s.seq});
    // Attention's own scratch, whatever shapes it is asked for with.
    Tensor q = raw_qk;
    q.shape = s.by_head();
    q.strides = contiguous_strides(q.shape);
    const ops::attention::Attrs attrs = attention_attrs(s);
    attention = arena.take_bytes(workspace_bytes(cuda::attention, {&q, &q, &q}, &attrs));
  }
  saved.y1 = kept({M, D});
  saved.r1 = kept_wide({s.first_norm()[0]});
  saved.gate_up = kept({M, 2 * s.inner});
  saved.r2 = kept_wide({M});
}

void block_forward(Call &call, const BlockSizes &s, const BlockParts &w, const RopeTables &rope,
                   ForwardScratch &scratch, const BlockSaved &saved, const Tensor &input, const Tensor &y) {
  if (s.over_sequence())
    mix_over_sequence(call, s, w, scratch, saved, input);
  else
    mix_by_attention(call, s, w, rope, scratch, saved, input);
  mlp(call, s.tokens(), s, w, scratch, saved, saved.y1, y);
}

void block_forward_first(Call &call, const BlockSizes &s, const BlockParts &w, const RopeTables &rope,
                         ForwardScratch &scratch, const Tensor &input, const Tensor &first, const Tensor &y) {
  const BlockSaved &saved = scratch.saved;
  const auto take_first = [&](const Tensor &of) {
    Tensor view = shaped(of, s.state());
    view.shape = first.shape;
    convert(call.op, cuda::stream_of(call), view, first);
  };
  if (s.over_sequence()) {
    mix_over_sequence(call, s, w, scratch, saved, input);
    take_first(saved.y1);
    mlp(call, first.shape[0] * first.shape[1], s, w, scratch, saved, first, y);
  } else {
    take_first(input);
    attend_first(call, s, w, rope, scratch, input, first);
    mlp(call, first.shape[0] * first.shape[1], s, w, scratch, saved, saved.y1, y);
  }
}

void transpose(Call &call, const Tensor &to, const Tensor &from, int64_t batch, int64_t m, int64_t n) {
  Tensor view = shaped(from, {batch, n, m});
  view.strides = {m * n, 1, n};
  convert(call.op, cuda::stream_of(call), view, shaped(to, {batch, n, m}));
}

void add(Call &call, const Tensor &y, const Tensor &a, const Tensor &b, const Tensor *c) {
  const int64_t size = y.size();
  if (size == 0)
    return;
  const Grid grid{blocks_for(size, kThreads), kThreads};
  dispatch_device_float(y.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if (c)
      launch(call, &add_kernel<T, true>, grid, out<T>(y), in<T>(a), in<T>(b), in<T>(*c), size);
    else
      launch(call, &add_kernel<T, false>, grid, out<T>(y), in<T>(a), in<T>(b), In<T>(nullptr, 0), size);
  });
}

void product(Call &call, const Tensor &y, const Tensor &x, const Tensor &weight, int64_t rows, int64_t n, int64_t k) {
  dispatch_device_float(y.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    gemm<T, T>(call.op, cuda::stream_of(call), {rows, n, k}, {x.data<T>(), k, 1}, {weight.data<T>(), 1, k},
               {y.data<T>(), n});
  });
}

} // namespace hrm::device
