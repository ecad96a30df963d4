#include <fmt/format.h>

#include "driver/polyhedral.h"
#include "ir/print.h"
#include "tools/autotune/code_text.h"
#include "tools/autotune/commands.h"
#include "tools/autotune/logged.h"
#include "tools/autotune/print_plan.h"

namespace tessera::autotune {

void print_plan(const search::Task& task, const schedule::Plan& plan, const std::string& form) {
  if (form == "steps") {
    fmt::print("{}\n", task.dag.to_string());
    for (const schedule::Step& s : driver::steps_of(task.dag, plan).or_throw()) fmt::print("{}\n", schedule::to_string(s));
    fmt::print("\n{}", driver::scheduled(task.dag, plan).or_throw().print_loops());
    return;
  }
  if (form == "loops") {
    fmt::print("{}", ir::to_string(driver::structured_loops(task.dag, plan, task.target).or_throw()));
    return;
  }
  const ir::Program p = driver::finished_program(task.dag, plan, task.target).or_throw();
  if (form == "ir") {
    fmt::print("{}", ir::to_string(p));
  } else {
    fmt::print("{}", code_text(p, task.target, form == "code" ? lowest_form(task.target) : form).or_throw());
  }
}

int run_show(const ShowArgs& args) {
  TESSERA_USER_CHECK(args.log.empty() || !args.problem.given()) << "show takes a log or --op, not both";
  TESSERA_USER_CHECK(!args.log.empty() || args.problem.given()) << "nothing to show: give a log, or --op NAME for its default plan";
  search::Task task;
  schedule::Plan plan;
  if (!args.log.empty()) {
    Logged logged = best_of_log(args.log, 0, "", false);
    task = std::move(logged.task);
    plan = std::move(logged.plan);
  } else {
    task = make_task(args.problem);
    plan = driver::default_plan(task.dag, task.target);
  }
  print_plan(task, plan, args.print);
  return 0;
}

}  // namespace tessera::autotune
