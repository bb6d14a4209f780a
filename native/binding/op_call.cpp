#include "binding/op_call.h"

#include <algorithm>
#include <functional>

#include "binding/convert.h"

namespace hrm::binding {

namespace {

constexpr size_t kMaxArguments = 40;

void release_handle(node_api_basic_env env, void *data, void *hint) {
  auto *state = static_cast<EnvState *>(hint);
  if (state->handles.erase(reinterpret_cast<uintptr_t>(data)))
    state->report_memory(env);
}

// Casts and contiguous copies that live for one call.
const Tensor *temporary(EnvState &state, Tensor tensor) {
  state.temporaries.push_back(std::move(tensor));
  return &state.temporaries.back();
}

// The one device of a call: that of its tensors. A scalar of the CPU goes where the others are, as in PyTorch.
Device device_of(const EnvState &state, const Schema &schema, const char *op) {
  if (state.context.gpus.empty())
    return {};
  const Args &args = state.args;
  const Tensor *first = nullptr;
  const auto each = [&](auto &&visit) {
    size_t index = 0;
    for (size_t slot = 0; slot < schema.inputs.size(); ++slot)
      for (int i = 0; i < args.count(static_cast<int>(slot)); ++i, ++index)
        visit(schema.inputs[slot], *args.tensors()[index]);
  };
  each([&](const ArgSpec &, const Tensor &t) {
    if (t.device().is_gpu() && first == nullptr)
      first = &t;
  });
  if (first == nullptr)
    return {};
  const Device device = first->device();
  each([&](const ArgSpec &spec, const Tensor &t) {
    const bool moves = !t.device().is_gpu() && t.shape.rank == 0 && !spec.mutated;
    if (t.device() != device && !moves)
      fail(Code::kDevice, op, ": all tensors must be on one device, ", spec.name, " is on ", t.device(),
           ", another on ", device, "; move it with to()");
  });
  return device;
}

double scalar_value(const Tensor &t) {
  return dispatch_all(t.dtype, [&](auto tag) { return static_cast<double>(*t.data<typename decltype(tag)::type>()); });
}

// Brings the CPU's scalars to the device, by value: no copy that a captured graph would have to repeat.
void move_scalars(EnvState &state, Device device) {
  for (const Tensor *&t : state.args.tensors()) {
    if (t->device().is_gpu())
      continue;
    Gpu &gpu = state.context.gpu(device.index);
    const DType dtype = t->dtype == DType::kF64 ? DType::kF32 : t->dtype;
    Tensor moved = Tensor::empty(gpu.allocator(), dtype, t->shape);
    gpu.fill(moved, scalar_value(*t));
    t = temporary(state, std::move(moved));
  }
}

void read_inputs(napi_env env, EnvState &state, const Schema &schema, const char *op, const napi_value *argv) {
  Args &args = state.args;
  for (size_t i = 0; i < schema.inputs.size(); ++i) {
    const ArgSpec &spec = schema.inputs[i];
    if (spec.kind == ArgKind::kList) {
      bool is_array = false;
      uint32_t length = 0;
      check(napi_is_array(env, argv[i], &is_array), "isArray");
      if (!is_array || napi_get_array_length(env, argv[i], &length) != napi_ok)
        fail(Code::kArgument, op, ": ", spec.name, " must be an array of tensors, got ", describe(env, argv[i]));
      for (uint32_t j = 0; j < length; ++j) {
        napi_value item;
        check(napi_get_element(env, argv[i], j, &item), "array element");
        args.add(&to_tensor(env, state, item, op, spec.name));
      }
    } else if (spec.kind == ArgKind::kTensor || !is_nullish(env, argv[i])) {
      args.add(&to_tensor(env, state, argv[i], op, spec.name));
    }
    args.end_slot();
  }
}

// After this, kernels see what their schema promises: one dtype (if the op promotes) and contiguous memory.
void normalize_inputs(EnvState &state, const Schema &schema, const char *op, Device device) {
  Args &args = state.args;
  if (device.is_gpu())
    move_scalars(state, device);
  DType common = DType::kBool;
  if (schema.promotion != Promotion::kNone) {
    for (const Tensor *t : args.tensors())
      common = promote(common, t->dtype);
    common = promoted(schema.promotion, common);
  }
  int index = 0;
  for (size_t slot = 0; slot < schema.inputs.size(); ++slot) {
    const ArgSpec &spec = schema.inputs[slot];
    for (int i = 0, n = args.count(static_cast<int>(slot)); i < n; ++i, ++index) {
      const Tensor *&t = args.tensors()[static_cast<size_t>(index)];
      if (spec.mutated) {
        if (!spec.strided && !t->contiguous())
          fail(Code::kShape, op, ": ", spec.name, " is written in place and must be contiguous, got shape ", t->shape,
               " with strides ", t->strides);
      } else if (schema.promotion != Promotion::kNone && t->dtype != common) {
        t = temporary(state, converted(state, *t, common));
      } else if (!spec.strided && !t->contiguous()) {
        t = temporary(state, converted(state, *t, t->dtype));
      }
    }
  }
}

Span span_of(const Tensor &t) {
  Span span{t.storage.get(), t.offset, t.offset};
  for (int d = 0; d < t.shape.rank; ++d) {
    const int64_t reach = (t.shape[d] - 1) * t.strides[d];
    (reach < 0 ? span.first : span.last) += reach;
  }
  return span;
}

bool overlaps(const Span &a, const Span &b) { return a.storage == b.storage && a.first <= b.last && b.first <= a.last; }

// Only expand makes several elements of one number in memory, with a stride of 0.
void require_distinct_elements(const char *op, const char *name, const Tensor &t) {
  for (int d = 0; d < t.shape.rank; ++d)
    if (t.shape[d] > 1 && t.strides[d] == 0 && t.size() > 0)
      fail(Code::kShape, op, ": ", name, " of shape ", t.shape, " is an expanded view, the ", t.shape[d],
           " elements along dim ", d, " are one in memory and cannot be written apart; clone() it first");
}

// What an op reads must not change while it writes: inputs that share memory with a mutated one are copied first. Two
// mutated ones must not share any.
void separate_inputs(EnvState &state, const Schema &schema, const char *op) {
  Args &args = state.args;
  state.written.clear();
  const auto each = [&](bool mutated, auto &&visit) {
    size_t index = 0;
    for (size_t slot = 0; slot < schema.inputs.size(); ++slot)
      for (int i = 0; i < args.count(static_cast<int>(slot)); ++i, ++index)
        if (schema.inputs[slot].mutated == mutated && args.tensors()[index]->size() > 0)
          visit(schema.inputs[slot].name, args.tensors()[index]);
  };
  each(true, [&](const char *name, const Tensor *t) {
    require_distinct_elements(op, name, *t);
    state.written.push_back(span_of(*t));
  });
  if (state.written.empty())
    return;
  const auto before = [](const Span &a, const Span &b) {
    return a.storage != b.storage ? std::less<>{}(a.storage, b.storage) : a.first < b.first;
  };
  std::sort(state.written.begin(), state.written.end(), before);
  for (size_t i = 1; i < state.written.size(); ++i)
    if (overlaps(state.written[i - 1], state.written[i]))
      fail(Code::kArgument, op, ": the tensors that it writes must not share memory, two of the ", state.written.size(),
           " do");
  each(false, [&](const char *, const Tensor *&t) {
    const Span span = span_of(*t);
    // The last that begins before the end of this one: those written do not overlap each other.
    auto next = std::upper_bound(state.written.begin(), state.written.end(), Span{span.storage, span.last, 0}, before);
    if (next != state.written.begin() && overlaps(*--next, span))
      t = temporary(state, converted(state, *t, t->dtype));
  });
}

void run(EnvState &state, const OpFunction &function, const void *attrs, const Tensor *target) {
  const OpEntry &op = *function.op;
  const Device device = device_of(state, op.schema, op.name);
  if (device.is_gpu() && op.gpu == nullptr)
    fail(Code::kDevice, op.name, ": runs on the CPU only, got a tensor on ", device);
  normalize_inputs(state, op.schema, op.name, device);
  separate_inputs(state, op.schema, op.name);
  Plan plan = op.schema.rule(state.args, attrs);
  if (device.is_gpu())
    plan.workspace_bytes = op.gpu->workspace_bytes ? op.gpu->workspace_bytes(state.args, attrs) : 0;
  Allocator &allocator = state.context.allocator_of(device);
  state.outputs.clear();
  if (target != nullptr) {
    const Meta &meta = plan.outputs[0];
    if (meta.shape != target->shape)
      fail(Code::kShape, op.name, "_: the result has shape ", meta.shape, ", the tensor written to ", target->shape);
    if (meta.dtype != target->dtype)
      fail(Code::kDType, op.name, "_: the result is ", meta.dtype, ", the tensor written to is ", target->dtype);
    require_distinct_elements(op.name, "the tensor written to", *target);
    // Another view of the target's memory is read while it is written: read a copy instead.
    for (const Tensor *&t : state.args.tensors())
      if (t->size() > 0 && overlaps(span_of(*t), span_of(*target)) &&
          !(t->offset == target->offset && t->strides == target->strides && t->shape == target->shape))
        t = temporary(state, converted(state, *t, t->dtype));
    state.outputs.push_back(*target);
  } else {
    for (const Meta &meta : plan.outputs) {
      require_dtype_of_device(op.name, meta.dtype, device);
      state.outputs.push_back(Tensor::empty(allocator, meta.dtype, meta.shape));
    }
  }
  StorageRef scratch;
  if (plan.workspace_bytes > 0)
    scratch = StorageRef(new Storage(allocator, plan.workspace_bytes));
  Gpu *gpu = device.is_gpu() ? &state.context.gpu(device.index) : nullptr;
  if (gpu) {
    ++gpu->n_calls;
    for (const Tensor *t : state.args.tensors())
      gpu->hold(t->storage, false);
  }
  // Versions rise before the kernel runs: a kernel that throws half way has still changed the data.
  const auto begin_write = [gpu](const Tensor &t) {
    if (gpu)
      gpu->hold(t.storage, true);
    t.storage->begin_write();
  };
  for (size_t slot = 0; slot < op.schema.inputs.size(); ++slot)
    if (op.schema.inputs[slot].mutated)
      for (int i = 0; i < state.args.count(static_cast<int>(slot)); ++i)
        begin_write(state.args.at(static_cast<int>(slot), i));
  if (target != nullptr)
    begin_write(*target);
  Call call{op.name, state.args,    state.outputs, scratch ? scratch->data() : nullptr,
            scratch, state.context, gpu,           attrs};
  (gpu ? op.gpu->run : op.cpu)(call);
}

Tensor run_view(EnvState &state, const ViewEntry &view, const Tensor &input, const void *attrs) {
  Tensor result;
  if (view.rule(input, attrs, result))
    return result;
  const Tensor copy = converted(state, input, input.dtype);
  if (!view.rule(copy, attrs, result))
    fail(Code::kNative, view.name, ": not a view of a contiguous tensor");
  return result;
}

struct Cleanup {
  EnvState &state;
  ~Cleanup() {
    state.temporaries.clear();
    state.outputs.clear();
  }
};

// Arguments: [owner] inputs... attributes...; `owner` only where there is exactly one new output. Returns its number,
// or an array of numbers for the JavaScript side to adopt.
napi_value call_op(napi_env env, napi_callback_info info) {
  size_t argc = kMaxArguments;
  napi_value argv[kMaxArguments];
  void *data = nullptr;
  if (napi_get_cb_info(env, info, &argc, argv, nullptr, &data) != napi_ok)
    return nullptr;
  const OpFunction &function = *static_cast<OpFunction *>(data);
  EnvState &state = *function.state;
  return guarded(env, [&]() -> napi_value {
    Cleanup cleanup{state};
    state.share_threads();
    const bool is_view = function.mode == OpMode::kView;
    const char *name = is_view ? function.view->name : function.op->name;
    const std::vector<AttrSpec> &attr_specs = is_view ? function.view->attrs : function.op->schema.attrs;
    const size_t n_inputs = is_view ? 1 : function.op->schema.inputs.size();
    const bool owned = is_view || (function.mode == OpMode::kNew && function.op->schema.outputs.size() == 1);
    const size_t first = owned ? 1 : 0;
    if (argc != first + n_inputs + attr_specs.size())
      fail(Code::kArgument, name, ": expected ", first + n_inputs + attr_specs.size(), " native arguments, got ", argc);

    alignas(16) unsigned char attrs[kMaxAttrBytes] = {};
    for (size_t i = 0; i < attr_specs.size(); ++i)
      set_attr(env, argv[first + n_inputs + i], name, attr_specs[i], attrs);

    if (is_view) {
      const Tensor &input = to_tensor(env, state, argv[1], name, "x");
      return own(env, state, argv[0], run_view(state, *function.view, input, attrs));
    }
    state.args.clear(state.context.pool->nThreads());
    read_inputs(env, state, function.op->schema, name, argv + first);
    if (function.mode == OpMode::kInPlace) {
      const Tensor target = *state.args.tensors()[0];
      run(state, function, attrs, &target);
      return nullptr;
    }
    run(state, function, attrs, nullptr);
    if (owned)
      return own(env, state, argv[0], std::move(state.outputs[0]));
    napi_value ids;
    check(napi_create_array_with_length(env, state.outputs.size(), &ids), "create array");
    for (size_t i = 0; i < state.outputs.size(); ++i)
      check(napi_set_element(env, ids, static_cast<uint32_t>(i),
                             from_double(env, static_cast<double>(state.handles.insert(std::move(state.outputs[i]))))),
            "set element");
    state.report_memory(env);
    return ids;
  });
}

void add_function(napi_env env, EnvState &state, napi_value object, const char *name, const OpFunction &function) {
  state.functions.push_back(function);
  napi_value value;
  check(napi_create_function(env, name, NAPI_AUTO_LENGTH, call_op, &state.functions.back(), &value), name);
  set_named(env, object, name, value);
}

napi_value new_object(napi_env env) {
  napi_value object;
  check(napi_create_object(env, &object), "create object");
  return object;
}
napi_value new_array(napi_env env) {
  napi_value array;
  check(napi_create_array(env, &array), "create array");
  return array;
}
void push(napi_env env, napi_value array, napi_value item) {
  uint32_t length;
  check(napi_get_array_length(env, array, &length), "array length");
  check(napi_set_element(env, array, length, item), "set element");
}

napi_value describe_attrs(napi_env env, const std::vector<AttrSpec> &attrs) {
  constexpr const char *kinds[] = {"int", "float", "bool", "dims", "dtype"};
  napi_value array = new_array(env);
  for (const AttrSpec &attr : attrs) {
    napi_value item = new_object(env);
    set_named(env, item, "name", from_string(env, attr.name));
    set_named(env, item, "kind", from_string(env, kinds[static_cast<int>(attr.kind)]));
    push(env, array, item);
  }
  return array;
}

napi_value describe(napi_env env, const OpEntry &op) {
  constexpr const char *kinds[] = {"tensor", "optional", "list"};
  napi_value object = new_object(env), inputs = new_array(env), outputs = new_array(env);
  for (const ArgSpec &spec : op.schema.inputs) {
    napi_value item = new_object(env), mutated;
    check(napi_get_boolean(env, spec.mutated, &mutated), "boolean");
    set_named(env, item, "name", from_string(env, spec.name));
    set_named(env, item, "kind", from_string(env, kinds[static_cast<int>(spec.kind)]));
    set_named(env, item, "mutated", mutated);
    push(env, inputs, item);
  }
  for (const char *name : op.schema.outputs)
    push(env, outputs, from_string(env, name));
  napi_value in_place;
  check(napi_get_boolean(env, op.schema.in_place, &in_place), "boolean");
  set_named(env, object, "inputs", inputs);
  set_named(env, object, "outputs", outputs);
  set_named(env, object, "attrs", describe_attrs(env, op.schema.attrs));
  set_named(env, object, "inPlace", in_place);
  return object;
}

} // namespace

Tensor converted(EnvState &state, const Tensor &source, DType dtype) {
  const Device device = source.device();
  Tensor result = Tensor::empty(state.context.allocator_of(device), dtype, source.shape);
  if (device.is_gpu()) {
    Gpu &gpu = state.context.gpu(device.index);
    gpu.hold(source.storage, false);
    gpu.convert(source, result);
  } else {
    cpu::convert(state.context, source, result);
  }
  return result;
}

void require_dtype_of_device(const char *op, DType dtype, Device device) {
  if (dtype == DType::kF64 && device.is_gpu())
    fail(Code::kDType, op, ": float64 tensors live on the CPU only, got one for ", device);
}

void attach(napi_env env, EnvState &state, napi_value owner, uint64_t id) {
  check(napi_add_finalizer(env, owner, reinterpret_cast<void *>(static_cast<uintptr_t>(id)), release_handle, &state,
                           nullptr),
        "add finalizer");
}

napi_value own(napi_env env, EnvState &state, napi_value owner, Tensor tensor) {
  const uint64_t id = state.handles.insert(std::move(tensor));
  attach(env, state, owner, id);
  state.report_memory(env);
  return from_double(env, static_cast<double>(id));
}

void export_ops(napi_env env, EnvState &state, napi_value exports) {
  napi_value ops = new_object(env), in_place = new_object(env), views = new_object(env);
  napi_value op_schema = new_object(env), view_schema = new_object(env);
  for (const OpEntry &op : op_registry()) {
    add_function(env, state, ops, op.name, {&state, &op, nullptr, OpMode::kNew});
    if (op.schema.in_place)
      add_function(env, state, in_place, op.name, {&state, &op, nullptr, OpMode::kInPlace});
    set_named(env, op_schema, op.name, describe(env, op));
  }
  for (const ViewEntry &view : view_registry()) {
    add_function(env, state, views, view.name, {&state, nullptr, &view, OpMode::kView});
    set_named(env, view_schema, view.name, describe_attrs(env, view.attrs));
  }
  set_named(env, exports, "ops", ops);
  set_named(env, exports, "inplace", in_place);
  set_named(env, exports, "views", views);
  set_named(env, exports, "schema", op_schema);
  set_named(env, exports, "viewSchema", view_schema);
}

} // namespace hrm::binding
