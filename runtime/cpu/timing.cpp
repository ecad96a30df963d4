#include "runtime/cpu/timing.h"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "runtime/cpu/timer.h"

namespace tessera::runtime {

namespace {

constexpr std::byte kPoison{0xff};
constexpr std::int64_t kMostRuns = 1 << 22;
constexpr double kSteadySpread = 1.01;  // between the two smallest samples
constexpr int kImplausibleRetries = 3;
/// A kernel so many samples long needs no warming up: its first run is a sample.
constexpr std::int64_t kLongRunSamples = 20;

std::int64_t involuntary_switches() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_nivcsw;
}

struct ProbeJob {
  ProbeKind kind;
  double* gflops;  // one per thread
};

std::int32_t probe_piece(std::int64_t begin, std::int64_t end, void* closure) {
  const auto& job = *static_cast<ProbeJob*>(closure);
  for (std::int64_t i = begin; i < end; ++i) job.gflops[i] = probe_gflops(job.kind);
  return 0;
}

}  // namespace

TimedKernel::TimedKernel(const KernelImage& image, const LoadedKernel& kernel,
                         const MappedDataSet& data, const MeasureOptions& options, ThreadPool& pool)
    : image_(image),
      kernel_(kernel),
      data_(data),
      options_(options),
      pool_(pool),
      probe_kind_(probe_kind(options.probe_dtype)) {}

std::int64_t TimedKernel::clock() const {
  return pool_.threads() == 1 ? thread_cpu_ns() : monotonic_ns();
}

std::int64_t TimedKernel::time_runs(std::int64_t runs) {
  const std::int64_t begin = clock();
  for (std::int64_t i = 0; i < runs; ++i) {
    const std::int32_t result = (*run_)();
    result_ = result_ == 0 ? result : result_;
  }
  return std::max<std::int64_t>(1, clock() - begin);
}

double TimedKernel::probe() const {
  std::vector<double> gflops(static_cast<std::size_t>(pool_.threads()));
  ProbeJob job{probe_kind_, gflops.data()};
  pool_.parallel_for(0, pool_.threads(), probe_piece, &job);
  double sum = 0;
  for (const double g : gflops) sum += g;
  return sum;
}

std::optional<Measurement> TimedKernel::begin() {
  auto operands = PlainOperands::create(image_);
  if (!operands) return failed_measurement(MeasureStatus::kResource, "allocate", operands.reason());
  operands_ = std::make_unique<PlainOperands>(*std::move(operands));
  const OperandMemory& memory = operands_->memory();
  poison(image_, memory, kPoison, true);
  if (const Status loaded = load_operands(image_, data_.real(), memory); !loaded)
    return failed_measurement(MeasureStatus::kInternal, "allocate", loaded.reason());
  if (image_.has_phase(Phase::kPrepare)) {
    KernelCall prepare(image_, kernel_, Phase::kPrepare, memory, pool_);
    const std::int64_t begin = clock();
    result_ = prepare();
    out_.prepare_ns = std::max<std::int64_t>(1, clock() - begin);
  }
  run_ = std::make_unique<KernelCall>(image_, kernel_, Phase::kRun, memory, pool_);
  first_run_ns_ = time_runs(1);
  std::int64_t one = first_run_ns_;
  // The first run also pays for cold caches: look again where a sample holds several.
  if (one < options_.sample_ns / 4) {
    const std::int64_t some = std::clamp<std::int64_t>(options_.sample_ns / 8 / one, 1, kMostRuns);
    one = std::max<std::int64_t>(1, time_runs(some) / some);
  }
  out_.runs_per_sample = std::clamp<std::int64_t>(options_.sample_ns / one, 1, kMostRuns);
  return std::nullopt;
}

void TimedKernel::warm() { time_runs(1); }

void TimedKernel::sample() {
  for (;;) {
    const std::int64_t before = involuntary_switches();
    const std::int64_t total = time_runs(out_.runs_per_sample);
    const bool disturbed = pool_.threads() > 1 && involuntary_switches() != before;
    if (disturbed && out_.disturbed_samples < options_.most_samples) {
      ++out_.disturbed_samples;
      continue;
    }
    const std::int64_t half = out_.runs_per_sample / 2;
    out_.samples_ns.push_back(std::max<std::int64_t>(1, (total + half) / out_.runs_per_sample));
    break;
  }
  out_.probe_gflops.push_back(probe());
}

bool TimedKernel::steady() const {
  std::vector<std::int64_t> sorted = out_.samples_ns;
  if (sorted.size() < 2) return false;
  std::partial_sort(sorted.begin(), sorted.begin() + 2, sorted.end());
  return static_cast<double>(sorted[1]) <= kSteadySpread * static_cast<double>(sorted[0]);
}

void TimedKernel::sample_by_policy() {
  const double give_up = options_.give_up_ratio * static_cast<double>(options_.incumbent_ns);
  const auto behind = [&] {
    return options_.incumbent_ns > 0 && static_cast<double>(out_.samples_ns.back()) > give_up;
  };
  if (first_run_ns_ >= kLongRunSamples * options_.sample_ns) {
    out_.samples_ns.push_back(first_run_ns_);
    out_.probe_gflops.push_back(probe());
  } else {
    sample();
  }
  out_.stopped_early = behind();
  if (out_.stopped_early) return;
  while (static_cast<int>(out_.samples_ns.size()) < options_.most_samples) {
    if (static_cast<int>(out_.samples_ns.size()) >= options_.fewest_samples && steady()) return;
    sample();
  }
}

bool TimedKernel::implausible() const {
  const double peak = *std::max_element(out_.probe_gflops.begin(), out_.probe_gflops.end());
  return rate() > options_.implausible_ratio * peak;
}

double TimedKernel::rate() const {
  const double operations = options_.fewest_operations * image_.work_share;
  return operations / static_cast<double>(out_.median_ns());
}

Measurement TimedKernel::finish() {
  if (result_ != 0)
    return failed_measurement(MeasureStatus::kInternal, "timing",
                              "the kernel returned " + std::to_string(result_));
  // A probe that met a busy moment makes an honest kernel look too fast: measure both again first.
  for (int i = 0; i < kImplausibleRetries && implausible(); ++i) sample();
  if (implausible()) {
    std::array<char, 128> text{};
    std::snprintf(text.data(), text.size(), "%.4g GFLOP/s on a machine that reaches %.4g",
                  rate(),
                  *std::max_element(out_.probe_gflops.begin(), out_.probe_gflops.end()));
    return failed_measurement(MeasureStatus::kImplausible, "timing", text.data());
  }
  if (options_.verify)
    if (auto failed =
            check_outputs(image_, data_.real(), operands_->memory(), kPoison, "verify_timed"))
      return *failed;
  out_.status = MeasureStatus::kOk;
  return out_;
}

}  // namespace tessera::runtime
