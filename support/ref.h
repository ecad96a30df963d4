// Intrusive shared ownership for immutable nodes (IR, buffers, DSL tensors).
//
// `Ref<const Node>` is a value handle: copying shares, nodes are never edited after construction.
// `Node` derives from `RefCounted`; deletion goes through the free function `destroy(const Node*)`
// found by argument lookup, so a kind-tagged hierarchy needs no virtual destructor.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace tessera {

struct RefCounted {
  mutable std::atomic<std::uint32_t> uses{0};

  RefCounted() = default;
  RefCounted(const RefCounted&) noexcept {}  // a copy is a new node: its count starts at zero
  RefCounted& operator=(const RefCounted&) = delete;
};

template <class T>
class Ref {
 public:
  Ref() = default;
  explicit Ref(T* p) : p_(p) { acquire(); }
  Ref(const Ref& o) : p_(o.p_) { acquire(); }
  Ref(Ref&& o) noexcept : p_(std::exchange(o.p_, nullptr)) {}
  ~Ref() { release(); }
  // By value and swap: the old node is released last, so `e = e.child` is safe.
  Ref& operator=(Ref o) noexcept {
    std::swap(p_, o.p_);
    return *this;
  }

  T* get() const { return p_; }
  T* operator->() const { return p_; }
  T& operator*() const { return *p_; }
  explicit operator bool() const { return p_ != nullptr; }
  bool operator==(const Ref& o) const { return p_ == o.p_; }

 private:
  void acquire() {
    if (p_ != nullptr) p_->uses.fetch_add(1, std::memory_order_relaxed);
  }
  void release() {
    if (p_ != nullptr && p_->uses.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy(p_);
  }
  T* p_ = nullptr;
};

}  // namespace tessera
