#include "runtime/cuda/runner.h"

#include <algorithm>
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

InProcessAnswer answer(std::vector<Measurement> results) {
  const bool lost = std::any_of(results.begin(), results.end(), is_context_lost);
  return {encode(results), lost};
}

}  // namespace

InProcessAnswer handle_cuda_request(const InProcessCall& call) {
  static Served served;
  const auto failed = [](MeasureStatus status, std::string message) {
    return answer({failed_measurement(status, "request", std::move(message))});
  };
  const auto request = decode_cuda_request(call.request);
  if (!request) return failed(MeasureStatus::kInternal, request.reason());
  const CudaMeasureOptions& options = request->options;
  if (!served.session) {
    call.stage("device");
    Measurement why;
    served = {options.device, CudaDeviceSession::open(options.device, why)};
    if (!served.session) return answer({std::move(why)});
  }
  if (served.device != options.device) return failed(MeasureStatus::kInternal, "this process serves another device");
  std::optional<MappedDataSet> data;
  if (!options.own_operands) {
    auto mapped = MappedDataSet::map(call.attachment);
    if (!mapped) return failed(MeasureStatus::kInternal, mapped.reason());
    data.emplace(std::move(*mapped));
  }
  const MappedDataSet* operands = data ? &*data : nullptr;
  if (request->images.size() == 1) return answer({served.session->measure(request->images.front(), operands, options, call.stage)});
  return answer(served.session->measure_interleaved(request->images, operands, options, call.stage));
}

}  // namespace tessera::runtime
