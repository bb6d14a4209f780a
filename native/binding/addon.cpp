// Entry point of the addon: one EnvState per environment, its functions as the exports.
#include <cmath>
#include <string>
#include <thread>

#include "binding/capture.h"
#include "binding/convert.h"
#include "binding/op_call.h"
#include "binding/tensor_wrap.h"
#include "cpu/isa.h"

namespace hrm::binding {

namespace {

EnvState &state_of(napi_env env, napi_callback_info info, size_t *argc, napi_value *argv) {
  void *data;
  check(napi_get_cb_info(env, info, argc, argv, nullptr, &data), "arguments");
  return *static_cast<EnvState *>(data);
}

// The device of an optional first argument: 0 and undefined are the CPU, n + 1 the accelerator of index n.
Device device_argument(napi_env env, size_t argc, napi_value value, const char *name) {
  const int number = argc == 0 ? 0 : static_cast<int>(to_int(env, value, name, "device", 0, 64));
  return number == 0 ? Device{} : Device{DeviceKind::kGpu, number - 1};
}

napi_value memory(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    size_t argc = 1;
    napi_value argv[1];
    EnvState &state = state_of(env, info, &argc, argv);
    const Allocator &allocator = state.context.memory_of(device_argument(env, argc, argv[0], "memory"));
    napi_value result;
    check(napi_create_object(env, &result), "create object");
    set_number(env, result, "liveBytes", static_cast<double>(allocator.live()));
    set_number(env, result, "cachedBytes", static_cast<double>(allocator.cached()));
    set_number(env, result, "peakBytes", static_cast<double>(allocator.peak()));
    set_number(env, result, "limitBytes", static_cast<double>(allocator.limit()));
    set_number(env, result, "systemAllocations", static_cast<double>(allocator.system_allocations()));
    set_number(env, result, "tensors", static_cast<double>(state.handles.count()));
    return result;
  });
}

napi_value reset_peak(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    size_t argc = 1;
    napi_value argv[1];
    EnvState &state = state_of(env, info, &argc, argv);
    state.context.memory_of(device_argument(env, argc, argv[0], "resetPeakMemory")).reset_peak();
    return nullptr;
  });
}

napi_value trim_memory(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    size_t argc = 1;
    napi_value argv[1];
    EnvState &state = state_of(env, info, &argc, argv);
    state.context.memory_of(device_argument(env, argc, argv[0], "trimMemory")).trim();
    return nullptr;
  });
}

// synchronize(device): waits for the device; errors of its kernels come out here
napi_value synchronize(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    size_t argc = 1;
    napi_value argv[1];
    EnvState &state = state_of(env, info, &argc, argv);
    const Device device = device_argument(env, argc, argv[0], "synchronize");
    require_no_capture(state, device, "synchronize");
    if (device.is_gpu())
      state.context.gpu(device.index).synchronize();
    return nullptr;
  });
}

// gpu() -> {name, count, missing}: the kind of accelerator in this addon
napi_value gpu_info(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    size_t argc = 0;
    state_of(env, info, &argc, nullptr);
    const GpuState gpu = gpu_state();
    napi_value result, none;
    check(napi_create_object(env, &result), "create object");
    check(napi_get_null(env, &none), "null");
    set_named(env, result, "name", gpu_name() ? from_string(env, gpu_name()) : none);
    set_number(env, result, "count", gpu.count);
    set_named(env, result, "missing", gpu.missing.empty() ? none : from_string(env, gpu.missing.c_str()));
    return result;
  });
}

// cuda() -> {runtimeVersion, cublasLt: {file, version, missing}}; null in an addon for the CPU alone
napi_value cuda_build(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    size_t argc = 0;
    state_of(env, info, &argc, nullptr);
    napi_value result, library;
    check(napi_get_null(env, &result), "null");
    if (!gpu_name())
      return result;
    const GpuBuild build = gpu_build();
    check(napi_create_object(env, &result), "create object");
    check(napi_create_object(env, &library), "create object");
    set_named(env, library, "file", from_string(env, build.library.c_str()));
    set_named(env, library, "version", from_string(env, build.library_version.c_str()));
    set_named(env, library, "missing", from_string(env, build.library_missing.c_str()));
    set_named(env, result, "runtimeVersion", from_string(env, build.runtime.c_str()));
    set_named(env, result, "cublasLt", library);
    return result;
  });
}

napi_value set_memory_limit(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    size_t argc = 1;
    napi_value argv[1];
    EnvState &state = state_of(env, info, &argc, argv);
    state.context.allocator.set_limit(static_cast<size_t>(to_int(env, argv[0], "setMemoryLimit", "bytes", 0)));
    return nullptr;
  });
}

constexpr int kMaxThreads = 1024;

napi_value set_num_threads(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    size_t argc = 1;
    napi_value argv[1];
    EnvState &state = state_of(env, info, &argc, argv);
    state.context.set_threads(static_cast<int>(to_int(env, argv[0], "setNumThreads", "n", 1, kMaxThreads)));
    state.default_threads = false;
    return nullptr;
  });
}

napi_value get_num_threads(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    size_t argc = 0;
    EnvState &state = state_of(env, info, &argc, nullptr);
    state.share_threads();
    return from_double(env, state.context.pool->nThreads());
  });
}

napi_value limits_object(napi_env env, const CpuLimits &limits) {
  napi_value result, none;
  check(napi_create_object(env, &result), "create object");
  check(napi_get_null(env, &none), "null");
  set_number(env, result, "affinity", limits.affinity);
  set_number(env, result, "cores", limits.cores);
  set_named(env, result, "quota", std::isfinite(limits.quota) ? from_double(env, limits.quota) : none);
  set_number(env, result, "threads", limits.threads());
  return result;
}

std::string root_argument(napi_env env, napi_value value, const char *op) {
  char root[4096];
  if (napi_get_value_string_utf8(env, value, root, sizeof root, nullptr) != napi_ok)
    fail(Code::kArgument, op, ": root must be a string, got ", describe(env, value));
  return root;
}

// groupMemoryLimit(root): bytes that the control groups under another root folder grant; null without a limit
napi_value group_memory_limit(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    size_t argc = 1;
    napi_value argv[1], none;
    state_of(env, info, &argc, argv);
    check(napi_get_null(env, &none), "null");
    const size_t bytes = cgroup_memory_limit(root_argument(env, argv[0], "groupMemoryLimit"));
    return bytes == SIZE_MAX ? none : from_double(env, static_cast<double>(bytes));
  });
}

// cpuLimits(root, n): what cpu_limits would find for CPUs 0..n-1 under another root folder
napi_value cpu_limits_of(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    size_t argc = 2;
    napi_value argv[2];
    state_of(env, info, &argc, argv);
    const std::string root = root_argument(env, argv[0], "cpuLimits");
    std::vector<int> cpus(static_cast<size_t>(to_int(env, argv[1], "cpuLimits", "n", 0, kMaxThreads)));
    for (size_t i = 0; i < cpus.size(); ++i)
      cpus[i] = static_cast<int>(i);
    return limits_object(env, cpu_limits(root, cpus));
  });
}

napi_value native_info(napi_env env, napi_callback_info callback) {
  return guarded(env, [&] {
    size_t argc = 0;
    EnvState &state = state_of(env, callback, &argc, nullptr);
    state.share_threads();
    napi_value result;
    check(napi_create_object(env, &result), "create object");
    set_named(env, result, "isa", from_string(env, cpu::isa_name(cpu::isa())));
    set_named(env, result, "detectedIsa", from_string(env, cpu::isa_name(cpu::detected_isa())));
    set_named(env, result, "cpu", from_string(env, cpu::cpu_name()));
    set_named(env, result, "compiler", from_string(env, __VERSION__));
    set_number(env, result, "hardwareThreads", std::thread::hardware_concurrency());
    set_named(env, result, "cpus", limits_object(env, state.cpus));
    set_number(env, result, "environments", state.environments);
    set_number(env, result, "threads", state.context.pool->nThreads());
    set_number(env, result, "physicalMemoryBytes", static_cast<double>(physical_memory()));
    set_number(env, result, "defaultMemoryLimitBytes", static_cast<double>(default_memory_limit()));
    return result;
  });
}

napi_value init(napi_env env, napi_value exports) {
  return guarded(env, [&] {
    ++live_environments;
    auto *state = new EnvState(default_memory_limit(), cpu_limits("", affinity_cpus()));
    // Instance data made first is finalized last, after every tensor's finalizer has used the state.
    check(napi_set_instance_data(
              env, state,
              // auto: Node 20's headers and later ones differ in the type of this environment.
              [](auto, void *data, void *) {
                delete static_cast<EnvState *>(data);
                --live_environments;
              },
              nullptr),
          "instance data");
    export_ops(env, *state, exports);
    export_tensors(env, *state, exports);
    export_capture(env, *state, exports);
    const std::pair<const char *, napi_callback> functions[] = {
        {"memory", memory},
        {"resetPeak", reset_peak},
        {"trimMemory", trim_memory},
        {"synchronize", synchronize},
        {"gpu", gpu_info},
        {"cuda", cuda_build},
        {"setMemoryLimit", set_memory_limit},
        {"setNumThreads", set_num_threads},
        {"getNumThreads", get_num_threads},
        {"cpuLimits", cpu_limits_of},
        {"groupMemoryLimit", group_memory_limit},
        {"info", native_info},
    };
    for (const auto &[name, callback] : functions)
      export_function(env, *state, exports, name, callback);
    return exports;
  });
}

} // namespace

} // namespace hrm::binding

NAPI_MODULE_INIT() { return hrm::binding::init(env, exports); }
