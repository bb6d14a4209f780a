#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "core/allocator.h"
#include "core/dtype.h"
#include "core/shape.h"

namespace hrm {

// Data computed from a storage's contents and kept beside it, e.g. weights packed for the GEMM. Valid for one version:
// a write to the storage makes it stale, and it dies with the storage, so a stale pack cannot be used.
struct Derived {
  virtual ~Derived() = default;
  uint64_t version = 0;
  // What it is (each user of derived data has a kind of its own), and of which part of the storage.
  int kind = 0;
  int64_t offset = 0;
};

// Reference-counted bytes. Views, the autograd graph and handles hold one reference each; JavaScript thread only.
class Storage {
public:
  Storage(Allocator &allocator, size_t n_bytes)
      : allocator_(allocator), data_(allocator.allocate(n_bytes)), n_bytes_(n_bytes) {}
  ~Storage() { allocator_.release(data_, n_bytes_); }
  Storage(const Storage &) = delete;
  Storage &operator=(const Storage &) = delete;

  void *data() const { return data_; }
  size_t n_bytes() const { return n_bytes_; }
  uint64_t version() const { return version_ + allocator_.rewrites(); }
  // Called before every write: what was saved or derived from the old contents is stale from here on.
  void begin_write() {
    wait_readers();
    ++version_;
  }
  std::vector<std::unique_ptr<Derived>> &derived() { return derived_; }
  Allocator &allocator() { return allocator_; }
  Device device() const { return allocator_.device(); }

  // Reads on other threads (Tensor.data()). A write waits until they have ended.
  void begin_read() { readers_.fetch_add(1, std::memory_order_relaxed); }
  void end_read() { readers_.fetch_sub(1, std::memory_order_release); }
  void wait_readers() const {
    while (readers_.load(std::memory_order_acquire) > 0)
      std::this_thread::yield();
  }

  uint32_t references = 0;

private:
  Allocator &allocator_;
  void *data_;
  size_t n_bytes_;
  uint64_t version_ = 0;
  std::atomic<int> readers_{0};
  std::vector<std::unique_ptr<Derived>> derived_;
};

class StorageRef {
public:
  StorageRef() = default;
  explicit StorageRef(Storage *storage) : storage_(storage) { ++storage_->references; }
  StorageRef(const StorageRef &other) : storage_(other.storage_) {
    if (storage_)
      ++storage_->references;
  }
  StorageRef(StorageRef &&other) noexcept : storage_(std::exchange(other.storage_, nullptr)) {}
  StorageRef &operator=(StorageRef other) noexcept {
    std::swap(storage_, other.storage_);
    return *this;
  }
  ~StorageRef() {
    if (storage_ && --storage_->references == 0)
      delete storage_;
  }
  Storage *get() const { return storage_; }
  Storage *operator->() const { return storage_; }
  explicit operator bool() const { return storage_ != nullptr; }

private:
  Storage *storage_ = nullptr;
};

// A strided view of a storage. Offset and strides are in elements.
struct Tensor {
  StorageRef storage;
  DType dtype = DType::kF32;
  Dims shape;
  Dims strides;
  int64_t offset = 0;

  Device device() const { return storage->device(); }
  int64_t size() const {
    int64_t n = 1;
    for (int64_t d : shape)
      n *= d;
    return n;
  }
  bool contiguous() const {
    int64_t expected = 1;
    bool in_order = true;
    for (int i = shape.rank - 1; i >= 0; --i) {
      if (shape[i] == 0)
        return true;
      if (shape[i] != 1 && strides[i] != expected)
        in_order = false;
      expected *= shape[i];
    }
    return in_order;
  }
  template <class T> T *data() const { return static_cast<T *>(storage->data()) + offset; }
  void *raw() const { return static_cast<char *>(storage->data()) + offset * static_cast<int64_t>(item_size(dtype)); }

  static Tensor empty(Allocator &allocator, DType dtype, const Dims &shape) {
    Tensor t;
    const int64_t bytes = checked_mul(numel(shape), static_cast<int64_t>(item_size(dtype)));
    t.storage = StorageRef(new Storage(allocator, static_cast<size_t>(bytes)));
    t.dtype = dtype;
    t.shape = shape;
    t.strides = contiguous_strides(shape);
    return t;
  }
};

} // namespace hrm
