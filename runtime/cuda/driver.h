// The CUDA driver, opened when first asked for and never linked: libcuda.so.1, or what
// TESSERA_CUDA_DRIVER names. What its error codes mean for a measurement.
#pragma once

#include <memory>
#include <string>

#include "runtime/measurement.h"
#include "support/result.h"

namespace tessera::runtime {

namespace detail {
struct DriverApi;
}

/// An opened and initialised driver. Copies share the library, which stays open to the end of the process.
struct CudaDriver {
  std::shared_ptr<const detail::DriverApi> api;
  int version = 0;  // of CUDA it supports: 13000 for 13.0
};

/// Opens and initialises it. One line that says what is missing: the library, a function in it, a device.
/// A process that has done so must not fork and go on using it in the child.
Result<CudaDriver> open_cuda_driver();

/// What became of a candidate when a call ended with this code (not 0). After gpu_fault and gpu_timeout the
/// context is lost.
MeasureStatus status_of_cuda(int code);
/// "cuLaunchKernelEx: CUDA_ERROR_ILLEGAL_ADDRESS (700): an illegal memory access was encountered".
std::string describe_cuda(const detail::DriverApi& api, const std::string& call, int code);

}  // namespace tessera::runtime
