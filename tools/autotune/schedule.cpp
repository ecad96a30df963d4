#include <fmt/format.h>

#include "driver/polyhedral.h"
#include "driver/verify.h"
#include "tools/autotune/commands.h"
#include "tools/autotune/print_plan.h"

namespace tessera::autotune {

namespace {

void print_tree(const driver::PolyhedralPlan& p) {
  fmt::print("{}", polyhedral::to_string(p.nests));
  for (const auto& [name, value] : p.decisions.sizes) fmt::print("size {} {}\n", name, value);
  for (const std::string& r : p.plan.refused) fmt::print("refused: {}\n", r);
}

/// UserError (exit code 5) when the verifier finds the plan illegal.
void prove(const search::Task& task, const driver::PolyhedralPlan& p, const std::string& when) {
  if (verify_when(when) == driver::VerifyWhen::kNever) return;
  const polyhedral::Verdict v = driver::verify(task.dag, p.plan.steps, task.target).or_throw();
  if (v.illegal()) throw UserError("the plan does not compute the program: " + v.violations[0].what, 5);
  fmt::print(stderr, "proof: {}\n", to_string(v));
}

driver::PolyhedralPlan planned(const search::Task& task, const ScheduleArgs& args) {
  auto made = driver::polyhedral_plan(task.dag, task.target, task.threads, args.strategy);
  if (!made.ok()) throw UserError("the polyhedral path cannot plan '" + task.op + "': " + made.reason(), 3);
  prove(task, *made, args.verify);
  return std::move(*made);
}

}  // namespace

namespace {

schedule::PolyhedralDecisions read_decisions(const std::string& file) {
  const std::string text = read_text(file, "decisions");
  const auto json = parse_json(text);
  TESSERA_USER_CHECK(json.ok()) << file << ": " << json.reason();
  schedule::PolyhedralDecisions out;
  const Status read = read_json(*json, out);
  TESSERA_USER_CHECK(read.ok()) << file << ": " << read.reason();
  return out;
}

}  // namespace

driver::PolyhedralPlan planned_by_hand(const search::Task& task, const std::string& file, const std::string& verify) {
  const schedule::PolyhedralDecisions decisions = read_decisions(file);
  TESSERA_USER_CHECK(decisions.target == task.target.text()) << file << ": decisions are for '" << decisions.target << "', and the target is '" << task.target.text() << "'";
  auto made = driver::polyhedral_plan(task.dag, decisions);
  TESSERA_USER_CHECK(made.ok()) << file << ": " << made.reason();
  prove(task, *made, verify);
  return std::move(*made);
}

int run_schedule(const ScheduleArgs& args) {
  TESSERA_USER_CHECK(args.problem.given()) << "schedule needs a program: --op NAME, --preset NAME, --expr TEXT or --program FILE";
  const search::Task task = make_task(args.problem);
  const driver::PolyhedralPlan made = args.decisions.empty() ? planned(task, args) : planned_by_hand(task, args.decisions, args.verify);
  if (args.print == "tree") {
    print_tree(made);
  } else if (args.print == "decisions") {
    fmt::print("{}\n", dump_json(write_json(made.decisions)));
  } else {
    print_plan(task, made.plan.steps, args.print);
  }
  return 0;
}

}  // namespace tessera::autotune
