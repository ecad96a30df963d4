// The two checks a candidate passes before it is timed, each on fenced memory and on data that
// timing does not use.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "runtime/cpu/data_set.h"
#include "runtime/cpu/loader.h"
#include "runtime/cpu/operand_memory.h"
#include "runtime/cpu/thread_pool.h"
#include "runtime/measurement.h"

namespace tessera::runtime {

/// Told what begins, for the blame of a crash.
using StageSink = std::function<void(std::string_view stage)>;

/// Runs `prepare` and `run` twice: on small integers with the ends of the buffers at their guards,
/// compared exactly; on ordinary numbers with the beginnings there, compared within the bounds,
/// with another poison for integers. The failure, if any.
std::optional<Measurement> verify(const KernelImage& image, const LoadedKernel& kernel,
                                  const MappedDataSet& data, ThreadPool& pool,
                                  const StageSink& stage);

/// Compares every output of the image. `phase` goes into the failure.
std::optional<Measurement> check_outputs(const KernelImage& image, const OperandSetView& set,
                                         const OperandMemory& memory, std::byte poison,
                                         std::string_view phase);

}  // namespace tessera::runtime
