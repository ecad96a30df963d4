#include "search/contest.h"

#include <algorithm>

namespace tessera::search {

using driver::VerifyWhen;

polyhedral::Verdict verdict_of(const Task& task, const schedule::Plan& plan, const Verifier& verifier) {
  auto v = verifier ? verifier(task.dag, plan, task.target) : driver::verify(task.dag, plan, task.target);
  return v.ok() ? std::move(*v) : polyhedral::Verdict{{}, {{"plan", v.reason()}}};
}

std::size_t proved_first(VerifyWhen when, std::size_t count) {
  switch (when) {
    case VerifyWhen::kAlways: return count;
    case VerifyWhen::kBest: return std::min<std::size_t>(count, kFinalists);
    case VerifyWhen::kNever: break;
  }
  return 0;
}

Contest::Contest(const Task& task, ContestOptions options) : task_(task), options_(std::move(options)) {}

const polyhedral::Verdict* Contest::proof_of(const Trial& t) {
  if (options_.verify == VerifyWhen::kNever) return nullptr;
  const auto known = proofs_.find(t.candidate.trial);
  if (known != proofs_.end()) return &known->second;
  return &proofs_.emplace(t.candidate.trial, verdict_of(task_, t.candidate.steps, options_.verifier)).first->second;
}

Trial Contest::judged(Trial t) {
  const bool leads = t.ok() && (progress_.best_ns == 0 || t.measurement.min_ns() < progress_.best_ns);
  if (!t.ok() || (options_.verify == VerifyWhen::kBest && !leads)) return t;
  const polyhedral::Verdict* v = proof_of(t);
  if (v != nullptr && v->illegal()) t.measurement = runtime::failed_measurement(runtime::MeasureStatus::kIllegal, "verify", v->violations[0].what);
  return t;
}

Trial Contest::enter(Trial measured) {
  Trial t = judged(std::move(measured));
  ++progress_.trials;
  if (!t.ok()) {
    ++progress_.failed[std::string(runtime::to_string(t.measurement.status))];
    return t;
  }
  ++progress_.ok;
  ok_.push_back(t);
  const std::int64_t ns = t.measurement.min_ns();
  if (progress_.best_ns == 0 || ns < progress_.best_ns) {
    progress_.best_ns = ns;
    progress_.probe_gflops = t.measurement.median_probe_gflops();
  }
  return t;
}

/// What was never the best was not asked of; any finalist may be.
void Contest::keep_legal_finalists() {
  std::size_t legal = 0;
  while (legal < ok_.size() && legal < static_cast<std::size_t>(options_.finalists)) {
    const polyhedral::Verdict* v = proof_of(ok_[legal]);
    if (v != nullptr && v->illegal()) {
      ok_.erase(ok_.begin() + static_cast<std::ptrdiff_t>(legal));
    } else {
      ++legal;
    }
  }
}

std::optional<Trial> Contest::final_comparison(Measurer& measurer, const std::function<void(const Trial&)>& final_trial, bool stopped) {
  std::stable_sort(ok_.begin(), ok_.end(), [](const Trial& a, const Trial& b) { return a.measurement.min_ns() < b.measurement.min_ns(); });
  keep_legal_finalists();
  const auto n = std::min<std::size_t>(ok_.size(), static_cast<std::size_t>(options_.finalists));
  const std::vector<Trial> finalists(ok_.begin(), ok_.begin() + static_cast<std::ptrdiff_t>(n));
  if (ok_.empty()) return std::nullopt;
  if (finalists.empty()) return ok_.front();
  // Who interrupts wants the prompt back: the best trial then stands as it was measured.
  if (stopped) return finalists.front();
  std::vector<Trial> again = measurer.remeasure(finalists);
  std::erase_if(again, [](const Trial& t) { return !t.ok(); });
  std::stable_sort(again.begin(), again.end(), [](const Trial& a, const Trial& b) { return a.measurement.median_ns() < b.measurement.median_ns(); });
  if (final_trial) {
    for (const Trial& t : again) final_trial(t);
  }
  return again.empty() ? finalists.front() : again.front();
}

}  // namespace tessera::search
