// The transformer block of HRM section 1 and its gradient, written as the formulas stand, in double.
#ifndef HRM_TEST_BLOCK_ORACLE_H_
#define HRM_TEST_BLOCK_ORACLE_H_

#include <cmath>
#include <cstdint>
#include <vector>

namespace oracle {

using Vec = std::vector<double>;

struct Shape {
  int64_t S, D, H, F;
  double eps;
  bool rope;
  int64_t d() const { return D / H; }
};

struct Weights {
  Vec qkv, o, gateUp, down;
};

/** y[rows, n] = x[rows, k] w[n, k]^T */
inline Vec linear(const Vec &x, const Vec &w, int64_t rows, int64_t n, int64_t k) {
  Vec y(static_cast<size_t>(rows * n));
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (int64_t p = 0; p < k; ++p)
        sum += x[i * k + p] * w[j * k + p];
      y[i * n + j] = sum;
    }
  return y;
}

/** Tables [S, d]: angle of position i and pair j is i * 10000^(-2j/d), the same for both halves. */
inline double angle(const Shape &s, int64_t position, int64_t column) {
  const int64_t pair = column % (s.d() / 2);
  return static_cast<double>(position) *
         std::pow(10000.0, -2.0 * static_cast<double>(pair) / static_cast<double>(s.d()));
}

/** What the gradient of a block needs, and its output. */
struct Saved {
  Vec input, qkv, attention, logSumExp, y1, r1, gateUp, r2, y;
};

inline Vec rms_norm(const Vec &x, int64_t rows, int64_t D, double eps, Vec &factors) {
  Vec y(x.size());
  factors.resize(static_cast<size_t>(rows));
  for (int64_t i = 0; i < rows; ++i) {
    double square = 0;
    for (int64_t j = 0; j < D; ++j)
      square += x[i * D + j] * x[i * D + j];
    factors[i] = 1 / std::sqrt(square / static_cast<double>(D) + eps);
    for (int64_t j = 0; j < D; ++j)
      y[i * D + j] = x[i * D + j] * factors[i];
  }
  return y;
}

inline void rotate(const Shape &s, Vec &qkv, bool back) {
  for (int64_t i = 0; i < s.S; ++i)
    for (int64_t head = 0; head < 2 * s.H; ++head) {
      double *x = &qkv[i * 3 * s.D + head * s.d()];
      Vec in(x, x + s.d());
      const int64_t half = s.d() / 2;
      for (int64_t j = 0; j < half; ++j) {
        const double c = std::cos(angle(s, i, j)), n = std::sin(angle(s, i, j)) * (back ? -1 : 1);
        x[j] = in[j] * c - in[j + half] * n;
        x[j + half] = in[j + half] * c + in[j] * n;
      }
    }
}

/** One sequence. */
inline Saved block(const Shape &s, const Weights &w, const Vec &input) {
  const int64_t S = s.S, D = s.D, d = s.d();
  Saved r;
  r.input = input;
  r.qkv = linear(input, w.qkv, S, 3 * D, D);
  if (s.rope)
    rotate(s, r.qkv, false);
  r.attention.assign(static_cast<size_t>(S * D), 0);
  r.logSumExp.assign(static_cast<size_t>(s.H * S), 0);
  const double scale = 1 / std::sqrt(static_cast<double>(d));
  for (int64_t head = 0; head < s.H; ++head)
    for (int64_t i = 0; i < S; ++i) {
      Vec score(static_cast<size_t>(S));
      double top = -1e300, sum = 0;
      for (int64_t j = 0; j < S; ++j) {
        for (int64_t p = 0; p < d; ++p)
          score[j] += r.qkv[i * 3 * D + head * d + p] * r.qkv[j * 3 * D + D + head * d + p] * scale;
        top = std::max(top, score[j]);
      }
      for (double &x : score)
        sum += x = std::exp(x - top);
      r.logSumExp[head * S + i] = top + std::log(sum);
      for (int64_t j = 0; j < S; ++j)
        for (int64_t p = 0; p < d; ++p)
          r.attention[i * D + head * d + p] += score[j] / sum * r.qkv[j * 3 * D + 2 * D + head * d + p];
    }
  Vec t = linear(r.attention, w.o, S, D, D);
  for (size_t i = 0; i < t.size(); ++i)
    t[i] += input[i];
  r.y1 = rms_norm(t, S, D, s.eps, r.r1);
  r.gateUp = linear(r.y1, w.gateUp, S, 2 * s.F, D);
  Vec m(static_cast<size_t>(S * s.F));
  for (int64_t i = 0; i < S; ++i)
    for (int64_t j = 0; j < s.F; ++j) {
      const double g = r.gateUp[i * 2 * s.F + j];
      m[i * s.F + j] = g / (1 + std::exp(-g)) * r.gateUp[i * 2 * s.F + s.F + j];
    }
  t = linear(m, w.down, S, D, s.F);
  for (size_t i = 0; i < t.size(); ++i)
    t[i] += r.y1[i];
  r.y = rms_norm(t, S, D, s.eps, r.r2);
  return r;
}

} // namespace oracle

#endif // HRM_TEST_BLOCK_ORACLE_H_
