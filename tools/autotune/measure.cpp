#include <fmt/format.h>

#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include "codegen/cuda/source.h"
#include "driver/compile.h"
#include "driver/fuzz/emulated_check.h"
#include "support/rng.h"
#include "tools/autotune/interrupt.h"
#include "tools/autotune/measure.h"

namespace tessera::autotune {

namespace {

using tuning_logs::PackedCandidate;

OpenPack open_pack(const std::string& path) {
  std::int64_t damaged = 0;
  OpenPack out{tuning_logs::read_pack(path, damaged), {}};
  if (damaged > 0) fmt::print(stderr, "autotune: {}: {} of its lines are damaged and left out\n", path, damaged);
  auto task = search::task_of(out.pack.header);
  TESSERA_ENVIRONMENT_CHECK(task.ok()) << "pack '" << path << "': " << task.reason();
  out.task = std::move(*task);
  return out;
}

/// Of those that compiled: `count` (0: all), one of each sketch in turn.
std::vector<const PackedCandidate*> sampled(const tuning_logs::Pack& pack, int count, std::uint64_t seed) {
  std::map<std::string, std::vector<const PackedCandidate*>> left;
  std::size_t all = 0;
  for (const PackedCandidate& c : pack.candidates) {
    if (!c.image) continue;
    left[c.sketch].push_back(&c);
    ++all;
  }
  const std::size_t wanted = count == 0 ? all : std::min(all, static_cast<std::size_t>(count));
  std::vector<const PackedCandidate*> out;
  Rng rng(seed, {0x5a3b});
  while (out.size() < wanted) {
    for (auto& [sketch, candidates] : left) {
      if (candidates.empty() || out.size() == wanted) continue;
      const auto at = rng.below(static_cast<std::int64_t>(candidates.size()));
      out.push_back(candidates[static_cast<std::size_t>(at)]);
      candidates.erase(candidates.begin() + at);
    }
  }
  return out;
}

/// The text is printed again from the steps; it must be the one whose machine code the pack holds.
driver::PairOutcome emulate(const OpenPack& pack, const PackedCandidate& c, driver::EmulationOracle& oracle, const driver::EmulationChoice& choice) {
  const auto finished = driver::finished_program(pack.task.dag, c.plan, pack.task.target);
  if (!finished.ok()) return {true, finished.reason()};
  const auto source = codegen::cuda_source(*finished);
  if (!source.ok()) return {true, source.reason()};
  if (source->image.build.source_hash != c.image->build.source_hash) {
    return {true, "this version prints another text than the one that was compiled; compile the pack again with --build-only"};
  }
  return oracle.check(*finished, choice, c.image->error_factor);
}

struct EmulationCounts {
  int ok = 0, wrong = 0, refused = 0;
  std::vector<std::string> reasons;  // of the first few that are not ok
};

EmulationCounts emulate_all(const OpenPack& pack, const std::vector<const PackedCandidate*>& chosen, const MeasureArgs& args) {
  constexpr std::size_t kMostReasons = 10;
  driver::EmulationOracle oracle(pack.task.dag, args.seed);
  EmulationCounts out;
  std::atomic<std::size_t> next{0};
  std::mutex counting;
  const auto work = [&] {
    for (std::size_t i = next++; i < chosen.size() && !interrupted(); i = next++) {
      const PackedCandidate& c = *chosen[i];
      // Threads in a shuffled order; every other kernel with copies that arrive late.
      const driver::PairOutcome got = emulate(pack, c, oracle, {.late = i % 2 == 1, .seed = args.seed + i});
      const std::lock_guard lock(counting);
      ++(got.why.empty() ? out.ok : got.refused ? out.refused : out.wrong);
      if (got.why.empty() || out.reasons.size() >= kMostReasons) continue;
      out.reasons.push_back(fmt::format("trial {} ({}): {}", c.trial, c.sketch, got.why));
    }
  };
  std::vector<std::thread> others;
  for (int j = 1; j < args.jobs; ++j) others.emplace_back(work);
  work();
  for (std::thread& t : others) t.join();
  return out;
}

int run_emulated(const OpenPack& pack, const MeasureArgs& args) {
  const std::vector<const PackedCandidate*> chosen = sampled(pack.pack, args.sample, args.seed);
  TESSERA_ENVIRONMENT_CHECK(!chosen.empty()) << "pack '" << args.pack << "' holds no kernel that compiled";
  catch_interrupts();
  const EmulationCounts counts = emulate_all(pack, chosen, args);
  if (args.json) {
    fmt::print("{}\n", dump_json(Json{{"op", pack.task.op}, {"target", pack.task.target.text()}, {"emulated", counts.ok + counts.wrong},
                                      {"ok", counts.ok}, {"wrong", counts.wrong}, {"refused", counts.refused}, {"reasons", counts.reasons}}));
  } else {
    fmt::print("{}: {} kernels emulated, {} right, {} wrong", pack.task.op, counts.ok + counts.wrong, counts.ok, counts.wrong);
    if (counts.refused > 0) fmt::print(", {} could not be emulated", counts.refused);
    fmt::print("\n");
    for (const std::string& r : counts.reasons) fmt::print("  {}\n", r);
  }
  if (interrupted()) return 130;
  return counts.wrong > 0 ? 5 : counts.ok == 0 ? 3 : 0;
}

}  // namespace

int run_measure(const MeasureArgs& args) {
  TESSERA_USER_CHECK(args.emulate || args.sample == 0) << "--sample is of --emulate";
  TESSERA_USER_CHECK(!args.emulate || args.log.empty()) << "--emulate takes no times, so it writes no --log";
  const OpenPack pack = open_pack(args.pack);
  return args.emulate ? run_emulated(pack, args) : run_on_device(pack, args);
}

}  // namespace tessera::autotune
