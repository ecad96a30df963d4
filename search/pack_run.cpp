#include "search/pack_run.h"

#include "ir/cuda_arch.h"

namespace tessera::search {

namespace {

constexpr int kBatch = 8;  // candidates of a pack count as batches of this size in its log

}  // namespace

Trial trial_of(const tuning_logs::PackedCandidate& c) {
  Trial t;
  t.candidate = {c.trial, c.trial / kBatch, c.trial % kBatch, c.sketch, c.decisions, {}};
  if (const auto* steps = std::get_if<schedule::StepList>(&c.plan)) t.candidate.steps = *steps;
  t.compile_ms = c.compile_ms;
  const char* phase = c.status == runtime::MeasureStatus::kIllegal ? "verify" : "compile";
  if (!c.image) t.measurement = runtime::failed_measurement(c.status, phase, c.message);
  return t;
}

SearchResult measure_pack(const Task& task, const tuning_logs::Pack& pack, const ContestOptions& options, Measurer& measurer, const SearchHooks& hooks) {
  Contest contest(task, options);
  contest.progress().wanted = static_cast<int>(pack.candidates.size());
  SearchResult out;
  const auto done = [&](const Trial& measured) {
    const Trial t = contest.enter(measured);
    if (hooks.trial) hooks.trial(t);
    if (hooks.progress) hooks.progress(contest.progress());
  };
  for (const tuning_logs::PackedCandidate& c : pack.candidates) {
    out.stopped = hooks.stop();
    if (out.stopped) break;
    const Trial t = trial_of(c);
    if (c.image) {
      (void)measurer.measure({t.candidate}, contest.progress().best_ns, done, hooks.stop);
    } else {
      done(t);
    }
  }
  out.stopped = out.stopped || hooks.stop();
  out.best = contest.final_comparison(measurer, hooks.final_trial, out.stopped);
  if (const polyhedral::Verdict* proof = out.best ? contest.proof_of(*out.best) : nullptr) out.proof = *proof;
  out.progress = contest.progress();
  return out;
}

double peak_gflops(const Task& task) {
  if (task.target.allow_tf32) return 0;
  for (const dsl::Stage& s : task.dag.stages()) {
    if (s.reduce() != nullptr && s.reduce()->sources[0].type() != ir::f32) return 0;
  }
  return 1000 * ir::cuda_arch(task.target.arch).or_throw().f32_tflops;
}

}  // namespace tessera::search
