// Figures of one kernel as commands print them.
#pragma once

#include <optional>
#include <string>

#include "runtime/measurement.h"
#include "search/task.h"

namespace tessera::autotune {

struct BestFigures {
  double seconds = 0;                       // median
  double gflops = 0;                        // operations of the program per second
  std::optional<double> peak_share;         // multiply-adds against the probe between the samples
  std::optional<double> bandwidth_share;    // inputs and outputs once, against reading memory
  double prepare_seconds = 0;

  Json json() const;
  std::string text() const;
};

BestFigures figures_of(const search::Task& task, const runtime::Measurement& m);

/// Fails early (UserError, exit code 1) when a log cannot be written: a missing directory, a
/// directory of that name, no permission.
void check_log_writable(const std::string& path);

/// Fails (UserError, exit code 1) when the operands alone are more than this machine's memory.
void check_memory(const search::Task& task);

}  // namespace tessera::autotune
