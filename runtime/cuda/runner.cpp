#include "runtime/cuda/runner.h"

#include <memory>
#include <optional>

#include "runtime/cuda/measure.h"

namespace tessera::runtime {

namespace {

/// The device that this process serves; the first request chooses it.
struct Served {
  int device = -1;
  std::unique_ptr<CudaDeviceSession> session;
};

}  // namespace

std::vector<std::byte> handle_cuda_request(const InProcessCall& call) {
  static Served served;
  const auto failed = [](MeasureStatus status, std::string message) {
    return encode({failed_measurement(status, "request", std::move(message))});
  };
  const auto request = decode_cuda_request(call.request);
  if (!request) return failed(MeasureStatus::kInternal, request.reason());
  const CudaMeasureOptions& options = request->options;
  if (!served.session) {
    call.stage("device");
    Measurement why;
    served = {options.device, CudaDeviceSession::open(options.device, why)};
    if (!served.session) return encode({std::move(why)});
  }
  if (served.device != options.device)
    return failed(MeasureStatus::kInternal, "this process serves another device");
  std::optional<MappedDataSet> data;
  if (!options.own_operands) {
    auto mapped = MappedDataSet::map(call.attachment);
    if (!mapped) return failed(MeasureStatus::kInternal, mapped.reason());
    data.emplace(std::move(*mapped));
  }
  const MappedDataSet* operands = data ? &*data : nullptr;
  if (request->images.size() == 1)
    return encode({served.session->measure(request->images.front(), operands, options, call.stage)});
  return encode(served.session->measure_interleaved(request->images, operands, options, call.stage));
}

}  // namespace tessera::runtime
