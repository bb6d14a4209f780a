#pragma once
#include <vector>

#include "cpu/block.h"
#include "cpu/pack_cache.h"
#include "ops/block_rule.h"

namespace hrm::cpu {

// The blocks whose weight lists (ops::BlockLists) begin at this argument, each weight made by weight(list, i); null
// where the list is empty.
template <class Block, class F> std::vector<Block> blocks_of(const Call &call, int first, F &&weight) {
  using L = ops::BlockLists;
  const auto get = [&](int list, int i) { return call.in.count(first + list) > 0 ? weight(list, i) : nullptr; };
  std::vector<Block> blocks;
  for (int i = 0; i < call.in.count(first + L::kGateUp); ++i)
    blocks.push_back(
        {get(L::kQkv, i), get(L::kO, i), get(L::kGateUp, i), get(L::kDown, i), get(L::kTGateUp, i), get(L::kTDown, i)});
  return blocks;
}

// Packed.
template <class T> std::vector<PackedBlock<T>> packed_blocks(const Call &call, int first) {
  using L = ops::BlockLists;
  return blocks_of<PackedBlock<T>>(call, first, [&](int list, int i) {
    const bool gate_up = list == L::kGateUp || list == L::kTGateUp;
    return packed_weight<T>(call.context, call.in.at(first + list, i),
                            gate_up ? PackOrder::kGateUp : PackOrder::kPlain);
  });
}

// As they are stored.
template <class T> std::vector<PlainBlock<T>> plain_blocks(const Call &call, int first) {
  return blocks_of<PlainBlock<T>>(
      call, first, [&](int list, int i) -> const T * { return call.in.at(first + list, i).template data<T>(); });
}

} // namespace hrm::cpu
