#include "driver/fuzz/emulated_check.h"

#include <cstring>
#include <set>

#include "codegen/cuda/print.h"
#include "dsl/inputs.h"
#include "ir/analysis/accesses.h"
#include "ir/rewrite.h"
#include "runtime/emulator/emulator.h"
#include "support/rng.h"

namespace tessera::driver {

namespace {

using runtime::emulator::ArgumentUse;
using runtime::emulator::EmulationRequest;

/// What the buffers of a program hold between its kernels.
struct Contents {
  std::vector<std::byte> bytes;
  bool written = false;
  std::vector<runtime::emulator::ByteRange> ranges;  // that the last kernel wrote
};

constexpr double kWholeGrids = 1 << 22;  // multiply-adds, or elements, up to which all blocks are emulated
constexpr int kRandomBlocks = 8;
constexpr std::size_t kMostCompared = 4096;

/// What threads do at least: multiply-adds, or elements where a program has none, as copies.
double work_of(const dsl::ComputeDag& dag) {
  double elements = 0;
  for (const dsl::Stage& s : dag.stages()) {
    if (!s.is_input()) elements += static_cast<double>(s.outputs[0]->layout.size());
  }
  return std::max(dag.flops() / 2, elements);
}

/// Whether a later launch takes what this one writes.
bool feeds_another(const ir::Program& program, std::size_t launch, const std::set<std::uint64_t>& written) {
  for (std::size_t i = launch + 1; i < program.launches.size(); ++i) {
    for (const ir::Buffer& b : program.launches[i].arguments) {
      if (written.count(b->id) != 0) return true;
    }
  }
  return false;
}

std::vector<std::int64_t> elements(const std::vector<runtime::emulator::ByteRange>& ranges, std::int64_t bytes) {
  std::vector<std::int64_t> out;
  for (const auto& r : ranges) {
    for (std::int64_t at = r.begin / bytes; at * bytes < r.end; ++at) out.push_back(at);
  }
  return out;
}

/// Both ends of what was written and random elements between, ascending.
std::vector<std::int64_t> thinned(const std::vector<std::int64_t>& written, std::uint64_t seed) {
  if (written.size() <= kMostCompared) return written;
  std::set<std::int64_t> out{written.front(), written.back()};
  Rng rng(seed, {0xe1e3});
  while (out.size() < kMostCompared) out.insert(rng.pick(written));
  return {out.begin(), out.end()};
}

runtime::emulator::Extent3 extent(const runtime::Extent3& e) {
  return {static_cast<std::int32_t>(e.x), static_cast<std::int32_t>(e.y), static_cast<std::int32_t>(e.z)};
}

/// As emulated; what the emulator finds goes into `finding`, and the outputs are then empty.
Result<std::map<std::string, EmulatedOutput>> run(const ir::Program& finished, const std::map<std::string, ir::Tensor>& inputs,
                                                  const EmulationChoice& choice, std::string& finding) {
  TESSERA_TRY(kernels, codegen::print_cuda(finished));
  std::map<std::uint64_t, Contents> memory;
  for (const ir::ProgramBuffer& b : finished.buffers) {
    Contents& c = memory[b.buffer->id];
    c.bytes.resize(static_cast<std::size_t>(b.buffer->layout.size() * b.buffer->dtype.bytes()));
    const auto input = inputs.find(b.buffer->name);
    const bool given = b.role == ir::BufferRole::kInput || b.role == ir::BufferRole::kConstant;
    if (!given || input == inputs.end()) continue;
    std::memcpy(c.bytes.data(), input->second.bytes.data(), std::min(c.bytes.size(), input->second.bytes.size()));
    c.written = true;
  }
  for (std::size_t i = 0; i < kernels.size(); ++i) {
    const codegen::CudaKernel& k = kernels[i];
    const std::set<std::uint64_t> written = ir::stored_buffers(finished.find(finished.launches[i].function)->body);
    EmulationRequest request;
    request.text = k.text;
    request.entry = k.name;
    request.grid = extent(k.grid);
    request.block = extent(k.block);
    request.shared_bytes = k.shared_bytes;
    request.mode = choice.late ? runtime::emulator::EmulationMode::kLate : runtime::emulator::EmulationMode::kEager;
    request.seed = choice.seed;
    if (k.waits_for_all) request.launches = 2;  // what it counts with is as it was
    if (choice.random_blocks && !k.waits_for_all && !feeds_another(finished, i, written)) {
      request.blocks = runtime::emulator::sample_blocks(request.grid, *choice.random_blocks, choice.seed);
    }
    for (const ir::Buffer& b : k.parameters) {
      const Contents& c = memory.at(b->id);
      const ArgumentUse use = written.count(b->id) == 0 ? ArgumentUse::kRead : c.written ? ArgumentUse::kReadWrite : ArgumentUse::kWrite;
      request.arguments.push_back({use, c.bytes, {}});
    }
    const auto report = runtime::emulator::emulate(request);
    if (!report.ok()) return refuse("emulating ", k.name, ": ", report.reason());
    if (!report->findings.empty()) {
      finding = k.name + ": " + runtime::emulator::to_string(report->findings[0]);
      return std::map<std::string, EmulatedOutput>{};
    }
    for (std::size_t p = 0; p < k.parameters.size(); ++p) {
      if (written.count(k.parameters[p]->id) == 0) continue;
      Contents& c = memory.at(k.parameters[p]->id);
      c.bytes = report->outputs[p];
      c.ranges = report->written[p];
      c.written = true;
    }
  }
  std::map<std::string, EmulatedOutput> out;
  for (const ir::ProgramBuffer& b : finished.buffers) {
    if (b.role != ir::BufferRole::kOutput) continue;
    ir::Tensor t(b.buffer->dtype, b.buffer.extents());
    const Contents& c = memory.at(b.buffer->id);
    std::memcpy(t.bytes.data(), c.bytes.data(), std::min(c.bytes.size(), t.bytes.size()));
    out[b.buffer->name] = {std::move(t), elements(c.ranges, b.buffer->dtype.bytes())};
  }
  return out;
}

}  // namespace

Result<std::map<std::string, EmulatedOutput>> emulated(const ir::Program& finished, const std::map<std::string, ir::Tensor>& inputs,
                                                       const EmulationChoice& choice) {
  std::string finding;
  TESSERA_TRY(out, run(finished, inputs, choice, finding));
  if (!finding.empty()) return refuse("emulating ", finding);
  return out;
}

PairOutcome check_emulated(const CheckedProgram& program, const ir::Program& finished, const EmulationChoice& choice) {
  const auto got = emulated(finished, program.inputs, choice);
  if (!got.ok()) return {false, got.reason()};
  for (const auto& [name, expected] : program.expected) {
    const auto it = got->find(name);
    if (it == got->end()) return {false, "output " + name + " is missing"};
    if (const std::string why = difference(name, expected, it->second.values); !why.empty()) return {false, why};
  }
  return {};
}

EmulationOracle::EmulationOracle(const dsl::ComputeDag& dag, std::uint64_t seed)
    : dag_(dag), seed_(seed), exact_(dsl::supports_exact(dag)), samples_blocks_(work_of(dag) > kWholeGrids) {}

EmulationOracle::Reference& EmulationOracle::reference(bool exact) {
  const std::lock_guard lock(evaluating_);
  const auto known = references_.find(exact);
  if (known != references_.end()) return known->second;
  auto inputs = dsl::make_inputs(dag_, seed_, exact ? dsl::InputKind::kExact : dsl::InputKind::kRandom);
  dsl::Evaluator evaluator(dag_, inputs, exact ? dsl::EvaluateMode::kExact : dsl::EvaluateMode::kBounded);
  return references_.emplace(exact, Reference{std::move(inputs), std::move(evaluator)}).first->second;
}

PairOutcome EmulationOracle::check(const ir::Program& finished, EmulationChoice choice, double error_factor) {
  if (samples_blocks_ && !choice.random_blocks) choice.random_blocks = kRandomBlocks;
  Reference& expected = reference(exact_ && error_factor == 1);
  std::string finding;
  const auto got = run(finished, expected.inputs, choice, finding);
  if (!got.ok()) return {true, got.reason()};
  if (!finding.empty()) return {false, finding};
  const std::lock_guard lock(evaluating_);
  for (const auto& [name, output] : *got) {
    const auto size = static_cast<std::size_t>(output.values.size());
    if (output.written.empty() || (!choice.random_blocks && output.written.size() != size)) {
      return {false, "of " + std::to_string(size) + " elements of " + name + " " + std::to_string(output.written.size()) + " were written"};
    }
    const auto verdict = expected.evaluator.compare(name, output.values, thinned(output.written, seed_), error_factor);
    if (!verdict.ok()) return {true, verdict.reason()};
    if (!verdict->ok()) return {false, verdict->first};
  }
  return {};
}

}  // namespace tessera::driver
