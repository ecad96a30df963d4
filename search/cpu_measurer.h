// Measurer for this machine's CPU: builds in kernel_builder, runs in kernel_runner, the next build
// overlapping the current measurement where a core is free for it.
#pragma once

#include "driver/builder.h"
#include "driver/reference.h"
#include "search/candidate.h"

namespace tessera::search {

class CpuTaskMeasurer : public Measurer {
 public:
  /// Makes the reference of the task (seconds for large programs).
  CpuTaskMeasurer(const Task& task, std::uint64_t seed);

  std::vector<Trial> measure(const std::vector<Candidate>& batch, std::int64_t incumbent_ns,
                             const std::function<void(const Trial&)>& done, const std::function<bool()>& stop) override;
  std::vector<Trial> remeasure(const std::vector<Trial>& best) override;

  const driver::Reference& reference() const { return reference_; }

 private:
  runtime::MeasureOptions options(std::int64_t incumbent_ns) const;

  Task task_;
  driver::Builder builder_;
  runtime::CpuMeasurer runner_;
  driver::Reference reference_;
  bool overlap_ = false;
};

}  // namespace tessera::search
