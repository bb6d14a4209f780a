// Stands in for libcublasLt where there is no GPU: the same symbols, the product computed on the host from its own
// reading of layouts, transposes and leading dimensions. It refuses what the real one refuses, has no algorithm for k =
// kUnknownK, and fails where it is told to.
#include <chrono>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <thread>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

constexpr int kOk = 0, kInvalid = 7, kInternal = 14, kNotSupported = 15;
constexpr uint64_t kUnknownK = 41, kAlgorithm = 0x616c676f;

struct Layout {
  int type;
  uint64_t rows, cols;
  int64_t ld;
};
struct Desc {
  int compute, scale;
  int32_t trans_a = 0, trans_b = 0;
};
struct Preference {
  uint64_t workspace_bytes = 0;
  uint32_t reductions = 7, alignment[4] = {256, 256, 256, 256};
};
struct Algorithm {
  uint64_t data[8];
};
struct Result {
  Algorithm algorithm;
  size_t workspace_bytes;
  int state;
  float waves;
  int reserved[4];
};
static_assert(sizeof(Result) == 64 + 8 + 4 + 4 + 16, "as in cublasLt.h");

int n_calls = 0, delay_ms = 0, n_live = 0;
size_t version = 130100;
std::string failing;

template <class T> int make(void **to, T *value) {
  *to = value;
  ++n_live;
  return kOk;
}
template <class T> int destroy(void *value) {
  delete static_cast<T *>(value);
  --n_live;
  return kOk;
}

double read(const void *data, const Layout &l, uint64_t row, uint64_t col) {
  const uint64_t at = col * static_cast<uint64_t>(l.ld) + row;
  float value;
  if (l.type == 14) {
    const uint32_t bits = static_cast<uint32_t>(static_cast<const uint16_t *>(data)[at]) << 16;
    std::memcpy(&value, &bits, 4);
  } else {
    value = static_cast<const float *>(data)[at];
  }
  return static_cast<double>(value);
}
void write(void *data, const Layout &l, uint64_t row, uint64_t col, double x) {
  const uint64_t at = col * static_cast<uint64_t>(l.ld) + row;
  const float value = static_cast<float>(x);
  if (l.type == 14) {
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    static_cast<uint16_t *>(data)[at] = static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
  } else {
    static_cast<float *>(data)[at] = value;
  }
}

// [m, k] [k, n] = [m, n], or they do not fit.
bool sizes(const Desc &d, const Layout &a, const Layout &b, const Layout &c, uint64_t &m, uint64_t &n, uint64_t &k) {
  m = d.trans_a ? a.cols : a.rows;
  k = d.trans_a ? a.rows : a.cols;
  n = d.trans_b ? b.rows : b.cols;
  return (d.trans_b ? b.cols : b.rows) == k && c.rows == m && c.cols == n && a.type == b.type && d.compute == 68 &&
         d.scale == 0;
}

} // namespace

EXPORT int fake_cublas_lt_calls() { return n_calls; }
EXPORT void fake_cublas_lt_delay(int milliseconds) { delay_ms = milliseconds; }

EXPORT void fake_cublas_lt_version(size_t number) { version = number; }
// The function of this name, until another is named.
EXPORT void fake_cublas_lt_fail(const char *function) { failing = function; }
// Handles, descriptions, layouts and preferences that nobody has destroyed.
EXPORT int fake_cublas_lt_live() { return n_live; }

#define HRM_MAY_FAIL                                                                                                   \
  if (failing == __func__)                                                                                             \
  return kInternal

EXPORT size_t cublasLtGetVersion() { return version; }
EXPORT int cublasLtCreate(void **handle) {
  HRM_MAY_FAIL;
  return make(handle, new int(1));
}
EXPORT int cublasLtDestroy(void *handle) { return destroy<int>(handle); }
EXPORT int cublasLtMatmulDescCreate(void **desc, int compute, int scale) {
  HRM_MAY_FAIL;
  return make(desc, new Desc{compute, scale});
}
EXPORT int cublasLtMatmulDescDestroy(void *desc) { return destroy<Desc>(desc); }
EXPORT int cublasLtMatmulDescSetAttribute(void *desc, int attribute, const void *value, size_t n_bytes) {
  HRM_MAY_FAIL;
  auto *d = static_cast<Desc *>(desc);
  if ((attribute != 3 && attribute != 4) || n_bytes != sizeof(int32_t))
    return kInvalid;
  std::memcpy(attribute == 3 ? &d->trans_a : &d->trans_b, value, n_bytes);
  return kOk;
}
EXPORT int cublasLtMatrixLayoutCreate(void **layout, int type, uint64_t rows, uint64_t cols, int64_t ld) {
  HRM_MAY_FAIL;
  if ((type != 0 && type != 14) || ld < static_cast<int64_t>(rows))
    return kInvalid;
  return make(layout, new Layout{type, rows, cols, ld});
}
EXPORT int cublasLtMatrixLayoutDestroy(void *layout) { return destroy<Layout>(layout); }
EXPORT int cublasLtMatmulPreferenceCreate(void **preference) {
  HRM_MAY_FAIL;
  return make(preference, new Preference);
}
EXPORT int cublasLtMatmulPreferenceDestroy(void *preference) { return destroy<Preference>(preference); }
EXPORT int cublasLtMatmulPreferenceSetAttribute(void *preference, int attribute, const void *value, size_t n_bytes) {
  HRM_MAY_FAIL;
  auto *p = static_cast<Preference *>(preference);
  if (attribute == 1 && n_bytes == 8)
    std::memcpy(&p->workspace_bytes, value, 8);
  else if (attribute == 3 && n_bytes == 4)
    std::memcpy(&p->reductions, value, 4);
  else if (attribute >= 5 && attribute <= 8 && n_bytes == 4)
    std::memcpy(&p->alignment[attribute - 5], value, 4);
  else
    return kInvalid;
  return kOk;
}
EXPORT int cublasLtMatmulAlgoGetHeuristic(void *, void *desc, void *a, void *b, void *c, void *d, void *preference,
                                          int n_wanted, Result *results, int *n_found) {
  HRM_MAY_FAIL;
  const auto *p = static_cast<Preference *>(preference);
  *n_found = 0;
  uint64_t m, n, k;
  if (c != d || n_wanted < 1 ||
      !sizes(*static_cast<Desc *>(desc), *static_cast<Layout *>(a), *static_cast<Layout *>(b),
             *static_cast<Layout *>(c), m, n, k))
    return kInvalid;
  // In place and rounded sums are not asked for, and no more alignment than the caller checks.
  if (k == kUnknownK || (p->reductions & 5) != 0 || p->alignment[0] > 16 || p->workspace_bytes == 0)
    return kNotSupported;
  results[0] = {{{kAlgorithm, m, n, k}}, 1024, kOk, 1, {}};
  *n_found = 1;
  return kOk;
}
// Multiplies when it is called. Without a stream it only says what it would answer.
EXPORT int cublasLtMatmul(void *handle, void *desc, const void *alpha, const void *a, void *a_layout, const void *b,
                          void *b_layout, const void *beta, const void *c, void *c_layout, void *d, void *d_layout,
                          const Algorithm *algorithm, void *workspace, size_t workspace_bytes, void *stream) {
  HRM_MAY_FAIL;
  const auto &op = *static_cast<Desc *>(desc);
  const auto &left = *static_cast<Layout *>(a_layout), &right = *static_cast<Layout *>(b_layout),
             &to = *static_cast<Layout *>(d_layout);
  uint64_t m, n, k;
  if (!handle || !sizes(op, left, right, to, m, n, k) || c_layout != d_layout || c != d || !workspace ||
      workspace_bytes < 1024)
    return kInvalid;
  const uint64_t wanted[] = {kAlgorithm, m, n, k};
  if (std::memcmp(algorithm->data, wanted, sizeof wanted) != 0)
    return kInvalid;
  for (const void *matrix : {a, b, c})
    if (reinterpret_cast<uintptr_t>(matrix) % 16 != 0)
      return kInvalid;
  if (!stream)
    return kOk;
  ++n_calls;
  std::memset(workspace, 0xee, 1024);
  std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms));
  float one, old;
  std::memcpy(&one, alpha, 4);
  std::memcpy(&old, beta, 4);
  for (uint64_t i = 0; i < m; ++i)
    for (uint64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (uint64_t p = 0; p < k; ++p)
        sum += (op.trans_a ? read(a, left, p, i) : read(a, left, i, p)) *
               (op.trans_b ? read(b, right, j, p) : read(b, right, p, j));
      sum *= static_cast<double>(one);
      // C is not read where it counts for nothing: it may hold anything.
      if (old != 0)
        sum += static_cast<double>(old) * read(c, to, i, j);
      write(d, to, i, j, sum);
    }
  return kOk;
}
