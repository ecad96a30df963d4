// The page of `autotune report`, in parts. Everything that comes from a log goes through escaped():
// a log is data, whatever its strings hold.
#pragma once

#include <string>
#include <vector>

#include "dsl/dag.h"
#include "tuning_logs/insight.h"

namespace tessera::autotune {

/// Text for HTML, between tags or in quoted attributes, as printable() and cut after `most` bytes.
std::string escaped(const std::string& text, std::size_t most = 1000);

extern const char* const kPageStyle;
extern const char* const kPageScript;

/// What a page may hold of each task, so that it stays small whatever the log holds.
struct PageLimits {
  std::size_t dots = 1200;       // of a chart; the rest is thinned evenly
  std::size_t code_lines = 700;  // of loops and of assembly
  std::size_t causes = 20;       // of failure
  bool kernel = true;            // with the best kernel's code
};

/// A task with the figures that several parts of the page need.
struct PageTask {
  const tuning_logs::TaskInsight* insight = nullptr;
  dsl::ComputeDag dag;
  std::string dag_problem;        // why the program cannot be read; empty when it can
  std::string id;                 // of its section
  double peak_gflops = 0;         // median of the probes in the log; 0: none
  double memory_gb_s = 0;         // measured now; 0: another machine than the log's
  PageLimits limits;

  bool readable() const { return dag_problem.empty(); }
  double gflops(const tuning_logs::Record& r) const { return dag.flops() / static_cast<double>(r.median_ns()); }
  /// Multiply-adds against the probe between the record's own samples; 0 where there is none.
  double peak_share(const tuning_logs::Record& r) const {
    const double probe = tuning_logs::measurement(r).median_probe_gflops();
    return probe > 0 ? 2 * dag.multiply_adds() / static_cast<double>(r.median_ns()) / probe : 0;
  }
  const tuning_logs::Record* default_plan() const;
};

/// Class of the colour of a sketch: "s0" to "s6" in the order of `insight`, the rest "sx".
std::string colour_of(const tuning_logs::TaskInsight& task, const std::string& sketch);

// Parts of a section, each a piece of HTML.
std::string progress_chart(const PageTask& task);
std::string roofline_chart(const PageTask& task);
std::string best_trials_table(const PageTask& task);
std::string sketches_table(const PageTask& task);
std::string holes_part(const PageTask& task);
std::string failures_part(const PageTask& task);
std::string kernel_part(const PageTask& task);
std::string task_section(const PageTask& task);

}  // namespace tessera::autotune
