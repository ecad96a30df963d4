#include "driver/fuzz/check_pair.h"

#include <atomic>
#include <cstring>

#include "codegen/llvm/compile.h"
#include "driver/compile.h"
#include "dsl/inputs.h"
#include "ir/check.h"
#include "ir/interpret.h"
#include "lower/pipeline.h"

namespace tessera::driver {

namespace {

constexpr std::int64_t kInterpreterSteps = 60'000'000;

PairOutcome failed(const std::string& where, const std::string& why) { return {false, where + ": " + why}; }

std::string value_text(const ir::Tensor& t, std::int64_t i) {
  return t.dtype.is_float() ? std::to_string(t.get(i)) : std::to_string(t.get_int(i));
}

std::string interpreted(const CheckedProgram& program, const ir::Program& lowered, bool flat) {
  ir::InterpretOptions options;
  options.flat = flat;
  options.max_steps = kInterpreterSteps;
  const auto got = ir::interpret(lowered, program.inputs, options);
  if (!got.ok()) return got.reason();
  std::size_t i = 0;
  for (const ir::ProgramBuffer& b : lowered.buffers) {
    if (b.role != ir::BufferRole::kOutput) continue;
    const std::string& name = b.buffer->name;
    const auto it = program.expected.find(name);
    if (it == program.expected.end()) return "unknown output " + name;
    if (std::string d = difference(name, it->second, (*got)[i++]); !d.empty()) return d;
  }
  return i == program.expected.size() ? "" : "an output is missing";
}

std::string round_trip(const schedule::StepList& steps) {
  const schedule::Plan plan = steps;
  const auto parsed = parse_json(dump_json(write_json(plan)));
  if (!parsed.ok()) return parsed.reason();
  schedule::Plan back;
  if (const Status s = read_json(*parsed, back); !s.ok()) return s.reason();
  return back == plan ? "" : "the steps that were read are not those that were written";
}

std::vector<std::byte> bytes_of(const ir::Tensor& t) {
  std::vector<std::byte> out(t.bytes.size());
  if (!out.empty()) std::memcpy(out.data(), t.bytes.data(), t.bytes.size());
  return out;
}

PairOutcome check(const CheckedProgram& program, const schedule::StepList& steps, const lower::Options& options,
                  ir::Program* finished) {
  if (const std::string why = round_trip(steps); !why.empty()) return failed("json", why);
  const auto state = scheduled(program.dag, steps);
  if (!state.ok()) return failed("replay", state.reason());
  auto built = lower::build(*state, options);
  if (!built.ok()) return {true, "build: " + built.reason()};
  if (const Status s = ir::check_well_formed(*built); !s.ok()) return failed("check build", s.reason());
  if (const std::string why = interpreted(program, *built, false); !why.empty()) return failed("interpret build", why);
  ir::Program p = std::move(*built);
  for (const lower::Pass& pass : lower::finish_passes(options.target)) {
    auto next = pass.run(p, options);
    if (!next.ok()) return {true, std::string(pass.name) + ": " + next.reason()};
    p = std::move(*next);
    if (const Status s = ir::check_well_formed(p, {.flat = pass.flat}); !s.ok()) return failed(std::string("check ") + pass.name, s.reason());
  }
  // Threads that meet at barriers are the emulator's to run.
  const bool sequential = options.target == ir::TargetKind::kCpu;
  if (std::string why = sequential ? interpreted(program, p, true) : ""; !why.empty()) {
    // Which pass was it? The first one after which the program is wrong.
    ir::Program q = *lower::build(*state, options);
    for (const lower::Pass& pass : lower::finish_passes(options.target)) {
      q = *pass.run(q, options);
      const std::string here = interpreted(program, q, pass.flat);
      if (!here.empty()) return failed(std::string("interpret ") + pass.name, here);
    }
    return failed("interpret finished", why);
  }
  if (finished != nullptr) *finished = std::move(p);
  return {};
}

}  // namespace

std::string difference(const std::string& name, const ir::Tensor& expected, const ir::Tensor& got) {
  if (expected.dtype != got.dtype || expected.shape != got.shape) return name + " has another type or shape";
  for (std::int64_t i = 0; i < expected.size(); ++i) {
    const bool same = expected.dtype.is_float() ? expected.at(i).f == got.at(i).f : expected.at(i).i == got.at(i).i;
    if (!same) return name + " element " + std::to_string(i) + " is " + value_text(got, i) + ", expected " + value_text(expected, i);
  }
  return "";
}

Result<CheckedProgram> CheckedProgram::make(dsl::ComputeDag dag, std::uint64_t seed) {
  static std::atomic<std::uint64_t> count{0};
  CheckedProgram out;
  out.number = ++count;
  out.dag = std::move(dag);
  out.inputs = dsl::make_inputs(out.dag, seed, dsl::InputKind::kExact);
  dsl::Evaluator evaluator(out.dag, out.inputs, dsl::EvaluateMode::kExact);
  for (const ir::Buffer& b : out.dag.outputs()) {
    TESSERA_TRY(t, evaluator.tensor(b->name));
    out.expected[b->name] = std::move(t);
  }
  return out;
}

runtime::DataSet CheckedProgram::data() const {
  runtime::DataSet d;
  for (const auto& [name, t] : inputs) d.exact.inputs.push_back({name, bytes_of(t)});
  for (const auto& [name, t] : expected) {
    runtime::ExpectedOutput e;
    e.name = name;
    e.values = bytes_of(t);
    d.exact.outputs.push_back(std::move(e));
  }
  d.real = d.exact;
  return d;
}

PairOutcome check_pair(const CheckedProgram& program, const schedule::StepList& steps, const lower::Options& options,
                       ir::Program* finished) {
  try {
    return check(program, steps, options, finished);
  } catch (const std::exception& e) {
    return failed("exception", e.what());
  }
}

NativeCheck::NativeCheck(const std::string& target) : target_(resolve_target(target)) {}

PairOutcome NativeCheck::run(const CheckedProgram& program, const ir::Program& finished, int threads) {
  try {
    const auto image = codegen::compile_cpu(finished, target_);
    if (!image.ok()) return {true, "codegen: " + image.reason()};
    if (installed_ != program.number) measurer_.install(program.data());
    installed_ = program.number;
    runtime::MeasureOptions options;
    options.threads = threads;
    options.sample_ns = 1;
    options.fewest_samples = options.most_samples = 1;
    const runtime::Measurement m = measurer_.measure(*image, options);
    if (m.ok()) return {};
    return failed("native " + m.phase, std::string(runtime::to_string(m.status)) + ": " + m.message);
  } catch (const std::exception& e) {
    return failed("native exception", e.what());
  }
}

}  // namespace tessera::driver
