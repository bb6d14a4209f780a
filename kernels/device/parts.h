#pragma once
// For ops made of other ops: tensors carved from the workspace, and calls of other ops' kernels on them.
#include <initializer_list>
#include <utility>
#include <vector>

#include "device/launch.h"
#include "ops/op.h"

namespace hrm::device {

// Hands out parts of a workspace as tensors; without storage it only counts, as the workspace_bytes of an op do.
class Arena {
public:
  explicit Arena(const StorageRef &storage) : storage_(storage) {}
  Tensor take(const Dims &shape, DType dtype = DType::kF32) {
    Tensor t;
    t.storage = storage_;
    t.dtype = dtype;
    t.shape = shape;
    t.strides = contiguous_strides(shape);
    t.offset = static_cast<int64_t>(used_ / item_size(dtype));
    used_ += (static_cast<size_t>(t.size()) * item_size(dtype) + 255) / 256 * 256;
    return t;
  }
  // Raw scratch for a kernel that is called; null where it wants none.
  void *take_bytes(size_t n_bytes) {
    if (n_bytes == 0)
      return nullptr;
    const Tensor t = take(Dims{static_cast<int64_t>(n_bytes)}, DType::kU8);
    return storage_ ? t.raw() : nullptr;
  }
  size_t bytes() const { return used_; }

private:
  StorageRef storage_;
  size_t used_ = 0;
};

// Elements first .. first + the shape's size of a contiguous tensor, as a tensor.
inline Tensor part(const Tensor &whole, int64_t first, const Dims &shape) {
  Tensor t = whole;
  t.shape = shape;
  t.strides = contiguous_strides(shape);
  t.offset += first;
  return t;
}
inline Tensor shaped(const Tensor &t, const Dims &shape) { return part(t, 0, shape); }

inline Args args_of(std::initializer_list<const Tensor *> in) {
  Args args;
  args.clear(1);
  for (const Tensor *t : in) {
    args.add(t);
    args.end_slot();
  }
  return args;
}

// Runs the kernel of another op under the name of the calling one. Outputs are given.
inline void run(Call &call, const GpuOp &op, std::initializer_list<const Tensor *> in, std::vector<Tensor> out,
                const void *attrs = nullptr, void *workspace = nullptr) {
  const Args args = args_of(in);
  const StorageRef none;
  Call inner{call.op, args, out, workspace, none, call.context, call.gpu, attrs};
  op.run(inner);
}
inline size_t workspace_bytes(const GpuOp &op, std::initializer_list<const Tensor *> in, const void *attrs) {
  return op.workspace_bytes ? op.workspace_bytes(args_of(in), attrs) : 0;
}

} // namespace hrm::device
