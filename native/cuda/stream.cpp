#include "cuda/stream.h"

#include <cstring>
#include <sstream>

#include "cuda/products.h"
#include "ops/registry.h"

namespace hrm {

namespace cuda {

void check(cudaError_t status, const char *what, const char *file, int line) {
  if (status == cudaSuccess)
    return;
  // Errors that do not stick are taken back, so that the next call does not report them again.
  cudaGetLastError();
  const char *slash = std::strrchr(file, '/');
  if (status == cudaErrorMemoryAllocation)
    fail(Code::kOutOfMemory, what, ": ", cudaGetErrorString(status));
  fail(Code::kDevice, what, ": ", cudaGetErrorName(status), ": ", cudaGetErrorString(status), " (",
       slash ? slash + 1 : file, ':', line, ')');
}

namespace {

class DeviceBlocks : public BlockSource {
public:
  DeviceBlocks(int index, cudaStream_t stream) : index_(index), stream_(stream) {}
  void *allocate(size_t n_bytes) override {
    cudaSetDevice(index_);
    void *block = nullptr;
    if (cudaMalloc(&block, n_bytes) == cudaSuccess)
      return block;
    cudaGetLastError();
    return nullptr;
  }
  void free(void *block, size_t) override {
    cudaSetDevice(index_);
    // Kernels that use the block may be on their way.
    cudaStreamSynchronize(stream_);
    cudaFree(block);
  }
#if defined(HRM_SIMT)
  // NaN, or large integers: a result that a kernel forgot to write is no number.
  void hand_out(void *block, size_t n_bytes) override { cudaMemsetAsync(block, 0xff, n_bytes, stream_); }
#endif

private:
  int index_;
  cudaStream_t stream_;
};

// Pinned memory and an event: the host waits for this copy, not for what was asked for later.
class StreamDownload : public Download {
public:
  StreamDownload(Stream &stream, const void *device, size_t n_bytes) : stream_(stream), n_bytes_(n_bytes) {
    stream.activate();
    HRM_CUDA("read", cudaMallocHost(&pinned_, n_bytes));
    HRM_CUDA("read", cudaEventCreateWithFlags(&event_, cudaEventDisableTiming));
    HRM_CUDA("read", cudaMemcpyAsync(pinned_, device, n_bytes, cudaMemcpyDeviceToHost, stream.stream()));
    HRM_CUDA("read", cudaEventRecord(event_, stream.stream()));
  }
  ~StreamDownload() override {
    if (event_)
      cudaEventDestroy(event_);
    if (pinned_)
      cudaFreeHost(pinned_);
  }
  void finish(void *target) override {
    stream_.activate();
    HRM_CUDA("read", cudaEventSynchronize(event_));
    std::memcpy(target, pinned_, n_bytes_);
  }

private:
  Stream &stream_;
  void *pinned_ = nullptr;
  cudaEvent_t event_ = nullptr;
  size_t n_bytes_;
};

} // namespace

Stream::Stream(int index) : index_(index) {
  activate();
  HRM_CUDA("open device", cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
  size_t available = 0, total = 0;
  HRM_CUDA("open device", cudaMemGetInfo(&available, &total));
  allocator_ = std::make_unique<Allocator>(total / 100 * 95, Device{DeviceKind::kGpu, index},
                                           std::make_unique<DeviceBlocks>(index, stream_));
  finding_ = static_cast<Finding *>(allocator_->allocate(sizeof(Finding)));
  HRM_CUDA("open device", cudaMemsetAsync(finding_, 0, sizeof(Finding), stream_));
  void *pinned = nullptr;
  HRM_CUDA("open device", cudaMallocHost(&pinned, sizeof(Finding)));
  host_finding_ = static_cast<Finding *>(pinned);
}

Stream::~Stream() {
  cudaSetDevice(index_);
  cudaStreamSynchronize(stream_);
  products_.reset();
  allocator_->release(finding_, sizeof(Finding));
  allocator_.reset();
  cudaFreeHost(host_finding_);
  cudaStreamDestroy(stream_);
}

Products &Stream::products() {
  if (!products_)
    products_ = std::make_unique<Products>(*this);
  return *products_;
}

void Stream::activate() const { HRM_CUDA("set device", cudaSetDevice(index_)); }

void Stream::upload(const void *host, void *device, size_t n_bytes) {
  activate();
  // From pageable memory the call returns when the bytes are staged; the simulation copies later, so it waits.
  HRM_CUDA("write", cudaMemcpyAsync(device, host, n_bytes, cudaMemcpyHostToDevice, stream_));
  HRM_CUDA("write", cudaStreamSynchronize(stream_));
}

std::unique_ptr<Download> Stream::download(const void *device, size_t n_bytes) {
  check_finding();
  return std::make_unique<StreamDownload>(*this, device, n_bytes);
}

void Stream::synchronize() {
  activate();
  HRM_CUDA("synchronize", cudaStreamSynchronize(stream_));
  check_finding();
}

void Stream::check_finding() {
  activate();
  HRM_CUDA("synchronize", cudaMemcpyAsync(host_finding_, finding_, sizeof(Finding), cudaMemcpyDeviceToHost, stream_));
  HRM_CUDA("synchronize", cudaStreamSynchronize(stream_));
  const Finding found = *host_finding_;
  if (found.op == 0)
    return;
  HRM_CUDA("synchronize", cudaMemsetAsync(finding_, 0, sizeof(Finding), stream_));
  const char *op = op_registry()[static_cast<size_t>(found.op - 1)].name;
  fail(Code::kArgument, op, ": indices must be in 0..", found.limit - 1, ", got ", found.value,
       "; found on the device, by a kernel that ran before this");
}

} // namespace cuda

#if defined(HRM_SIMT)
const char *gpu_name() { return "simt"; }
#else
const char *gpu_name() { return "cuda"; }
#endif

namespace {

// 13000 is 13.0.
std::string version_text(int version) {
  return std::to_string(version / 1000) + '.' + std::to_string(version % 1000 / 10);
}

} // namespace

GpuBuild gpu_build() {
  int runtime = 0;
  cudaRuntimeGetVersion(&runtime);
  const cuda::CublasLtState &library = cuda::cublas_lt_state();
  return {version_text(runtime), library.file, library.version, library.missing};
}

GpuState gpu_state() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaSuccess && count > 0)
    return {count, ""};
  cudaGetLastError();
  int driver = 0, runtime = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  std::ostringstream why;
  if (status == cudaErrorInsufficientDriver && driver == 0)
    why << "no NVIDIA driver is installed";
  else if (status == cudaErrorInsufficientDriver)
    why << "the NVIDIA driver is for CUDA " << version_text(driver) << ", this build needs " << version_text(runtime)
        << "; install a newer driver";
  else
    why << "no device was found (" << cudaGetErrorName(status) << "; CUDA_VISIBLE_DEVICES hides devices)";
  return {0, why.str()};
}

std::unique_ptr<Gpu> open_gpu(int index) {
  const GpuState state = gpu_state();
  if (index >= state.count)
    fail(Code::kDevice, gpu_name(), ':', index, ": ",
         state.count == 0 ? state.missing : "there are only " + std::to_string(state.count) + " devices");
  return std::make_unique<cuda::Stream>(index);
}

} // namespace hrm
