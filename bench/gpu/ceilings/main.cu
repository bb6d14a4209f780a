// The ceilings of a GPU at this model's work. Names of rows on stdin, one JSON answer a line on stdout:
//   ceilings --list     one row a line: {"row", "essential", "seconds"}
//   ceilings            answers {"row", "status": "measured", "unit", "better", "samples", "details"}, or
//   "unsupported",
//                       "failed" with the reason, "no device"; the row "device" describes the device
#include "cublas_lt.h"
#include "row.h"
#include <cstdio>
#include <cstring>
#include <iostream>
#include <sstream>

namespace ceilings {

void check(cudaError_t error, const char *what) {
  if (error == cudaSuccess)
    return;
  cudaGetLastError();
  throw std::runtime_error(std::string(what) + ": " + cudaGetErrorName(error) + " (" + cudaGetErrorString(error) + ")");
}

const cudaDeviceProp &device() {
  static const cudaDeviceProp properties = [] {
    cudaDeviceProp found{};
    check(cudaGetDeviceProperties(&found, 0), "device properties");
    return found;
  }();
  return properties;
}

void need_hopper(const char *what) {
  if (device().major < 9)
    throw Unsupported(std::string(what) + " needs compute capability 9.0, this device has " +
                      std::to_string(device().major) + "." + std::to_string(device().minor));
}

namespace {

std::string quoted(const std::string &text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + "\"";
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

std::string details_of(const Answer &answer) {
  std::string out;
  for (const auto &[name, value] : answer.details)
    out += (out.empty() ? "" : ",") + quoted(name) + ":" + number(value);
  for (const auto &[name, text] : answer.labels)
    out += (out.empty() ? "" : ",") + quoted(name) + ":" + quoted(text);
  return "{" + out + "}";
}

std::string line(const std::string &row, const char *status, const std::string &rest = "") {
  return "{\"row\":" + quoted(row) + ",\"status\":\"" + status + "\"" + rest + "}";
}

std::string measured(const std::string &row, const Answer &answer) {
  std::string samples;
  for (const double sample : answer.samples)
    samples += (samples.empty() ? "" : ",") + number(sample);
  return line(row, "measured",
              ",\"unit\":" + quoted(answer.unit) + ",\"better\":\"" + (answer.higher_is_better ? "higher" : "lower") +
                  "\",\"samples\":[" + samples + "],\"details\":" + details_of(answer));
}

/// No driver (35) and no device (100) are the same to whoever asks.
bool has_device() {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  cudaGetLastError();
  return error == cudaSuccess && count > 0;
}

std::string describe() {
  if (!has_device())
    return line("device", "no device");
  int memory_khz = 0, clock_khz = 0, driver = 0, runtime = 0;
  check(cudaDeviceGetAttribute(&memory_khz, cudaDevAttrMemoryClockRate, 0), "memory clock");
  check(cudaDeviceGetAttribute(&clock_khz, cudaDevAttrClockRate, 0), "clock");
  check(cudaDriverGetVersion(&driver), "driver version");
  check(cudaRuntimeGetVersion(&runtime), "runtime version");
  const cudaDeviceProp &properties = device();
  Answer answer;
  answer.labels = {{"name", properties.name},
                   {"computeCapability", std::to_string(properties.major) + "." + std::to_string(properties.minor)}};
  try {
    const CublasLt library;
    answer.labels.emplace_back("cublasLt", library.path() + " " + library.version());
  } catch (const Unsupported &missing) {
    answer.labels.emplace_back("cublasLt", missing.what());
  }
  answer.details = {{"multiprocessors", properties.multiProcessorCount},
                    {"l2Bytes", properties.l2CacheSize},
                    {"memoryBytes", static_cast<double>(properties.totalGlobalMem)},
                    {"clockMhz", clock_khz / 1e3},
                    // Two transfers a clock, as for every memory these devices have.
                    {"pinGbPerSecond", 2.0 * memory_khz * 1e3 * properties.memoryBusWidth / 8 / 1e9},
                    {"driverCuda", driver},
                    {"runtimeCuda", runtime}};
  return line("device", "measured", ",\"details\":" + details_of(answer));
}

Rows all_rows() {
  Rows rows;
  for (const auto &some : {bandwidth_rows, launch_rows, gemm_rows, l2_rows, barrier_rows, cluster_rows})
    for (Row &row : some())
      rows.push_back(std::move(row));
  return rows;
}

std::string answer(const Rows &rows, const std::string &name) {
  try {
    if (name == "device")
      return describe();
    for (const Row &row : rows) {
      if (row.name != name)
        continue;
      return has_device() ? measured(name, row.run()) : line(name, "no device");
    }
    return line(name, "failed", ",\"error\":\"unknown row\"");
  } catch (const Unsupported &reason) {
    return line(name, "unsupported", ",\"error\":" + quoted(reason.what()));
  } catch (const std::exception &error) {
    return line(name, "failed", ",\"error\":" + quoted(error.what()));
  }
}

int list(const Rows &rows) {
  for (const Row &row : rows)
    std::printf("{\"row\":%s,\"essential\":%s,\"seconds\":%s}\n", quoted(row.name).c_str(),
                row.essential ? "true" : "false", number(row.seconds).c_str());
  return 0;
}

} // namespace
} // namespace ceilings

int main(int argc, char **argv) {
  const ceilings::Rows rows = ceilings::all_rows();
  if (argc == 2 && std::strcmp(argv[1], "--list") == 0)
    return ceilings::list(rows);
  if (argc > 1) {
    std::fprintf(stderr, "usage: ceilings [--list]; names of rows on stdin\n");
    return 2;
  }
  if (!ceilings::has_device())
    std::fprintf(stderr, "ceilings: no device\n");
  for (std::string name; std::getline(std::cin, name);)
    if (!name.empty())
      std::cout << ceilings::answer(rows, name) << std::endl;
  return 0;
}
