#include "binding/capture.h"

#include "binding/convert.h"
#include "binding/op_call.h"
#include "binding/tensor_wrap.h"

namespace hrm::binding {

namespace {

struct Argument {
  EnvState *state;
  napi_value values[2];
  Argument(napi_env env, napi_callback_info info, const char *name, size_t count) {
    size_t argc = 2;
    void *data;
    check(napi_get_cb_info(env, info, &argc, values, nullptr, &data), name);
    state = static_cast<EnvState *>(data);
    if (argc != count)
      fail(Code::kArgument, name, ": expected ", count, " native arguments, got ", argc);
  }
  Gpu &gpu(napi_env env, size_t i) const {
    const Device device = to_device(env, values[i], "capture");
    if (!device.is_gpu())
      fail(Code::kDevice, "capture: the CPU has no graphs");
    return state->context.gpu(device.index);
  }
  uint64_t number(napi_env env) const { return static_cast<uint64_t>(to_int(env, values[0], "capture", "graph", 0)); }
};

// The net under captured functions that nobody disposes: tensors of the graph that are still in use stay good.
void collect_graph(node_api_basic_env env, void *data, void *hint) {
  auto *state = static_cast<EnvState *>(hint);
  if (state->graphs.erase(reinterpret_cast<uintptr_t>(data)) > 0)
    state->report_memory(env);
}

// beginCapture(device): until endCapture or abortCapture work is recorded, not run
napi_value begin_capture(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    const Argument args(env, info, "beginCapture", 1);
    args.gpu(env, 0).begin_capture();
    return nullptr;
  });
}

// endCapture(owner, device) -> number of the graph
napi_value end_capture(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Argument args(env, info, "endCapture", 2);
    EnvState &state = *args.state;
    std::unique_ptr<Graph> graph = args.gpu(env, 1).end_capture();
    const uint64_t number = ++state.n_graphs;
    state.graphs.emplace(number, std::move(graph));
    check(napi_add_finalizer(env, args.values[0], reinterpret_cast<void *>(static_cast<uintptr_t>(number)),
                             collect_graph, &state, nullptr),
          "add finalizer");
    return from_double(env, static_cast<double>(number));
  });
}

// abortCapture(device): nothing happens where there is none
napi_value abort_capture(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    const Argument args(env, info, "abortCapture", 1);
    Gpu &gpu = args.gpu(env, 0);
    if (!gpu.is_capturing())
      return nullptr;
    args.state->handles.erase_all(gpu.allocator());
    gpu.abort_capture();
    args.state->report_memory(env);
    return nullptr;
  });
}

// launchGraph(graph)
napi_value launch_graph(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    const Argument args(env, info, "launchGraph", 1);
    const auto found = args.state->graphs.find(args.number(env));
    if (found == args.state->graphs.end())
      fail(Code::kDisposed, "capture: the captured function has been disposed");
    found->second->launch();
    return nullptr;
  });
}

// releaseGraph(graph): and its tensors; nothing happens when it is released already
napi_value release_graph(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    const Argument args(env, info, "releaseGraph", 1);
    EnvState &state = *args.state;
    const auto found = state.graphs.find(args.number(env));
    if (found == state.graphs.end())
      return nullptr;
    state.handles.erase_all(found->second->memory());
    state.graphs.erase(found);
    state.report_memory(env);
    return nullptr;
  });
}

// opCalls() -> number of ops that ran on each accelerator, by index
napi_value op_calls(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Argument args(env, info, "opCalls", 0);
    const auto &gpus = args.state->context.gpus;
    napi_value counts;
    check(napi_create_array_with_length(env, gpus.size(), &counts), "create array");
    for (size_t i = 0; i < gpus.size(); ++i)
      check(napi_set_element(env, counts, static_cast<uint32_t>(i),
                             from_double(env, gpus[i] ? static_cast<double>(gpus[i]->n_calls) : 0)),
            "set element");
    return counts;
  });
}

} // namespace

void export_capture(napi_env env, EnvState &state, napi_value exports) {
  const std::pair<const char *, napi_callback> functions[] = {
      {"beginCapture", begin_capture}, {"endCapture", end_capture},     {"abortCapture", abort_capture},
      {"launchGraph", launch_graph},   {"releaseGraph", release_graph}, {"opCalls", op_calls},
  };
  for (const auto &[name, callback] : functions)
    export_function(env, state, exports, name, callback);
}

void require_no_capture(EnvState &state, Device device, const char *op) {
  const auto &gpus = state.context.gpus;
  if (!device.is_gpu() || static_cast<size_t>(device.index) >= gpus.size())
    return;
  const std::unique_ptr<Gpu> &gpu = gpus[static_cast<size_t>(device.index)];
  if (gpu && gpu->is_capturing())
    fail(Code::kDevice, op, ": inside capture() the host cannot read from, write to or wait for ", device,
         ", whose work is recorded and has not run; read what the captured function returns after the call, and copy_ "
         "what changes into tensors made outside, before it");
}

} // namespace hrm::binding
