// What the arguments of a lowered program promise: the part of an image that all code generators share.
#pragma once

#include <functional>
#include <vector>

#include "ir/program.h"
#include "runtime/kernel_image.h"

namespace tessera::codegen {

/// One a buffer of the program that is no workspace, in its order. `alignment` says how many bytes the
/// pointer of a buffer must be a multiple of.
std::vector<runtime::ArgumentContract> argument_contracts(const ir::Program& program,
                                                          const std::function<int(const ir::ProgramBuffer&)>& alignment);

}  // namespace tessera::codegen
