#include "binding/read_async.h"

#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "binding/capture.h"
#include "binding/convert.h"
#include "binding/op_call.h"
#include "binding/tensor_wrap.h"

namespace hrm::binding {

namespace {

// One copy on its way. The storage is held by reference and, where execute() reads it, marked as read, so that writers
// wait (Storage::wait_readers) until execute() or, for a copy that never runs, the destructor takes the mark back.
struct Read {
  explicit Read(napi_env environment) : env(environment) {}
  Read(const Read &) = delete;
  Read &operator=(const Read &) = delete;
  ~Read() {
    end();
    if (target_ref)
      napi_delete_reference(env, target_ref);
    if (work)
      napi_delete_async_work(env, work);
  }
  void begin() {
    source.storage->begin_read();
    is_reading = true;
  }
  void end() {
    if (std::exchange(is_reading, false))
      source.storage->end_read();
  }

  napi_env env;
  Tensor source;
  // Of a tensor on an accelerator: the copy that was ordered; what came of it.
  std::unique_ptr<Download> download;
  Code failure_code = Code::kDevice;
  std::string failure;
  void *target;
  size_t n_bytes;
  bool is_reading = false;
  napi_ref target_ref = nullptr;
  napi_deferred deferred = nullptr;
  napi_async_work work = nullptr;
};

void execute(napi_env, void *data) {
  auto *read = static_cast<Read *>(data);
  // An empty typed array may have no memory at all.
  if (read->n_bytes > 0) {
    try {
      if (read->download)
        read->download->finish(read->target);
      else
        std::memcpy(read->target, read->source.raw(), read->n_bytes);
    } catch (const Error &error) {
      read->failure = error.what();
      read->failure_code = error.code();
    } catch (const std::exception &error) {
      read->failure = error.what();
    }
  }
  read->end();
}

void complete(napi_env env, napi_status, void *data) {
  const std::unique_ptr<Read> read(static_cast<Read *>(data));
  napi_value undefined, code, message, error;
  if (!read->failure.empty()) {
    if (napi_create_string_utf8(env, code_name(read->failure_code), NAPI_AUTO_LENGTH, &code) == napi_ok &&
        napi_create_string_utf8(env, read->failure.c_str(), NAPI_AUTO_LENGTH, &message) == napi_ok &&
        napi_create_error(env, code, message, &error) == napi_ok)
      napi_reject_deferred(env, read->deferred, error);
    return;
  }
  if (napi_get_undefined(env, &undefined) == napi_ok)
    napi_resolve_deferred(env, read->deferred, undefined);
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
    auto read = std::make_unique<Read>(env);
    const Tensor &source = to_tensor(env, state, argv[0], "readAsync", "tensor");
    require_no_capture(state, source.device(), "readAsync");
    read->source = contiguous_copy(state, source);
    read->target = view_bytes(env, argv[1], "readAsync", read->source, &read->n_bytes);
    const Device device = read->source.device();
    if (device.is_gpu() && read->n_bytes > 0)
      read->download = state.context.gpu(device.index).download(read->source.raw(), read->n_bytes);
    napi_value promise, name = from_string(env, "hrm.data");
    check(napi_create_async_work(env, nullptr, name, execute, complete, read.get(), &read->work), "async work");
    check(napi_create_reference(env, argv[1], 1, &read->target_ref), "reference");
    check(napi_create_promise(env, &read->deferred, &promise), "promise");
    // A copy from an accelerator is ordered before later writes there: they need not wait for it.
    if (!device.is_gpu())
      read->begin();
    check(napi_queue_async_work(env, read->work), "queue work");
    read.release();
    return promise;
  });
}

} // namespace hrm::binding
