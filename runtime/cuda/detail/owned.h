// Owners of driver objects, and how failed calls travel inside runtime/cuda.
#pragma once

#include <string>
#include <utility>

#include "runtime/cuda/detail/driver_api.h"
#include "runtime/cuda/driver.h"

namespace tessera::runtime::detail {

/// A driver call that failed. Thrown and caught inside runtime/cuda.
struct CudaFailure {
  int code = 0;
  std::string message;
};

/// check(api, "cuMemAlloc", api.MemAlloc(...)).
inline void check(const DriverApi& api, const char* call, CuResult code) {
  if (code != kCuSuccess) throw CudaFailure{code, describe_cuda(api, call, code)};
}

/// Gives a handle back at its end. What that call returns is not looked at: after a sticky error every one
/// fails, and the process goes with all it holds.
template <class Handle, CuResult (*DriverApi::*kDestroy)(Handle)>
class Owned {
 public:
  Owned() = default;
  Owned(const DriverApi& api, Handle handle) : api_(&api), handle_(handle) {}
  Owned(Owned&& o) noexcept : api_(std::exchange(o.api_, nullptr)), handle_(o.handle_) {}
  Owned& operator=(Owned&& o) noexcept {
    std::swap(api_, o.api_);
    std::swap(handle_, o.handle_);
    return *this;
  }
  ~Owned() {
    if (api_ != nullptr) (api_->*kDestroy)(handle_);
  }
  Handle get() const { return handle_; }

 private:
  const DriverApi* api_ = nullptr;
  Handle handle_{};
};

using OwnedModule = Owned<CuModule, &DriverApi::ModuleUnload>;
using OwnedMemory = Owned<CuAddress, &DriverApi::MemFree>;
using OwnedStream = Owned<CuStream, &DriverApi::StreamDestroy>;
using OwnedEvent = Owned<CuEvent, &DriverApi::EventDestroy>;
using OwnedGraph = Owned<CuGraph, &DriverApi::GraphDestroy>;
using OwnedGraphExec = Owned<CuGraphExec, &DriverApi::GraphExecDestroy>;

}  // namespace tessera::runtime::detail
