#include "driver/fuzz/fuzz.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include "codegen/cuda/print.h"
#include "driver/fuzz/check_pair.h"
#include "driver/fuzz/emulated_check.h"
#include "driver/fuzz/random_program.h"
#include "support/large_stack.h"

namespace tessera::driver {

namespace {

constexpr int kAttempts = 22;  // steps tried a schedule; about half are accepted
constexpr int kCudaAttempts = 40;  // a kernel with tiles takes more of them
constexpr std::int64_t kMostStatements = 3000;
constexpr std::size_t kKeptRefusals = 12;

bool is_cuda(const std::string& target) { return ir::parse_target(target).or_throw().kind == ir::TargetKind::kCuda; }

PairOutcome emulate(const CheckedProgram& program, const ir::Program& finished, const EmulationChoice& choice) {
  if (const auto printed = codegen::print_cuda(finished); !printed.ok()) return {true, printed.reason()};
  PairOutcome out = check_emulated(program, finished, choice);
  if (out.failed()) out.why = "emulated: " + out.why;
  return out;
}

lower::Options lowering(lower::Mutant mutant, int vector_bytes) {
  lower::Options o;
  o.name = "fuzz";
  o.mutant = mutant;
  o.vector_bytes = vector_bytes;
  o.max_statements = kMostStatements;
  return o;
}

/// "interpret build: C[3] is ..." -> "interpret build": shrinking keeps the kind of failure.
std::string kind_of(const std::string& why) { return why.substr(0, why.find(':')); }

class Shrinker {
 public:
  Shrinker(const CheckedProgram& program, const lower::Options& options, NativeCheck* native, const EmulationChoice* emulation)
      : program_(program), options_(options), native_(native), emulation_(emulation) {}

  /// Drops steps while the pair still fails in the same way.
  schedule::StepList shrink(schedule::StepList steps, std::string& why) {
    for (bool changed = true; changed;) {
      changed = false;
      for (std::size_t i = steps.size(); i-- > 0;) {
        schedule::StepList fewer = steps;
        fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
        if (!scheduled_ok(fewer)) continue;
        const std::string now = failure(fewer);
        if (kind_of(now) != kind_of(why)) continue;
        steps = std::move(fewer);
        why = now;
        changed = true;
      }
    }
    return steps;
  }

 private:
  bool scheduled_ok(const schedule::StepList& steps) const {
    const auto initial = schedule::State::initial(std::make_shared<const dsl::ComputeDag>(program_.dag));
    return initial.ok() && schedule::replay(*initial, steps).ok();
  }

  std::string failure(const schedule::StepList& steps) const {
    ir::Program finished;
    PairOutcome out = check_pair(program_, steps, options_, &finished);
    if (out.why.empty() && native_ != nullptr) out = native_->run(program_, finished, 2);
    if (out.why.empty() && emulation_ != nullptr) out = emulate(program_, finished, *emulation_);
    return out.failed() ? out.why : "";
  }

  const CheckedProgram& program_;
  const lower::Options& options_;
  NativeCheck* native_;
  const EmulationChoice* emulation_;
};

Json reproducer(const CheckedProgram& program, const schedule::StepList& steps, const FuzzOptions& options,
                const std::string& what) {
  Json j = Json::object();
  j["dag"] = to_json_value(program.dag);
  j["steps"] = write_json(steps);
  j["mutant"] = lower::to_string(options.mutant);
  j["target"] = is_cuda(options.target) ? "cuda" : "cpu";
  j["what"] = what;
  return j;
}

/// What one thread finds; merged in the order of programs.
class Worker {
 public:
  Worker(const FuzzOptions& options, std::atomic<int>& next, std::atomic<std::int64_t>& pairs,
         std::atomic<std::int64_t>& mismatches)
      : options_(options), cuda_(is_cuda(options.target)), next_(next), pairs_(pairs), found_(mismatches) {}

  FuzzReport report;

  void run() {
    std::optional<NativeCheck> native;
    if (options_.native_one_in > 0 && !cuda_) native.emplace(options_.target);
    native_ = native ? &*native : nullptr;
    while (found_ < options_.most_mismatches) {
      const int p = next_++;
      if (p >= options_.programs) return;
      program(p);
    }
  }

 private:
  void program(int p) {
    Rng rng(options_.seed, {static_cast<std::uint64_t>(p)});
    auto made = CheckedProgram::make(random_program(rng), options_.seed + static_cast<std::uint64_t>(p));
    TESSERA_CHECK(made.ok()) << "the oracle refuses a random program: " << made.reason();
    const CheckedProgram checked = std::move(*made);
    for (int s = 0; s < options_.schedules && found_ < options_.most_mismatches; ++s) {
      pair(checked, p, s);
      ++report.pairs;
      if (options_.progress) {
        const std::int64_t done = ++pairs_;
        if (done % 50 == 0) options_.progress(done, found_);
      }
    }
  }

  void pair(const CheckedProgram& checked, int p, int s) {
    Rng rng(options_.seed, {static_cast<std::uint64_t>(p), static_cast<std::uint64_t>(s)});
    WalkStatistics met;
    const auto initial = schedule::State::initial(std::make_shared<const dsl::ComputeDag>(checked.dag)).or_throw();
    const bool native = native_ != nullptr && (p * options_.schedules + s) % options_.native_one_in == 0;
    Walk walk{{}, initial};
    std::string why;
    try {
      walk = cuda_ ? random_cuda_schedule(initial, rng, static_cast<int>(rng.between(4, kCudaAttempts)), met)
                   : random_schedule(initial, rng, static_cast<int>(rng.between(2, kAttempts)), met);
    } catch (const std::exception& e) {
      why = std::string("walk: ") + e.what();
    }
    report.steps.add(met);
    if (why.empty() && !met.illegal_accepted.empty()) why = "illegal step accepted: " + met.illegal_accepted[0];
    static constexpr int kWidths[] = {16, 32, 64};
    lower::Options options = lowering(options_.mutant, native ? native_->target().vector_bytes : kWidths[rng.below(3)]);
    if (cuda_) options.target = ir::TargetKind::kCuda;
    const bool emulated = cuda_ && options_.native_one_in > 0 && (p * options_.schedules + s) % options_.native_one_in == 0;
    const EmulationChoice choice{.late = rng.chance(0.5), .seed = static_cast<std::uint64_t>(rng.below(3))};
    if (why.empty()) {
      ir::Program finished;
      PairOutcome out = check_pair(checked, walk.steps, options, native || emulated ? &finished : nullptr);
      if (out.why.empty() && native) {
        out = native_->run(checked, finished, 2);
        ++report.native;
      }
      if (out.why.empty() && emulated) {
        out = emulate(checked, finished, choice);
        ++report.native;
      }
      if (out.refused) {
        ++report.refused_lowering;
        if (report.refusals.size() < kKeptRefusals) report.refusals.push_back(out.why);
      }
      if (out.failed()) why = out.why;
      if (!why.empty() && options_.shrink) walk.steps = Shrinker(checked, options, why.starts_with("native") ? native_ : nullptr, why.starts_with("emulated") ? &choice : nullptr).shrink(walk.steps, why);
    }
    if (why.empty()) return;
    ++found_;
    report.mismatches.push_back({options_.seed, p, s, why, checked.dag.to_string(), reproducer(checked, walk.steps, options_, why)});
  }

  const FuzzOptions& options_;
  bool cuda_;
  std::atomic<int>& next_;
  std::atomic<std::int64_t>&pairs_, &found_;
  NativeCheck* native_ = nullptr;
};

void merge(FuzzReport& to, FuzzReport&& from) {
  to.pairs += from.pairs;
  to.native += from.native;
  to.refused_lowering += from.refused_lowering;
  for (std::string& r : from.refusals) {
    if (to.refusals.size() < kKeptRefusals) to.refusals.push_back(std::move(r));
  }
  to.steps.add(from.steps);
  for (Mismatch& m : from.mismatches) to.mismatches.push_back(std::move(m));
}

}  // namespace

FuzzReport fuzz(const FuzzOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  std::atomic<int> next{0};
  std::atomic<std::int64_t> pairs{0}, mismatches{0};
  FuzzReport out;
  std::mutex merging;
  std::exception_ptr error;
  std::vector<std::thread> threads;
  for (int t = 0; t < std::max(1, options.threads); ++t) {
    threads.emplace_back([&] {
      Worker worker(options, next, pairs, mismatches);
      try {
        run_with_large_stack([&] { worker.run(); });
      } catch (...) {
        const std::lock_guard lock(merging);
        error = std::current_exception();
        next = options.programs;
      }
      const std::lock_guard lock(merging);
      merge(out, std::move(worker.report));
    });
  }
  for (std::thread& t : threads) t.join();
  if (error) std::rethrow_exception(error);
  std::sort(out.mismatches.begin(), out.mismatches.end(), [](const Mismatch& a, const Mismatch& b) {
    return std::pair(a.program, a.schedule) < std::pair(b.program, b.schedule);
  });
  out.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return out;
}

Result<lower::Mutant> parse_mutant(const std::string& name) {
  std::string all;
  for (int i = 0; i < static_cast<int>(lower::Mutant::kCount); ++i) {
    const auto m = static_cast<lower::Mutant>(i);
    if (name == lower::to_string(m)) return m;
    all += (i ? ", " : "") + std::string(lower::to_string(m));
  }
  return refuse("unknown mutant '", name, "'; mutants are ", all);
}

Result<std::optional<std::string>> recheck(const Json& j) {
  TESSERA_TRY(dag_json, json_member(j, "dag"));
  dsl::ComputeDag dag;
  TESSERA_TRY_DONE(from_json_value(*dag_json, dag));
  TESSERA_TRY(steps_json, json_member(j, "steps"));
  schedule::StepList steps;
  TESSERA_TRY_DONE(read_json(*steps_json, steps));
  TESSERA_TRY(program, CheckedProgram::make(std::move(dag), 1));
  lower::Mutant mutant = lower::Mutant::kNone;
  if (j.contains("mutant")) {
    TESSERA_TRY(word, json_string(j["mutant"]));
    TESSERA_TRY(m, parse_mutant(word));
    mutant = m;
  }
  const bool cuda = j.contains("target") && j["target"] == "cuda";
  lower::Options options = lowering(mutant, 32);
  if (cuda) options.target = ir::TargetKind::kCuda;
  std::optional<std::string> out;
  run_with_large_stack([&] {
    ir::Program finished;
    PairOutcome o = check_pair(program, steps, options, &finished);
    for (std::uint64_t seed = 0; cuda && seed < 3 && o.why.empty(); ++seed) {
      for (const bool late : {false, true}) {
        if (o.why.empty()) o = emulate(program, finished, {.late = late, .seed = seed});
      }
    }
    if (o.failed()) out = o.why;
  });
  return out;
}

}  // namespace tessera::driver
