// A candidate's arguments and workspace on the device, with red zones, and the same on the host.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "runtime/cpu/operand_memory.h"
#include "runtime/cuda/detail/session.h"
#include "runtime/kernel_image.h"

namespace tessera::runtime::detail {

/// Host memory for every argument of an image and its workspace.
class HostOperands {
 public:
  explicit HostOperands(const KernelImage& image);
  const OperandMemory& memory() const { return memory_; }

 private:
  std::vector<std::vector<std::byte>> buffers_;  // the arguments in order, then the workspace
  OperandMemory memory_;
};

/// One allocation: argument after argument, then the workspace, each aligned as its contract says and between
/// red zones, which hold a pattern that no kernel may change.
class DeviceOperands {
 public:
  DeviceOperands(const Session& session, const KernelImage& image);

  CuAddress argument(std::size_t i) const {
    return memory_.get() + static_cast<CuAddress>(places_[i].offset);
  }
  CuAddress workspace() const { return argument(places_.size() - 1); }

  void upload(const HostOperands& host) const;    // arguments and workspace
  void download(const HostOperands& host) const;  // the same
  /// "byte 0 behind the end of 'C' was written", if any.
  std::optional<std::string> overwritten() const;

  /// What one costs on the device.
  static std::int64_t bytes(const KernelImage& image);

 private:
  struct Place {
    std::string name;
    std::int64_t offset = 0, bytes = 0;
  };
  static std::vector<Place> places(const KernelImage& image, std::int64_t& all);

  const Session& session_;
  std::int64_t all_ = 0;       // bytes of the allocation; before places_, which sets it
  std::vector<Place> places_;  // the arguments in order, then the workspace
  OwnedMemory memory_;
};

}  // namespace tessera::runtime::detail
