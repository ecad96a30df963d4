#include "runtime/cuda/detail/session.h"

namespace tessera::runtime::detail {

Session::Session(const CudaDriver& driver, const CudaDevice& device) : driver_(driver), device_(device) {
  check(api(), "cuDeviceGet", api().DeviceGet(&handle_, device.ordinal));
  CuContext context = nullptr;
  check(api(), "cuDevicePrimaryCtxRetain", api().PrimaryCtxRetain(&context, handle_));
  try {
    check(api(), "cuCtxSetCurrent", api().CtxSetCurrent(context));
    CuStream stream = nullptr;
    check(api(), "cuStreamCreate", api().StreamCreate(&stream, kCuStreamNonBlocking));
    stream_ = OwnedStream(api(), stream);
  } catch (...) {
    api().PrimaryCtxRelease(handle_);
    throw;
  }
}

Session::~Session() {
  stream_ = OwnedStream();
  api().PrimaryCtxRelease(handle_);
}

OwnedMemory Session::allocate(std::int64_t bytes) const {
  CuAddress address = 0;
  check(api(), "cuMemAlloc", api().MemAlloc(&address, static_cast<std::size_t>(bytes)));
  return OwnedMemory(api(), address);
}

std::int64_t Session::free_bytes() const {
  std::size_t free = 0, total = 0;
  check(api(), "cuMemGetInfo", api().MemGetInfo(&free, &total));
  return static_cast<std::int64_t>(free);
}

void Session::upload(CuAddress to, std::span<const std::byte> bytes) const {
  if (bytes.empty()) return;
  check(api(), "cuMemcpyHtoDAsync", api().MemcpyHtoDAsync(to, bytes.data(), bytes.size(), stream()));
}

void Session::download(std::span<std::byte> to, CuAddress from) const {
  if (to.empty()) return;
  check(api(), "cuMemcpyDtoHAsync", api().MemcpyDtoHAsync(to.data(), from, to.size(), stream()));
  synchronize();
}

void Session::fill(CuAddress to, std::byte value, std::int64_t bytes) const {
  if (bytes <= 0) return;
  check(
      api(), "cuMemsetD8Async",
      api().MemsetD8Async(to, static_cast<unsigned char>(value), static_cast<std::size_t>(bytes), stream()));
}

void Session::synchronize() const { check(api(), "cuStreamSynchronize", api().StreamSynchronize(stream())); }

}  // namespace tessera::runtime::detail
