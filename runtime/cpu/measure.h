// What happens in the runner's child: link, check, time. Runs generated code in this process, so it
// belongs nowhere else.
#pragma once

#include "runtime/cpu/data_set.h"
#include "runtime/cpu/measure_options.h"
#include "runtime/cpu/verify.h"
#include "runtime/measurement.h"

namespace tessera::runtime {

/// One candidate: stages link, allocate, prepare, verify_exact, verify_bounded, timing.
Measurement measure_candidate(const KernelImage& image, const MeasureOptions& options,
                              const MappedDataSet& data, const StageSink& stage);

/// Kernels that were verified before, timed in turns so that a drifting clock touches all alike, each warm:
/// `options.most_samples` rounds of one sample each. Stages are "<index>:<stage>". One result per
/// image, in order.
std::vector<Measurement> measure_interleaved(const std::vector<KernelImage>& images,
                                             const MeasureOptions& options,
                                             const MappedDataSet& data, const StageSink& stage);

}  // namespace tessera::runtime
