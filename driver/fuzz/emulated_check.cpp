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

}  // namespace

Result<std::map<std::string, ir::Tensor>> emulated(const ir::Program& finished, const std::map<std::string, ir::Tensor>& inputs,
                                                   const EmulationChoice& choice) {
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
    if (!report.ok()) return refuse("emulating ", k.name, ": ", report.reason());
    if (!report->findings.empty()) return refuse("emulating ", k.name, ": ", runtime::emulator::to_string(report->findings[0]));
    for (std::size_t p = 0; p < k.parameters.size(); ++p) {
      if (written.count(k.parameters[p]->id) == 0) continue;
      Contents& c = memory.at(k.parameters[p]->id);
      c.bytes = report->outputs[p];
      c.written = true;
    }
  }
  std::map<std::string, ir::Tensor> out;
  for (const ir::ProgramBuffer& b : finished.buffers) {
    if (b.role != ir::BufferRole::kOutput) continue;
    ir::Tensor t(b.buffer->dtype, b.buffer.extents());
    const std::vector<std::byte>& bytes = memory.at(b.buffer->id).bytes;
    std::memcpy(t.bytes.data(), bytes.data(), std::min(bytes.size(), t.bytes.size()));
    out.emplace(b.buffer->name, std::move(t));
  }
  return out;
}

PairOutcome check_emulated(const CheckedProgram& program, const ir::Program& finished, const EmulationChoice& choice) {
  const auto got = emulated(finished, program.inputs, choice);
  if (!got.ok()) return {false, got.reason()};
  for (const auto& [name, expected] : program.expected) {
    const auto it = got->find(name);
    if (it == got->end()) return {false, "output " + name + " is missing"};
    if (const std::string why = difference(name, expected, it->second); !why.empty()) return {false, why};
  }
  return {};
}

}  // namespace tessera::driver
