#pragma once
// Basic finalizers run inside a garbage collection, and so also while a synchronous loop never returns to the event
// loop; together with napi_adjust_external_memory they are what bounds its memory. They are behind NAPI_EXPERIMENTAL,
// which counts only when NAPI_VERSION, set by the build tools, does not.
#undef NAPI_VERSION
#define NAPI_VERSION 2147483647
#ifndef NAPI_EXPERIMENTAL
#define NAPI_EXPERIMENTAL
#endif
#include <node_api.h>
