#include "binding/tensor_wrap.h"

#include <cstring>

#include "binding/capture.h"
#include "binding/convert.h"
#include "binding/op_call.h"
#include "binding/read_async.h"

namespace hrm::binding {

namespace {

// The arguments of one call, checked for their number.
template <size_t N> struct Arguments {
  napi_value values[N];
  EnvState *state;
  Arguments(napi_env env, napi_callback_info info, const char *name) {
    size_t argc = N;
    void *data;
    check(napi_get_cb_info(env, info, &argc, values, nullptr, &data), name);
    state = static_cast<EnvState *>(data);
    if (argc != N)
      fail(Code::kArgument, name, ": expected ", N, " native arguments, got ", argc);
  }
  napi_value operator[](size_t i) const { return values[i]; }
};

// Devices cross the boundary as numbers: 0 is the CPU, n + 1 the accelerator of index n.
constexpr int kMaxDevice = 64;

} // namespace

Device to_device(napi_env env, napi_value value, const char *op) {
  const int number = static_cast<int>(to_int(env, value, op, "device", 0, kMaxDevice));
  return number == 0 ? Device{} : Device{DeviceKind::kGpu, number - 1};
}

namespace {

// empty(owner, dtype, shape, device) -> id, contents unspecified
napi_value empty(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments<4> args(env, info, "empty");
    EnvState &state = *args.state;
    const DType dtype = to_dtype(env, args[1], "empty", "dtype");
    const Device device = to_device(env, args[3], "empty");
    require_dtype_of_device("empty", dtype, device);
    return own(env, state, args[0],
               Tensor::empty(state.context.allocator_of(device), dtype, to_dims(env, args[2], "empty", "shape")));
  });
}

void upload(EnvState &state, const void *data, const Tensor &target, size_t n_bytes, const char *op) {
  require_no_capture(state, target.device(), op);
  if (n_bytes == 0)
    return;
  if (target.device().is_gpu())
    state.context.gpu(target.device().index).upload(data, target.raw(), n_bytes);
  else
    std::memcpy(target.raw(), data, n_bytes);
}

void download(EnvState &state, const Tensor &source, void *target, size_t n_bytes, const char *op) {
  require_no_capture(state, source.device(), op);
  if (n_bytes == 0)
    return;
  if (source.device().is_gpu())
    state.context.gpu(source.device().index).download(source.raw(), n_bytes)->finish(target);
  else
    std::memcpy(target, source.raw(), n_bytes);
}

// toDevice(owner, id, device) -> id of a contiguous copy there
napi_value copy_to_device(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments<3> args(env, info, "toDevice");
    EnvState &state = *args.state;
    const Tensor source = contiguous_copy(state, to_tensor(env, state, args[1], "toDevice", "tensor"));
    const Device device = to_device(env, args[2], "to");
    require_dtype_of_device("to", source.dtype, device);
    Tensor target = Tensor::empty(state.context.allocator_of(device), source.dtype, source.shape);
    const size_t n_bytes = static_cast<size_t>(source.size()) * item_size(source.dtype);
    if (!source.device().is_gpu()) {
      upload(state, source.raw(), target, n_bytes, "toDevice");
    } else if (!device.is_gpu()) {
      download(state, source, target.raw(), n_bytes, "toDevice");
    } else if (device == source.device()) {
      state.context.gpu(device.index).hold(source.storage, false);
      state.context.gpu(device.index).convert(source, target);
    } else {
      std::vector<char> host(n_bytes);
      download(state, source, host.data(), n_bytes, "toDevice");
      upload(state, host.data(), target, n_bytes, "toDevice");
    }
    return own(env, state, args[0], std::move(target));
  });
}

napi_value device(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments<1> args(env, info, "device");
    const Device device = to_tensor(env, *args.state, args[0], "device", "tensor").device();
    return from_double(env, device.is_gpu() ? device.index + 1 : 0);
  });
}

// write(id, typedArray): raw elements of the tensor's dtype
napi_value write(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    const Arguments<2> args(env, info, "write");
    const Tensor &tensor = to_tensor(env, *args.state, args[0], "write", "tensor");
    size_t n_bytes;
    const void *data = view_bytes(env, args[1], "write", tensor, &n_bytes);
    if (!tensor.contiguous())
      fail(Code::kShape, "write: the tensor must be contiguous, got shape ", tensor.shape, " with strides ",
           tensor.strides);
    tensor.storage->begin_write();
    upload(*args.state, data, tensor, n_bytes, "write");
    return nullptr;
  });
}

// read(id, typedArray): copies the elements in row-major order
napi_value read(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    const Arguments<2> args(env, info, "read");
    const Tensor &source = to_tensor(env, *args.state, args[0], "read", "tensor");
    require_no_capture(*args.state, source.device(), "read");
    const Tensor tensor = contiguous_copy(*args.state, source);
    size_t n_bytes;
    void *target = view_bytes(env, args[1], "read", tensor, &n_bytes);
    download(*args.state, tensor, target, n_bytes, "read");
    return nullptr;
  });
}

// readLater(id) -> number of a read of the values of now, which later writes do not change
napi_value read_later(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments<1> args(env, info, "readLater");
    EnvState &state = *args.state;
    const Tensor &given = to_tensor(env, state, args[0], "readLater", "tensor");
    require_no_capture(state, given.device(), "readLater");
    const Tensor tensor = contiguous_copy(state, given);
    const size_t n_bytes = static_cast<size_t>(tensor.size()) * item_size(tensor.dtype);
    OrderedRead read;
    if (tensor.device().is_gpu()) {
      if (n_bytes > 0)
        read.download = state.context.gpu(tensor.device().index).download(tensor.raw(), n_bytes);
    } else {
      const char *data = static_cast<const char *>(tensor.raw());
      read.bytes.assign(data, data + n_bytes);
    }
    read.meta = tensor;
    read.meta.storage = {};
    const uint64_t number = ++state.n_reads;
    state.reads.emplace(number, std::move(read));
    return from_double(env, static_cast<double>(number));
  });
}

// endRead(number, typedArray): waits for it; without an array it is forgotten
napi_value end_read(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    const Arguments<2> args(env, info, "endRead");
    EnvState &state = *args.state;
    const auto found = state.reads.find(static_cast<uint64_t>(to_int(env, args[0], "endRead", "read", 0)));
    if (found == state.reads.end())
      fail(Code::kArgument, "endRead: the read has ended");
    const OrderedRead read = std::move(found->second);
    state.reads.erase(found);
    if (is_nullish(env, args[1]))
      return nullptr;
    size_t n_bytes;
    void *target = view_bytes(env, args[1], "endRead", read.meta, &n_bytes);
    if (read.download)
      read.download->finish(target);
    else if (n_bytes > 0)
      std::memcpy(target, read.bytes.data(), n_bytes);
    return nullptr;
  });
}

// adopt(owner, id): the collector's net for an id that an op with several outputs returned
napi_value adopt(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    const Arguments<2> args(env, info, "adopt");
    to_tensor(env, *args.state, args[1], "adopt", "tensor");
    attach(env, *args.state, args[0], static_cast<uint64_t>(to_double(env, args[1], "adopt", "tensor")));
    return nullptr;
  });
}

// release(id): nothing happens when it is released already
napi_value release(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    const Arguments<1> args(env, info, "release");
    args.state->handles.erase(static_cast<uint64_t>(to_int(env, args[0], "release", "tensor", 0)));
    args.state->report_memory(env);
    return nullptr;
  });
}

napi_value shape(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments<1> args(env, info, "shape");
    return from_dims(env, to_tensor(env, *args.state, args[0], "shape", "tensor").shape);
  });
}
napi_value strides(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments<1> args(env, info, "strides");
    return from_dims(env, to_tensor(env, *args.state, args[0], "strides", "tensor").strides);
  });
}
napi_value dtype(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments<1> args(env, info, "dtype");
    return from_double(env, static_cast<double>(to_tensor(env, *args.state, args[0], "dtype", "tensor").dtype));
  });
}
napi_value version(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments<1> args(env, info, "version");
    return from_double(
        env, static_cast<double>(to_tensor(env, *args.state, args[0], "version", "tensor").storage->version()));
  });
}
// forgetDerived(id): frees what ops keep beside the tensor's bytes, such as weights packed for products; they make it
// again
napi_value forget_derived(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    const Arguments<1> args(env, info, "forgetDerived");
    to_tensor(env, *args.state, args[0], "forgetDerived", "tensor").storage->derived().clear();
    return nullptr;
  });
}
// isLive(id): false for a number that is no tensor's, or no more
napi_value is_live(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments<1> args(env, info, "isLive");
    const int64_t id = to_int(env, args[0], "isLive", "tensor");
    napi_value result;
    check(napi_get_boolean(env, id >= 0 && args.state->handles.find(static_cast<uint64_t>(id)) != nullptr, &result),
          "boolean");
    return result;
  });
}
napi_value is_contiguous(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments<1> args(env, info, "isContiguous");
    napi_value result;
    check(napi_get_boolean(env, to_tensor(env, *args.state, args[0], "isContiguous", "tensor").contiguous(), &result),
          "boolean");
    return result;
  });
}
// sameStorage(a, b): whether two tensors are views of the same bytes
napi_value same_storage(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments<2> args(env, info, "sameStorage");
    napi_value result;
    const bool same = to_tensor(env, *args.state, args[0], "sameStorage", "a").storage.get() ==
                      to_tensor(env, *args.state, args[1], "sameStorage", "b").storage.get();
    check(napi_get_boolean(env, same, &result), "boolean");
    return result;
  });
}

// isExclusive(id): no other tensor shares the bytes, and the tensor covers them in order
napi_value is_exclusive(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments<1> args(env, info, "isExclusive");
    const Tensor &tensor = to_tensor(env, *args.state, args[0], "isExclusive", "tensor");
    const bool all = static_cast<size_t>(tensor.size()) * item_size(tensor.dtype) == tensor.storage->n_bytes();
    napi_value result;
    check(napi_get_boolean(env, tensor.storage->references == 1 && all && tensor.contiguous(), &result), "boolean");
    return result;
  });
}

} // namespace

Tensor contiguous_copy(EnvState &state, const Tensor &tensor) {
  if (tensor.contiguous())
    return tensor;
  return converted(state, tensor, tensor.dtype);
}

void *view_bytes(napi_env env, napi_value value, const char *op, const Tensor &tensor, size_t *n_bytes) {
  bool is_view = false;
  check(napi_is_typedarray(env, value, &is_view), "isTypedArray");
  if (!is_view)
    fail(Code::kArgument, op, ": data must be a typed array, got ", describe(env, value));
  napi_typedarray_type type;
  size_t length;
  void *data;
  check(napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr), "typed array");
  // By napi_typedarray_type; later kinds of typed array are refused.
  constexpr size_t widths[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};
  *n_bytes = static_cast<size_t>(tensor.size()) * item_size(tensor.dtype);
  const bool known = static_cast<size_t>(type) < sizeof widths / sizeof *widths;
  if (!known)
    fail(Code::kArgument, op, ": data must be a typed array of at most 8 bytes an element, got N-API's type ",
         static_cast<int>(type));
  if (length * widths[type] != *n_bytes)
    fail(Code::kShape, op, ": the tensor of shape ", tensor.shape, " and dtype ", tensor.dtype, " has ", *n_bytes,
         " bytes, got a typed array of ", length * widths[type]);
  return data;
}

void export_function(napi_env env, EnvState &state, napi_value exports, const char *name, napi_callback callback) {
  napi_value function;
  check(napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, &state, &function), name);
  set_named(env, exports, name, function);
}

void export_tensors(napi_env env, EnvState &state, napi_value exports) {
  const std::pair<const char *, napi_callback> functions[] = {
      {"empty", empty},
      {"write", write},
      {"read", read},
      {"readLater", read_later},
      {"endRead", end_read},
      {"adopt", adopt},
      {"release", release},
      {"shape", shape},
      {"strides", strides},
      {"dtype", dtype},
      {"device", device},
      {"toDevice", copy_to_device},
      {"version", version},
      {"forgetDerived", forget_derived},
      {"isContiguous", is_contiguous},
      {"isLive", is_live},
      {"sameStorage", same_storage},
      {"isExclusive", is_exclusive},
      {"readAsync", read_async},
  };
  for (const auto &[name, callback] : functions)
    export_function(env, state, exports, name, callback);
}

} // namespace hrm::binding
