// Runs a lowered program on the host, watching every access: the oracle for what lowering made.
//
// Deterministic and single-threaded; parallel loops run in order, and two of their iterations that
// touch one element, one of them writing, are reported as a race. The block, cluster and thread
// loops of the GPU count as parallel; barriers, roles and channels do nothing, so hand-over between
// threads is reported too. Meaning of scalar operations: ir/arith.h.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ir/program.h"
#include "ir/tensor.h"

namespace tessera::ir {

struct InterpretOptions {
  /// Accesses carry one flat offset into storage instead of one index a logical dimension.
  bool flat = false;
  bool check_initialised = true;
  bool check_races = true;
  /// Also refuses a floating-point operation whose result is rounded.
  bool exact = false;
  /// Instructions, about one a scalar or vector operation; then the run is refused.
  std::int64_t max_steps = 20'000'000'000;
};

/// Runs all launches, prepare first, and gives the outputs in the order of the program's buffers.
/// `inputs` holds a tensor for every input and constant, by buffer name. Buffers live in their
/// physical layout. Refuses, naming function, statement and loop variables: an access outside of
/// its buffer, a read (or an output) of what nothing wrote, a race, a division by zero, a failed
/// assertion, symbolic shapes, tile operations, copies and atomics.
Result<std::vector<Tensor>> interpret(const Program& program,
                                      const std::map<std::string, Tensor>& inputs,
                                      const InterpretOptions& options = {});

}  // namespace tessera::ir
