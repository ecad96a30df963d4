// Scheduled state -> loop program, in two halves with one cut between.
//
//   build   structured loops: parallel, vector, unroll, ... as loop kinds; varying trip counts as
//           expressions; every leaf an Instance with its original coordinates; no masks, no copies
//   finish  the table of passes (lower/pipeline.cpp): tails realised, unrolled, flat, vectorised
//
// The verifier, footprints, the polyhedral path and `--print loops` meet at the cut; the interpreter
// runs both sides.
#pragma once

#include "ir/program.h"
#include "ir/target.h"
#include "schedule/state.h"
#include "support/result.h"

namespace tessera::lower {

/// Deliberate defects of lowering, one at a time, for the tests that must catch them (autotune fuzz
/// and tests/fuzz). kNone everywhere else.
enum class Mutant : std::uint8_t {
  kNone,
  kTailLessEqual,         // tail `<` becomes `<=`
  kInitPerTile,           // a reduction is initialised inside its outermost reduction loop
  kRfactorTwice,          // one partial result is merged twice
  kRegionNotGrown,        // a compute_at box is not grown for a stencil
  kInlineDropsPredicate,  // the condition of an inlined read is dropped
  kTailUnmasked,          // tail lanes are not masked
  kIndex32,               // index products wrap in 32 bits
  kTruncDivision,         // floor division rounds towards zero
  kParallelReduction,     // the loop outside the reduction is kept, its reduction loop runs parallel
  kLastTileSkipped,       // a tile larger than its axis is skipped
  kWindowTooOld,          // a rolling window takes one element more for computed than is
  kCount,
};
const char* to_string(Mutant m);

struct Options {
  std::string name = "kernel";
  ir::TargetKind target = ir::TargetKind::kCpu;  // kCuda: a kernel for every stage at root, threads of a block side by side
  int vector_bytes = 64;            // widest vector register of the target
  std::int64_t max_statements = 60'000;  // refuse programs that unroll or specialise beyond this
  Mutant mutant = Mutant::kNone;
};

/// Structured loops. Refuses symbolic extents and what no backend can hold.
Result<ir::Program> build(const schedule::State& state, const Options& options = {});

/// Flat, vectorised statements that code generators take.
Result<ir::Program> finish(const ir::Program& structured, const Options& options = {});

/// Both.
Result<ir::Program> lower(const schedule::State& state, const Options& options = {});

}  // namespace tessera::lower
