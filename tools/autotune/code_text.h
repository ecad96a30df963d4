// Code of a finished program as text, in the forms that its target has.
#pragma once

#include <string>

#include "ir/program.h"
#include "ir/target.h"
#include "support/result.h"

namespace tessera::autotune {

/// The form nearest to what the processor runs: "asm", of CUDA targets "ptx".
std::string lowest_form(const ir::Target& target);

/// `form`: llvm or asm (CPU), cuda or ptx (CUDA). Refuses a form that the target does not have, naming those
/// it has. PTX comes from NVRTC: UserError with exit code 4 where there is none.
Result<std::string> code_text(const ir::Program& finished, const ir::Target& target, const std::string& form);

}  // namespace tessera::autotune
