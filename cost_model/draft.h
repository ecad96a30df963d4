// The draft: an analytic estimate of a program's time, before anything is learned.
//
//   time = sum of coefficient * term,  coefficients >= 0 (nanoseconds for a nominal cycle)
//
// On a CPU terms count nominal cycles of one core over the whole program, already divided by the speed-up
// of its parallel loops. `bound` is, statement by statement, the largest of what its ports and each
// level of memory need (a roofline); the others say how much of each part does not overlap.
// Statements that prepare constant operands do not count: they run once, outside the timing.
//
// On a GPU the same terms are nanoseconds of the whole device (detail/gpu_terms.h): what each of its parts
// would take alone, waves that are not full included.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "cost_model/machine.h"
#include "ir/nest_summary.h"
#include "support/result.h"

namespace tessera::cost_model {

inline constexpr std::size_t kDraftTerms = 13;
using DraftTerms = std::array<double, kDraftTerms>;

enum DraftTerm : std::size_t {
  kBound,       // max(arithmetic, load_store, chain, l2, l3, dram) of each statement; GPU: of each kernel
  kArithmetic,  // two vector operations a cycle, one division in eight, one call in sixteen; GPU: issue slots of lanes
  kLoadStore,   // two loads or one store a cycle; a vector of strided elements is that many; GPU: shared memory and its conflicts
  kChain,       // accumulations that wait for their predecessor: four cycles each, ten through memory; GPU: waiting that no other warp fills
  kL2,          // 64-byte lines between L1 and L2, two cycles each; GPU: 32-byte sectors between SMs and L2
  kL3,          // lines between L2 and L3, four cycles each; GPU: nothing
  kDram,        // lines between the last cache and memory, sixteen cycles each; GPU: bytes, after reuse in L2
  kPages,       // 4 KiB pages entered that 1,024 translations do not hold, twenty cycles each; GPU: nothing
  kLoops,       // iterations of loops that are not unrolled; GPU: instructions for loops and addresses
  kSpill,       // vectors that do not fit the registers, stored and loaded again; GPU: private arrays too
  kStrided,     // elements of vectors that are read or written one by one; GPU: bytes of sectors that nobody asked for
  kGuard,       // loads under a condition (a border, a remainder)
  kStart,       // 1,000 for the program, 2,000 more for each parallel nest; GPU: launches and first waves
};
const char* draft_term_name(std::size_t term);

using DraftCoefficients = std::array<double, kDraftTerms>;

/// Of CPUs fitted on the recordings the shipped prior comes from (docs/reference/cost_model.md); of GPUs
/// by hand, as nothing is measured yet.
const DraftCoefficients& default_draft(const Machine& machine = {});

DraftTerms draft_terms(const ir::NestSummary& nest, const Machine& machine);

/// Nanoseconds, at least 1.
double draft_ns(const DraftTerms& terms, const DraftCoefficients& coefficients);

struct DraftPoint {
  DraftTerms terms{};
  double ns = 0;      // measured, > 0
  double weight = 1;  // >= 0
  int task = -1;      // times are compared within a task only, whatever its scale; -1: as they are
};

/// Coefficients that minimise the weighted squared error of log time, all >= 0: Gauss-Newton steps,
/// each a non-negative least squares problem. Starts from `start`, from
/// which the scale comes where all points have tasks. Refuses when no point has weight.
Result<DraftCoefficients> fit_draft(std::span<const DraftPoint> points, const DraftCoefficients& start);

}  // namespace tessera::cost_model
