#include "search/pack_emulation.h"

#include <algorithm>
#include <mutex>

#include "driver/compile.h"
#include "driver/fuzz/emulated_check.h"
#include "support/on_threads.h"
#include "support/rng.h"

namespace tessera::search {

namespace {

using tuning_logs::PackedCandidate;

constexpr std::size_t kMostReasons = 10;

/// Of those that compiled: `count` (0: all), one of each sketch in turn; in the order of the pack.
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
  std::sort(out.begin(), out.end());
  return out;
}

/// The text is printed again from the steps; it must be the one whose machine code the pack holds.
driver::PairOutcome emulate(const Task& task, const PackedCandidate& c, driver::EmulationOracle& oracle, const driver::EmulationChoice& choice) {
  const auto finished = driver::finished_program(task.dag, c.plan, task.target);
  if (!finished.ok()) return {true, finished.reason()};
  const auto hash = driver::source_hash(*finished);
  if (!hash.ok()) return {true, hash.reason()};
  if (*hash != c.image->build.source_hash) {
    return {true, "this version prints another text than the one that was compiled; compile the pack again with --build-only"};
  }
  return oracle.check(*finished, choice, c.image->error_factor);
}

class Emulation {
 public:
  Emulation(const Task& task, const PackEmulationOptions& options) : task_(task), options_(options), oracle_(task.dag, options.seed) {}

  void run(const PackedCandidate& c, std::size_t i, bool prove) {
    if (prove) {
      const polyhedral::Verdict v = verdict_of(task_, c.plan, options_.verifier);
      if (v.illegal()) return count(c, counts_.illegal, to_string(v));
    }
    // Threads in a shuffled order; every other kernel with copies that arrive late.
    const driver::PairOutcome got = emulate(task_, c, oracle_, {.late = i % 2 == 1, .seed = options_.seed + i});
    count(c, got.why.empty() ? counts_.ok : got.refused ? counts_.refused : counts_.wrong, got.why);
  }
  EmulationCounts counts() const { return counts_; }

 private:
  void count(const PackedCandidate& c, int& outcome, const std::string& why) {
    const std::lock_guard lock(counting_);
    ++outcome;
    if (why.empty() || counts_.reasons.size() >= kMostReasons) return;
    counts_.reasons.push_back("trial " + std::to_string(c.trial) + " (" + c.sketch + "): " + why);
  }

  const Task& task_;
  const PackEmulationOptions& options_;
  driver::EmulationOracle oracle_;
  std::mutex counting_;
  EmulationCounts counts_;
};

}  // namespace

EmulationCounts emulate_pack(const Task& task, const tuning_logs::Pack& pack, const PackEmulationOptions& options, const std::function<bool()>& stop) {
  const std::vector<const PackedCandidate*> chosen = sampled(pack, options.sample, options.seed);
  const std::size_t proved = proved_first(options.verify, chosen.size());
  Emulation emulation(task, options);
  on_threads(chosen.size(), options.jobs, stop, [&](std::size_t i) { emulation.run(*chosen[i], i, i < proved); });
  return emulation.counts();
}

}  // namespace tessera::search
