#pragma once
#include "binding/env_state.h"

namespace hrm::binding {

// readAsync(id, typedArray) -> Promise<void>: copies the elements on a thread of libuv's pool
napi_value read_async(napi_env env, napi_callback_info info);

} // namespace hrm::binding
