// Failed trials by cause: messages that differ only in numbers and addresses are one cause.
#pragma once

#include <string>
#include <vector>

#include "tuning_logs/record.h"

namespace tessera::tuning_logs {

/// The message with every number and address as `#`: "C[#, #] is #, expected #". Digits of names
/// ("f32", "i0") stay.
std::string cause_of(const std::string& message);

struct FailureGroup {
  runtime::MeasureStatus status = runtime::MeasureStatus::kInternal;
  std::string phase, cause;
  int count = 0;
  std::vector<const Record*> examples;  // the first ones, up to kMaxExamples
};
inline constexpr std::size_t kMaxExamples = 2;

/// Most frequent first, equal ones in the order of their first trial. Examples point into `trials`.
std::vector<FailureGroup> group_failures(const std::vector<const Record*>& trials);

}  // namespace tessera::tuning_logs
