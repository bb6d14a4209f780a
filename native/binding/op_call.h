#pragma once
#include "binding/napi.h"

#include "binding/env_state.h"

namespace hrm::binding {

// Adds `ops`, `inplace`, `views` (functions by op name) and `schema` (their description) to the exports.
void export_ops(napi_env env, EnvState &state, napi_value exports);

// Gives a tensor a number and attaches the garbage collector's net to `owner`: when the object dies, the handle does.
napi_value own(napi_env env, EnvState &state, napi_value owner, Tensor tensor);
void attach(napi_env env, EnvState &state, napi_value owner, uint64_t id);

// A contiguous copy on the same device, cast as `cast` does.
Tensor converted(EnvState &state, const Tensor &source, DType dtype);
void require_dtype_of_device(const char *op, DType dtype, Device device);

// Runs f and turns whatever it throws into a pending JavaScript error with a `code`; TypeScript makes it a typed one.
template <class F> napi_value guarded(napi_env env, F &&f) {
  const char *code = "HRM_NATIVE";
  std::string message;
  try {
    return f();
  } catch (const Error &error) {
    code = code_name(error.code());
    message = error.what();
  } catch (const std::bad_alloc &) {
    code = "HRM_OUT_OF_MEMORY";
    message = "the system has no memory left";
  } catch (const std::exception &error) {
    message = error.what();
  } catch (...) {
    message = "unknown native exception";
  }
  napi_throw_error(env, code, message.c_str());
  return nullptr;
}

} // namespace hrm::binding
