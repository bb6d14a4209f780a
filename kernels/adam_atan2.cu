// AdamATan2 of all parameters: up to Chunk::kMost tensors a launch. Reads 16 bytes and writes 12 an element (14 with a
// copy), with a square root, two divisions and an arctangent: bound by memory. A first kernel of one thread makes the
// factors that all elements share, in double, from the step and the learning rate on the device.
#include "ops/adam_atan2.h"

#include "device/launch.h"
#include "device/tensor_chunk.h"
#include "device/walk.h"
#include "numerics/adam_atan2.h"
#include "numerics/elementwise.h"

namespace hrm {

namespace device {

namespace {

// Parameters, m, v, gradients, copies.
using Tensors = Chunk<5>;
using Factors = numerics::AdamFactors<float>;

struct AdamMath : numerics::ScalarMath {
  static HRM_HD float abs(float x) { return std::fabs(x); }
  static HRM_HD float fma(float a, float b, float c) { return a * b + c; }
};
struct Angle {
  HRM_HD float operator()(float y, float x) const { return numerics::atan2_right{}.of<AdamMath>(y, x); }
};

__global__ void factors_kernel(Out<Factors> factors, In<int32_t> step, In<float> lr, ops::adam_atan2::Attrs attrs) {
  const auto f = numerics::adam_factors(attrs.beta1, attrs.beta2, attrs.weight_decay, static_cast<double>(lr[0]),
                                        static_cast<double>(step[0]));
  const auto rounded = [](double x) { return static_cast<float>(x); };
  factors.set(0, {rounded(f.keep), rounded(f.beta1), rounded(f.rest1), rounded(f.beta2), rounded(f.rest2),
                  rounded(f.rate), rounded(f.scale)});
}

__global__ void adam_atan2_kernel(const __grid_constant__ Tensors chunk, In<Factors> factors, In<bool> finite) {
  if (!finite[0])
    return;
  const int block = block_x(), i = chunk.tensor_of(block);
  const int64_t n = chunk.size[i];
  const InOut<float> parameters(chunk.at(0, i), n), m(chunk.at(1, i), n), v(chunk.at(2, i), n);
  const In<float> gradients(chunk.at(3, i), n);
  const InOut<BFloat16> copies(chunk.at<BFloat16>(4, i), n);
  const Factors f = factors[0];
  const int64_t begin = int64_t{block - chunk.first[i]} * Tensors::kPieceSize;
  const int64_t end = begin + Tensors::kPieceSize < n ? begin + Tensors::kPieceSize : n;
  for (int64_t at = begin + thread_x(); at < end; at += n_threads()) {
    float weight = parameters[at], first = m[at], second = v[at];
    numerics::adam_atan2<AdamMath>(weight, first, second, gradients[at], f, Angle{});
    m.set(at, first);
    v.set(at, second);
    parameters.set(at, weight);
    if (copies)
      copies.set(at, BFloat16(weight));
  }
}

} // namespace

} // namespace device

namespace cuda {

extern const GpuOp adam_atan2 = {
    [](Call &call) {
      using namespace device;
      using Op = ops::adam_atan2;
      auto *factors = static_cast<Factors *>(call.workspace);
      launch(call, &factors_kernel, {1, 1}, Out<Factors>(factors, 1), device::in<int32_t>(call.in[Op::kStep]),
             device::in<float>(call.in[Op::kLr]), call.attrs<Op::Attrs>());
      each_chunk<5>(call.in, [&](const Tensors &chunk) {
        launch(call, &adam_atan2_kernel, {static_cast<unsigned>(chunk.n_blocks()), kThreads}, chunk,
               In<Factors>(factors, 1), device::in<bool>(call.in[Op::kFinite]));
      });
    },
    [](const Args &, const void *) { return sizeof(device::Factors); }};

} // namespace cuda

} // namespace hrm
