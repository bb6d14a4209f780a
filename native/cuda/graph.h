#pragma once
// Capture of a stream's work into CUDA graphs: what is recorded, its memory, and the graph that comes of it.
#include <memory>
#include <unordered_map>
#include <utility>

#include "core/gpu.h"
#include "cuda/stream.h"

namespace hrm::cuda {

// What a graph needs besides its nodes, from the beginning of the capture to the end of the graph: memory of its own,
// and the storages of others that its work uses.
class Recording {
public:
  explicit Recording(Stream &stream);
  ~Recording();
  Recording(const Recording &) = delete;
  Recording &operator=(const Recording &) = delete;

  Allocator &memory() { return *memory_; }
  void hold(const StorageRef &storage, bool is_written);
  // Before each run: what was saved or derived from what the graph writes is stale from here on.
  void begin_run();

private:
  struct Held {
    StorageRef storage;
    bool is_written = false;
  };
  Stream &stream_;
  std::unique_ptr<Allocator> memory_;
  std::unordered_map<Storage *, Held> held_;
};

class CapturedGraph : public Graph {
public:
  // Owns both.
  CapturedGraph(Stream &stream, cudaGraphExec_t exec, std::unique_ptr<Recording> recording)
      : stream_(stream), exec_(exec), recording_(std::move(recording)) {}
  ~CapturedGraph() override;
  void launch() override;
  const Allocator &memory() const override { return recording_->memory(); }

private:
  Stream &stream_;
  cudaGraphExec_t exec_;
  std::unique_ptr<Recording> recording_;
};

} // namespace hrm::cuda
