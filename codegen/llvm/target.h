// CPU targets as LLVM knows them.
#pragma once

#include <string>
#include <vector>

#include "ir/target.h"

namespace tessera::codegen {

/// Fills what the text left open from this machine and checks the rest against LLVM's tables:
/// triple, CPU and features become explicit, vector width and register count follow from them.
/// Refuses names LLVM does not know.
Result<ir::Target> resolve_cpu_target(const ir::Target& target);

/// Whether code for `target` runs here: its features are a subset of this machine's.
bool runs_here(const ir::Target& target);

/// Instruction sets that code for a resolved target may use, by LLVM's names ("avx2", "fma", ...), in
/// a fixed order. Tuning flags are left out.
std::vector<std::string> instruction_sets(const ir::Target& target);

}  // namespace tessera::codegen
