#include "runtime/cpu/capture.h"

#include "runtime/cpu/kernel_call.h"
#include "runtime/wire.h"

namespace tessera::runtime {

namespace {

std::vector<std::string> entry_names(const KernelImage& image) {
  std::vector<std::string> names;
  for (const Entry& e : image.entries) names.push_back(e.name);
  return names;
}

/// One pass over `set` on fenced memory, so that a reference cannot read what it should not either.
Result<std::vector<std::vector<std::byte>>> run_on(const KernelImage& image, const LoadedKernel& kernel,
                                                   const OperandSetView& set, ThreadPool& pool) {
  TESSERA_TRY(operands, GuardedOperands::create(image, Placement::kRight));
  const OperandMemory& memory = operands.memory();
  poison(image, memory, std::byte{0xff}, true);
  TESSERA_TRY_DONE(load_operands(image, set, memory));
  for (const Phase phase : {Phase::kPrepare, Phase::kRun}) {
    if (!image.has_phase(phase)) continue;
    const std::int32_t result = KernelCall(image, kernel, phase, memory, pool)();
    if (result != 0) return refuse("the reference kernel returned ", result);
  }
  std::vector<std::vector<std::byte>> out;
  for (std::size_t i = 0; i < image.arguments.size(); ++i) {
    if (image.arguments[i].role != ArgumentRole::kOutput) continue;
    out.emplace_back(memory.arguments[i].begin(), memory.arguments[i].end());
  }
  return out;
}

}  // namespace

Capture capture_outputs(const KernelImage& image, const MeasureOptions& options, const MappedDataSet& data,
                        const StageSink& stage) {
  const auto failed = [](const std::string& why) {
    return Capture{failed_measurement(MeasureStatus::kInternal, "capture", why), {}, {}};
  };
  stage("link");
  auto kernel = LoadedKernel::load(image.object, entry_names(image));
  if (!kernel) return failed(kernel.reason());
  ThreadPool pool(options.threads);
  Capture out;
  stage("capture");
  auto exact = run_on(image, *kernel, data.exact(), pool);
  if (!exact) return failed(exact.reason());
  auto real = run_on(image, *kernel, data.real(), pool);
  if (!real) return failed(real.reason());
  out.exact = *std::move(exact);
  out.real = *std::move(real);
  out.result.status = MeasureStatus::kOk;
  out.result.samples_ns = {1};  // an ok measurement always has a sample; nobody reads this one
  return out;
}

std::vector<std::byte> encode(const Capture& capture) {
  WireWriter w;
  w.blob(encode(std::vector{capture.result}));
  for (const auto* set : {&capture.exact, &capture.real}) {
    w.list(*set, [&](const std::vector<std::byte>& b) { w.blob(b); });
  }
  return w.take();
}

Result<Capture> decode_capture(std::span<const std::byte> bytes) {
  WireReader r(bytes);
  Capture out;
  const auto result = r.blob();
  for (auto* set : {&out.exact, &out.real}) {
    r.list(8, [&] {
      const auto b = r.blob();
      set->emplace_back(b.begin(), b.end());
    });
  }
  if (!r.done()) return refuse("damaged capture of ", bytes.size(), " bytes");
  TESSERA_TRY(results, decode_measurements(result));
  if (results.size() != 1) return refuse("damaged capture");
  out.result = std::move(results.front());
  return out;
}

}  // namespace tessera::runtime
