// A finished CUDA program through the printer and the emulator, against the oracle.
#pragma once

#include <mutex>
#include <optional>

#include "driver/fuzz/check_pair.h"

namespace tessera::driver {

struct EmulationChoice {
  bool late = false;       // asynchronous copies arrive late and at random
  std::uint64_t seed = 0;  // 0: threads and blocks in the order of their indices
  /// Where it is set, kernels whose results no other kernel reads run only the blocks at the ends of their
  /// grid and so many random ones.
  std::optional<int> random_blocks = {};
};

struct EmulatedOutput {
  ir::Tensor values;
  std::vector<std::int64_t> written;  // row-major positions, ascending
};

/// Prints every kernel of `finished` (lower/, target cuda) and runs it on the CPU with these inputs, in the
/// order of the launches: the outputs by name. Refuses what the printer refuses, and with the first
/// finding of the emulator (race, bounds, divergence, ...).
Result<std::map<std::string, EmulatedOutput>> emulated(const ir::Program& finished, const std::map<std::string, ir::Tensor>& inputs,
                                                       const EmulationChoice& choice);

/// The same with the exact inputs of `program`, held against what they must give.
PairOutcome check_emulated(const CheckedProgram& program, const ir::Program& finished, const EmulationChoice& choice);

/// A program of any size with inputs, held against the definition where it was emulated: bit for bit where it
/// has exact inputs and the plan only reorders, else within the proved bounds, times the plan's error factor. Above
/// 2^22 multiply-adds, or elements, only sampled blocks run, and at most 4,096 of the elements that they write are compared.
class EmulationOracle {
 public:
  EmulationOracle(const dsl::ComputeDag& dag, std::uint64_t seed);
  /// May be called from several threads. `error_factor`: that of the plan (schedule/state.h). `refused`: it could not
  /// be emulated, with the reason.
  PairOutcome check(const ir::Program& finished, EmulationChoice choice, double error_factor = 1);
  bool samples_blocks() const { return samples_blocks_; }

 private:
  struct Reference {
    std::map<std::string, ir::Tensor> inputs;
    dsl::Evaluator evaluator;
  };
  Reference& reference(bool exact);

  dsl::ComputeDag dag_;
  std::uint64_t seed_;
  bool exact_, samples_blocks_;
  std::mutex evaluating_;
  std::map<bool, Reference> references_;  // exact, or with bounds: made when first asked for
};

}  // namespace tessera::driver
