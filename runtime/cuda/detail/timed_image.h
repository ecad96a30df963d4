// An image that is timed: operand sets beyond the L2 cache, and a graph of runs over them.
#pragma once

#include <vector>

#include "runtime/cpu/data_set.h"
#include "runtime/cuda/detail/loaded_image.h"
#include "runtime/cuda/measure_options.h"

namespace tessera::runtime::detail {

class TimedImage {
 public:
  /// Uploads the operands of `set`, runs `prepare` and chooses how many runs make a sample. All throw
  /// CudaFailure; std::bad_alloc when the host's memory ends.
  TimedImage(const Session& session, const KernelImage& image, const HostOperands& operands,
             const CudaMeasureOptions& options);

  void warm_up();
  /// Nanoseconds of one run, the mean of one sample.
  std::int64_t sample();

  std::int64_t prepare_ns() const { return prepare_ns_; }
  std::int64_t runs_per_sample() const { return static_cast<std::int64_t>(runs_) * launches_; }
  /// What the last set that ran holds.
  void download(const HostOperands& host) const {
    sets_[static_cast<std::size_t>(runs_ - 1) % sets_.size()].download(host);
  }

 private:
  void choose_runs();
  void capture(int runs);
  double elapsed_ns(int launches);  // of so many launches of the graph

  const Session& session_;
  const CudaMeasureOptions& options_;
  LoadedImage loaded_;
  std::vector<DeviceOperands> sets_;
  OwnedEvent begin_, end_;
  OwnedGraphExec graph_;
  int runs_ = 1, launches_ = 1;  // runs of a launch of the graph; launches of a sample
  std::int64_t prepare_ns_ = 0;
};

}  // namespace tessera::runtime::detail
