#pragma once
#include "binding/napi.h"

#include "binding/env_state.h"

namespace hrm::binding {

// Adds the functions that record and run graphs to the exports.
void export_capture(napi_env env, EnvState &state, napi_value exports);

// What moves bytes between host and device, or waits: throws while the device's work is recorded, since none of it has
// run.
void require_no_capture(EnvState &state, Device device, const char *op);

} // namespace hrm::binding
