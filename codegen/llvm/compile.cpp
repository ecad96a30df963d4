#include "codegen/llvm/compile.h"

#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Verifier.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Support/SmallVectorMemoryBuffer.h>
#include <llvm/Support/raw_ostream.h>

#include <chrono>
#include <cstring>
#include <set>

#include "codegen/contracts.h"
#include "codegen/llvm/detail/emitter.h"
#include "codegen/llvm/detail/machine.h"
#include "ir/rewrite.h"

namespace tessera::codegen {

namespace {

struct Built {
  std::unique_ptr<llvm::LLVMContext> context;
  std::unique_ptr<llvm::Module> module;
  std::int64_t workspace_bytes = 0;
};

Result<Built> build_module(const ir::Program& program, const ir::Target& target) {
  Built out;
  out.context = std::make_unique<llvm::LLVMContext>();
  out.context->setDiscardValueNames(false);
  out.module = std::make_unique<llvm::Module>(program.name, *out.context);
  llvm::TargetMachine& machine = target_machine(target);
  out.module->setDataLayout(machine.createDataLayout());
  out.module->setTargetTriple(target.triple);
  try {
    Emitter emitter(*out.module, program, target);
    emitter.emit_program();
    out.workspace_bytes = emitter.workspace_bytes();
  } catch (const CannotCompile& e) {
    return Refusal{e.reason};
  }
  std::string problems;
  llvm::raw_string_ostream stream(problems);
  // Debian's LLVM has its assertions off: a malformed module would be undefined behaviour, not an error.
  TESSERA_CHECK(!llvm::verifyModule(*out.module, &stream)) << "LLVM rejects the module: " << problems;
  return out;
}

Result<llvm::SmallVector<char, 0>> run_backend(llvm::Module& module, const ir::Target& target, llvm::CodeGenFileType kind) {
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager passes;
  if (target_machine(target).addPassesToEmitFile(passes, stream, nullptr, kind)) return refuse("LLVM cannot write this kind of file for ", target.text());
  passes.run(module);
  return bytes;
}

/// Buffers with streaming stores: those are of whole cache lines, so they must begin on one.
std::set<std::uint64_t> streamed_buffers(const ir::Program& program) {
  std::set<std::uint64_t> out;
  for (const ir::Function& f : program.functions) {
    ir::walk(f.body, [&](const ir::Stmt& s) {
      if (const auto* store = s.as<ir::Store>(); store != nullptr && store->streaming) out.insert(store->buffer->id);
      return true;
    });
  }
  return out;
}

std::vector<runtime::ArgumentContract> contracts(const ir::Program& program) {
  const std::set<std::uint64_t> streamed = streamed_buffers(program);
  return argument_contracts(program, [&](const ir::ProgramBuffer& p) {
    const bool on_a_line = p.role == ir::BufferRole::kPrepared || streamed.count(p.buffer->id) != 0;
    return on_a_line ? 64 : p.buffer->dtype.bytes();
  });
}

}  // namespace

Result<runtime::KernelImage> compile_cpu(const ir::Program& program, const ir::Target& target) {
  const auto start = std::chrono::steady_clock::now();
  TESSERA_TRY(built, build_module(program, target));
  TESSERA_TRY(object, run_backend(*built.module, target, llvm::CodeGenFileType::ObjectFile));
  runtime::KernelImage image;
  image.target = target.text();
  image.object.resize(object.size());
  std::memcpy(image.object.data(), object.data(), object.size());
  image.workspace_bytes = built.workspace_bytes;
  image.arguments = contracts(program);
  for (const ir::LaunchSite& site : program.launches) {
    image.entries.push_back({site.function});
    runtime::Launch launch;
    launch.entry = site.function;
    launch.phase = site.phase == ir::RunPhase::kPrepare ? runtime::Phase::kPrepare : runtime::Phase::kRun;
    for (const ir::Buffer& b : site.arguments) {
      for (std::size_t i = 0; i < image.arguments.size(); ++i) {
        if (image.arguments[i].name == b->name) launch.arguments.push_back({runtime::LaunchArgumentKind::kTensor, static_cast<std::int64_t>(i)});
      }
    }
    image.launches.push_back(std::move(launch));
  }
  const std::chrono::duration<double, std::milli> ms = std::chrono::steady_clock::now() - start;
  image.build.compile_ms = ms.count();
  return image;
}

Result<std::string> code_text(const ir::Program& program, const ir::Target& target, CodeText form) {
  TESSERA_TRY(built, build_module(program, target));
  if (form == CodeText::kLlvm) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    built.module->print(stream, nullptr);
    return text;
  }
  TESSERA_TRY(bytes, run_backend(*built.module, target, llvm::CodeGenFileType::AssemblyFile));
  return std::string(bytes.begin(), bytes.end());
}

}  // namespace tessera::codegen
