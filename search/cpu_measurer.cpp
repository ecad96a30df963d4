#include "search/cpu_measurer.h"

#include <algorithm>

#include "runtime/cpu/cpu_info.h"

namespace tessera::search {

namespace {

std::uint64_t object_hash(const runtime::KernelImage& image) {
  return hash_bytes({reinterpret_cast<const char*>(image.object.data()), image.object.size()});
}

Trial built_trial(const Candidate& c, const driver::BuildResult& built) {
  Trial t;
  t.candidate = c;
  t.compile_ms = built.wall_ms;
  if (built.image) {
    t.object_hash = object_hash(*built.image);
  } else {
    t.measurement = runtime::failed_measurement(built.status, "compile", built.message);
  }
  return t;
}

/// The dtype whose multiply-adds the program consists of: that of its first sum, else of an output.
ir::Type work_dtype(const dsl::ComputeDag& dag) {
  for (const dsl::Stage& s : dag.stages()) {
    if (s.reduce() != nullptr) return s.reduce()->sources[0].type();
  }
  return dag.outputs()[0]->dtype;
}

}  // namespace

CpuTaskMeasurer::CpuTaskMeasurer(const Task& task, std::uint64_t seed) : task_(task) {
  reference_ = driver::make_reference(task.dag, task.target, seed, builder_, runner_);
  runner_.install(reference_.data);
  // Timing one thread by its own CPU time does not mind a compiler on another core.
  overlap_ = task.threads == 1 && runtime::cpu_info().cores > 1;
}

runtime::MeasureOptions CpuTaskMeasurer::options(std::int64_t incumbent_ns) const {
  runtime::MeasureOptions o;
  o.threads = task_.threads;
  o.incumbent_ns = incumbent_ns;
  o.probe_dtype = work_dtype(task_.dag);
  o.fewest_operations = 2 * task_.dag.multiply_adds();
  // Checking runs a kernel twice, timing some more: slow programs get time in proportion.
  const double default_seconds = task_.dag.flops() / 5e8;
  o.limits.wall_ns = static_cast<std::int64_t>(1e9 * std::min(600.0, 10 + 8 * default_seconds));
  return o;
}

std::vector<Trial> CpuTaskMeasurer::measure(const std::vector<Candidate>& batch, std::int64_t incumbent_ns,
                                            const std::function<void(const Trial&)>& done,
                                            const std::function<bool()>& stop) {
  std::vector<Trial> out;
  const auto start_build = [&](std::size_t i) {
    if (i < batch.size()) builder_.start(task_.dag, batch[i].steps, task_.target);
  };
  start_build(0);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const driver::BuildResult built = builder_.finish();
    Trial t = built_trial(batch[i], built);
    if (overlap_) start_build(i + 1);
    if (built.image) {
      t.measurement = runner_.measure(*built.image, options(incumbent_ns));
      if (t.ok() && (incumbent_ns == 0 || t.measurement.min_ns() < incumbent_ns)) incumbent_ns = t.measurement.min_ns();
    }
    done(t);
    out.push_back(std::move(t));
    const bool leave = stop();
    if (leave && overlap_ && i + 1 < batch.size()) (void)builder_.finish();
    if (leave) break;
    if (!overlap_) start_build(i + 1);
  }
  return out;
}

std::vector<Trial> CpuTaskMeasurer::remeasure(const std::vector<Trial>& best) {
  std::vector<runtime::KernelImage> images;
  std::vector<Trial> out;
  for (const Trial& t : best) {
    const driver::BuildResult built = builder_.build(task_.dag, t.candidate.steps, task_.target);
    if (!built.image) continue;
    images.push_back(*built.image);
    Trial again = built_trial(t.candidate, built);
    again.measurement.prepare_ns = t.measurement.prepare_ns;
    out.push_back(std::move(again));
  }
  runtime::MeasureOptions o = options(0);
  // Thirty samples each, or as many as fit half a second of the slowest.
  std::int64_t slowest = o.sample_ns;
  for (const Trial& t : best) slowest = std::max(slowest, t.measurement.min_ns());
  o.most_samples = static_cast<int>(std::clamp<std::int64_t>(500'000'000 / slowest, 5, 30));
  o.fewest_samples = o.most_samples;
  const std::vector<runtime::Measurement> results = runner_.measure_interleaved(images, o);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::int64_t prepare = out[i].measurement.prepare_ns;
    out[i].measurement = results[i];
    if (out[i].measurement.prepare_ns == 0) out[i].measurement.prepare_ns = prepare;
  }
  return out;
}

}  // namespace tessera::search
