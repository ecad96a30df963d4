// The best kernel of a log, rebuilt from the record alone.
#pragma once

#include <optional>

#include "search/task.h"
#include "tuning_logs/query.h"

namespace tessera::autotune {

struct Logged {
  tuning_logs::Record record;
  search::Task task;
  schedule::Plan plan;
};

/// UserError: exit code 1 for a log without a usable record, 4 for a target this machine cannot run
/// when `must_run`. `threads` 0 and an empty `target` mean "as logged". With a kind: among the records of such
/// targets.
Logged best_of_log(const std::string& log, int threads, const std::string& target, bool must_run,
                   std::optional<ir::TargetKind> kind = std::nullopt);

}  // namespace tessera::autotune
