// average = decay average + (1 - decay) weight, up to Chunk::kMost tensors a launch. Reads 8 bytes and writes 4 an
// element; bound by memory.
#include "ops/ema.h"

#include "device/launch.h"
#include "device/tensor_chunk.h"
#include "device/walk.h"

namespace hrm {

namespace device {

namespace {

__global__ void ema_kernel(const __grid_constant__ Chunk<2> chunk, In<bool> finite, float keep, float take) {
  if (!finite[0])
    return;
  const int block = block_x(), i = chunk.tensor_of(block);
  const int64_t n = chunk.size[i];
  const InOut<float> averages(chunk.at(0, i), n);
  const In<float> weights(chunk.at(1, i), n);
  const int64_t begin = int64_t{block - chunk.first[i]} * Chunk<2>::kPieceSize;
  const int64_t end = begin + Chunk<2>::kPieceSize < n ? begin + Chunk<2>::kPieceSize : n;
  for (int64_t at = begin + thread_x(); at < end; at += n_threads())
    averages.set(at, keep * averages[at] + take * weights[at]);
}

} // namespace

} // namespace device

namespace cuda {

extern const GpuOp ema = {[](Call &call) {
  using namespace device;
  const double decay = call.attrs<ops::ema::Attrs>().decay;
  each_chunk<2>(call.in, [&](const Chunk<2> &chunk) {
    launch(call, &ema_kernel, {static_cast<unsigned>(chunk.n_blocks()), kThreads}, chunk,
           device::in<bool>(call.in[ops::ema::kFinite]), static_cast<float>(decay), static_cast<float>(1 - decay));
  });
}};

} // namespace cuda

} // namespace hrm
