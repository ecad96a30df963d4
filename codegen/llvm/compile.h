// Lowered program -> object file and its contract, through LLVM without IR passes: vectors, register
// tiles and addresses are emitted as they shall run (docs/decisions/0003).
#pragma once

#include <string>

#include "ir/program.h"
#include "ir/target.h"
#include "runtime/kernel_image.h"

namespace tessera::codegen {

/// Compiles a finished program (lower::finish) for a resolved CPU target. Refuses what the target
/// cannot do (a dtype without instructions) and what no kernel may need (stack beyond its limit).
Result<runtime::KernelImage> compile_cpu(const ir::Program& program, const ir::Target& target);

enum class CodeText { kLlvm, kAssembly };
/// The same code as text: LLVM IR or assembly.
Result<std::string> code_text(const ir::Program& program, const ir::Target& target, CodeText form);

}  // namespace tessera::codegen
