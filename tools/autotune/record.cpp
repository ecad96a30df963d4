#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "search/cpu_measurer.h"
#include "search/recorder.h"
#include "support/version.h"
#include "tools/autotune/commands.h"
#include "tools/autotune/report.h"

namespace tessera::autotune {

int run_record(const RecordArgs& args) {
  TESSERA_USER_CHECK(args.tasks.empty() == args.problem.given()) << "record takes a program (--op, --preset, --expr) or --tasks FILE";
  std::vector<search::Recording> all;
  if (std::ifstream(args.output).good()) all = search::read_recordings(args.output).or_throw();
  int task_number = 0;
  const std::vector<TaskLine> problems = args.tasks.empty() ? std::vector<TaskLine>{{args.problem, 1, ""}} : read_tasks_file(args.tasks, args.problem);
  for (const TaskLine& line : problems) {
    ++task_number;
    const search::Task task = make_task(line.problem);
    check_measured_here(task.target, "record");
    check_memory(task);
    const std::string hash = tuning_logs::hash_text(task.dag.hash());
    const bool known = std::any_of(all.begin(), all.end(), [&](const search::Recording& r) { return r.task.hash == hash && r.threads == task.threads && r.target == task.target.text(); });
    if (known) continue;  // an interrupted run goes on where it stopped
    search::CpuTaskMeasurer measurer(task, args.seed);
    const bool terminal = isatty(2) != 0;
    const search::RecorderOptions options{args.points, args.bred, args.dense, args.passes, args.samples, args.seed};
    search::Recording made = search::record_space(task, options, kToolVersion, measurer, [&](int done, int of) {
      if (terminal) fmt::print(stderr, "\r{}/{} {}: {}/{} points ", task_number, problems.size(), task.op, done, of);
    });
    if (terminal) fmt::print(stderr, "\n");
    std::size_t ok = 0;
    for (const search::RecordedSketch& s : made.sketches) {
      for (const auto& ns : s.ns) ok += ns.empty() ? 0 : 1;
    }
    fmt::print("{} {}: {} points of {} sketches, {} measured\n", task.op, line.text, made.points(), made.sketches.size(), ok);
    std::fflush(stdout);
    all.push_back(std::move(made));
    search::write_recordings(args.output, all).or_throw();
  }
  return 0;
}

}  // namespace tessera::autotune
