// A cubin on the device, ready to be launched.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "runtime/cuda/detail/operands.h"
#include "runtime/cuda/detail/session.h"
#include "runtime/kernel_image.h"

namespace tessera::runtime::detail {

class LoadedImage {
 public:
  /// Throws CudaFailure, also for launches that the driver has no words for. `image` must outlive it.
  LoadedImage(const Session& session, const KernelImage& image);

  /// Puts every launch of a phase into the stream, after zeroing what `run` wants zero.
  void enqueue(Phase phase, const DeviceOperands& operands) const;

 private:
  void launch(const Launch& l, const DeviceOperands& operands) const;

  const Session& session_;
  const KernelImage& image_;
  OwnedModule module_;
  std::map<std::string, CuFunction> functions_;
};

}  // namespace tessera::runtime::detail
