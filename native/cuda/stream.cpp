#include "cuda/stream.h"

#include <cstdint>
#include <cstring>
#include <sstream>

#include "cuda/graph.h"
#include "cuda/products.h"
#include "ops/refused_index.h"
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

OwnedEvent make_event(const char *what) {
  cudaEvent_t event = nullptr;
  HRM_CUDA(what, cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  return OwnedEvent(event);
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
  void hand_out(void *block, size_t n_bytes) override {
    cudaSetDevice(index_);
    cudaMemsetAsync(block, 0xff, n_bytes, stream_);
  }
#endif

private:
  int index_;
  cudaStream_t stream_;
};

class PinnedBlocks : public BlockSource {
public:
  void *allocate(size_t n_bytes) override {
    void *block = nullptr;
    if (cudaMallocHost(&block, n_bytes) == cudaSuccess)
      return block;
    cudaGetLastError();
    return nullptr;
  }
  void free(void *block, size_t) override { cudaFreeHost(block); }
};

// Larger uploads are rare: they wait instead of taking so much pinned memory.
constexpr size_t kPinnedUpload = size_t{16} << 20;
// What may be on its way at once: several batches of a training loop.
constexpr size_t kUploads = 64, kUploadBytes = size_t{64} << 20;

// Pinned memory and an event: the host waits for this copy, not for what was asked for later. With it comes what
// kernels have found so far.
class StreamDownload : public Download {
public:
  StreamDownload(Stream &stream, const void *device, size_t n_bytes)
      : stream_(stream), n_bytes_(n_bytes), pinned_(stream.pinned(), sizeof(Finding) + n_bytes) {
    stream.activate();
    event_ = make_event("read");
    try {
      copy(pinned(), stream.finding(), sizeof(Finding));
      copy(pinned() + sizeof(Finding), device, n_bytes);
      HRM_CUDA("read", cudaEventRecord(event_.get(), stream.stream()));
    } catch (const Error &) {
      // Without the event the memory is for others when all is done.
      cudaStreamSynchronize(stream.stream());
      throw;
    }
  }
  // The copy may be on its way: the memory is for others after it.
  ~StreamDownload() override { cudaEventSynchronize(event_.get()); }
  void finish(void *target) override {
    stream_.activate();
    HRM_CUDA("read", cudaEventSynchronize(event_.get()));
    Finding found;
    std::memcpy(&found, pinned(), sizeof(Finding));
    stream_.require_nothing_found(found);
    std::memcpy(target, pinned() + sizeof(Finding), n_bytes_);
  }

private:
  char *pinned() const { return static_cast<char *>(pinned_.data()); }
  void copy(void *to, const void *from, size_t n) {
    HRM_CUDA("read", cudaMemcpyAsync(to, from, n, cudaMemcpyDeviceToHost, stream_.stream()));
  }

  Stream &stream_;
  size_t n_bytes_;
  OwnedBlock pinned_;
  OwnedEvent event_;
};

OwnedStream make_stream() {
  cudaStream_t stream = nullptr;
  HRM_CUDA("open device", cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  return OwnedStream(stream);
}

} // namespace

Stream::Stream(int index) : index_(index) {
  activate();
  stream_ = make_stream();
  size_t available = 0, total = 0;
  HRM_CUDA("open device", cudaMemGetInfo(&available, &total));
  memory_ = std::make_unique<Allocator>(total / 100 * 95, Device{DeviceKind::kGpu, index},
                                        std::make_unique<DeviceBlocks>(index, stream()));
  pinned_ = std::make_unique<Allocator>(SIZE_MAX, Device{}, std::make_unique<PinnedBlocks>());
  finding_ = OwnedBlock(*memory_, sizeof(Finding));
  host_finding_ = OwnedBlock(*pinned_, sizeof(Finding));
  HRM_CUDA("open device", cudaMemsetAsync(finding(), 0, sizeof(Finding), stream()));
}

Stream::~Stream() {
  cudaSetDevice(index_);
  if (recording_)
    abort_capture();
  // From here on nobody uses what the members free, the last first.
  cudaStreamSynchronize(stream());
}

Products &Stream::products() {
  if (!products_)
    products_ = std::make_unique<Products>(*this);
  return *products_;
}

void Stream::activate() const { HRM_CUDA("set device", cudaSetDevice(index_)); }

void Stream::upload(const void *host, void *device, size_t n_bytes) {
  activate();
  if (n_bytes > kPinnedUpload) {
    HRM_CUDA("write", cudaMemcpyAsync(device, host, n_bytes, cudaMemcpyHostToDevice, stream()));
    HRM_CUDA("write", cudaStreamSynchronize(stream()));
    return;
  }
  while (uploads_.size() >= kUploads || (!uploads_.empty() && upload_bytes_ + n_bytes > kUploadBytes))
    end_oldest_upload();
  uploads_.push_back({OwnedBlock(*pinned_, n_bytes), make_event("write")});
  upload_bytes_ += n_bytes;
  const Upload &upload = uploads_.back();
  std::memcpy(upload.pinned.data(), host, n_bytes);
  HRM_CUDA("write", cudaMemcpyAsync(device, upload.pinned.data(), n_bytes, cudaMemcpyHostToDevice, stream()));
  HRM_CUDA("write", cudaEventRecord(upload.copied.get(), stream()));
}

void Stream::end_oldest_upload() {
  const Upload &oldest = uploads_.front();
  cudaEventSynchronize(oldest.copied.get());
  upload_bytes_ -= oldest.pinned.n_bytes();
  uploads_.pop_front();
}

std::unique_ptr<Download> Stream::download(const void *device, size_t n_bytes) {
  empty_finding();
  return std::make_unique<StreamDownload>(*this, device, n_bytes);
}

void Stream::synchronize() {
  empty_finding();
  HRM_CUDA("synchronize",
           cudaMemcpyAsync(host_finding_.data(), finding(), sizeof(Finding), cudaMemcpyDeviceToHost, stream()));
  HRM_CUDA("synchronize", cudaStreamSynchronize(stream()));
  require_nothing_found(*static_cast<const Finding *>(host_finding_.data()));
}

void Stream::empty_finding() {
  activate();
  if (has_reported_.exchange(false))
    HRM_CUDA("synchronize", cudaMemsetAsync(finding(), 0, sizeof(Finding), stream()));
}

void Stream::require_nothing_found(const Finding &found) {
  if (found.op == 0)
    return;
  has_reported_ = true;
  const char *op = op_registry()[static_cast<size_t>(found.op - 1)].name;
  fail(Code::kArgument, op, ": ",
       found.is_label ? ops::refused_label(found.value, found.limit, found.ignored)
                      : ops::refused_index(found.value, found.limit),
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
