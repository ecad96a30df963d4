#include "runtime/cpu/verify.h"

#include "runtime/cpu/compare.h"
#include "runtime/cpu/fault_guard.h"
#include "runtime/cpu/kernel_call.h"

namespace tessera::runtime {

namespace {

// 0xff is a NaN in every float width. An integer that looks like it by chance cannot also look like
// the second value.
constexpr std::byte kFirstPoison{0xff}, kSecondPoison{0xa5};

struct Round {
  std::string_view phase;
  const OperandSetView& operands;
  Placement placement;
  std::byte poison;
};

Measurement failure(MeasureStatus status, std::string_view phase, std::string message) {
  return failed_measurement(status, std::string(phase), std::move(message));
}

std::optional<Measurement> call(KernelCall call, const GuardedOperands& operands,
                                std::string_view phase) {
  const std::int32_t result = call();
  if (result != 0)
    return failure(MeasureStatus::kInternal, phase,
                   "the kernel returned " + std::to_string(result));
  if (const auto where = operands.overwritten())
    return failure(MeasureStatus::kOutOfBounds, phase, *where);
  return std::nullopt;
}

std::optional<Measurement> run_round(const KernelImage& image, const LoadedKernel& kernel,
                                     ThreadPool& pool, const Round& round, const StageSink& stage) {
  stage("allocate");
  auto operands = GuardedOperands::create(image, round.placement);
  if (!operands) return failure(MeasureStatus::kResource, "allocate", operands.reason());
  const OperandMemory& memory = operands->memory();
  poison(image, memory, round.poison, true);
  if (const Status loaded = load_operands(image, round.operands, memory); !loaded)
    return failure(MeasureStatus::kInternal, "allocate", loaded.reason());
  operands->protect(image, ArgumentRole::kInput);
  operands->protect(image, ArgumentRole::kConstant);
  if (image.has_phase(Phase::kPrepare)) {
    stage("prepare");
    if (auto failed =
            call(KernelCall(image, kernel, Phase::kPrepare, memory, pool), *operands, "prepare"))
      return failed;
  }
  operands->protect(image, ArgumentRole::kPrepared);
  poison(image, memory, round.poison, false);
  stage(round.phase);
  if (auto failed =
          call(KernelCall(image, kernel, Phase::kRun, memory, pool), *operands, round.phase))
    return failed;
  return check_outputs(image, round.operands, memory, round.poison, round.phase);
}

bool has_float_output(const KernelImage& image) {
  for (const ArgumentContract& a : image.arguments)
    if (a.role == ArgumentRole::kOutput && a.dtype.is_float()) return true;
  return false;
}

}  // namespace

std::optional<Measurement> check_outputs(const KernelImage& image, const OperandSetView& set,
                                         const OperandMemory& memory, std::byte poison,
                                         std::string_view phase) {
  for (std::size_t i = 0; i < image.arguments.size(); ++i) {
    const ArgumentContract& a = image.arguments[i];
    if (a.role != ArgumentRole::kOutput) continue;
    bool expected = false;
    for (const ExpectedView& e : set.outputs) {
      if (e.name != a.name) continue;
      expected = true;
      if (auto bad = compare_output(a, memory.arguments[i], e, poison, image.error_factor))
        return failure(bad->status, phase, bad->message);
    }
    if (!expected)
      return failure(MeasureStatus::kInternal, phase,
                     "nothing is known to expect of the output '" + a.name + "'");
  }
  return std::nullopt;
}

std::optional<Measurement> verify(const KernelImage& image, const LoadedKernel& kernel,
                                  const MappedDataSet& data, ThreadPool& pool,
                                  const StageSink& stage) {
  // Where an algorithm rounds otherwise than the definition, both rounds compare within bounds.
  const bool exact_arithmetic = image.error_factor == 1;
  const Round exact{exact_arithmetic ? "verify_exact" : "verify_bounded",
                    exact_arithmetic ? data.exact() : data.real(), Placement::kRight, kFirstPoison};
  auto failed = run_round(image, kernel, pool, exact, stage);
  forget_fault_regions();
  if (failed) return failed;
  const Round bounded{"verify_bounded", data.real(), Placement::kLeft,
                      has_float_output(image) ? kFirstPoison : kSecondPoison};
  failed = run_round(image, kernel, pool, bounded, stage);
  forget_fault_regions();
  return failed;
}

}  // namespace tessera::runtime
