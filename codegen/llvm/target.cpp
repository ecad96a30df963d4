#include "codegen/llvm/target.h"

#include <llvm/ADT/StringMap.h>
#include <llvm/MC/MCSubtargetInfo.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/TargetParser/Host.h>
#include <llvm/TargetParser/SubtargetFeature.h>

#include <map>
#include <mutex>
#include <sstream>

#include "codegen/llvm/detail/machine.h"

namespace tessera::codegen {

namespace {

void initialize_targets() {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeAllTargetInfos();
    llvm::InitializeAllTargets();
    llvm::InitializeAllTargetMCs();
    llvm::InitializeAllAsmPrinters();
    llvm::InitializeAllAsmParsers();
  });
}

std::string host_features() {
  // Sorted, so that the text of a target is the same in every process.
  std::map<std::string, bool> sorted;
  for (const auto& f : llvm::sys::getHostCPUFeatures()) sorted[f.getKey().str()] = f.getValue();
  std::string out;
  for (const auto& [name, on] : sorted) {
    if (on) out += (out.empty() ? "+" : ",+") + name;
  }
  return out;
}

Result<const llvm::Target*> lookup(const std::string& triple) {
  std::string error;
  const llvm::Target* t = llvm::TargetRegistry::lookupTarget(triple, error);
  if (t == nullptr) return refuse("unknown triple '", triple, "'");
  return t;
}

std::unique_ptr<llvm::MCSubtargetInfo> subtarget(const ir::Target& t) {
  const auto found = lookup(t.triple);
  if (!found.ok()) return nullptr;
  return std::unique_ptr<llvm::MCSubtargetInfo>((*found)->createMCSubtargetInfo(t.triple, t.cpu, t.features));
}

bool has(const llvm::MCSubtargetInfo& info, const char* feature) {
  return info.checkFeatures(std::string("+") + feature);
}

Status check_features(const llvm::MCSubtargetInfo& info, const std::string& features) {
  std::istringstream in(features);
  std::string word;
  while (std::getline(in, word, ',')) {
    const bool signed_word = word.size() > 1 && (word[0] == '+' || word[0] == '-');
    bool known = false;
    for (const auto& f : info.getAllProcessorFeatures()) known |= signed_word && word.substr(1) == f.Key;
    if (!known) return refuse("unknown CPU feature '", word, "'; a feature is written +name or -name");
  }
  return Done{};
}

}  // namespace

Result<ir::Target> resolve_cpu_target(const ir::Target& target) {
  initialize_targets();
  if (target.kind != ir::TargetKind::kCpu) return refuse("'", target.text(), "' is no CPU target");
  ir::Target t = target;
  const bool host_triple = t.triple.empty();
  if (host_triple) t.triple = llvm::sys::getDefaultTargetTriple();
  const bool foreign = llvm::Triple(t.triple).getArch() != llvm::Triple(llvm::sys::getDefaultTargetTriple()).getArch();
  if (t.cpu.empty()) {
    t.cpu = foreign ? "generic" : llvm::sys::getHostCPUName().str();
    // A virtual machine may hide features of its CPU model: what it reports counts.
    if (!foreign) t.features = host_features() + (t.features.empty() ? "" : "," + t.features);
  }
  TESSERA_TRY(registered, lookup(t.triple));
  const std::unique_ptr<llvm::MCSubtargetInfo> plain(registered->createMCSubtargetInfo(t.triple, "", ""));
  if (!plain->isCPUStringValid(t.cpu)) {
    return refuse("unknown CPU '", t.cpu, "' for ", t.triple, "; for example x86-64-v3, skylake-avx512, znver4");
  }
  TESSERA_TRY_DONE(check_features(*plain, target.features));
  const auto info = subtarget(t);
  const llvm::Triple triple(t.triple);
  if (triple.isX86()) {
    const bool avx512 = has(*info, "avx512f") && has(*info, "avx512vl") && has(*info, "avx512bw") && has(*info, "avx512dq");
    t.vector_bytes = avx512 ? 64 : has(*info, "avx") ? 32 : 16;
    t.vector_registers = avx512 ? 32 : 16;
  } else {
    t.vector_bytes = 16;
    t.vector_registers = 32;
  }
  return t;
}

std::vector<std::string> instruction_sets(const ir::Target& target) {
  initialize_targets();
  const auto info = subtarget(target);
  std::vector<std::string> out;
  if (!info) return out;
  // Tuning flags ("fast-...", "prefer-...") are no instructions; compare what a program can execute.
  static constexpr const char* kIsa[] = {"sse3", "ssse3", "sse4.1", "sse4.2", "avx", "avx2", "fma", "f16c", "bmi", "bmi2",
      "lzcnt", "popcnt", "movbe", "avx512f", "avx512vl", "avx512bw", "avx512dq", "avx512cd", "avx512vnni", "avx512bf16",
      "avx512fp16", "avx512vbmi", "avx512vbmi2", "avx512ifma", "avx512bitalg", "avx512vpopcntdq", "avxvnni", "gfni",
      "vaes", "vpclmulqdq", "aes", "pclmul", "sha", "fma4", "xop", "tbm", "amx-tile", "amx-int8", "amx-bf16", "neon", "sve", "sve2", "dotprod", "fullfp16"};
  for (const char* f : kIsa) {
    bool known = false;
    for (const auto& row : info->getAllProcessorFeatures()) known |= std::string(row.Key) == f;
    if (known && has(*info, f)) out.emplace_back(f);
  }
  return out;
}

bool runs_here(const ir::Target& target) {
  initialize_targets();
  const auto host = resolve_cpu_target({});
  if (!host.ok() || target.kind != ir::TargetKind::kCpu) return false;
  if (llvm::Triple(target.triple).getArch() != llvm::Triple(host->triple).getArch()) return false;
  const auto here = subtarget(*host);
  if (!here || !subtarget(target)) return false;
  for (const std::string& f : instruction_sets(target)) {
    if (!has(*here, f.c_str())) return false;
  }
  return true;
}

llvm::TargetMachine& target_machine(const ir::Target& t) {
  initialize_targets();
  thread_local std::map<std::string, std::unique_ptr<llvm::TargetMachine>> cache;
  std::unique_ptr<llvm::TargetMachine>& slot = cache[t.text()];
  if (!slot) {
    std::string error;
    const llvm::Target* registered = llvm::TargetRegistry::lookupTarget(t.triple, error);
    TESSERA_CHECK(registered != nullptr) << error;
    llvm::TargetOptions options;
    // a*b+c may become one fused multiply-add: integers in floats stay exact, bounds allow it.
    options.AllowFPOpFusion = llvm::FPOpFusion::Fast;
    options.EnableFastISel = false;
    slot.reset(registered->createTargetMachine(t.triple, t.cpu, t.features, options, llvm::Reloc::PIC_,
                                               llvm::CodeModel::Small, llvm::CodeGenOptLevel::Less));
    TESSERA_CHECK(slot != nullptr) << "LLVM has no code generator for " << t.text();
  }
  return *slot;
}

}  // namespace tessera::codegen
