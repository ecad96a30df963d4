// A finished CUDA program through the printer and the emulator, against the oracle.
#pragma once

#include "driver/fuzz/check_pair.h"

namespace tessera::driver {

struct EmulationChoice {
  bool late = false;       // asynchronous copies arrive late and at random
  std::uint64_t seed = 0;  // 0: threads and blocks in the order of their indices
};

/// Prints every kernel of `finished` (lower/, target cuda) and runs it on the CPU with the exact inputs of
/// `program`, in the order of the launches. Failed: a finding of the emulator (race, bounds, divergence,
/// ...), or an output that differs. Refused: what the printer refuses.
PairOutcome check_emulated(const CheckedProgram& program, const ir::Program& finished, const EmulationChoice& choice);

}  // namespace tessera::driver
