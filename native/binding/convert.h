#pragma once
// From JavaScript values to C++ and back. N-API turns NaN into 0 and 2^32+3 into 3 without a word, so every number is
// checked to be a safe integer in range before it is used.
#include <cstdint>
#include <string>

#include "binding/napi.h"

#include "binding/env_state.h"
#include "core/tensor.h"

namespace hrm::binding {

// A failing N-API call is a defect or a pending JavaScript exception, never bad input.
inline void check(napi_status status, const char *what) {
  if (status != napi_ok)
    fail(Code::kNative, what, ": N-API status ", static_cast<int>(status));
}

// Short text of a value for an error message; runs no JavaScript.
std::string describe(napi_env env, napi_value value);

double to_double(napi_env env, napi_value value, const char *op, const char *name);
int64_t to_int(napi_env env, napi_value value, const char *op, const char *name, int64_t min = -kMaxSize,
               int64_t max = kMaxSize);
bool to_bool(napi_env env, napi_value value, const char *op, const char *name);
Dims to_dims(napi_env env, napi_value value, const char *op, const char *name);
DType to_dtype(napi_env env, napi_value value, const char *op, const char *name);
const Tensor &to_tensor(napi_env env, EnvState &state, napi_value value, const char *op, const char *name);
bool is_nullish(napi_env env, napi_value value);
void set_attr(napi_env env, napi_value value, const char *op, const AttrSpec &spec, void *attrs);

napi_value from_double(napi_env env, double value);
napi_value from_dims(napi_env env, const Dims &dims);
napi_value from_string(napi_env env, const std::string &text);
void set_named(napi_env env, napi_value object, const char *name, napi_value value);
void set_number(napi_env env, napi_value object, const char *name, double value);

} // namespace hrm::binding
