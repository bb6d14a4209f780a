#pragma once
#include "binding/napi.h"

#include "binding/env_state.h"

namespace hrm::binding {

// Adds the functions on single tensors (create, read, release, shape, ...) to the exports.
void export_tensors(napi_env env, EnvState &state, napi_value exports);

// The device of a number of JavaScript's.
Device to_device(napi_env env, napi_value value, const char *op);

// `tensor`, or its elements in order.
Tensor contiguous_copy(EnvState &state, const Tensor &tensor);

// The memory of a typed array of any realm, which must have exactly the tensor's bytes.
void *view_bytes(napi_env env, napi_value value, const char *op, const Tensor &tensor, size_t *n_bytes);

void export_function(napi_env env, EnvState &state, napi_value exports, const char *name, napi_callback callback);

} // namespace hrm::binding
