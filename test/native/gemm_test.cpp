// Matrix products against a naive product in long double: random ragged shapes, strides and orientations, accumulation,
// bit equality for one to three threads; then the thread pool under stress. HRM_ISA selects the instruction set.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <stdexcept>
#include <vector>

#include "cpu/gemm.h"
#include "cpu/isa.h"
#include "cpu/parallel.h"

namespace {

using hrm::cpu::MatrixView;
using hrm::cpu::PackOrder;
using hrm::cpu::ThreadPool;

int failures = 0;

void expect(bool ok, const char *what, int64_t m, int64_t n, int64_t k) {
  if (ok)
    return;
  ++failures;
  std::printf("FAILED %s at m %lld n %lld k %lld\n", what, static_cast<long long>(m), static_cast<long long>(n),
              static_cast<long long>(k));
}

std::mt19937_64 rng(1);
int64_t below(int64_t n) { return static_cast<int64_t>(rng() % static_cast<uint64_t>(n)); }

/** Scratch that is aligned as the API asks, with a guard behind it. */
class Scratch {
public:
  explicit Scratch(size_t nBytes) : nBytes_(nBytes), bytes_((nBytes + 63) / 64 * 64 + 128) {
    base_ = static_cast<unsigned char *>(std::aligned_alloc(64, bytes_));
    std::memset(base_, 0xff, bytes_); // NaN where something is read before it is written
  }
  ~Scratch() { std::free(base_); }
  Scratch(const Scratch &) = delete;
  Scratch &operator=(const Scratch &) = delete;
  void *data() { return base_; }
  bool intact() const {
    return std::all_of(base_ + nBytes_, base_ + bytes_, [](unsigned char byte) { return byte == 0xff; });
  }

private:
  size_t nBytes_, bytes_;
  unsigned char *base_;
};

/** A rows x cols matrix somewhere inside a larger buffer, in one of four layouts. */
template <class T> struct Matrix {
  std::vector<T> buffer;
  MatrixView<T> view;
  int64_t rows, cols;

  Matrix(int64_t nRows, int64_t nCols, int layout) : rows(nRows), cols(nCols) {
    const int64_t pad = layout >= 2 ? below(5) : 0;
    if (layout == 0 || layout == 2)
      view = {nullptr, cols + pad, 1};
    else if (layout == 1 || layout == 3)
      view = {nullptr, 1, rows + pad};
    else
      view = {nullptr, 2 * (cols + pad), 2};
    // Exactly as long as the last element needs, so that a sanitizer sees every read beyond it.
    const int64_t last = rows && cols ? (rows - 1) * view.rowStride + (cols - 1) * view.colStride + 1 : 0;
    buffer.resize(static_cast<size_t>(last));
    std::uniform_real_distribution<T> uniform(-1, 1);
    for (T &x : buffer)
      x = uniform(rng);
    view.data = buffer.data();
  }
  T at(int64_t i, int64_t j) const { return view.data[i * view.rowStride + j * view.colStride]; }
};

template <class T>
bool close(const std::vector<T> &c, int64_t ldc, const std::vector<T> &before, const Matrix<T> &a, const Matrix<T> &b,
           bool accumulate) {
  const double unit = sizeof(T) == 4 ? 6e-8 : 1.2e-16;
  for (int64_t i = 0; i < a.rows; ++i)
    for (int64_t j = 0; j < ldc; ++j) {
      const size_t at = static_cast<size_t>(i * ldc + j);
      if (j >= b.cols) {
        if (c[at] != before[at])
          return false;
        continue;
      }
      long double sum = accumulate ? before[at] : T(0), size = std::fabs(static_cast<double>(sum));
      for (int64_t p = 0; p < a.cols; ++p) {
        sum += static_cast<long double>(a.at(i, p)) * b.at(p, j);
        size += std::fabs(static_cast<double>(a.at(i, p)) * b.at(p, j));
      }
      if (!(std::fabs(static_cast<double>(c[at] - sum)) <= unit * (3 + std::sqrt(static_cast<double>(a.cols))) * size))
        return false;
    }
  return true;
}

template <class T> void check_gemm(int64_t m, int64_t n, int64_t k, std::vector<std::unique_ptr<ThreadPool>> &pools) {
  const Matrix<T> a(m, k, static_cast<int>(below(5))), b(k, n, static_cast<int>(below(5)));
  const bool accumulate = below(2) == 1;
  const int64_t ldc = n + below(4);
  std::vector<T> before(static_cast<size_t>(m * ldc));
  for (T &x : before)
    x = static_cast<T>(below(9)) - 4;
  std::vector<T> first, firstPacked;
  for (auto &pool : pools) {
    std::vector<T> c = before;
    Scratch work(hrm::cpu::gemm_workspace_bytes<T>(m, n, k, pool->nThreads()));
    hrm::cpu::gemm<T>(*pool, {m, n, k, a.view, b.view, c.data(), ldc, accumulate}, work.data());
    expect(work.intact(), "gemm workspace", m, n, k);
    if (first.empty()) {
      expect(close(c, ldc, before, a, b, accumulate), "gemm", m, n, k);
      first = c;
    }
    expect(c.empty() || std::memcmp(c.data(), first.data(), c.size() * sizeof(T)) == 0, "gemm threads", m, n, k);

    Scratch packed(hrm::cpu::packed_elements<T>(n, k) * sizeof(T));
    hrm::cpu::pack_matrix<T>(*pool, n, k, b.view.transposed(), PackOrder::kPlain, static_cast<T *>(packed.data()));
    expect(packed.intact(), "pack size", m, n, k);
    c = before;
    Scratch packedWork(hrm::cpu::gemm_packed_workspace_bytes<T>(m, n, k, pool->nThreads()));
    hrm::cpu::gemm_packed<T>(*pool, {m, n, k, a.view, static_cast<const T *>(packed.data()), c.data(), ldc, accumulate},
                             packedWork.data());
    expect(packedWork.intact(), "gemm_packed workspace", m, n, k);
    if (firstPacked.empty()) {
      expect(close(c, ldc, before, a, b, accumulate), "gemm_packed", m, n, k);
      firstPacked = c;
    }
    expect(c.empty() || std::memcmp(c.data(), firstPacked.data(), c.size() * sizeof(T)) == 0, "gemm_packed threads", m,
           n, k);
  }
}

void test_gemm() {
  std::vector<std::unique_ptr<ThreadPool>> pools;
  for (int nThreads = 1; nThreads <= 3; ++nThreads)
    pools.push_back(std::make_unique<ThreadPool>(nThreads));
  const auto both = [&](int64_t m, int64_t n, int64_t k) {
    check_gemm<float>(m, n, k, pools);
    check_gemm<double>(m, n, k, pools);
  };
  for (int64_t m : {0, 1, 2, 5, 14, 15})
    for (int64_t n : {0, 1, 3, 16, 33})
      for (int64_t k : {0, 1, 3, 17})
        both(m, n, k);
  for (int i = 0; i < 150; ++i)
    both(1 + below(60), 1 + below(100), 1 + below(90));
  for (int i = 0; i < 10; ++i) {
    both(1 + below(9), 1 + below(300), 1 + below(1700));
    both(1 + below(300), 1 + below(9), 1 + below(800));
    both(150 + below(200), 1 + below(80), 700 + below(900));
  }
  both(400, 70, 1000);
  both(700, 130, 260);
  // More of A than is packed whole, whatever its layout: B is shared.
  for (int i = 0; i < 4; ++i)
    both(1100, 70, 600);
  both(950, 900, 640);
}

void test_pool() {
  for (int nThreads : {1, 2, 4}) {
    ThreadPool pool(nThreads);
    expect(pool.nThreads() == nThreads, "pool size", nThreads, 0, 0);
    for (int round = 0; round < 20000; ++round) {
      const int64_t nTasks = below(7);
      std::atomic<int64_t> sum{0};
      std::atomic<int> using_[4] = {};
      pool.parallel_for(nTasks, [&](int64_t task, int thread) {
        if (using_[thread].fetch_add(1) != 0)
          expect(false, "thread number used twice", nThreads, task, round);
        sum.fetch_add(task + 1);
        using_[thread].fetch_sub(1);
      });
      expect(sum.load() == nTasks * (nTasks + 1) / 2, "pool tasks", nThreads, nTasks, round);
    }
    for (int round = 0; round < 200; ++round) {
      bool caught = false;
      try {
        pool.parallel_for(50, [&](int64_t task, int) {
          if (task == 17)
            throw std::runtime_error("planned");
        });
      } catch (const std::runtime_error &error) {
        caught = std::strcmp(error.what(), "planned") == 0;
      }
      expect(caught, "pool exception", nThreads, 0, round);
    }
    std::atomic<int> inner{0};
    pool.parallel_for(10, [&](int64_t, int thread) {
      pool.parallel_for(10, [&](int64_t, int innerThread) { inner.fetch_add(innerThread == thread ? 1 : 1000); });
    });
    expect(inner.load() == 100, "nested parallel_for", nThreads, 0, 0);
  }
  for (int round = 0; round < 300; ++round) {
    ThreadPool pool(3);
    if (round % 2)
      pool.parallel_for(3, [](int64_t, int) {});
  }
}

} // namespace

int main() {
  std::printf("isa %s\n", hrm::cpu::isa_name(hrm::cpu::isa()));
  test_pool();
  test_gemm();
  std::printf(failures ? "%d failures\n" : "ok\n", failures);
  return failures ? 1 : 0;
}
