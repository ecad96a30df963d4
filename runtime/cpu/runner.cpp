#include "runtime/cpu/runner.h"

#include "runtime/cpu/capture.h"
#include "runtime/cpu/fault_guard.h"
#include "runtime/cpu/measure.h"

namespace tessera::runtime {

std::vector<std::byte> handle_measure_request(std::span<const std::byte> request,
                                              const HandlerContext& context) {
  const auto failed = [](MeasureStatus status, std::string message) {
    return encode(std::vector{failed_measurement(status, "request", std::move(message))});
  };
  install_fault_guard([](std::span<const std::byte> note,
                         const void* c) { static_cast<const HandlerContext*>(c)->note(note); },
                      &context);
  const auto decoded = decode_measure_request(request);
  if (!decoded) return failed(MeasureStatus::kInternal, decoded.reason());
  const auto data = MappedDataSet::map(context.attachment());
  if (!data) return failed(MeasureStatus::kInternal, data.reason());
  const StageSink stage = [&](std::string_view name) { context.stage(name); };
  if (decoded->kind == RequestKind::kCapture)
    return encode(capture_outputs(decoded->images.front(), decoded->options, *data, stage));
  if (decoded->kind == RequestKind::kInterleaved)
    return encode(measure_interleaved(decoded->images, decoded->options, *data, stage));
  return encode(
      std::vector{measure_candidate(decoded->images.front(), decoded->options, *data, stage)});
}

}  // namespace tessera::runtime
