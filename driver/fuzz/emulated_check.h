// A finished CUDA program through the printer and the emulator, against the oracle.
#pragma once

#include "driver/fuzz/check_pair.h"

namespace tessera::driver {

struct EmulationChoice {
  bool late = false;       // asynchronous copies arrive late and at random
  std::uint64_t seed = 0;  // 0: threads and blocks in the order of their indices
};

/// Prints every kernel of `finished` (lower/, target cuda) and runs it on the CPU with these inputs, in the
/// order of the launches: the outputs by name. Refuses what the printer refuses, and with the first
/// finding of the emulator (race, bounds, divergence, ...).
Result<std::map<std::string, ir::Tensor>> emulated(const ir::Program& finished, const std::map<std::string, ir::Tensor>& inputs,
                                                   const EmulationChoice& choice);

/// The same with the exact inputs of `program`, held against what they must give.
PairOutcome check_emulated(const CheckedProgram& program, const ir::Program& finished, const EmulationChoice& choice);

}  // namespace tessera::driver
