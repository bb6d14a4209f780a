// SGEMM y = x W^T at the shapes of HRM against OpenBLAS and oneDNN, interleaved in one process; peers are loaded at run
// time and left out where they are missing. Prints one JSON row a line.
// Usage: sgemm [--rounds N] [--rows M,...] [--no-peers] [threads...]
#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "cpu/gemm.h"
#include "cpu/isa.h"
#include "cpu/parallel.h"
#include "fma_peak.h"
#include "peers.h"

namespace {

using Clock = std::chrono::steady_clock;
using hrm::cpu::ThreadPool;

struct Buffer {
  explicit Buffer(size_t elements)
      : data(static_cast<float *>(std::aligned_alloc(64, (elements * 4 + 127) / 64 * 64))) {
    std::mt19937 rng(7);
    std::uniform_real_distribution<float> uniform(-1, 1);
    for (size_t i = 0; i < elements; ++i)
      data.get()[i] = uniform(rng);
  }
  struct Free {
    void operator()(float *p) const { std::free(p); }
  };
  std::unique_ptr<float, Free> data;
};

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v.size() % 2 ? v[v.size() / 2] : (v[v.size() / 2 - 1] + v[v.size() / 2]) / 2;
}

/** Half the distance between the quartiles, relative to the median. */
double spread(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return (v[v.size() * 3 / 4] - v[v.size() / 4]) / 2 / median(v);
}

double best(const std::vector<double> &v) { return *std::max_element(v.begin(), v.end()); }

struct Subject {
  std::string name;
  std::function<void()> run;
  std::vector<double> gflops;
};

/** One figure of one subject: enough calls for some 15 ms, after a pause in which the other side's threads fall asleep.
 */
double measure(const Subject &subject, double flop) {
  usleep(20000);
  subject.run();
  const auto seconds = [&](int calls) {
    const auto start = Clock::now();
    for (int i = 0; i < calls; ++i)
      subject.run();
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  constexpr double kEnough = 0.015;
  const double once = seconds(1);
  if (once > kEnough)
    return flop / once * 1e-9;
  const int calls = std::max(1, static_cast<int>(kEnough / once));
  return flop * calls / seconds(calls) * 1e-9;
}

struct Totals {
  double logRatio = 0;
  int n = 0;
};

/** Interleaves the subjects; the first is ours. */
void compare(const char *subject, const std::string &name, double flop, int rounds, std::vector<Subject> subjects,
             Totals &totals) {
  for (int round = 0; round < rounds; ++round)
    for (size_t i = 0; i < subjects.size(); ++i) {
      Subject &s = subjects[(i + static_cast<size_t>(round)) % subjects.size()];
      s.gflops.push_back(measure(s, flop));
    }
  const Subject *peer = nullptr;
  for (size_t i = 1; i < subjects.size(); ++i)
    if (!peer || median(subjects[i].gflops) > median(peer->gflops))
      peer = &subjects[i];
  const double ours = median(subjects[0].gflops);
  if (!peer) {
    std::printf(
        "{\"subject\":\"%s\",\"case\":\"%s\",\"unit\":\"GFLOP/s\",\"ours\":%.1f,\"peer\":null,\"n\":%d,\"spread\":"
        "%.3f,\"best\":%.1f}\n",
        subject, name.c_str(), ours, rounds, spread(subjects[0].gflops), best(subjects[0].gflops));
    std::fflush(stdout);
    return;
  }
  const double theirs = median(peer->gflops);
  totals.logRatio += std::log(ours / theirs);
  totals.n += 1;
  std::printf(
      "{\"subject\":\"%s\",\"case\":\"%s\",\"unit\":\"GFLOP/s\",\"ours\":%.1f,\"peer\":\"%s\",\"peerFigure\":%.1f,"
      "\"ratio\":%.3f,\"n\":%d,\"spread\":%.3f,\"best\":%.1f,\"peerBest\":%.1f,\"peerSpread\":%.3f}\n",
      subject, name.c_str(), ours, peer->name.c_str(), theirs, ours / theirs, rounds, spread(subjects[0].gflops),
      best(subjects[0].gflops), best(peer->gflops), spread(peer->gflops));
  std::fflush(stdout);
}

void print_mean(const char *subject, int nThreads, const Totals &totals) {
  if (totals.n)
    std::printf(
        "{\"subject\":\"%s\",\"case\":\"geometric mean, %d thread%s\",\"unit\":\"ratio\",\"ratio\":%.3f,\"n\":%d}\n",
        subject, nThreads, nThreads > 1 ? "s" : "", std::exp(totals.logRatio / totals.n), totals.n);
}

struct Options {
  int rounds = 7;
  std::vector<int64_t> rows = {82, 984, 7872};
  std::vector<int> threads;
};

void run_threads(int nThreads, const Options &options, bench::OpenBlas &blas, bench::OneDnn &dnn) {
  const int rounds = options.rounds;
  constexpr int64_t kWeights[][2] = {{1536, 512}, {512, 512}, {3072, 512}, {512, 1536}};
  ThreadPool pool(nThreads);
  bench::set_omp_threads(nThreads);
  Totals plain, packed;
  for (const int64_t m : options.rows)
    for (const auto &[n, k] : kWeights) {
      const Buffer x(static_cast<size_t>(m * k)), w(static_cast<size_t>(n * k)), y(static_cast<size_t>(m * n));
      const Buffer work((hrm::cpu::gemm_workspace_bytes<float>(m, n, k, nThreads) +
                         hrm::cpu::gemm_packed_workspace_bytes<float>(m, n, k, nThreads)) /
                        sizeof(float));
      const Buffer panels(hrm::cpu::packed_elements<float>(n, k));
      const float *xp = x.data.get(), *wp = w.data.get();
      float *yp = y.data.get();
      hrm::cpu::pack_matrix<float>(pool, n, k, hrm::cpu::row_major(wp, k), hrm::cpu::PackOrder::kPlain,
                                   panels.data.get());
      const double flop = 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
      const std::string name = "M " + std::to_string(m) + " N " + std::to_string(n) + " K " + std::to_string(k) + ", " +
                               std::to_string(nThreads) + (nThreads > 1 ? " threads" : " thread");
      std::vector<Subject> subjects;
      subjects.push_back({"ours",
                          [&] {
                            hrm::cpu::gemm<float>(pool,
                                                  {m, n, k, hrm::cpu::row_major(xp, k),
                                                   hrm::cpu::row_major(wp, k).transposed(), yp, n, false},
                                                  work.data.get());
                          },
                          {}});
      if (blas.sgemm)
        subjects.push_back({"OpenBLAS", [&] { blas.product(m, n, k, xp, wp, yp); }, {}});
      auto matmul = dnn.matmul(m, n, k, xp, wp, yp, false);
      if (dnn.sgemm)
        subjects.push_back({"oneDNN sgemm", [&] { dnn.product(m, n, k, xp, wp, yp); }, {}});
      if (matmul)
        subjects.push_back({"oneDNN matmul", matmul, {}});
      compare("sgemm", name, flop, rounds, std::move(subjects), plain);

      subjects.clear();
      subjects.push_back({"ours",
                          [&] {
                            hrm::cpu::gemm_packed<float>(
                                pool, {m, n, k, hrm::cpu::row_major(xp, k), panels.data.get(), yp, n, false},
                                work.data.get());
                          },
                          {}});
      if (auto reordered = dnn.matmul(m, n, k, xp, wp, yp, true))
        subjects.push_back({"oneDNN matmul, reordered weights", reordered, {}});
      compare("sgemm packed", name, flop, rounds, std::move(subjects), packed);
    }
  print_mean("sgemm", nThreads, plain);
  print_mean("sgemm packed", nThreads, packed);
  std::printf("{\"subject\":\"fma peak\",\"case\":\"%d threads\",\"unit\":\"GFLOP/s\",\"ours\":%.1f}\n", nThreads,
              bench::fma_peak(pool));
}

} // namespace

int main(int argc, char **argv) {
  Options options;
  bool peers = true;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--no-peers") {
      peers = false;
    } else if (argument == "--rounds" && i + 1 < argc) {
      options.rounds = std::max(1, std::atoi(argv[++i]));
    } else if (argument == "--rows" && i + 1 < argc) {
      options.rows.clear();
      std::stringstream list(argv[++i]);
      for (std::string m; std::getline(list, m, ',');)
        options.rows.push_back(std::max(1, std::atoi(m.c_str())));
    } else {
      options.threads.push_back(std::max(1, std::atoi(argv[i])));
    }
  }
  if (options.threads.empty())
    options.threads = {1, 2};
  bench::OpenBlas blas(peers);
  bench::OneDnn dnn(peers);
  std::printf("{\"subject\":\"machine\",\"case\":\"%s, %s\",\"OpenBLAS\":\"%s\",\"oneDNN\":\"%s\"}\n",
              hrm::cpu::cpu_name(), hrm::cpu::isa_name(hrm::cpu::isa()), blas.version().c_str(), dnn.version().c_str());
  for (int nThreads : options.threads)
    run_threads(nThreads, options, blas, dnn);
  return 0;
}
