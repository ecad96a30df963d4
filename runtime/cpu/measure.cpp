#include "runtime/cpu/measure.h"

#include "runtime/cpu/fault_guard.h"
#include "runtime/cpu/timing.h"

namespace tessera::runtime {

namespace {

/// What it takes to call an image, or why it cannot be called.
struct Linked {
  std::optional<LoadedKernel> kernel;
  std::optional<Measurement> failure;
};

Linked link(const KernelImage& image) {
  const auto refused = [](MeasureStatus status, std::string message) {
    return Linked{std::nullopt, failed_measurement(status, "link", std::move(message))};
  };
  if (!is_native_object(image.object))
    return refused(MeasureStatus::kUnsupportedTarget,
                   "the object code of '" + image.target + "' is not for this machine");
  if (image.per_thread_workspace_bytes != 0)
    return refused(MeasureStatus::kInternal,
                   "workspace per thread is not part of the CPU convention");
  std::vector<std::string> entries;
  for (const Entry& e : image.entries) entries.push_back(e.name);
  auto kernel = LoadedKernel::load(image.object, entries);
  if (!kernel) return refused(MeasureStatus::kCompileError, kernel.reason());
  return {*std::move(kernel), std::nullopt};
}

}  // namespace

Measurement measure_candidate(const KernelImage& image, const MeasureOptions& options,
                              const MappedDataSet& data, const StageSink& stage) {
  stage("link");
  const Linked linked = link(image);
  if (linked.failure) return *linked.failure;
  ThreadPool pool(options.threads, install_signal_stack);
  if (options.verify)
    if (auto failed = verify(image, *linked.kernel, data, pool, stage)) return *failed;
  stage("timing");
  TimedKernel timed(image, *linked.kernel, data, options, pool);
  if (auto failed = timed.begin()) return *failed;
  timed.sample_by_policy();
  return timed.finish();
}

std::vector<Measurement> measure_interleaved(const std::vector<KernelImage>& images,
                                             const MeasureOptions& options,
                                             const MappedDataSet& data, const StageSink& stage) {
  const std::size_t count = images.size();
  const auto at = [&](std::size_t i, std::string_view name) {
    stage(std::to_string(i) + ":" + std::string(name));
  };
  std::vector<Measurement> out(count);
  std::vector<Linked> linked;
  std::vector<std::unique_ptr<TimedKernel>> timed(count);  // null where something failed
  ThreadPool pool(options.threads, install_signal_stack);
  for (std::size_t i = 0; i < count; ++i) {
    at(i, "link");
    linked.push_back(link(images[i]));
  }
  for (std::size_t i = 0; i < count; ++i) {
    at(i, "timing");
    if (linked[i].failure) {
      out[i] = *linked[i].failure;
      continue;
    }
    timed[i] = std::make_unique<TimedKernel>(images[i], *linked[i].kernel, data, options, pool);
    if (auto failed = timed[i]->begin()) {
      out[i] = *failed;
      timed[i].reset();
    }
  }
  for (int round = 0; round < options.most_samples; ++round)
    for (std::size_t i = 0; i < count; ++i) {
      if (!timed[i]) continue;
      at(i, "timing");
      timed[i]->warm();
      timed[i]->sample();
    }
  for (std::size_t i = 0; i < count; ++i)
    if (timed[i]) out[i] = timed[i]->finish();
  return out;
}

}  // namespace tessera::runtime
