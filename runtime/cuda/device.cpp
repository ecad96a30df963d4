#include "runtime/cuda/device.h"

#include <array>

#include "runtime/cuda/detail/driver_api.h"

namespace tessera::runtime {

namespace {

Result<CudaDevice> device_at(const detail::DriverApi& api, int ordinal) {
  CudaDevice out{.ordinal = ordinal, .name = ""};
  detail::CuDevice handle = 0;
  std::array<char, 256> name{};
  std::size_t memory = 0;
  int l2 = 0, shared_per_block = 0, shared_per_sm = 0;
  const struct {
    int which;
    int* value;
  } attributes[] = {{detail::kCuMultiprocessors, &out.sms},
                    {detail::kCuL2Bytes, &l2},
                    {detail::kCuCapabilityMajor, &out.major},
                    {detail::kCuCapabilityMinor, &out.minor},
                    {detail::kCuSharedPerSm, &shared_per_sm},
                    {detail::kCuRegistersPerSm, &out.registers_per_sm},
                    {detail::kCuSharedPerBlockOptIn, &shared_per_block}};
  if (const int code = api.DeviceGet(&handle, ordinal); code != 0)
    return refuse(describe_cuda(api, "cuDeviceGet", code));
  if (const int code = api.DeviceGetName(name.data(), static_cast<int>(name.size()) - 1, handle); code != 0) {
    return refuse(describe_cuda(api, "cuDeviceGetName", code));
  }
  if (const int code = api.DeviceTotalMem(&memory, handle); code != 0)
    return refuse(describe_cuda(api, "cuDeviceTotalMem", code));
  for (const auto& [which, value] : attributes) {
    if (const int code = api.DeviceGetAttribute(value, which, handle); code != 0)
      return refuse(describe_cuda(api, "cuDeviceGetAttribute", code));
  }
  out.name = name.data();
  out.memory_bytes = static_cast<std::int64_t>(memory);
  out.l2_bytes = l2;
  out.shared_per_block = shared_per_block;
  out.shared_per_sm = shared_per_sm;
  return out;
}

}  // namespace

Result<std::vector<CudaDevice>> cuda_devices(const CudaDriver& driver) {
  const detail::DriverApi& api = *driver.api;
  int count = 0;
  if (const int code = api.DeviceGetCount(&count); code != 0)
    return refuse(describe_cuda(api, "cuDeviceGetCount", code));
  if (count <= 0) return refuse("the CUDA driver finds no device");
  std::vector<CudaDevice> out;
  for (int i = 0; i < count; ++i) {
    TESSERA_TRY(device, device_at(api, i));
    out.push_back(std::move(device));
  }
  return out;
}

}  // namespace tessera::runtime
