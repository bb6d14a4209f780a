// The fused loop against the formulas in double: sizes that divide nothing, with and without RoPE, fewer and more
// sequences than threads; bit equality for one to three threads.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "block_oracle.h"
#include "cpu/block.h"
#include "cpu/gemm.h"

namespace {

using hrm::cpu::PackOrder;
using hrm::cpu::ThreadPool;
using oracle::Vec;

int failures = 0;
std::mt19937_64 rng(5);

Vec random_vec(int64_t n, double size) {
  std::normal_distribution<double> normal(0, size);
  Vec v(static_cast<size_t>(n));
  for (double &x : v)
    x = static_cast<float>(normal(rng));
  return v;
}

template <class T> std::vector<T> cast(const Vec &v) { return {v.begin(), v.end()}; }

template <class T> struct Aligned {
  explicit Aligned(size_t n) : data(static_cast<T *>(std::aligned_alloc(64, (n * sizeof(T) + 127) / 64 * 64))) {
    std::memset(data, 0xff, (n * sizeof(T) + 127) / 64 * 64);
  }
  ~Aligned() { std::free(data); }
  Aligned(const Aligned &) = delete;
  Aligned &operator=(const Aligned &) = delete;
  T *data;
};

template <class T> class Packed {
public:
  Packed(ThreadPool &pool, const oracle::Shape &s, const oracle::Weights &w) {
    block = {pack(pool, 3 * s.D, s.D, w.qkv, PackOrder::kPlain), pack(pool, s.D, s.D, w.o, PackOrder::kPlain),
             pack(pool, 2 * s.F, s.D, w.gateUp, PackOrder::kGateUp), pack(pool, s.D, s.F, w.down, PackOrder::kPlain)};
  }
  hrm::cpu::PackedBlock<T> block;

private:
  const T *pack(ThreadPool &pool, int64_t n, int64_t k, const Vec &w, PackOrder order) {
    const std::vector<T> source = cast<T>(w);
    parts_.push_back(std::make_unique<Aligned<T>>(hrm::cpu::packed_elements<T>(n, k)));
    hrm::cpu::pack_matrix<T>(pool, n, k, hrm::cpu::row_major(source.data(), k), order, parts_.back()->data);
    return parts_.back()->data;
  }
  std::vector<std::unique_ptr<Aligned<T>>> parts_;
};

oracle::Weights random_weights(const oracle::Shape &s) {
  const double d = 1 / std::sqrt(static_cast<double>(s.D)), f = 1 / std::sqrt(static_cast<double>(s.F));
  return {random_vec(3 * s.D * s.D, d), random_vec(s.D * s.D, d), random_vec(2 * s.F * s.D, d),
          random_vec(s.D * s.F, f)};
}

template <class T> struct Tables {
  std::vector<T> cosines, sines;
  hrm::cpu::BlockShape<T> shape;

  explicit Tables(const oracle::Shape &s) {
    for (int64_t i = 0; i < s.S && s.rope; ++i)
      for (int64_t j = 0; j < s.d(); ++j) {
        cosines.push_back(static_cast<T>(std::cos(oracle::angle(s, i, j))));
        sines.push_back(static_cast<T>(std::sin(oracle::angle(s, i, j))));
      }
    shape = {
        s.S,  s.D, s.H, s.F, static_cast<T>(s.eps), s.rope ? cosines.data() : nullptr, s.rope ? sines.data() : nullptr,
        s.d()};
  }
};

double distance(const void *ours, const Vec &exact, size_t elementBytes) {
  double error = 0, size = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    const double x = elementBytes == 4 ? static_cast<double>(static_cast<const float *>(ours)[i])
                                       : static_cast<const double *>(ours)[i];
    error += (x - exact[i]) * (x - exact[i]);
    size += exact[i] * exact[i];
  }
  return std::sqrt(error / size);
}

void expect(bool ok, const char *what, const oracle::Shape &s, double value) {
  if (ok)
    return;
  ++failures;
  std::printf("FAILED %s (%g) at S %d D %d H %d F %d\n", what, value, static_cast<int>(s.S), static_cast<int>(s.D),
              static_cast<int>(s.H), static_cast<int>(s.F));
}

struct Cycles {
  int64_t h, l, skipped;
};

template <class T> void check_loop(const oracle::Shape &s, int64_t batch, const Cycles &cycles) {
  const std::vector<oracle::Weights> lWeights = {random_weights(s), random_weights(s)}, hWeights = {random_weights(s)};
  const int64_t n = s.S * s.D;
  const Vec zH0 = random_vec(batch * n, 1), zL0 = random_vec(batch * n, 1), x0 = random_vec(batch * n, 1);

  Vec zH = zH0, zL = zL0;
  for (int64_t b = 0; b < batch; ++b) {
    const auto part = [&](const Vec &v) { return Vec(v.begin() + b * n, v.begin() + (b + 1) * n); };
    Vec h = part(zH0), l = part(zL0);
    const Vec x = part(x0);
    for (int64_t t = 1; t <= cycles.h * cycles.l - cycles.skipped; ++t) {
      for (int64_t i = 0; i < n; ++i)
        l[i] += h[i] + x[i];
      for (const auto &w : lWeights)
        l = oracle::block(s, w, l).y;
      if (t % cycles.l != 0)
        continue;
      for (int64_t i = 0; i < n; ++i)
        h[i] += l[i];
      for (const auto &w : hWeights)
        h = oracle::block(s, w, h).y;
    }
    std::copy(h.begin(), h.end(), zH.begin() + b * n);
    std::copy(l.begin(), l.end(), zL.begin() + b * n);
  }

  const Tables<T> tables(s);
  const std::vector<T> x = cast<T>(x0);
  std::vector<T> first;
  for (int nThreads = 1; nThreads <= 3; ++nThreads) {
    ThreadPool pool(nThreads);
    std::vector<std::unique_ptr<Packed<T>>> packed;
    std::vector<hrm::cpu::PackedBlock<T>> lLayers, hLayers;
    for (const auto &w : lWeights)
      lLayers.push_back((packed.emplace_back(std::make_unique<Packed<T>>(pool, s, w)), packed.back()->block));
    for (const auto &w : hWeights)
      hLayers.push_back((packed.emplace_back(std::make_unique<Packed<T>>(pool, s, w)), packed.back()->block));
    const std::vector<T> oldH = cast<T>(zH0), oldL = cast<T>(zL0);
    std::vector<T> h(oldH.size()), l(oldL.size());
    Aligned<T> work(hrm::cpu::loop_workspace_bytes(tables.shape, nThreads) / sizeof(T));
    hrm::cpu::run_loop<T>(pool,
                          {tables.shape, batch, cycles.h, cycles.l, cycles.skipped, 1, 2, hLayers.data(),
                           lLayers.data(), s.S, oldH.data(), oldL.data(), x.data(), h.data(), l.data()},
                          work.data);
    h.insert(h.end(), l.begin(), l.end());
    if (first.empty()) {
      first = h;
      const double bound = sizeof(T) == 4 ? 3e-6 : 1e-14;
      expect(distance(h.data(), zH, sizeof(T)) < bound, "loop zH", s, distance(h.data(), zH, sizeof(T)));
      expect(distance(h.data() + batch * n, zL, sizeof(T)) < bound, "loop zL", s,
             distance(h.data() + batch * n, zL, sizeof(T)));
    }
    expect(std::memcmp(h.data(), first.data(), h.size() * sizeof(T)) == 0, "loop at other threads", s, nThreads);
  }
}

/** A level of two blocks with all that it saves. */
template <class T> struct Level {
  static constexpr int64_t kLayers = 2;
  const oracle::Shape &s;
  int64_t batch;
  ThreadPool &pool;
  Tables<T> tables;
  std::vector<std::unique_ptr<Packed<T>>> packed;
  std::vector<hrm::cpu::PackedBlock<T>> layers;
  std::vector<std::vector<T>> memory;
  std::vector<hrm::cpu::SavedBlock<T>> saved;
  std::vector<T> y;

  Level(const oracle::Shape &shape, int64_t nBatch, ThreadPool &p, const std::vector<oracle::Weights> &weights,
        const Vec &input)
      : s(shape), batch(nBatch), pool(p), tables(shape) {
    const auto room = [&](int64_t n) {
      memory.emplace_back(static_cast<size_t>(batch * n), std::numeric_limits<T>::quiet_NaN());
      return memory.back().data();
    };
    for (const auto &w : weights) {
      layers.push_back((packed.emplace_back(std::make_unique<Packed<T>>(pool, s, w)), packed.back()->block));
      saved.push_back({room(s.S * s.D), room(3 * s.S * s.D), room(s.S * s.D), room(s.H * s.S), room(s.S * s.D),
                       room(s.S), room(2 * s.S * s.F), room(s.S)});
    }
    std::copy(input.begin(), input.end(), saved[0].input);
    y.resize(static_cast<size_t>(batch * s.S * s.D));
    Aligned<T> work(hrm::cpu::level_workspace_bytes(tables.shape, pool.nThreads()) / sizeof(T));
    hrm::cpu::run_level<T>(pool, {tables.shape, batch, kLayers, layers.data(), saved[0].input, saved.data(), y.data()},
                           work.data);
  }

  /** Gradients for dy: of the input, then of every weight. */
  std::vector<std::vector<T>> backward(const std::vector<oracle::Weights> &weights, const Vec &dy0) {
    std::vector<std::vector<T>> plain;
    std::vector<hrm::cpu::PlainBlock<T>> blocks;
    std::vector<hrm::cpu::BlockGradients<T>> gradients;
    std::vector<std::vector<T>> result;
    result.emplace_back(y.size());
    for (int64_t i = 0; i < kLayers; ++i) {
      for (const Vec *w : {&weights[i].qkv, &weights[i].o, &weights[i].gateUp, &weights[i].down}) {
        plain.push_back(cast<T>(*w));
        result.emplace_back(w->size(), std::numeric_limits<T>::quiet_NaN());
      }
    }
    for (size_t i = 0; i < plain.size(); i += 4)
      blocks.push_back({plain[i].data(), plain[i + 1].data(), plain[i + 2].data(), plain[i + 3].data()});
    for (size_t i = 1; i < result.size(); i += 4)
      gradients.push_back({result[i].data(), result[i + 1].data(), result[i + 2].data(), result[i + 3].data()});
    const std::vector<T> dy = cast<T>(dy0);
    Aligned<T> work(hrm::cpu::level_backward_workspace_bytes(tables.shape, batch, pool.nThreads()) / sizeof(T));
    hrm::cpu::run_level_backward<T>(pool,
                                    {tables.shape, batch, kLayers, blocks.data(), saved[0].input, saved.data(),
                                     y.data(), dy.data(), result[0].data(), gradients.data()},
                                    work.data);
    return result;
  }
};

double loss(const oracle::Shape &s, int64_t batch, const std::vector<oracle::Weights> &weights, const Vec &input,
            const Vec &dy) {
  ThreadPool pool(1);
  const Level<double> level(s, batch, pool, weights, input);
  double sum = 0;
  for (size_t i = 0; i < dy.size(); ++i)
    sum += dy[i] * level.y[i];
  return sum;
}

void check_level(const oracle::Shape &s, int64_t batch) {
  std::vector<oracle::Weights> weights = {random_weights(s), random_weights(s)};
  Vec input = random_vec(batch * s.S * s.D, 1);
  const Vec dy = random_vec(batch * s.S * s.D, 1);
  ThreadPool one(1);
  Level<double> exact(s, batch, one, weights, input);
  for (int64_t b = 0; b < batch; ++b) {
    const int64_t n = s.S * s.D;
    const oracle::Saved first = oracle::block(s, weights[0], Vec(input.begin() + b * n, input.begin() + (b + 1) * n));
    const oracle::Saved second = oracle::block(s, weights[1], first.y);
    const hrm::cpu::SavedBlock<double> &k = exact.saved[1];
    const auto same = [&](const char *what, const double *ours, const Vec &truth) {
      const double error = distance(ours + b * static_cast<int64_t>(truth.size()), truth, 8);
      expect(error < 1e-13, what, s, error);
    };
    same("input", k.input, second.input);
    same("qkv", k.qkv, second.qkv);
    same("attention", k.attention, second.attention);
    same("logSumExp", k.logSumExp, second.logSumExp);
    same("y1", k.y1, second.y1);
    same("r1", k.r1, second.r1);
    same("gateUp", k.gateUp, second.gateUp);
    same("r2", k.r2, second.r2);
    same("y", exact.y.data(), second.y);
  }
  Vec alone(exact.y.size());
  Aligned<double> work(hrm::cpu::level_workspace_bytes(exact.tables.shape, 1) / sizeof(double));
  hrm::cpu::run_level<double>(
      one, {exact.tables.shape, batch, 2, exact.layers.data(), input.data(), nullptr, alone.data()}, work.data);
  expect(alone == exact.y, "level that keeps nothing", s, 0);
  const auto gradients = exact.backward(weights, dy);
  std::vector<Vec *> parameters = {&input};
  for (auto &w : weights)
    for (Vec *part : {&w.qkv, &w.o, &w.gateUp, &w.down})
      parameters.push_back(part);
  for (size_t p = 0; p < parameters.size(); ++p) {
    double size = 0;
    for (double x : gradients[p])
      size = std::max(size, std::fabs(x));
    for (int trial = 0; trial < 3; ++trial) {
      const size_t at = rng() % parameters[p]->size();
      double &x = (*parameters[p])[at];
      const double before = x, h = 1e-5;
      x = before + h;
      const double up = loss(s, batch, weights, input, dy);
      x = before - h;
      const double down = loss(s, batch, weights, input, dy);
      x = before;
      const double error = std::fabs((up - down) / (2 * h) - gradients[p][at]) / size;
      expect(error < 1e-7, "gradient", s, error);
    }
  }
  std::vector<std::vector<float>> first;
  for (int nThreads = 1; nThreads <= 3; ++nThreads) {
    ThreadPool pool(nThreads);
    const auto single = Level<float>(s, batch, pool, weights, input).backward(weights, dy);
    if (first.empty()) {
      first = single;
      for (size_t p = 0; p < single.size(); ++p) {
        const double error = distance(single[p].data(), gradients[p], 4);
        expect(error < 5e-6, "float gradient", s, error);
      }
    }
    for (size_t p = 0; p < single.size(); ++p)
      expect(std::memcmp(single[p].data(), first[p].data(), first[p].size() * sizeof(float)) == 0,
             "gradient at other threads", s, static_cast<double>(p));
  }
}

} // namespace

int main() {
  std::printf("isa %s\n", hrm::cpu::isa_name(hrm::cpu::isa()));
  const oracle::Shape shapes[] = {{17, 32, 4, 48, 1e-5, true},  {5, 12, 2, 7, 1e-5, true},
                                  {82, 64, 2, 96, 1e-5, false}, {1, 8, 1, 3, 1e-5, true},
                                  {100, 40, 1, 33, 1e-3, true}, {29, 128, 4, 130, 1e-5, true},
                                  {180, 24, 4, 20, 1e-5, false}};
  for (const oracle::Shape &s : shapes) {
    for (const int64_t batch : {1, 3, 4}) {
      check_loop<float>(s, batch, {2, 2, 1});
      check_loop<double>(s, batch, {1, 2, 0});
    }
    check_loop<float>(s, 2, {2, 1, 1});
    check_loop<double>(s, 1, {1, 1, 1});
    check_level(s, 3);
  }
  check_level({9, 16, 2, 12, 1e-5, true}, 131); // two groups of sequences
  std::printf(failures ? "%d failures\n" : "ok\n", failures);
  return failures ? 1 : 0;
}
