// OpenBLAS and oneDNN, loaded at run time. oneDNN's types come from its header: without it, it is left out.
#ifndef HRM_BENCH_PEERS_H_
#define HRM_BENCH_PEERS_H_

#include <dlfcn.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#if __has_include(<dnnl.h>)
#include <dnnl.h>
#if DNNL_VERSION_MAJOR == 2
#define HRM_BENCH_ONEDNN 1
#endif
#endif

namespace bench {

template <class F> F symbol(void *library, const char *name) {
  return library ? reinterpret_cast<F>(dlsym(library, name)) : nullptr;
}

/** Both peers run on libgomp. */
inline void set_omp_threads(int nThreads) {
  static void *gomp = dlopen("libgomp.so.1", RTLD_NOW | RTLD_GLOBAL);
  if (auto set = symbol<void (*)(int)>(gomp, "omp_set_num_threads"))
    set(nThreads);
}

struct OpenBlas {
  using Sgemm = void (*)(int order, int transA, int transB, int m, int n, int k, float alpha, const float *a, int lda,
                         const float *b, int ldb, float beta, float *c, int ldc);
  void *library;
  Sgemm sgemm;

  explicit OpenBlas(bool wanted)
      : library(wanted ? dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL) : nullptr),
        sgemm(symbol<Sgemm>(library, "cblas_sgemm")) {}

  /** What it says of itself, empty where it is missing. */
  std::string version() const {
    const auto config = symbol<char *(*)()>(library, "openblas_get_config");
    return config ? config() : "";
  }

  /** y[m, n] = x[m, k] w[n, k]^T */
  void product(int64_t m, int64_t n, int64_t k, const float *x, const float *w, float *y) const {
    constexpr int kRowMajor = 101, kNoTrans = 111, kTrans = 112;
    sgemm(kRowMajor, kNoTrans, kTrans, static_cast<int>(m), static_cast<int>(n), static_cast<int>(k), 1.0f, x,
          static_cast<int>(k), w, static_cast<int>(k), 0.0f, y, static_cast<int>(n));
  }
};

#ifdef HRM_BENCH_ONEDNN

struct OneDnn {
  void *library;
#define HRM_DNNL(name) decltype(&dnnl_##name) name = symbol<decltype(&dnnl_##name)>(library, "dnnl_" #name)
  HRM_DNNL(sgemm);
  HRM_DNNL(engine_create);
  HRM_DNNL(stream_create);
  HRM_DNNL(stream_wait);
  HRM_DNNL(memory_desc_init_by_strides);
  HRM_DNNL(memory_desc_init_by_tag);
  HRM_DNNL(matmul_desc_init);
  HRM_DNNL(primitive_desc_create);
  HRM_DNNL(primitive_desc_query_md);
  HRM_DNNL(primitive_create);
  HRM_DNNL(primitive_execute);
  HRM_DNNL(reorder_primitive_desc_create);
  HRM_DNNL(memory_create);
  HRM_DNNL(memory_set_data_handle);
#undef HRM_DNNL
  dnnl_engine_t engine = nullptr;
  dnnl_stream_t stream = nullptr;

  explicit OneDnn(bool wanted) : library(wanted ? dlopen("libdnnl.so.2", RTLD_NOW | RTLD_LOCAL) : nullptr) {
    if (library && engine_create(&engine, dnnl_cpu, 0) == dnnl_success)
      stream_create(&stream, engine, dnnl_stream_default_flags);
  }

  /** "2.6.3", empty where it is missing. */
  std::string version() const {
    const auto get = symbol<decltype(&dnnl_version)>(library, "dnnl_version");
    if (!get)
      return "";
    const dnnl_version_t *v = get();
    return std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch);
  }

  void product(int64_t m, int64_t n, int64_t k, const float *x, const float *w, float *y) const {
    sgemm('N', 'T', m, n, k, 1.0f, x, k, w, k, 0.0f, y, n);
  }

  /** The matmul primitive on these buffers; with reorder, the weights are brought into its own layout beforehand. */
  std::function<void()> matmul(int64_t m, int64_t n, int64_t k, const float *x, const float *w, float *y,
                               bool reorder) const {
    if (!stream)
      return nullptr;
    dnnl_memory_desc_t xd, wd, given, yd;
    const dnnl_dims_t xDims = {m, k}, wDims = {k, n}, yDims = {m, n}, xSteps = {k, 1}, wSteps = {1, k}, ySteps = {n, 1};
    memory_desc_init_by_strides(&xd, 2, xDims, dnnl_f32, xSteps);
    memory_desc_init_by_strides(&given, 2, wDims, dnnl_f32, wSteps);
    memory_desc_init_by_strides(&yd, 2, yDims, dnnl_f32, ySteps);
    wd = given;
    if (reorder)
      memory_desc_init_by_tag(&wd, 2, wDims, dnnl_f32, dnnl_format_tag_any);
    dnnl_matmul_desc_t desc;
    dnnl_primitive_desc_t pd = nullptr;
    dnnl_primitive_t primitive = nullptr;
    if (matmul_desc_init(&desc, &xd, &wd, nullptr, &yd) != dnnl_success ||
        primitive_desc_create(&pd, &desc, nullptr, engine, nullptr) != dnnl_success ||
        primitive_create(&primitive, pd) != dnnl_success)
      return nullptr;
    dnnl_memory_t xm = nullptr, wm = nullptr, ym = nullptr;
    memory_create(&xm, &xd, engine, const_cast<float *>(x));
    memory_create(&ym, &yd, engine, y);
    if (!reorder) {
      memory_create(&wm, &given, engine, const_cast<float *>(w));
    } else {
      dnnl_memory_t from = nullptr;
      const dnnl_memory_desc_t *wanted = primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
      memory_create(&from, &given, engine, const_cast<float *>(w));
      memory_create(&wm, wanted, engine, DNNL_MEMORY_ALLOCATE);
      dnnl_primitive_desc_t rpd = nullptr;
      dnnl_primitive_t reorderPrimitive = nullptr;
      if (reorder_primitive_desc_create(&rpd, &given, engine, wanted, engine, nullptr) != dnnl_success ||
          primitive_create(&reorderPrimitive, rpd) != dnnl_success)
        return nullptr;
      const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, wm}};
      primitive_execute(reorderPrimitive, stream, 2, args);
      stream_wait(stream);
    }
    return [this, primitive, xm, wm, ym] {
      const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, xm}, {DNNL_ARG_WEIGHTS, wm}, {DNNL_ARG_DST, ym}};
      primitive_execute(primitive, stream, 3, args);
      stream_wait(stream);
    };
  }
};

#else

struct OneDnn {
  bool sgemm = false;
  explicit OneDnn(bool) {}
  std::string version() const { return ""; }
  void product(int64_t, int64_t, int64_t, const float *, const float *, float *) const {}
  std::function<void()> matmul(int64_t, int64_t, int64_t, const float *, const float *, float *, bool) const {
    return nullptr;
  }
};

#endif

} // namespace bench

#endif // HRM_BENCH_PEERS_H_
