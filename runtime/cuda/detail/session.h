// One device made ready: its primary context, current in this thread, and a stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "runtime/cuda/detail/owned.h"
#include "runtime/cuda/device.h"

namespace tessera::runtime::detail {

class Session {
 public:
  /// Throws CudaFailure.
  Session(const CudaDriver& driver, const CudaDevice& device);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const DriverApi& api() const { return *driver_.api; }
  const CudaDevice& device() const { return device_; }
  CuStream stream() const { return stream_.get(); }

  // All throw CudaFailure. What moves bytes does so in the stream: the copies without one are ordered against
  // the default stream alone, which ours does not wait for.
  OwnedMemory allocate(std::int64_t bytes) const;
  std::int64_t free_bytes() const;
  void upload(CuAddress to, std::span<const std::byte> bytes) const;  // `bytes` stay until synchronize()
  void download(std::span<std::byte> to, CuAddress from) const;       // waits
  void fill(CuAddress to, std::byte value, std::int64_t bytes) const;
  void synchronize() const;

 private:
  CudaDriver driver_;
  CudaDevice device_;
  CuDevice handle_ = 0;
  OwnedStream stream_;
};

}  // namespace tessera::runtime::detail
