#pragma once
// Weights packed for the matrix products, kept beside the weight until it is written to.
#include <memory>

#include "core/context.h"
#include "core/tensor.h"
#include "cpu/gemm.h"

namespace hrm::cpu {

// First number of Storage::derived()'s kinds that belongs to packed weights; PackOrder is added to it.
constexpr int kPackedWeightKind = 100;

template <class T> struct PackedWeight : Derived {
  StorageRef memory;
  int64_t n = 0, k = 0;
};

// `weight` [n, k] (contiguous) packed by pack_matrix. Packs again only when the storage's version has risen, into the
// same memory unless that was released, so that a training step packs every weight once.
template <class T> const T *packed_weight(Context &context, const Tensor &weight, PackOrder order) {
  const int kind = kPackedWeightKind + static_cast<int>(order);
  const int64_t n = weight.shape[0], k = weight.shape[1];
  Storage &storage = *weight.storage.get();
  PackedWeight<T> *found = nullptr;
  for (const std::unique_ptr<Derived> &derived : storage.derived())
    if (derived->kind == kind && derived->offset == weight.offset) {
      auto *packed = static_cast<PackedWeight<T> *>(derived.get());
      if (packed->n == n && packed->k == k)
        found = packed;
    }
  if (found != nullptr && found->version == storage.version())
    return static_cast<const T *>(found->memory->data());
  if (found == nullptr) {
    auto packed = std::make_unique<PackedWeight<T>>();
    packed->memory = StorageRef(new Storage(context.allocator, packed_elements<T>(n, k) * sizeof(T)));
    packed->kind = kind;
    packed->offset = weight.offset;
    packed->n = n;
    packed->k = k;
    found = packed.get();
    storage.derived().push_back(std::move(packed));
  }
  T *data = static_cast<T *>(found->memory->data());
  pack_matrix<T>(*context.pool, n, k, row_major(weight.data<T>(), k), order, data);
  found->version = storage.version();
  return data;
}

} // namespace hrm::cpu
