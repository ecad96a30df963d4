// The outputs of one kernel on a task's operands, brought back to the tuner as bytes.
#pragma once

#include "runtime/cpu/data_set.h"
#include "runtime/cpu/measure_options.h"
#include "runtime/cpu/verify.h"
#include "runtime/measurement.h"

namespace tessera::runtime {

struct Capture {
  Measurement result;  // ok, with no samples' meaning attached; or what failed
  std::vector<std::vector<std::byte>> exact, real;  // one an output argument, in the image's order
};

/// In the runner's child. The operands need no expected outputs.
Capture capture_outputs(const KernelImage& image, const MeasureOptions& options,
                        const MappedDataSet& data, const StageSink& stage);

std::vector<std::byte> encode(const Capture& capture);
Result<Capture> decode_capture(std::span<const std::byte> bytes);

}  // namespace tessera::runtime
