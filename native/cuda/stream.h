#pragma once
#include <atomic>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "core/gpu.h"
#include "cuda/runtime.h"
#include "ops/op.h"

namespace hrm::cuda {

// What kernels found wrong with data, which nothing on the host has seen: written by device code, read at the next
// wait. The first finding stays.
struct Finding {
  // 0: nothing. Otherwise 1 + the number of the op in ops.def's order.
  int32_t op;
  // Whether `value` is a label, which may be `ignored` too, or an index.
  int32_t is_label;
  // It should lie in 0..limit-1.
  int64_t value, limit, ignored;
};

class Products;
class Recording;

// One device of an environment: a stream, memory, staging for copies. Everything is ordered by the one stream, so that
// freed memory may be used again at once.
class Stream : public Gpu {
public:
  explicit Stream(int index);
  ~Stream() override;

  Allocator &memory() override { return *memory_; }
  Allocator &allocator() override;
  void upload(const void *host, void *device, size_t n_bytes) override;
  std::unique_ptr<Download> download(const void *device, size_t n_bytes) override;
  void convert(const Tensor &source, const Tensor &target) override;
  void fill(const Tensor &target, double value) override;
  void synchronize() override;
  void begin_capture() override;
  std::unique_ptr<Graph> end_capture() override;
  void abort_capture() override;
  bool is_capturing() const override { return recording_ != nullptr; }
  void hold(const StorageRef &storage, bool is_written) override;

  cudaStream_t stream() const { return stream_.get(); }
  // Where kernels report; device memory.
  Finding *finding() const { return static_cast<Finding *>(finding_.data()); }
  // Makes this the calling thread's device: environments and devices share threads.
  void activate() const;
  // Who computes matrix products here (cuda/products.h).
  Products &products();
  // Throws what a copy of `finding()` says, on any thread; the device's is emptied before the next op.
  void require_nothing_found(const Finding &found);
  // Before an op: what was reported is not reported again.
  void empty_finding();
  // Page-locked memory of the host: copies from and to it do not wait.
  Allocator &pinned() { return *pinned_; }
  int index() const { return index_; }
  // Takes the memory of a graph that is gone; tensors may still lie in it.
  void retire(std::unique_ptr<Allocator> memory);

private:
  // Bytes that were asked to be copied to the device.
  struct Upload {
    OwnedBlock pinned;
    OwnedEvent copied;
  };
  void end_oldest_upload();

  int index_;
  // In the order in which they need each other: a constructor that throws leaves nothing behind.
  OwnedStream stream_;
  std::unique_ptr<Allocator> memory_, pinned_;
  OwnedBlock finding_, host_finding_;
  std::vector<std::unique_ptr<Allocator>> retired_;
  std::unique_ptr<Recording> recording_;
  // What end_capture got and could not make a graph of yet.
  OwnedGraph recorded_;
  std::deque<Upload> uploads_;
  size_t upload_bytes_ = 0;
  std::atomic<bool> has_reported_{false};
  std::unique_ptr<Products> products_;
};

inline Stream &stream_of(const Call &call) { return *static_cast<Stream *>(call.gpu); }

} // namespace hrm::cuda
