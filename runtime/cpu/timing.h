// Takes samples of a loaded, verified kernel on plain memory.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "runtime/cpu/kernel_call.h"
#include "runtime/cpu/measure_options.h"
#include "runtime/cpu/peak_probe.h"
#include "runtime/cpu/verify.h"
#include "runtime/measurement.h"

namespace tessera::runtime {

/// One image with its operands in plain memory: prepared once, then sampled.
class TimedKernel {
 public:
  TimedKernel(const KernelImage& image, const LoadedKernel& kernel, const MappedDataSet& data,
              const MeasureOptions& options, ThreadPool& pool);

  /// Allocates, loads, prepares, runs once and decides how many runs make a sample.
  /// The failure, if any.
  std::optional<Measurement> begin();

  /// One run that does not count. Other kernels ran since the last sample: their operands are in the caches.
  void warm();

  /// Adds one sample, then one probe of the peak. Samples of several threads that another process
  /// interrupted are thrown away and taken again, at most as often as samples are wanted in all.
  void sample();

  /// The policy of one candidate alone: races against the incumbent, then samples until steady.
  void sample_by_policy();

  /// After the last sample: checks that the kernel is not faster than this machine can be, and,
  /// when `verify` is on, that the outputs of the last run are right.
  Measurement finish();

 private:
  std::int64_t clock() const;
  std::int64_t time_runs(std::int64_t runs);
  double probe() const;
  bool steady() const;
  bool implausible() const;
  double rate() const;  // of the operations that this kernel cannot do without, GFLOP/s

  const KernelImage& image_;
  const LoadedKernel& kernel_;
  const MappedDataSet& data_;
  const MeasureOptions& options_;
  ThreadPool& pool_;
  ProbeKind probe_kind_;
  std::unique_ptr<PlainOperands> operands_;
  std::unique_ptr<KernelCall> run_;
  std::int64_t first_run_ns_ = 0;
  std::int32_t result_ = 0;  // of the launches: the first that is not 0
  Measurement out_;
};

}  // namespace tessera::runtime
