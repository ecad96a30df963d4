// CPU targets as LLVM knows them.
#pragma once

#include "ir/target.h"

namespace tessera::codegen {

/// Fills what the text left open from this machine and checks the rest against LLVM's tables:
/// triple, CPU and features become explicit, vector width and register count follow from them.
/// Refuses names LLVM does not know.
Result<ir::Target> resolve_cpu_target(const ir::Target& target);

/// Whether code for `target` runs here: its features are a subset of this machine's.
bool runs_here(const ir::Target& target);

}  // namespace tessera::codegen
