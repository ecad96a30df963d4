#include "driver/fuzz/emulated_check.h"

#include <cstring>
#include <set>

#include "codegen/cuda/print.h"
#include "ir/rewrite.h"
#include "runtime/emulator/emulator.h"

namespace tessera::driver {

namespace {

using runtime::emulator::ArgumentUse;
using runtime::emulator::EmulationRequest;

/// What the buffers of a program hold between its kernels.
struct Contents {
  std::vector<std::byte> bytes;
  bool written = false;
};

std::set<std::uint64_t> written_by(const ir::Stmt& body) {
  std::set<std::uint64_t> out;
  ir::walk(body, [&](const ir::Stmt& s) {
    if (const auto* n = s.as<ir::Store>()) out.insert(n->buffer->id);
    return true;
  });
  return out;
}

runtime::emulator::Extent3 extent(const runtime::Extent3& e) {
  return {static_cast<std::int32_t>(e.x), static_cast<std::int32_t>(e.y), static_cast<std::int32_t>(e.z)};
}

std::string difference(const ir::Tensor& expected, const std::vector<std::byte>& got) {
  ir::Tensor t = expected;
  if (got.size() < t.bytes.size()) return "is too short";
  std::memcpy(t.bytes.data(), got.data(), t.bytes.size());
  for (std::int64_t i = 0; i < expected.size(); ++i) {
    const bool real = expected.dtype.is_float();
    if (real ? expected.at(i).f == t.at(i).f : expected.at(i).i == t.at(i).i) continue;
    return "element " + std::to_string(i) + " is " + (real ? std::to_string(t.get(i)) : std::to_string(t.get_int(i))) + ", expected " +
           (real ? std::to_string(expected.get(i)) : std::to_string(expected.get_int(i)));
  }
  return "";
}

}  // namespace

PairOutcome check_emulated(const CheckedProgram& program, const ir::Program& finished, const EmulationChoice& choice) {
  const auto kernels = codegen::print_cuda(finished);
  if (!kernels.ok()) return {true, "print: " + kernels.reason()};
  std::map<std::uint64_t, Contents> memory;
  for (const ir::ProgramBuffer& b : finished.buffers) {
    Contents& c = memory[b.buffer->id];
    c.bytes.resize(static_cast<std::size_t>(b.buffer->layout.size() * b.buffer->dtype.bytes()));
    const auto input = program.inputs.find(b.buffer->name);
    const bool given = b.role == ir::BufferRole::kInput || b.role == ir::BufferRole::kConstant;
    if (!given || input == program.inputs.end()) continue;
    std::memcpy(c.bytes.data(), input->second.bytes.data(), std::min(c.bytes.size(), input->second.bytes.size()));
    c.written = true;
  }
  for (std::size_t i = 0; i < kernels->size(); ++i) {
    const codegen::CudaKernel& k = (*kernels)[i];
    const std::set<std::uint64_t> written = written_by(finished.find(finished.launches[i].function)->body);
    EmulationRequest request;
    request.text = k.text;
    request.entry = k.name;
    request.grid = extent(k.grid);
    request.block = extent(k.block);
    request.shared_bytes = k.shared_bytes;
    request.mode = choice.late ? runtime::emulator::EmulationMode::kLate : runtime::emulator::EmulationMode::kEager;
    request.seed = choice.seed;
    for (const ir::Buffer& b : k.parameters) {
      const Contents& c = memory.at(b->id);
      const ArgumentUse use = written.count(b->id) == 0 ? ArgumentUse::kRead : c.written ? ArgumentUse::kReadWrite : ArgumentUse::kWrite;
      request.arguments.push_back({use, c.bytes, {}});
    }
    const auto report = runtime::emulator::emulate(request);
    if (!report.ok()) return {false, "emulate " + k.name + ": " + report.reason()};
    if (!report->findings.empty()) return {false, "emulate " + k.name + ": " + runtime::emulator::to_string(report->findings[0])};
    for (std::size_t p = 0; p < k.parameters.size(); ++p) {
      if (written.count(k.parameters[p]->id) == 0) continue;
      Contents& c = memory.at(k.parameters[p]->id);
      c.bytes = report->outputs[p];
      c.written = true;
    }
  }
  for (const ir::ProgramBuffer& b : finished.buffers) {
    if (b.role != ir::BufferRole::kOutput) continue;
    const std::string why = difference(program.expected.at(b.buffer->name), memory.at(b.buffer->id).bytes);
    if (!why.empty()) return {false, "output " + b.buffer->name + " " + why};
  }
  return {};
}

}  // namespace tessera::driver
