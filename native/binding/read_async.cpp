#include "binding/read_async.h"

#include <cstring>
#include <memory>

#include "binding/convert.h"
#include "binding/op_call.h"
#include "binding/tensor_wrap.h"

namespace hrm::binding {

namespace {

// One copy on its way. The storage is held by reference and marked as read, so that writers wait
// (Storage::wait_readers).
struct Read {
  Tensor source;
  void *target;
  size_t n_bytes;
  napi_ref target_ref = nullptr;
  napi_deferred deferred = nullptr;
  napi_async_work work = nullptr;
};

void execute(napi_env, void *data) {
  auto *read = static_cast<Read *>(data);
  // An empty typed array may have no memory at all.
  if (read->n_bytes > 0)
    std::memcpy(read->target, read->source.raw(), read->n_bytes);
  read->source.storage->end_read();
}

void complete(napi_env env, napi_status status, void *data) {
  const std::unique_ptr<Read> read(static_cast<Read *>(data));
  if (status == napi_cancelled)
    read->source.storage->end_read();
  napi_value undefined;
  if (napi_get_undefined(env, &undefined) == napi_ok)
    napi_resolve_deferred(env, read->deferred, undefined);
  napi_delete_reference(env, read->target_ref);
  napi_delete_async_work(env, read->work);
}

} // namespace

napi_value read_async(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    size_t argc = 2;
    napi_value argv[2];
    void *data;
    check(napi_get_cb_info(env, info, &argc, argv, nullptr, &data), "readAsync");
    EnvState &state = *static_cast<EnvState *>(data);
    if (argc != 2)
      fail(Code::kArgument, "readAsync: expected 2 native arguments, got ", argc);
    auto read = std::make_unique<Read>();
    read->source = contiguous_copy(state, to_tensor(env, state, argv[0], "readAsync", "tensor"));
    read->target = view_bytes(env, argv[1], "readAsync", read->source, &read->n_bytes);
    napi_value promise, name = from_string(env, "hrm.data");
    check(napi_create_async_work(env, nullptr, name, execute, complete, read.get(), &read->work), "async work");
    check(napi_create_reference(env, argv[1], 1, &read->target_ref), "reference");
    check(napi_create_promise(env, &read->deferred, &promise), "promise");
    read->source.storage->begin_read();
    check(napi_queue_async_work(env, read->work), "queue work");
    read.release();
    return promise;
  });
}

} // namespace hrm::binding
