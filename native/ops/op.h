#pragma once
// What an op is, seen by the rule, the binding and the backends. docs/adding_an_op.md walks through one.
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "core/context.h"
#include "core/tensor.h"

namespace hrm {

// ---- schema ----------------------------------------------------------------------------------------------------

enum class ArgKind : uint8_t { kTensor, kOptional, kList };

struct ArgSpec {
  const char *name;
  ArgKind kind = ArgKind::kTensor;
  // Written by the op: must be contiguous, its storage's version is bumped.
  bool mutated = false;
  // The kernel handles any strides; otherwise the binding passes a contiguous copy.
  bool strided = false;
};

constexpr ArgSpec in(const char *name) { return {name}; }
constexpr ArgSpec strided(const char *name) { return {name, ArgKind::kTensor, false, true}; }
constexpr ArgSpec optional(const char *name) { return {name, ArgKind::kOptional}; }
constexpr ArgSpec list(const char *name) { return {name, ArgKind::kList}; }
constexpr ArgSpec mutated(const char *name) { return {name, ArgKind::kTensor, true}; }
constexpr ArgSpec strided(ArgSpec spec) { return {spec.name, spec.kind, spec.mutated, true}; }
constexpr ArgSpec mutated_list(const char *name) { return {name, ArgKind::kList, true}; }

enum class AttrKind : uint8_t { kInt, kFloat, kBool, kDims, kDType };

struct AttrSpec {
  const char *name;
  AttrKind kind;
  size_t offset;
};

template <class T> constexpr AttrKind attr_kind() {
  if constexpr (std::is_same_v<T, int64_t>)
    return AttrKind::kInt;
  else if constexpr (std::is_same_v<T, double>)
    return AttrKind::kFloat;
  else if constexpr (std::is_same_v<T, bool>)
    return AttrKind::kBool;
  else if constexpr (std::is_same_v<T, Dims>)
    return AttrKind::kDims;
  else {
    static_assert(std::is_same_v<T, DType>, "attributes are int64_t, double, bool, Dims or DType");
    return AttrKind::kDType;
  }
}
// HRM_ATTR(Attrs, eps): describes the field so that the binding can fill it.
#define HRM_ATTR(Struct, field)                                                                                        \
  ::hrm::AttrSpec { #field, ::hrm::attr_kind<decltype(Struct::field)>(), offsetof(Struct, field) }

// ---- what a rule decides ---------------------------------------------------------------------------------------

struct Meta {
  DType dtype;
  Dims shape;
};

struct Plan {
  std::vector<Meta> outputs;
  // Scratch for the kernel, 64-byte aligned, uninitialised.
  size_t workspace_bytes = 0;

  Plan() = default;
  Plan(DType dtype, const Dims &shape) : outputs{{dtype, shape}} {}
};

// The inputs of one call. A slot is one declared argument: a tensor, an optional tensor or a list.
class Args {
public:
  const Tensor &operator[](int slot) const { return *tensors_[begin_[slot]]; }
  bool has(int slot) const { return begin_[slot + 1] > begin_[slot]; }
  int count(int slot) const { return begin_[slot + 1] - begin_[slot]; }
  const Tensor &at(int slot, int i) const { return *tensors_[begin_[slot] + i]; }
  int slots() const { return static_cast<int>(begin_.size()) - 1; }
  bool any(DType dtype) const {
    for (const Tensor *tensor : tensors_)
      if (tensor->dtype == dtype)
        return true;
    return false;
  }
  // Threads of the pool, for workspace sizes only: results must not depend on it.
  int n_threads() const { return n_threads_; }

  // Filled by the binding.
  void clear(int n_threads) {
    n_threads_ = n_threads;
    tensors_.clear();
    begin_.assign(1, 0);
  }
  void add(const Tensor *tensor) { tensors_.push_back(tensor); }
  void end_slot() { begin_.push_back(static_cast<int>(tensors_.size())); }
  std::vector<const Tensor *> &tensors() { return tensors_; }
  const std::vector<const Tensor *> &tensors() const { return tensors_; }

private:
  std::vector<const Tensor *> tensors_;
  std::vector<int> begin_{0};
  int n_threads_ = 1;
};

// ---- what a backend gets ---------------------------------------------------------------------------------------

// Backends never allocate and never check: the rule has, and the outputs are there (contiguous unless in place).
struct Call {
  const char *op;
  const Args &in;
  const std::vector<Tensor> &out;
  void *workspace;
  // What `workspace` points into, for kernels made of other ops.
  const StorageRef &workspace_storage;
  Context &context;
  // Null on the CPU.
  Gpu *gpu;
  const void *attrs_data;

  template <class Attrs> const Attrs &attrs() const { return *static_cast<const Attrs *>(attrs_data); }
};

using Rule = Plan (*)(const Args &in, const void *attrs);
// Sets `out` to a view of `in`; false when only a contiguous copy of `in` has such a view (the binding copies, asks
// again).
using ViewRule = bool (*)(const Tensor &in, const void *attrs, Tensor &out);
using Backend = void (*)(Call &call);

// An op on an accelerator: kernels/<name>.cu defines `const GpuOp cuda::<name>`. It has scratch of its own, because it
// cuts the work differently; what the rule says is the CPU's.
struct GpuOp {
  Backend run;
  size_t (*workspace_bytes)(const Args &in, const void *attrs) = nullptr;
};

// What the binding does with mixed dtypes before rule and kernel see them: kAny casts all tensors to the largest in
// promotion order; kFloat further takes integers and bool to float32; kNumber takes bool to int32; kNone casts nothing.
enum class Promotion : uint8_t { kNone, kAny, kNumber, kFloat };
constexpr DType promoted(Promotion promotion, DType common) {
  if (promotion == Promotion::kFloat && !is_float(common))
    return DType::kF32;
  if (promotion == Promotion::kNumber && common == DType::kBool)
    return DType::kI32;
  return common;
}

struct Schema {
  std::vector<ArgSpec> inputs;
  std::vector<AttrSpec> attrs;
  // Names of the outputs, for `save` in TypeScript. A rule may give more outputs than names: the last name is a list.
  std::vector<const char *> outputs{"y"};
  Rule rule = nullptr;
  Promotion promotion = Promotion::kNone;
  // May write its result over the first input (elementwise: result shape and dtype must be the input's).
  bool in_place = false;
};

namespace cpu {
// Copies any view to any view of the same shape, casting as `cast` does. The binding's way to contiguous inputs.
void convert(Context &context, const Tensor &source, const Tensor &target);
} // namespace cpu

constexpr size_t kMaxAttrBytes = 512;

// Wraps a typed rule: `Plan rule(const Args&, const Attrs&)`.
template <class Attrs, Plan (*rule)(const Args &, const Attrs &)> Plan erase_rule(const Args &in, const void *attrs) {
  static_assert(std::is_trivially_destructible_v<Attrs> && sizeof(Attrs) <= kMaxAttrBytes);
  return rule(in, *static_cast<const Attrs *>(attrs));
}
struct NoAttrs {};

namespace ops {
// Attributes of ops along one dimension.
struct DimAttrs {
  int64_t dim;
};
} // namespace ops

} // namespace hrm
