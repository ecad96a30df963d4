#include "runtime/cuda/driver.h"

#include <dlfcn.h>

#include <type_traits>

#include "runtime/cuda/detail/driver_api.h"
#include "support/env.h"

namespace tessera::runtime {

namespace {

// CUresult
enum : int {
  kOutOfMemory = 2,
  kStubLibrary = 34,
  kNeedsNewerDriver = 36,
  kDeviceUnavailable = 46,
  kNoDevice = 100,
  kInvalidDevice = 101,
  kInvalidImage = 200,
  kNoBinaryForGpu = 209,
  kEccUncorrectable = 214,
  kNvlinkUncorrectable = 220,
  kUnsupportedPtxVersion = 222,
  kContained = 226,
  kIllegalAddress = 700,
  kLaunchOutOfResources = 701,
  kLaunchTimeout = 702,
  kContextIsDestroyed = 709,
  kAssert = 710,
  kHardwareStackError = 714,
  kLaunchFailed = 719,
  kTensorMemoryLeak = 721,
  kNotSupported = 801,
  kSystemNotReady = 802,
  kSystemDriverMismatch = 803,
  kCompatNotSupported = 804,
  kTimeout = 909,
  kExternalDevice = 911,
  kInvalidClusterSize = 912,
  kUnknown = 999,
};

}  // namespace

MeasureStatus status_of_cuda(int code) {
  if (code >= kHardwareStackError && code <= kLaunchFailed) return MeasureStatus::kGpuFault;
  switch (code) {
    case kOutOfMemory:
    case kLaunchOutOfResources:
    case kInvalidClusterSize:
      return MeasureStatus::kResource;
    case kStubLibrary:
    case kNeedsNewerDriver:
    case kDeviceUnavailable:
    case kNoDevice:
    case kInvalidDevice:
    case kInvalidImage:
    case kNoBinaryForGpu:
    case kUnsupportedPtxVersion:
    case kNotSupported:
    case kSystemNotReady:
    case kSystemDriverMismatch:
    case kCompatNotSupported:
      return MeasureStatus::kUnsupportedTarget;
    case kEccUncorrectable:
    case kNvlinkUncorrectable:
    case kContained:
    case kIllegalAddress:
    case kContextIsDestroyed:
    case kAssert:
    case kTensorMemoryLeak:
    case kExternalDevice:
    case kUnknown:
      return MeasureStatus::kGpuFault;
    case kLaunchTimeout:
    case kTimeout:
      return MeasureStatus::kGpuTimeout;
    default:
      return MeasureStatus::kInternal;
  }
}

std::string describe_cuda(const detail::DriverApi& api, const std::string& call, int code) {
  const char* name = nullptr;
  const char* text = nullptr;
  if (api.GetErrorName(code, &name) != detail::kCuSuccess || name == nullptr) name = "unknown error";
  if (api.GetErrorString(code, &text) != detail::kCuSuccess) text = nullptr;
  return call + ": " + name + " (" + std::to_string(code) + ")" +
         (text == nullptr ? "" : std::string(": ") + text);
}

Result<CudaDriver> open_cuda_driver() {
  const std::string path = env(EnvVar::kCudaDriver).value_or("libcuda.so.1");
  void* const library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return refuse("no CUDA driver on this machine (", ::dlerror(), ")");
  auto api = std::make_shared<detail::DriverApi>();
  const char* missing = nullptr;
  const auto find = [&](auto& member, const char* symbol) {
    member = reinterpret_cast<std::remove_reference_t<decltype(member)>>(::dlsym(library, symbol));
    if (member == nullptr) missing = symbol;
  };
#define X(member, symbol, parameters) find(api->member, symbol);
  TESSERA_CUDA_FUNCTIONS(X)
#undef X
  if (missing != nullptr)
    return refuse("the CUDA driver has no ", missing, ": one for CUDA 11.8 or later is needed");
  if (const int code = api->Init(0); code != detail::kCuSuccess)
    return refuse("the CUDA driver does not start: ", describe_cuda(*api, "cuInit", code));
  CudaDriver out{api, 0};
  if (const int code = api->DriverGetVersion(&out.version); code != detail::kCuSuccess)
    return refuse(describe_cuda(*api, "cuDriverGetVersion", code));
  return out;
}

}  // namespace tessera::runtime
