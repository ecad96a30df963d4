#include <fmt/format.h>

#include "driver/compile.h"
#include "ir/print.h"
#include "tools/autotune/code_text.h"
#include "tools/autotune/commands.h"
#include "tools/autotune/logged.h"

namespace tessera::autotune {

namespace {

void print_steps(const search::Task& task, const schedule::Plan& plan) {
  fmt::print("{}\n", task.dag.to_string());
  if (const auto* steps = std::get_if<schedule::StepList>(&plan)) {
    for (const schedule::Step& s : *steps) fmt::print("{}\n", schedule::to_string(s));
  }
  fmt::print("\n{}", driver::scheduled(task.dag, plan).or_throw().print_loops());
}

}  // namespace

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
  if (args.print == "steps") {
    print_steps(task, plan);
  } else if (args.print == "loops") {
    fmt::print("{}", ir::to_string(driver::structured_loops(task.dag, plan, task.target).or_throw()));
  } else {
    const ir::Program p = driver::finished_program(task.dag, plan, task.target).or_throw();
    if (args.print == "ir") {
      fmt::print("{}", ir::to_string(p));
    } else {
      const std::string form = args.print == "code" ? lowest_form(task.target) : args.print;
      fmt::print("{}", code_text(p, task.target, form).or_throw());
    }
  }
  return 0;
}

}  // namespace tessera::autotune
