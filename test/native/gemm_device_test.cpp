// Products on the device (kernels/device/gemm.h) against sums in double: every size of tile, orientation, alignment,
// split and type of result, with a bias, added to what is there; by our own kernel and by a library of which a double
// (fake_cublas_lt.cpp, its path the argument) checks how it is called; and who is chosen when.
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "cuda/products.h"
#include "cuda/stream.h"
#include "device/gemm.h"

using namespace hrm;
using namespace hrm::device;

namespace {

int failures = 0;
void expect(bool right, const std::string &what) {
  if (right)
    return;
  std::printf("FAIL  %s\n", what.c_str());
  ++failures;
}

uint64_t seed = 1;
float uniform() {
  seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
  return static_cast<float>(static_cast<double>(seed >> 11) / 9007199254740992.0 * 2 - 1);
}
template <class T> std::vector<T> random(int64_t n) {
  std::vector<T> values(static_cast<size_t>(n));
  for (T &value : values)
    value = T(uniform());
  return values;
}

struct Subject {
  std::unique_ptr<Gpu> gpu;
  cuda::Stream &stream;
  explicit Subject(int index = 0) : gpu(open_gpu(index)), stream(static_cast<cuda::Stream &>(*gpu)) {}

  template <class T> Tensor upload(const std::vector<T> &values) {
    Tensor t = Tensor::empty(stream.allocator(), std::is_same_v<T, float> ? DType::kF32 : DType::kBF16,
                             Dims{static_cast<int64_t>(values.size())});
    stream.upload(values.data(), t.raw(), values.size() * sizeof(T));
    return t;
  }
  template <class T> std::vector<T> download(const Tensor &t) {
    std::vector<T> values(static_cast<size_t>(t.size()));
    stream.download(t.raw(), values.size() * sizeof(T))->finish(values.data());
    return values;
  }
};

struct Case {
  int64_t m, n, k, batch;
  // Elements between rows, and before the first where there are any.
  int pad;
  bool accumulate, bias, split;
};
const Case kCases[] = {
    {37, 45, 53, 1, 0, false, false, false}, {40, 72, 80, 2, 0, false, true, false},
    {33, 7, 41, 3, 3, true, true, false},    {24, 17, 0, 1, 0, false, true, false},
    {20, 24, 2100, 1, 8, true, true, true},  {20, 16, 2100, 1, 0, false, false, true},
    {1, 9, 16, 1, 0, true, false, false},    {16, 1, 33, 1, 0, false, false, false},
    {5, 6, 41, 1, 0, false, false, false},   {24, 16, 40, 1, 8, true, false, false},
    {24, 16, 40, 1, 3, false, false, false},
};
// So many that tiles are of 64 and of 128.
const Case kManyTiles[] = {
    {72, 40, 20, 70, 0, false, false, false},
    {130, 136, 36, 33, 0, false, false, false},
};

template <class T> const char *name_of() { return sizeof(T) == 2 ? "bfloat16" : "float32"; }

template <class T, class R> void check(Subject &s, const Case &c, bool transpose_a, bool transpose_b) {
  const int64_t lda = (transpose_a ? c.m : c.k) + c.pad, ldb = (transpose_b ? c.k : c.n) + c.pad, ldc = c.n + c.pad;
  const int64_t in_a = lda * (transpose_a ? c.k : c.m), in_b = ldb * (transpose_b ? c.n : c.k), in_c = ldc * c.m;
  const int64_t first = c.pad;
  const auto a = random<T>(in_a * c.batch + first), b = random<T>(in_b * c.batch + first), bias = random<T>(c.n);
  const auto before = random<R>(in_c * c.batch);
  const Tensor on_a = s.upload(a), on_b = s.upload(b), on_bias = s.upload(bias), on_c = s.upload(before);
  const GemmShape shape{c.m, c.n, c.k, {c.batch}};
  const size_t n_bytes = c.split ? gemm_workspace_bytes(shape) : 0;
  Tensor scratch = Tensor::empty(s.stream.allocator(), DType::kU8, Dims{static_cast<int64_t>(n_bytes)});
  const auto row_of = [](int64_t ld, bool transposed) { return transposed ? 1 : ld; };
  gemm<T, R>("test", s.stream, shape,
             {on_a.data<T>() + first, row_of(lda, transpose_a), row_of(lda, !transpose_a), {in_a}},
             {on_b.data<T>() + first, row_of(ldb, transpose_b), row_of(ldb, !transpose_b), {in_b}},
             {on_c.data<R>(), ldc, in_c},
             {c.accumulate, c.bias ? on_bias.data<T>() : nullptr, n_bytes > 0 ? scratch.raw() : nullptr});
  const auto found = s.download<R>(on_c);
  bool right = true;
  for (int64_t z = 0; z < c.batch; ++z)
    for (int64_t i = 0; i < c.m; ++i)
      for (int64_t j = 0; j < ldc; ++j) {
        const size_t at = static_cast<size_t>(z * in_c + i * ldc + j);
        const double old = static_cast<double>(static_cast<float>(before[at]));
        const double got = static_cast<double>(static_cast<float>(found[at]));
        if (j >= c.n) {
          right = right && got == old;
          continue;
        }
        double want = c.accumulate ? old : 0, size = std::fabs(want);
        if (c.bias) {
          want += static_cast<double>(static_cast<float>(bias[static_cast<size_t>(j)]));
          size += 1;
        }
        for (int64_t p = 0; p < c.k; ++p) {
          const int64_t at_a = first + z * in_a + (transpose_a ? p * lda + i : i * lda + p);
          const int64_t at_b = first + z * in_b + (transpose_b ? j * ldb + p : p * ldb + j);
          const double term = static_cast<double>(static_cast<float>(a[static_cast<size_t>(at_a)])) *
                              static_cast<double>(static_cast<float>(b[static_cast<size_t>(at_b)]));
          want += term;
          size += std::fabs(term);
        }
        // Sums in float, rounded once.
        const double bound = std::ldexp(size, -20) + (sizeof(R) == 2 ? std::ldexp(std::fabs(want), -8) : 0);
        right = right && std::fabs(got - want) <= bound;
      }
  std::string what = std::string(name_of<T>()) + " -> " + name_of<R>();
  for (const auto &[text, value] : std::initializer_list<std::pair<const char *, int64_t>>{{" m ", c.m},
                                                                                           {" n ", c.n},
                                                                                           {" k ", c.k},
                                                                                           {" batch ", c.batch},
                                                                                           {" pad ", c.pad},
                                                                                           {" A^T ", transpose_a},
                                                                                           {" B^T ", transpose_b},
                                                                                           {" added ", c.accumulate},
                                                                                           {" bias ", c.bias},
                                                                                           {" split ", n_bytes > 0}})
    what += text + std::to_string(value);
  expect(right, what);
}

template <class T, class R> void check_all(Subject &s) {
  for (const Case &c : kCases)
    for (int layout = 0; layout < 4; ++layout)
      check<T, R>(s, c, (layout & 1) != 0, (layout & 2) != 0);
}
void check_types(Subject &s) {
  check_all<float, float>(s);
  check_all<BFloat16, BFloat16>(s);
  check_all<BFloat16, float>(s);
}
// One orientation each: that of `linear`, and that of a weight's gradient.
void check_many_tiles(Subject &s) {
  for (const Case &c : kManyTiles) {
    check<float, float>(s, c, false, true);
    check<BFloat16, float>(s, c, true, false);
  }
}

// What fails with which code; kNative where nothing does.
template <class F> std::pair<Code, std::string> failure_of(F &&f) {
  try {
    f();
  } catch (const Error &error) {
    return {error.code(), error.what()};
  }
  return {Code::kNative, ""};
}

const Case kOne{24, 16, 40, 1, 0, false, false, false};

// The double's switches.
struct Double {
  int (*n_calls)(), (*n_live)();
  void (*delay)(int milliseconds), (*set_version)(size_t), (*fail)(const char *function);
};

Double open_double(const char *path) {
  setenv("HRM_CUBLASLT", path, 1);
  void *file = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!file) {
    std::printf("FAIL  the double loads: %s\n", dlerror());
    std::exit(1);
  }
  Double d{};
  const auto find = [&](auto &function, const char *name) {
    function = reinterpret_cast<std::decay_t<decltype(function)>>(dlsym(file, name));
  };
  find(d.n_calls, "fake_cublas_lt_calls");
  find(d.n_live, "fake_cublas_lt_live");
  find(d.delay, "fake_cublas_lt_delay");
  find(d.set_version, "fake_cublas_lt_version");
  find(d.fail, "fake_cublas_lt_fail");
  return d;
}

void check_choice(const Double &library) {
  const auto n_calls = library.n_calls;
  const auto delay = library.delay;
  expect(cuda::cublas_lt_state().version == "13.1.0", "the library is found, not " + cuda::cublas_lt_state().version);
  {
    setenv("HRM_GEMM", "own", 1);
    Subject s;
    check<float, float>(s, kOne, false, false);
    expect(n_calls() == 0, "HRM_GEMM=own leaves the library alone");
  }
  {
    setenv("HRM_GEMM", "cublaslt", 1);
    Subject s;
    check_types(s);
    expect(n_calls() > 0, "HRM_GEMM=cublaslt asks the library");
    const int by_library = s.stream.products().n_by_library(), before = n_calls();
    // Five sizes without batches, a bias, a k that it does not know and a start off 16 bytes; four layouts; three
    // types.
    expect(by_library == 5 * 4 * 3, "and for every product that it can do, not " + std::to_string(by_library));
    check<float, float>(s, {5, 6, 41, 1, 0, false, false, false}, false, false);
    expect(n_calls() == before, "a product that it has no algorithm for is ours");
  }
  unsetenv("HRM_GEMM");
  {
    Subject s;
    check<BFloat16, float>(s, kOne, true, false);
    expect(s.stream.products().n_by_library() == 1, "the faster one is chosen: the library");
    delay(20);
    const int before = n_calls();
    check<BFloat16, float>(s, kOne, true, false);
    expect(n_calls() == before + 1, "a choice stays");
    Subject other;
    check<BFloat16, float>(other, kOne, true, false);
    expect(n_calls() == before + 2, "and holds on every stream of the process, without being timed again");
    check<BFloat16, float>(s, kOne, false, false);
    check<BFloat16, float>(s, kOne, false, false);
    expect(s.stream.products().n_by_library() == 1, "the faster one is chosen: ours");
    delay(0);
  }
  {
    Subject s;
    const auto values = random<float>(64 * 64);
    const Tensor x = s.upload(values), y = s.upload(values);
    const auto multiply = [&] {
      gemm<float, float>("test", s.stream, {64, 64, 64}, {x.data<float>(), 64, 1}, {x.data<float>(), 64, 1},
                         {y.data<float>(), 64});
    };
    const int before = n_calls();
    s.stream.begin_capture();
    multiply();
    const std::unique_ptr<Graph> graph = s.stream.end_capture();
    graph->launch();
    multiply();
    s.stream.synchronize();
    expect(n_calls() == before, "a product that came up in a capture stays ours");
  }
  setenv("HRM_GEMM", "mine", 1);
  Subject s;
  const auto [code, message] = failure_of([&] { s.stream.products(); });
  expect(code == Code::kArgument && message.find("own or cublaslt, got mine") != std::string::npos,
         "another HRM_GEMM: " + message);
  unsetenv("HRM_GEMM");
}

// HRM_GEMM=cublaslt where no library can be used says why; without it products are ours.
void check_unusable(const char *why) {
  {
    Subject s;
    check<float, float>(s, kOne, false, false);
    expect(s.stream.products().n_by_library() == 0, "without a library products are ours");
  }
  expect(cuda::cublas_lt_state().file.empty(), "no library is found");
  setenv("HRM_GEMM", "cublaslt", 1);
  Subject s;
  const auto [code, message] = failure_of([&] { s.stream.products(); });
  expect(code == Code::kDevice && message.find(why) != std::string::npos,
         std::string("a library that is demanded: ") + message + ", without: " + why);
}

void check_missing() {
  {
    Subject s;
    check_types(s);
    check_many_tiles(s);
    expect(s.stream.products().n_by_library() == 0, "without a library products are ours");
  }
  check_unusable("/nowhere/libcublasLt.so");
}

// The library fails at one of its functions: ours takes its place, unless the library is demanded.
void check_failing(const Double &library) {
  int64_t k = 40;
  for (const char *function :
       {"cublasLtCreate", "cublasLtMatmulDescCreate", "cublasLtMatmulDescSetAttribute", "cublasLtMatrixLayoutCreate",
        "cublasLtMatmulPreferenceCreate", "cublasLtMatmulPreferenceSetAttribute", "cublasLtMatmulAlgoGetHeuristic",
        "cublasLtMatmul"}) {
    k += 4;
    const Case product{24, 16, k, 1, 0, false, false, false};
    library.fail(function);
    const int before = library.n_calls();
    {
      Subject s;
      check<float, float>(s, product, false, false);
      expect(s.stream.products().n_by_library() == 0, std::string(function) + " fails: ours");
      library.fail("");
      check<float, float>(s, product, false, false);
      expect(library.n_calls() == before, std::string(function) + " failed: a choice stays");
    }
    library.fail(function);
    setenv("HRM_GEMM", "cublaslt", 1);
    {
      Subject s;
      size_t live = 0;
      for (int again = 0; again < 2; ++again) {
        const auto [code, message] = failure_of([&] { check<float, float>(s, product, false, false); });
        expect(code == Code::kDevice && message.find(std::string(function) + " failed with status 14") < message.size(),
               std::string(function) + " fails and is demanded: " + message);
        expect(again == 0 || s.stream.allocator().live() == live, std::string(function) + " fails: memory is kept");
        live = s.stream.allocator().live();
      }
      library.fail("");
      check<float, float>(s, product, false, false);
      expect(library.n_calls() == before + 1, std::string(function) + " works again");
    }
    unsetenv("HRM_GEMM");
    expect(library.n_live() == 0, std::string(function) + " leaves nothing behind");
  }
  {
    Subject s;
    check<float, float>(s, kOne, false, false);
    expect(s.stream.products().n_by_library() == 1, "chosen");
    library.fail("cublasLtMatmul");
    const auto [code, message] = failure_of([&] { check<float, float>(s, kOne, false, false); });
    expect(code == Code::kDevice && message.find("cublasLtMatmul failed") < message.size(),
           "a library that fails once it was chosen is an error, not another result: " + message);
    library.fail("");
  }
  // No memory to try it in.
  const Case product{20, 16, 40, 1, 0, false, false, false};
  const auto in_little_memory = [&](Subject &s) {
    Allocator &allocator = s.stream.allocator();
    allocator.set_limit(allocator.live() + (size_t{1} << 20));
    return failure_of([&] { check<float, float>(s, product, false, false); }).first;
  };
  {
    Subject s;
    expect(in_little_memory(s) == Code::kNative && s.stream.products().n_by_library() == 0, "no memory to try: ours");
  }
  setenv("HRM_GEMM", "cublaslt", 1);
  Subject s;
  expect(in_little_memory(s) == Code::kOutOfMemory, "no memory for a library that is demanded");
  s.stream.allocator().set_limit(size_t{1} << 30);
  check<float, float>(s, product, false, false);
  expect(s.stream.products().n_by_library() == 1, "until there is");
}

// Products of two devices in turn: each is asked for on its own device, whose turn it is by nothing else.
void check_two_devices() {
  setenv("HRM_SIMT_DEVICES", "2", 1);
  setenv("HRM_GEMM", "cublaslt", 1);
  Subject subjects[] = {Subject(0), Subject(1)};
  const auto values = random<float>(16 * 16);
  std::vector<Tensor> in, out;
  for (Subject &s : subjects) {
    in.push_back(s.upload(values));
    out.push_back(s.upload(values));
  }
  const auto multiply = [&](size_t i) {
    gemm<float, float>("test", subjects[i].stream, {16, 16, 16}, {in[i].data<float>(), 16, 1},
                       {in[i].data<float>(), 16, 1}, {out[i].data<float>(), 16});
  };
  for (int round = 0; round < 2; ++round)
    for (size_t i = 0; i < 2; ++i) {
      const auto [code, message] = failure_of([&] { multiply(i); });
      expect(message.empty(), "products of two devices in turn: " + message);
    }
  expect(subjects[0].stream.products().n_by_library() == 1, "by the library");
  expect(subjects[0].download<float>(out[0]) == subjects[1].download<float>(out[1]), "and they are equal");
}

// A library is looked for, and a product timed, once in a process: each check has one of its own.
template <class F> void in_process(const char *what, F &&f) {
  const pid_t child = fork();
  if (child == 0) {
    f();
    std::fflush(stdout);
    _exit(failures == 0 ? 0 : 1);
  }
  int status = 1;
  waitpid(child, &status, 0);
  expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, what);
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 2) {
    std::printf("usage: gemm_device_test FAKE_CUBLAS_LT\n");
    return 2;
  }
  const auto unusable = [](const char *file, const char *why) {
    setenv("HRM_CUBLASLT", file, 1);
    check_unusable(why);
  };
  in_process("without a library", [] {
    setenv("HRM_CUBLASLT", "/nowhere/libcublasLt.so", 1);
    check_missing();
  });
  in_process("another library", [&] { unusable("libm.so.6", "libm.so.6 has no cublasLtCreate"); });
  for (const auto &[number, text] : {std::pair<size_t, const char *>{111003, "11.10.3"}, {140000, "14.0.0"}})
    in_process(text, [&, version = number, why = std::string(text)] {
      open_double(argv[1]).set_version(version);
      unusable(argv[1], ("is version " + why + ", not 12 or 13").c_str());
    });
  in_process("a library of CUDA 12", [&] {
    open_double(argv[1]).set_version(120804);
    expect(cuda::cublas_lt_state().version == "12.8.4", "is used");
  });
  in_process("a library that fails", [&] { check_failing(open_double(argv[1])); });
  in_process("a library that works", [&] { check_choice(open_double(argv[1])); });
  in_process("two devices", [&] {
    open_double(argv[1]);
    check_two_devices();
  });
  std::printf("%d failed\n", failures);
  return failures == 0 ? 0 : 1;
}
