#pragma once

#include <llvm/Target/TargetMachine.h>

#include <memory>

#include "ir/target.h"

namespace tessera::codegen {

/// A target machine for a resolved target. One a thread is kept and reused (creation costs 0.5 ms).
llvm::TargetMachine& target_machine(const ir::Target& target);

}  // namespace tessera::codegen
