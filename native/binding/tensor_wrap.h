#pragma once
#include "binding/napi.h"

#include "binding/env_state.h"

namespace hrm::binding {

// Adds the functions on single tensors (create, read, release, shape, ...) to the exports.
void export_tensors(napi_env env, EnvState &state, napi_value exports);

void export_function(napi_env env, EnvState &state, napi_value exports, const char *name, napi_callback callback);

} // namespace hrm::binding
