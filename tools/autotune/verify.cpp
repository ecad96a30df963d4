#include <fmt/format.h>

#include "driver/verify.h"
#include "tools/autotune/commands.h"
#include "tools/autotune/interrupt.h"
#include "tools/autotune/logged.h"
#include "tools/autotune/open_pack.h"

namespace tessera::autotune {

namespace {

/// One plan to judge.
struct Claim {
  std::string name;  // "log.jsonl, trial 3 (C.tile)"
  dsl::ComputeDag dag;
  schedule::Plan plan;
  std::string target;
};

std::vector<Claim> claims_of_log(const VerifyArgs& args) {
  const tuning_logs::LogContents contents = tuning_logs::read_records(args.file);
  if (const std::string damage = tuning_logs::describe_damage(contents.scan); !damage.empty()) {
    fmt::print(stderr, "autotune: {}: {}\n", args.file, damage);
  }
  std::vector<tuning_logs::Record> records = args.best ? tuning_logs::best_records(contents) : contents.records;
  std::erase_if(records, [](const tuning_logs::Record& r) { return r.kind != tuning_logs::RecordKind::kTrial && r.kind != tuning_logs::RecordKind::kFinal; });
  TESSERA_ENVIRONMENT_CHECK(!records.empty()) << "log '" << args.file << "' holds no record";
  std::vector<Claim> out;
  for (const tuning_logs::Record& r : records) {
    auto dag = tuning_logs::dag(r);
    TESSERA_ENVIRONMENT_CHECK(dag.ok()) << "log '" << args.file << "': a program cannot be read: " << dag.reason();
    out.push_back({fmt::format("{}, trial {} ({})", r.task.name, r.trial, r.sketch), std::move(*dag), r.plan, r.target});
  }
  return out;
}

std::vector<Claim> claims_of_pack(const VerifyArgs& args) {
  TESSERA_USER_CHECK(!args.best) << "--best is of a log: nobody has compared the kernels of pack '" << args.file << "'";
  const OpenPack opened = open_pack(args.file);
  TESSERA_ENVIRONMENT_CHECK(!opened.pack.candidates.empty()) << "pack '" << args.file << "' holds no candidate";
  std::vector<Claim> out;
  for (const tuning_logs::PackedCandidate& c : opened.pack.candidates) {
    out.push_back({fmt::format("{}, trial {} ({})", opened.task.op, c.trial, c.sketch), opened.task.dag, c.plan, opened.task.target.text()});
  }
  return out;
}

std::vector<Claim> claims(const VerifyArgs& args) {
  TESSERA_USER_CHECK(args.file.empty() || !args.problem.given()) << "give a log, a pack or a program, one of them";
  if (!args.file.empty()) return tuning_logs::is_pack(args.file) ? claims_of_pack(args) : claims_of_log(args);
  const search::Task task = make_task(args.problem);
  return {{task.op + ", default plan", task.dag, driver::default_plan(task.dag, task.target), task.target.text()}};
}

/// What a record says may be no plan of its program, or for no target: unknown, and the others are judged.
polyhedral::Verdict verdict_of(const Claim& c, const polyhedral::VerifyOptions& options) {
  std::string why;
  try {
    auto v = driver::verify(c.dag, c.plan, driver::resolve_target(c.target), options);
    if (v.ok()) return std::move(*v);
    why = v.reason();
  } catch (const UserError& e) {
    why = e.what();
  }
  return {{}, {{"plan", why}}};
}

}  // namespace

int run_verify(const VerifyArgs& args) {
  const std::vector<Claim> all = claims(args);
  const polyhedral::VerifyOptions options{.limit = std::chrono::milliseconds(args.limit_ms)};
  int legal = 0, illegal = 0, unknown = 0;
  Json findings = Json::array();
  catch_interrupts();
  for (const Claim& c : all) {
    if (interrupted()) break;
    const polyhedral::Verdict v = verdict_of(c, options);
    if (v.ok()) {
      ++legal;
      continue;
    }
    ++(v.illegal() ? illegal : unknown);
    if (args.json) {
      findings.push_back(Json{{"schedule", c.name}, {"verdict", v.illegal() ? "illegal" : "unknown"}, {"why", to_string(v)}});
    } else {
      fmt::print("{}: {}\n", c.name, to_string(v));
    }
  }
  if (args.json) {
    fmt::print("{}\n", dump_json(Json{{"schedules", legal + illegal + unknown}, {"legal", legal}, {"illegal", illegal}, {"unknown", unknown}, {"findings", findings}}));
  } else {
    fmt::print("{} schedules: {} proved, {} illegal, {} not decided\n", legal + illegal + unknown, legal, illegal, unknown);
  }
  if (interrupted()) return 130;
  return illegal > 0 ? 5 : unknown > 0 ? 3 : 0;
}

}  // namespace tessera::autotune
