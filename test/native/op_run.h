#pragma once
// Runs one op on made-up inputs without JavaScript, on the CPU and on the accelerator of the build: for tests of
// kernels that need a bare process (compute-sanitizer) or a kernel of their own (planted faults).
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/context.h"
#include "numerics/bfloat16.h"
#include "ops/registry.h"

namespace hrm::test {

// What a slot's tensors hold. kOfCase: the dtype that the case runs in; kCompute: what sums of it are kept in.
enum class Holds { kOfCase, kCompute, kBFloat16, kInt32, kBool };

struct Slot {
  Holds holds = Holds::kOfCase;
  // One a tensor; none: an optional argument that is not given, or an empty list.
  std::vector<Dims> shapes;
  double low = -2, high = 2;
  // Slots with the same one, other than 0, hold the same numbers.
  uint64_t seed = 0;
  // Instead of numbers of its own: this output of the case `before`.
  int output = -1;
};

inline Slot slot(Holds holds, std::vector<Dims> shapes, double low, double high) {
  Slot made;
  made.holds = holds;
  made.shapes = std::move(shapes);
  made.low = low;
  made.high = high;
  return made;
}
inline Slot x(std::vector<Dims> shapes, double low = -2, double high = 2) {
  return slot(Holds::kOfCase, std::move(shapes), low, high);
}
inline Slot computed(std::vector<Dims> shapes, double low = -2, double high = 2) {
  return slot(Holds::kCompute, std::move(shapes), low, high);
}
// Integers in 0..limit - 1.
inline Slot below(int64_t limit, Dims shape) { return slot(Holds::kInt32, {shape}, 0, static_cast<double>(limit)); }
inline Slot flags(Dims shape, double low = 0, double high = 2) { return slot(Holds::kBool, {shape}, low, high); }
inline Slot none() { return slot(Holds::kOfCase, {}, 0, 0); }
inline Slot kept(int output) {
  Slot slot;
  slot.output = output;
  return slot;
}

// An attribute's value, of any kind.
struct Value {
  double number = 0;
  Dims dims;
  DType dtype = DType::kF32;
  bool of_case = false;
  Value(double v) : number(v) {}
  Value(Dims v) : dims(v) {}
  Value(DType v) : dtype(v) {}
  static Value dtype_of_case() {
    Value v(DType::kF32);
    v.of_case = true;
    return v;
  }
};

struct OpCase {
  OpCase(const char *op, std::vector<Slot> slots, std::vector<std::pair<const char *, Value>> attrs)
      : op(op), slots(std::move(slots)), attrs(std::move(attrs)) {}

  const char *op;
  std::vector<Slot> slots;
  std::vector<std::pair<const char *, Value>> attrs;
  // Run first, on the same device: what it keeps is laid out as the device likes.
  std::shared_ptr<const OpCase> before;
  // Outputs that devices must agree on: the first so many.
  size_t n_compared = SIZE_MAX;
  // Its bfloat16 exists on accelerators alone: compared with the CPU's float32.
  bool is_narrow_on_device = false;
};

struct Result {
  DType dtype;
  std::vector<double> values;
};
// Outputs, then what the op changed in place.
using Results = std::vector<Result>;

inline const OpEntry &entry_of(const std::string &name) {
  for (const OpEntry &entry : op_registry())
    if (name == entry.name)
      return entry;
  fail(Code::kArgument, name, ": is no op");
}

// In [0, 1), the same everywhere.
inline double noise(uint64_t i) {
  i = (i + 1) * 0x9e3779b97f4a7c15u;
  i = (i ^ (i >> 30)) * 0xbf58476d1ce4e5b9u;
  i = (i ^ (i >> 27)) * 0x94d049bb133111ebu;
  return static_cast<double>((i ^ (i >> 31)) >> 11) / static_cast<double>(uint64_t{1} << 53);
}

inline DType dtype_of(Holds holds, DType of_case) {
  switch (holds) {
  case Holds::kCompute:
    return of_case == DType::kBF16 ? DType::kF32 : of_case;
  case Holds::kBFloat16:
    return DType::kBF16;
  case Holds::kInt32:
    return DType::kI32;
  case Holds::kBool:
    return DType::kBool;
  default:
    return of_case;
  }
}

template <class T> void fill_with(void *memory, int64_t n, const Slot &slot, uint64_t seed) {
  for (int64_t i = 0; i < n; ++i) {
    double v = slot.low + (slot.high - slot.low) * noise(seed + static_cast<uint64_t>(i));
    if (slot.holds == Holds::kInt32 || slot.holds == Holds::kBool)
      v = std::floor(v);
    static_cast<T *>(memory)[i] = static_cast<T>(static_cast<float>(v));
  }
}

class Machine {
public:
  explicit Machine(int n_threads = 1) : context(size_t{8} << 30, n_threads) {}

  // The op's own kernel on the accelerator, or another in its place. Throws Error: kDType where the op has no such
  // case, and whatever the device reports.
  Results on_gpu(const OpCase &c, DType dtype, const GpuOp *instead = nullptr) {
    std::vector<Tensor> outputs;
    return run(c, dtype, true, instead, outputs);
  }
  Results on_cpu(const OpCase &c, DType dtype) {
    std::vector<Tensor> outputs;
    return run(c, dtype, false, nullptr, outputs);
  }

  Context context;

private:
  Results run(const OpCase &c, DType dtype, bool on_device, const GpuOp *instead, std::vector<Tensor> &outputs) {
    std::vector<Tensor> before;
    if (c.before)
      run(*c.before, dtype, on_device, nullptr, before);
    const OpEntry &entry = entry_of(c.op);
    Allocator &allocator = on_device ? context.gpu(0).allocator() : context.allocator;
    Args args;
    args.clear(context.pool->nThreads());
    std::vector<Tensor> tensors;
    size_t n_tensors = 0;
    for (const Slot &slot : c.slots)
      n_tensors += std::max<size_t>(slot.shapes.size(), 1);
    tensors.reserve(n_tensors);
    uint64_t seed = 1;
    for (const Slot &slot : c.slots) {
      if (slot.output >= 0) {
        tensors.push_back(before[static_cast<size_t>(slot.output)]);
        args.add(&tensors.back());
      }
      uint64_t own = slot.seed;
      for (const Dims &shape : slot.shapes) {
        uint64_t &from = own ? own : seed;
        tensors.push_back(made(allocator, on_device, dtype_of(slot.holds, dtype), shape, slot, from));
        args.add(&tensors.back());
        from += static_cast<uint64_t>(numel(shape)) + 1;
      }
      args.end_slot();
    }
    if (args.slots() != static_cast<int>(entry.schema.inputs.size()))
      fail(Code::kArgument, c.op, ": a case with ", args.slots(), " arguments, the op has ",
           entry.schema.inputs.size());
    alignas(16) unsigned char attrs[kMaxAttrBytes] = {};
    set_attrs(c, entry, dtype, attrs);

    Plan plan = entry.schema.rule(args, attrs);
    const GpuOp *gpu_op = instead ? instead : entry.gpu;
    if (on_device)
      plan.workspace_bytes = gpu_op->workspace_bytes ? gpu_op->workspace_bytes(args, attrs) : 0;
    for (const Meta &meta : plan.outputs)
      outputs.push_back(Tensor::empty(allocator, meta.dtype, meta.shape));
    StorageRef scratch;
    if (plan.workspace_bytes > 0)
      scratch = StorageRef(new Storage(allocator, plan.workspace_bytes));
    Gpu *gpu = on_device ? &context.gpu(0) : nullptr;
    Call call{entry.name, args, outputs, scratch ? scratch->data() : nullptr, scratch, context, gpu, attrs};
    (on_device ? gpu_op->run : entry.cpu)(call);
    if (gpu)
      gpu->synchronize();

    Results results;
    for (size_t i = 0; i < outputs.size() && i < c.n_compared; ++i)
      results.push_back(read(outputs[i], gpu));
    size_t next = 0;
    for (size_t slot = 0; slot < c.slots.size(); ++slot)
      for (int i = 0; i < args.count(static_cast<int>(slot)); ++i, ++next)
        if (entry.schema.inputs[slot].mutated)
          results.push_back(read(tensors[next], gpu));
    return results;
  }

  static void set_attrs(const OpCase &c, const OpEntry &entry, DType dtype, unsigned char *attrs) {
    for (const AttrSpec &spec : entry.schema.attrs) {
      const Value *value = nullptr;
      for (const auto &[name, given] : c.attrs)
        if (std::strcmp(name, spec.name) == 0)
          value = &given;
      if (value == nullptr)
        fail(Code::kArgument, c.op, ": a case without ", spec.name);
      unsigned char *at = attrs + spec.offset;
      const int64_t whole = static_cast<int64_t>(value->number);
      const bool flag = value->number != 0;
      const DType type = value->of_case ? dtype : value->dtype;
      switch (spec.kind) {
      case AttrKind::kInt:
        std::memcpy(at, &whole, sizeof whole);
        break;
      case AttrKind::kFloat:
        std::memcpy(at, &value->number, sizeof(double));
        break;
      case AttrKind::kBool:
        std::memcpy(at, &flag, sizeof flag);
        break;
      case AttrKind::kDims:
        std::memcpy(at, &value->dims, sizeof(Dims));
        break;
      case AttrKind::kDType:
        std::memcpy(at, &type, sizeof type);
        break;
      }
    }
  }

  Tensor made(Allocator &allocator, bool on_device, DType dtype, const Dims &shape, const Slot &slot, uint64_t seed) {
    Tensor t = Tensor::empty(allocator, dtype, shape);
    std::vector<unsigned char> host(static_cast<size_t>(t.size()) * item_size(dtype));
    dispatch_all(dtype, [&](auto tag) { fill_with<typename decltype(tag)::type>(host.data(), t.size(), slot, seed); });
    if (host.empty())
      return t;
    if (on_device)
      context.gpu(0).upload(host.data(), t.raw(), host.size());
    else
      std::memcpy(t.raw(), host.data(), host.size());
    return t;
  }

  static Result read(const Tensor &t, Gpu *gpu) {
    std::vector<unsigned char> host(static_cast<size_t>(t.size()) * item_size(t.dtype));
    if (!host.empty()) {
      if (gpu)
        gpu->download(t.raw(), host.size())->finish(host.data());
      else
        std::memcpy(host.data(), t.raw(), host.size());
    }
    std::vector<double> values(static_cast<size_t>(t.size()));
    dispatch_all(t.dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      for (size_t i = 0; i < values.size(); ++i)
        values[i] = static_cast<double>(reinterpret_cast<const T *>(host.data())[i]);
    });
    return {t.dtype, values};
  }
};

// Largest error of a tensor, relative to its norm over the root of its size; infinite where only one of them is a
// number.
inline double error_of(const std::vector<double> &found, const std::vector<double> &wanted) {
  if (found.size() != wanted.size())
    return HUGE_VAL;
  double square = 0, most = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const double a = found[i], b = wanted[i];
    if (a == b || (std::isnan(a) && std::isnan(b)))
      square += std::isfinite(b) ? b * b : 0;
    else if (!std::isfinite(a) || !std::isfinite(b))
      return HUGE_VAL;
    else {
      square += b * b;
      most = std::max(most, std::abs(a - b));
    }
  }
  return most / std::max(std::sqrt(square / static_cast<double>(std::max<size_t>(wanted.size(), 1))), 1e-30);
}

// Sums of a few hundred terms, rounded once or twice. A chain of blocks in bfloat16 beside one in float32: its weights
// are rounded, and its states some twenty times.
inline double bound_of(DType dtype, bool is_chain) { return dtype != DType::kBF16 ? 1e-4 : is_chain ? 0.15 : 0.05; }

// What is wrong with results of a case in `dtype`; empty if nothing is.
inline std::string difference(const OpCase &c, DType dtype, const Results &found, const Results &wanted) {
  if (found.size() != wanted.size())
    return "gives " + std::to_string(found.size()) + " tensors, the CPU " + std::to_string(wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    const double error = error_of(found[i].values, wanted[i].values);
    // Float32 cases may have bfloat16 results: copies of weights.
    const double bound = std::max(bound_of(dtype, c.is_narrow_on_device), bound_of(found[i].dtype, false));
    if (!(error <= bound))
      return "tensor " + std::to_string(i) + " differs from the CPU by " + std::to_string(error);
  }
  return "";
}

} // namespace hrm::test
