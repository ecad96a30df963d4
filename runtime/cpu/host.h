// The tuner's side of measuring on the CPU: kernels go out as bytes, measurements come back, and no
// generated code is ever mapped here.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/cpu/capture.h"
#include "runtime/cpu/data_set.h"
#include "runtime/cpu/measure_options.h"
#include "runtime/isolation/worker.h"
#include "runtime/measurement.h"

namespace tessera::runtime {

class CpuMeasurer {
 public:
  /// Uses the program kernel_runner (find_tool); UserError when it is not there. It is started by
  /// the first measurement and replaced when it dies.
  CpuMeasurer();
  explicit CpuMeasurer(Spawner spawn);

  /// The operands of all measurements from now on. Not while one is in flight.
  void install(const DataSet& data);

  /// Exactly one result, whatever the kernel does.
  Measurement measure(const KernelImage& image, const MeasureOptions& options);

  /// The same in three parts, to build the next candidate meanwhile.
  void start(const KernelImage& image, const MeasureOptions& options);
  bool poll(int timeout_ms) { return worker_.poll(timeout_ms); }  // true: finish() does not wait
  Measurement finish();
  bool busy() const { return worker_.busy(); }
  int descriptor() const { return worker_.descriptor(); }  // readable when poll() may become true

  /// Times kernels that were measured ok before, in turns within one process: options.most_samples
  /// samples each. One result per image. An image that fails is named by its own result and the
  /// others are measured again without it. limits.wall_ns is the time of each image.
  std::vector<Measurement> measure_interleaved(std::span<const KernelImage> images,
                                               const MeasureOptions& options);

  /// Runs an image once on each operand set and returns what its outputs hold (the reference that
  /// large programs are held against, certified by the caller at points).
  Capture capture(const KernelImage& image, const MeasureOptions& options);

  const Worker& worker() const { return worker_; }

 private:
  Limits limits_for(std::span<const KernelImage> images, const MeasureOptions& options) const;

  Worker worker_;
  std::int64_t data_bytes_ = 0;
  std::vector<std::byte> request_;  // in flight, to repeat it when the server itself failed
  Limits limits_;
  std::int64_t started_ns_ = 0;
};

}  // namespace tessera::runtime
