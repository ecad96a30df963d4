#include <fmt/format.h>

#include <algorithm>

#include "search/cpu_measurer.h"
#include "tools/autotune/commands.h"
#include "tools/autotune/logged.h"
#include "tools/autotune/report.h"
#include "tools/autotune/terminal.h"

namespace tessera::autotune {

namespace {

struct Contender {
  std::string name;
  schedule::StepList steps;
};

search::Trial trial_of(const Contender& c, int number) {
  search::Trial t;
  t.candidate.trial = number;
  t.candidate.sketch = c.name;
  t.candidate.steps = c.steps;
  return t;
}

}  // namespace

int run_compare(const CompareArgs& args) {
  std::vector<Contender> all;
  search::Task task;
  for (const std::string& log : args.logs) {
    const Logged l = best_of_log(log, args.threads, "", true);
    TESSERA_USER_CHECK(all.empty() || l.task.hash() == task.hash()) << "'" << log << "' is about another program, target or number of threads than '" << args.logs[0] << "'";
    task = l.task;
    all.push_back({log, driver::steps_of(task.dag, l.plan).or_throw()});
  }
  for (const std::string& strategy : args.planned) {
    auto made = driver::polyhedral_plan(task.dag, task.target, task.threads, strategy);
    if (!made.ok()) throw UserError("the polyhedral path cannot plan '" + task.op + "': " + made.reason(), 3);
    all.push_back({"polyhedral." + strategy, std::move(made->plan.steps)});
  }
  TESSERA_USER_CHECK(all.size() > 1) << "compare needs two kernels: several logs, or one and --planned";
  check_memory(task);
  search::CpuTaskMeasurer measurer(task, 1);
  std::vector<search::Trial> first;
  for (const Contender& c : all) first.push_back(trial_of(c, static_cast<int>(first.size())));
  std::vector<search::Trial> timed = measurer.remeasure(first);
  Json rows = Json::array();
  std::optional<double> reference;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto t = std::find_if(timed.begin(), timed.end(), [&](const search::Trial& o) { return o.candidate.trial == static_cast<int>(i); });
    TESSERA_ENVIRONMENT_CHECK(t != timed.end()) << "the kernel of " << all[i].name << " does not build";
    TESSERA_ENVIRONMENT_CHECK(t->ok()) << "the kernel of " << all[i].name << " ended with " << runtime::to_string(t->measurement.status) << ": " << t->measurement.message;
    const double seconds = static_cast<double>(t->measurement.median_ns()) * 1e-9;
    if (!reference) reference = seconds;
    rows.push_back(Json{{"name", all[i].name}, {"seconds", seconds}, {"speed", *reference / seconds}});
    if (!args.json) fmt::print("{:32}  {:>10}  {:.2f}\n", all[i].name, duration_text(seconds), *reference / seconds);
  }
  if (args.json) fmt::print("{}\n", dump_json(Json{{"op", task.op}, {"threads", task.threads}, {"kernels", rows}}));
  return 0;
}

}  // namespace tessera::autotune
