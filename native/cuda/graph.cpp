#include "cuda/graph.h"

#include <algorithm>
#include <cstdint>

namespace hrm::cuda {

namespace {

// A graph's blocks are the device's: one budget and one count of what lives.
class GraphBlocks : public BlockSource {
public:
  explicit GraphBlocks(Stream &stream) : stream_(stream) {}
  void *allocate(size_t n_bytes) override { return stream_.memory().allocate(n_bytes); }
  void free(void *block, size_t n_bytes) override { stream_.memory().release(block, n_bytes); }
#if defined(HRM_SIMT)
  // Part of the graph: every run begins with memory that holds no numbers.
  void hand_out(void *block, size_t n_bytes) override {
    cudaSetDevice(stream_.index());
    cudaMemsetAsync(block, 0xff, n_bytes, stream_.stream());
  }
#endif

private:
  Stream &stream_;
};

} // namespace

Recording::Recording(Stream &stream)
    : stream_(stream), memory_(std::make_unique<Allocator>(SIZE_MAX, Device{DeviceKind::kGpu, stream.index()},
                                                           std::make_unique<GraphBlocks>(stream))) {
  memory_->keep_blocks(true);
}

Recording::~Recording() {
  held_.clear();
  memory_->keep_blocks(false);
  stream_.retire(std::move(memory_));
}

void Recording::hold(const StorageRef &storage, bool is_written) {
  if (&storage->allocator() == memory_.get())
    return;
  Held &held = held_[storage.get()];
  if (!held.storage)
    held.storage = storage;
  held.is_written |= is_written;
}

void Recording::begin_run() {
  for (auto &[storage, held] : held_)
    if (held.is_written)
      storage->begin_write();
  memory_->note_rewrite();
}

CapturedGraph::~CapturedGraph() {
  // Not activate(): on a device that has failed this fails too, and throwing here would end the process.
  cudaSetDevice(stream_.index());
  // A run on its way goes on: the runtime frees the nodes after it.
  cudaGraphExecDestroy(exec_);
}

void CapturedGraph::launch() {
  if (stream_.is_capturing())
    fail(Code::kDevice, "capture: a captured function cannot run inside capture(); call what it calls instead");
  stream_.activate();
  stream_.empty_finding();
  recording_->begin_run();
  HRM_CUDA("capture", cudaGraphLaunch(exec_, stream_.stream()));
}

Allocator &Stream::allocator() { return recording_ ? recording_->memory() : *memory_; }

void Stream::hold(const StorageRef &storage, bool is_written) {
  if (recording_)
    recording_->hold(storage, is_written);
  else if (has_reported_.load(std::memory_order_relaxed))
    empty_finding();
}

void Stream::begin_capture() {
  if (recording_)
    fail(Code::kDevice, "capture: inside capture() already; a captured function cannot begin another capture");
  synchronize();
  // Nothing can be given back to the system while work is recorded.
  memory_->trim();
  auto recording = std::make_unique<Recording>(*this);
  // Relaxed: the allocator may ask the system for memory; what else would disturb a capture is refused by the binding.
  HRM_CUDA("capture", cudaStreamBeginCapture(stream(), cudaStreamCaptureModeRelaxed));
  memory_->keep_blocks(true);
  recording_ = std::move(recording);
}

std::unique_ptr<Graph> Stream::end_capture() {
  if (!recording_)
    fail(Code::kDevice, "capture: no capture has begun");
  activate();
  if (!recorded_) {
    cudaGraph_t recorded = nullptr;
    HRM_CUDA("capture", cudaStreamEndCapture(stream(), &recorded));
    recorded_.reset(recorded);
    memory_->keep_blocks(false);
  }
  cudaGraphExec_t exec = nullptr;
  cudaError_t status = cudaGraphInstantiate(&exec, recorded_.get(), 0);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    memory_->trim();
    status = cudaGraphInstantiate(&exec, recorded_.get(), 0);
  }
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    fail(Code::kOutOfMemory, "capture: cannot allocate a graph on ", memory_->device(), ": the system refused, with ",
         memory_->live(), " bytes live, below the memory limit of ", memory_->limit(), " bytes");
  }
  HRM_CUDA("capture", status);
  recorded_.reset();
  return std::make_unique<CapturedGraph>(*this, exec, std::move(recording_));
}

void Stream::abort_capture() {
  if (!recording_)
    return;
  cudaSetDevice(index_);
  if (!recorded_) {
    // Fails where it is invalid: it is over in any case.
    cudaGraph_t recorded = nullptr;
    cudaStreamEndCapture(stream(), &recorded);
    recorded_.reset(recorded);
    cudaGetLastError();
  }
  recorded_.reset();
  memory_->keep_blocks(false);
  recording_.reset();
}

void Stream::retire(std::unique_ptr<Allocator> memory) {
  // From here on what is freed there goes back at once.
  memory->set_limit(0);
  const auto is_empty = [](const std::unique_ptr<Allocator> &a) { return a->live() == 0; };
  retired_.erase(std::remove_if(retired_.begin(), retired_.end(), is_empty), retired_.end());
  if (memory->live() > 0)
    retired_.push_back(std::move(memory));
}

} // namespace hrm::cuda
