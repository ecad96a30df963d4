#include <fmt/format.h>

#include <algorithm>

#include "driver/compile.h"
#include "driver/reference.h"
#include "ir/cuda_arch.h"
#include "runtime/cuda/device.h"
#include "runtime/cuda/host.h"
#include "search/session.h"
#include "support/version.h"
#include "tools/autotune/interrupt.h"
#include "tools/autotune/measure.h"
#include "tools/autotune/report.h"

namespace tessera::autotune {

namespace {

constexpr int kBatch = 8;  // candidates of a pack count as batches of this size in its log
constexpr std::size_t kFinalists = 5;
constexpr int kFinalSamples = 15;

/// Machine code runs on devices of its own major version that are not older; that of sm_90a on 9.0 alone.
bool runs_on(const ir::CudaArch& arch, const runtime::CudaDevice& device) {
  const int capability = 10 * device.major + device.minor;
  const bool exact = std::string_view(arch.name).ends_with('a');
  return exact ? capability == arch.capability : capability / 10 == arch.capability / 10 && capability >= arch.capability;
}

runtime::CudaDevice checked_device(const OpenPack& pack, const std::string& path) {
  const std::string instead = "; autotune measure " + path + " --emulate checks its kernels here";
  const auto driver = runtime::open_cuda_driver();
  if (!driver.ok()) throw UserError(driver.reason() + instead, 4);
  const auto devices = runtime::cuda_devices(*driver);
  if (!devices.ok()) throw UserError(devices.reason() + instead, 4);
  const ir::CudaArch arch = ir::cuda_arch(pack.task.target.arch).or_throw();
  const runtime::CudaDevice& device = devices->front();
  if (!runs_on(arch, device)) {
    throw UserError(fmt::format("pack '{}' is for {}, this machine's device is a {} ({}.{})", path, arch.name, device.name, device.major, device.minor) + instead, 4);
  }
  return device;
}

/// What no kernel can beat, where every multiply-add is one of f32.
double peak_gflops(const search::Task& task) {
  for (const dsl::Stage& s : task.dag.stages()) {
    if (s.reduce() != nullptr && s.reduce()->sources[0].type() != ir::f32) return 0;
  }
  return 1000 * ir::cuda_arch(task.target.arch).or_throw().f32_tflops;
}

search::Trial trial_of(const tuning_logs::PackedCandidate& c) {
  search::Trial t;
  t.candidate = {c.trial, c.trial / kBatch, c.trial % kBatch, c.sketch, c.decisions, {}};
  if (const auto* steps = std::get_if<schedule::StepList>(&c.plan)) t.candidate.steps = *steps;
  t.compile_ms = c.compile_ms;
  if (!c.image) t.measurement = runtime::failed_measurement(c.status, "compile", c.message);
  return t;
}

class PackRun {
 public:
  PackRun(const OpenPack& pack, const MeasureArgs& args, std::string device) : pack_(pack), args_(args), device_(std::move(device)) {
    log_ = !args.log.empty() ? args.log : (pack.task.request.op.empty() ? "expr" : pack.task.request.op) + ".jsonl";
    session_.search.seed = static_cast<std::uint64_t>(pack.pack.header.seed);
    session_.tool = kToolVersion;
    options_.fewest_operations = 2 * pack.task.dag.multiply_adds();
    options_.peak_gflops = peak_gflops(pack.task);
  }

  int run() {
    check_log_writable(log_);
    check_memory(pack_.task);
    driver::Builder builder;
    runtime::CpuMeasurer cpu;
    measurer_.install(driver::make_reference(pack_.task.dag, driver::resolve_target("cpu"), args_.seed, builder, cpu).data);
    tuning_logs::LogWriter writer(log_, tuning_logs::make_header(pack_.task.target.text(), tuning_logs::this_machine(kToolVersion),
                                                                pack_.task.threads, pack_.pack.header.seed));
    catch_interrupts();
    for (const tuning_logs::PackedCandidate& c : pack_.pack.candidates) {
      if (interrupted()) break;
      measure(c, writer);
    }
    if (!interrupted()) compare_best(writer);
    print();
    return interrupted() ? 130 : best_ ? 0 : 3;
  }

 private:
  tuning_logs::Record record_of(const search::Trial& t, tuning_logs::RecordKind kind) const {
    tuning_logs::Record r = search::to_record(t, pack_.task, session_, kind);
    r.machine.device = device_;
    return r;
  }

  void measure(const tuning_logs::PackedCandidate& c, tuning_logs::LogWriter& writer) {
    search::Trial t = trial_of(c);
    if (c.image) t.measurement = measurer_.measure(*c.image, options_);
    writer.append(record_of(t, tuning_logs::RecordKind::kTrial));
    ++trials_;
    if (!t.ok()) {
      const std::string status(runtime::to_string(t.measurement.status));
      ++failed_[status];
      reasons_.try_emplace(status, fmt::format("trial {} ({}, {}): {}", c.trial, c.sketch, t.measurement.phase, t.measurement.message));
      return;
    }
    if (options_.incumbent_ns == 0 || t.measurement.min_ns() < options_.incumbent_ns) options_.incumbent_ns = t.measurement.min_ns();
    ok_.push_back({std::move(t), &c});
  }

  /// The fastest again, in turns.
  void compare_best(tuning_logs::LogWriter& writer) {
    std::stable_sort(ok_.begin(), ok_.end(), [](const auto& a, const auto& b) { return a.first.measurement.min_ns() < b.first.measurement.min_ns(); });
    ok_.resize(std::min(ok_.size(), kFinalists));
    std::vector<runtime::KernelImage> images;
    for (const auto& [trial, candidate] : ok_) images.push_back(*candidate->image);
    if (images.empty()) return;
    runtime::CudaMeasureOptions options = options_;
    options.incumbent_ns = 0;
    options.samples = kFinalSamples;
    const std::vector<runtime::Measurement> again = measurer_.measure_interleaved(images, options);
    for (std::size_t i = 0; i < ok_.size(); ++i) {
      search::Trial& t = ok_[i].first;
      const std::int64_t prepare_ns = t.measurement.prepare_ns;
      t.measurement = again[i];
      if (!t.ok()) continue;
      t.measurement.prepare_ns = prepare_ns;
      writer.append(record_of(t, tuning_logs::RecordKind::kFinal), tuning_logs::Durability::kPower);
      if (!best_ || t.measurement.median_ns() < best_->measurement.median_ns()) best_ = t;
    }
  }

  void print() const {
    const std::optional<BestFigures> figures = best_ ? std::optional(figures_of(pack_.task, best_->measurement)) : std::nullopt;
    int ok = trials_;
    for (const auto& [status, n] : failed_) ok -= n;
    if (args_.json) {
      Json j{{"op", pack_.task.op}, {"target", pack_.task.target.text()}, {"log", log_}, {"trials", trials_}, {"ok", ok}, {"failed", Json::object()}};
      for (const auto& [status, n] : failed_) j["failed"][status] = n;
      j["best"] = figures ? figures->json() : Json(nullptr);
      fmt::print("{}\n", dump_json(j));
      return;
    }
    fmt::print("{}: {} kernels of {} measured, {} ok", pack_.task.op, trials_, args_.pack, ok);
    for (const auto& [status, n] : failed_) fmt::print(", {} {}", n, status);
    fmt::print("\n");
    for (const auto& [status, why] : reasons_) fmt::print("  {}: {}\n", status, why);
    if (figures) fmt::print("best: {}  ({})\n", figures->text(), best_->candidate.sketch);
    fmt::print("log:  {}\n", log_);
  }

  const OpenPack& pack_;
  const MeasureArgs& args_;
  std::string device_;  // its name
  std::string log_;
  search::SessionOptions session_;
  runtime::CudaMeasurer measurer_;
  runtime::CudaMeasureOptions options_;
  int trials_ = 0;
  std::map<std::string, int> failed_;
  std::map<std::string, std::string> reasons_;  // one example a status
  std::vector<std::pair<search::Trial, const tuning_logs::PackedCandidate*>> ok_;
  std::optional<search::Trial> best_;
};

}  // namespace

int run_on_device(const OpenPack& pack, const MeasureArgs& args) {
  return PackRun(pack, args, checked_device(pack, args.pack).name).run();
}

}  // namespace tessera::autotune
