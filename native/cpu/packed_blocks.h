#pragma once
#include <vector>

#include "cpu/block.h"
#include "cpu/pack_cache.h"
#include "ops/op.h"

namespace hrm::cpu {

// The blocks whose four weight lists begin at this argument, packed.
template <class T> std::vector<PackedBlock<T>> packed_blocks(const Call &call, int first) {
  std::vector<PackedBlock<T>> blocks;
  for (int i = 0; i < call.in.count(first); ++i)
    blocks.push_back({packed_weight<T>(call.context, call.in.at(first, i), PackOrder::kPlain),
                      packed_weight<T>(call.context, call.in.at(first + 1, i), PackOrder::kPlain),
                      packed_weight<T>(call.context, call.in.at(first + 2, i), PackOrder::kGateUp),
                      packed_weight<T>(call.context, call.in.at(first + 3, i), PackOrder::kPlain)});
  return blocks;
}

// The same as they are stored.
template <class T> std::vector<PlainBlock<T>> plain_blocks(const Call &call, int first) {
  std::vector<PlainBlock<T>> blocks;
  for (int i = 0; i < call.in.count(first); ++i)
    blocks.push_back({call.in.at(first, i).data<T>(), call.in.at(first + 1, i).data<T>(),
                      call.in.at(first + 2, i).data<T>(), call.in.at(first + 3, i).data<T>()});
  return blocks;
}

} // namespace hrm::cpu
