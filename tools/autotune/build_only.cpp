#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <map>

#include "codegen/cuda/nvrtc.h"
#include "search/pack.h"
#include "support/version.h"
#include "tools/autotune/commands.h"
#include "tools/autotune/interrupt.h"

namespace tessera::autotune {

namespace {

/// What became of the candidates, by status and by sketch.
struct Outcome {
  int ok = 0, all = 0;
  std::map<std::string, int> failed;
  std::map<std::string, std::string> reasons;                  // one example a status
  std::map<std::string, std::pair<int, int>> sketches;         // compiled, all

  void count(const tuning_logs::PackedCandidate& c) {
    ++all;
    auto& [compiled, of] = sketches[c.sketch];
    ++of;
    if (c.image) {
      ++ok;
      ++compiled;
      return;
    }
    const std::string status(runtime::to_string(c.status));
    ++failed[status];
    reasons.try_emplace(status, fmt::format("trial {} ({}): {}", c.trial, c.sketch, c.message));
  }
  Json json() const {
    Json j;
    j["candidates"] = all;
    j["ok"] = ok;
    j["failed"] = Json::object();
    for (const auto& [status, n] : failed) j["failed"][status] = n;
    j["sketches"] = Json::object();
    for (const auto& [name, n] : sketches) j["sketches"][name] = Json{{"ok", n.first}, {"candidates", n.second}};
    return j;
  }
};

void print(const Outcome& o, const search::Task& task, const std::string& pack, double seconds) {
  fmt::print("{}: {} candidates of {} sketches in {:.1f} s for {}, {} compiled", task.op, o.all, o.sketches.size(), seconds, task.target.text(), o.ok);
  for (const auto& [status, n] : o.failed) fmt::print(", {} {}", n, status);
  fmt::print("\n");
  for (const auto& [status, why] : o.reasons) fmt::print("  {}: {}\n", status, why);
  fmt::print("pack: {}   autotune measure {} times it where a CUDA device is, measure {} --emulate checks it anywhere\n", pack, pack, pack);
}

/// What the packs before this one taught; UserError where the log has nothing of this task.
std::vector<search::Trial> measured_trials(const search::Task& task, const std::string& log) {
  std::vector<search::Trial> out = search::trials_of(task, tuning_logs::read_log(log));
  TESSERA_USER_CHECK(!out.empty()) << "'" << log << "' has no trial of " << task.op << " for " << task.target.text()
                                   << "; autotune measure PACK --log " << log << " writes some";
  return out;
}

/// A person's plan comes first; the last of the others makes room for it.
void put_first(const driver::PolyhedralPlan& plan, int most, int next_trial, std::vector<search::Candidate>& all) {
  search::Candidate given{.trial = all.empty() ? next_trial : all.front().trial, .sketch = search::sketch_of(plan, "given").sketch.name, .decisions = {}, .steps = plan.plan.steps};
  std::erase_if(all, [&](const search::Candidate& c) { return c.steps == given.steps; });
  all.insert(all.begin(), std::move(given));
  if (all.size() > static_cast<std::size_t>(most)) all.pop_back();
  for (std::size_t i = 1; i < all.size(); ++i) all[i].trial = all[0].trial + static_cast<int>(i);
}

}  // namespace

int run_build_only(const TuneArgs& args) {
  const auto start = std::chrono::steady_clock::now();
  TESSERA_USER_CHECK(!args.resume) << "--build-only measures nothing and has nothing to --resume: --log with the log of autotune measure goes on from what was measured";
  const search::Task task = make_task(args.problem);
  TESSERA_USER_CHECK(task.target.kind == ir::TargetKind::kCuda)
      << "--build-only is for CUDA targets, such as --target 'cuda -arch=sm_90a'; for '" << args.problem.target << "' candidates are measured as they are built";
  (void)codegen::needed_nvrtc();
  std::optional<driver::PolyhedralPlan> given;
  if (!args.decisions.empty()) given = planned_by_hand(task, args.decisions, args.search.verify);
  tuning_logs::PackHeader header;
  header.task = tuning_logs::make_task(task.dag, task.op, task.request);
  header.target = task.target.text();
  header.machine = tuning_logs::this_machine(kToolVersion);
  header.seed = static_cast<std::int64_t>(args.search.seed);
  tuning_logs::PackWriter writer(args.build_only, header);

  catch_interrupts();
  const std::vector<search::Trial> measured = args.log.empty() ? std::vector<search::Trial>{} : measured_trials(task, args.log);
  std::vector<search::Candidate> candidates =
      search::pack_candidates(task, {.count = args.trials, .seed = args.search.seed, .jobs = args.search.jobs, .path = path_of(args.search.path)}, measured);
  if (given) put_first(*given, args.trials, measured.empty() ? 0 : measured.back().candidate.trial + 1, candidates);
  Outcome outcome;
  const bool terminal = isatty(2) != 0;
  const auto done = [&](const tuning_logs::PackedCandidate& c) {
    writer.append(c);
    outcome.count(c);
    if (terminal) fmt::print(stderr, "\r{}/{} compiled ", outcome.all, candidates.size());
  };
  search::build_candidates(task, candidates, args.search.jobs, done, interrupted);
  if (terminal) fmt::print(stderr, "\n");
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (args.json) {
    Json j;
    j["op"] = task.op;
    j["target"] = task.target.text();
    j["pack"] = args.build_only;
    j["measured"] = measured.size();
    j.update(outcome.json());
    j["wall_seconds"] = seconds;
    fmt::print("{}\n", dump_json(j));
  } else {
    print(outcome, task, args.build_only, seconds);
  }
  if (interrupted()) return 130;
  return outcome.ok > 0 ? 0 : 3;
}

}  // namespace tessera::autotune
