#include <fmt/format.h>

#include <map>

#include "driver/compile.h"
#include "driver/reference.h"
#include "ir/cuda_arch.h"
#include "runtime/cuda/device.h"
#include "runtime/cuda/host.h"
#include "search/pack_run.h"
#include "search/session.h"
#include "support/version.h"
#include "tools/autotune/interrupt.h"
#include "tools/autotune/measure.h"
#include "tools/autotune/report.h"

namespace tessera::autotune {

namespace {

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

/// Times images of a pack, found by their trials.
class ImageMeasurer : public search::Measurer {
 public:
  ImageMeasurer(const search::Task& task, const tuning_logs::Pack& pack, std::uint64_t seed) {
    for (const tuning_logs::PackedCandidate& c : pack.candidates) candidates_[c.trial] = &c;
    options_.fewest_operations = 2 * task.dag.multiply_adds();
    options_.peak_gflops = search::peak_gflops(task);
    driver::Builder builder;
    runtime::CpuMeasurer cpu;
    measurer_.install(driver::make_reference(task.dag, driver::resolve_target("cpu"), seed, builder, cpu).data);
  }

  std::vector<search::Trial> measure(const std::vector<search::Candidate>& batch, std::int64_t incumbent_ns,
                                     const std::function<void(const search::Trial&)>& done, const std::function<bool()>& stop) override {
    std::vector<search::Trial> out;
    options_.incumbent_ns = incumbent_ns;
    for (const search::Candidate& c : batch) {
      const tuning_logs::PackedCandidate& packed = *candidates_.at(c.trial);
      search::Trial t = search::trial_of(packed);
      t.measurement = measurer_.measure(*packed.image, options_);
      done(t);
      out.push_back(std::move(t));
      if (stop()) break;
    }
    return out;
  }

  std::vector<search::Trial> remeasure(const std::vector<search::Trial>& best) override {
    std::vector<runtime::KernelImage> images;
    for (const search::Trial& t : best) images.push_back(*candidates_.at(t.candidate.trial)->image);
    runtime::CudaMeasureOptions options = options_;
    options.incumbent_ns = 0;
    options.samples = kFinalSamples;
    const std::vector<runtime::Measurement> again = measurer_.measure_interleaved(images, options);
    std::vector<search::Trial> out = best;
    for (std::size_t i = 0; i < out.size(); ++i) {
      const std::int64_t prepare_ns = out[i].measurement.prepare_ns;
      out[i].measurement = again[i];
      out[i].measurement.prepare_ns = prepare_ns;
    }
    return out;
  }

 private:
  std::map<int, const tuning_logs::PackedCandidate*> candidates_;  // by trial
  runtime::CudaMeasurer measurer_;
  runtime::CudaMeasureOptions options_;
};

class PackRun {
 public:
  PackRun(const OpenPack& pack, const MeasureArgs& args, std::string device) : pack_(pack), args_(args), device_(std::move(device)) {
    log_ = !args.log.empty() ? args.log : (pack.task.request.op.empty() ? "expr" : pack.task.request.op) + ".jsonl";
    session_.search.seed = static_cast<std::uint64_t>(pack.pack.header.seed);
    session_.tool = kToolVersion;
  }

  int run() {
    check_log_writable(log_);
    check_memory(pack_.task);
    ImageMeasurer measurer(pack_.task, pack_.pack, args_.seed);
    tuning_logs::LogWriter writer(log_, tuning_logs::make_header(pack_.task.target.text(), tuning_logs::this_machine(kToolVersion),
                                                                pack_.task.threads, pack_.pack.header.seed));
    catch_interrupts();
    search::SearchHooks hooks;
    hooks.stop = [] { return interrupted(); };
    hooks.trial = [&](const search::Trial& t) {
      writer.append(record_of(t, tuning_logs::RecordKind::kTrial));
      note(t);
    };
    hooks.final_trial = [&](const search::Trial& t) { writer.append(record_of(t, tuning_logs::RecordKind::kFinal), tuning_logs::Durability::kPower); };
    result_ = search::measure_pack(pack_.task, pack_.pack, {.verify = verify_when(args_.verify)}, measurer, hooks);
    print();
    return interrupted() ? 130 : result_.best ? 0 : 3;
  }

 private:
  tuning_logs::Record record_of(const search::Trial& t, tuning_logs::RecordKind kind) const {
    tuning_logs::Record r = search::to_record(t, pack_.task, session_, kind);
    r.machine.device = device_;
    return r;
  }

  void note(const search::Trial& t) {
    if (t.ok()) return;
    const std::string status(runtime::to_string(t.measurement.status));
    reasons_.try_emplace(status, fmt::format("trial {} ({}, {}): {}", t.candidate.trial, t.candidate.sketch, t.measurement.phase, t.measurement.message));
  }

  void print() const {
    const search::Progress& p = result_.progress;
    const std::optional<BestFigures> figures = result_.best ? std::optional(figures_of(pack_.task, result_.best->measurement)) : std::nullopt;
    if (args_.json) {
      Json j{{"op", pack_.task.op}, {"target", pack_.task.target.text()}, {"log", log_}, {"trials", p.trials}, {"ok", p.ok}, {"failed", Json::object()}};
      for (const auto& [status, n] : p.failed) j["failed"][status] = n;
      j["best"] = figures ? figures->json() : Json(nullptr);
      j["proof"] = result_.proof ? Json(to_string(*result_.proof)) : Json(nullptr);
      fmt::print("{}\n", dump_json(j));
      return;
    }
    fmt::print("{}: {} kernels of {} measured, {} ok", pack_.task.op, p.trials, args_.pack, p.ok);
    for (const auto& [status, n] : p.failed) fmt::print(", {} {}", n, status);
    fmt::print("\n");
    for (const auto& [status, why] : reasons_) fmt::print("  {}: {}\n", status, why);
    if (figures) fmt::print("best: {}  ({})\n", figures->text(), result_.best->candidate.sketch);
    if (result_.proof && !result_.proof->ok()) fmt::print("proof: {}\n", to_string(*result_.proof));
    fmt::print("log:  {}\n", log_);
  }

  const OpenPack& pack_;
  const MeasureArgs& args_;
  std::string device_;  // its name
  std::string log_;
  search::SessionOptions session_;
  search::SearchResult result_;
  std::map<std::string, std::string> reasons_;  // one example a status
};

}  // namespace

int run_on_device(const OpenPack& pack, const MeasureArgs& args) {
  return PackRun(pack, args, checked_device(pack, args.pack).name).run();
}

}  // namespace tessera::autotune
