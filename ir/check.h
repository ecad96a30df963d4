// A cheap structural check, run after every pass under TESSERA_CHECK=1: what every later pass may
// rely on. It proves nothing about values; that is the verifier's and the interpreter's part.
#pragma once

#include "ir/program.h"

namespace tessera::ir {

struct CheckOptions {
  /// Accesses carry one flat offset into storage instead of one index a logical dimension.
  bool flat = false;
  /// No variable is bound at two places, not even at two whose scopes are apart. Copies that
  /// unrolling and partitioning make share the variables of their inner loops, so this is for
  /// single passes.
  bool bound_once = false;
};

/// Refuses, naming function and statement, when
///   a variable or buffer is used outside of its scope, or bound again inside of it;
///   an access has the wrong number of indices, or a type that is not the buffer's;
///   operands, conditions, predicates or lanes do not fit; a loop is not over i64 scalars;
///   a Reduce is left; a register buffer has a symbolic shape; a layout is of another shape;
///   a call or launch names no function above it or passes what its parameters are not;
///   an input or constant is stored into, or a prepared buffer outside of the prepare phase.
Status check_well_formed(const Program& program, const CheckOptions& options = {});

}  // namespace tessera::ir
