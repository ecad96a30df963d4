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

/// A flag that says how to search where kernels are measured, and would be without effect.
void check_flags(const TuneArgs& args) {
  TESSERA_USER_CHECK(!args.resume) << "--build-only measures nothing and has nothing to --resume: --log with the log of autotune measure goes on from what was measured";
  const SearchArgs& s = args.search;
  const char* unused = s.patience != 0 ? "--patience" : !s.with.empty() ? "--with" : !s.without.empty() ? "--without"
                       : !s.prior.empty() ? "--prior" : !s.transfer.empty() ? "--transfer" : nullptr;
  TESSERA_USER_CHECK(unused == nullptr) << unused << " is of searches that measure, not of --build-only; leave it out";
}

std::vector<search::Candidate> candidates_of(const search::Task& task, const TuneArgs& args, const std::vector<search::Trial>& measured) {
  search::PackOptions options{.count = args.trials, .seed = args.search.seed, .jobs = args.search.jobs, .path = path_of(args.search.path)};
  if (!args.decisions.empty()) options.planned = {search::sketch_of(planned_by_hand(task, args.decisions, args.search.verify), "given")};
  return search::pack_candidates(task, options, measured);
}

}  // namespace

int run_build_only(const TuneArgs& args) {
  const auto start = std::chrono::steady_clock::now();
  check_flags(args);
  const search::Task task = make_task(args.problem);
  TESSERA_USER_CHECK(task.target.kind == ir::TargetKind::kCuda)
      << "--build-only is for CUDA targets, such as --target 'cuda -arch=sm_90a'; for '" << args.problem.target << "' candidates are measured as they are built";
  (void)codegen::needed_nvrtc();
  tuning_logs::PackHeader header;
  header.task = tuning_logs::make_task(task.dag, task.op, task.request);
  header.target = task.target.text();
  header.machine = tuning_logs::this_machine(kToolVersion);
  header.seed = static_cast<std::int64_t>(args.search.seed);
  tuning_logs::check_pack_writable(args.build_only);
  catch_interrupts();
  const std::vector<search::Trial> measured = args.log.empty() ? std::vector<search::Trial>{} : measured_trials(task, args.log);
  const std::vector<search::Candidate> candidates = candidates_of(task, args, measured);
  tuning_logs::PackWriter writer(args.build_only, header);  // a pack that is there is replaced once there is another
  Outcome outcome;
  const bool terminal = isatty(2) != 0;
  const auto done = [&](const tuning_logs::PackedCandidate& c) {
    writer.append(c);
    outcome.count(c);
    if (terminal) fmt::print(stderr, "\r{}/{} compiled ", outcome.all, candidates.size());
  };
  search::build_candidates(task, candidates, {.jobs = args.search.jobs, .verify = verify_when(args.search.verify)}, done, interrupted);
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
