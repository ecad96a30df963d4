// What a statement takes from outside.
#pragma once

#include <vector>

#include "ir/stmt.h"

namespace tessera::ir {

/// Buffers and variables that `body` uses and does not itself define, in order of first use.
struct Captures {
  std::vector<Buffer> buffers;
  std::vector<Var> vars;
};
Captures captures_of(const Stmt& body);

}  // namespace tessera::ir
