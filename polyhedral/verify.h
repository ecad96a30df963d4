// Whether structured loops compute a program: a proof over all iterations, or a counter-example.
//
//   Verdict v = verify(equations_of(state).or_throw(), lower::build(state).or_throw());
//   if (!v.ok()) std::cerr << v;   // illegal: race: iterations of parallel loop 'k' of C update ...
//
// Proved, from the emitted expressions alone:
//   every instance computes its equation, from elements that hold what the equation reads, complete, not
//     overwritten and written before (through copies, windows and recomputation alike);
//   a reduction starts from its identity and adds every term once;
//   every output is computed; every access is inside of its buffer;
//   iterations of parallel, vector, block and thread loops touch nothing that another of them writes.
// Trusted: expressions mean what ir/interpret.h says, layouts are bijections, and what `finish` does after
// the cut. What it cannot decide it reports as unknown, with the primitive, and never as ok.
#pragma once

#include <chrono>
#include <ostream>
#include <string>
#include <vector>

#include "ir/program.h"
#include "polyhedral/equations.h"

namespace tessera::polyhedral {

enum class Fault : std::uint8_t {
  kCoverage,   // an element is never computed
  kOrder,      // an element is read before it is complete
  kValue,      // another element, or another expression, than the equation's
  kReduction,  // a term is missing, added twice or to no start value
  kBounds,     // an access outside of its buffer
  kRace,       // iterations that run at once touch an element, and one writes it
  kBarrier,    // no barrier between threads that hand an element over, or one that not all threads reach
  kCount,
};
const char* to_string(Fault f);

struct Violation {
  Fault fault = Fault::kValue;
  std::string stage, loop;  // loop: empty when none is to blame
  std::string what;         // a sentence with the counter-example
};

struct Undecided {
  std::string primitive;  // "TileOp", "index", "timeout", ...
  std::string what;
};

struct Verdict {
  std::vector<Violation> violations;
  std::vector<Undecided> unknown;

  bool illegal() const { return !violations.empty(); }
  bool ok() const { return violations.empty() && unknown.empty(); }
};
/// One line each: "ok", "illegal: ...", "unknown: ...".
std::string to_string(const Verdict& v);
std::ostream& operator<<(std::ostream& os, const Verdict& v);

struct VerifyOptions {
  std::chrono::milliseconds limit{10'000};  // of wall-clock time; then the answer is unknown
  /// The loops have their barriers (lower::insert_barriers): what threads hand over through shared memory needs
  /// one in between. At the cut there are none yet, and loops over threads follow each other in order.
  bool barriers = false;
};

/// `loops` are structured loops, before lower::finish or with barriers inserted, that claim to compute `program`.
Verdict verify(const Equations& program, const ir::Program& loops, const VerifyOptions& options = {});

}  // namespace tessera::polyhedral
