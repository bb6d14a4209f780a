#pragma once
// Any view to any view of the same shape, cast; what the binding's contiguous copies and casts run (core/gpu.h).
#include "cuda/stream.h"

namespace hrm::device {

void convert(const char *op, cuda::Stream &stream, const Tensor &source, const Tensor &target);
void fill(const char *op, cuda::Stream &stream, const Tensor &target, double value);

} // namespace hrm::device
