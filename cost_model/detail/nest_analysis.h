// What features and draft have in common: a statement's loops, accesses, traffic and chains, worked
// out once into fixed arrays.
#pragma once

#include <array>
#include <vector>

#include "cost_model/detail/footprint.h"
#include "cost_model/draft.h"

namespace tessera::cost_model::detail {

/// Caches by index: L1, L2, L3.
inline constexpr int kCaches = 3;

struct AccessView {
  const ir::AccessSummary* summary = nullptr;
  bool register_scope = false;
  bool repeated = false;          // the same address as an earlier access of the statement
  StrideOrder order;
  double vector_stride = 0;       // elements, by the vector loop; 0 without one
  double inner_stride = 0;        // by the innermost loop that is not a vector
  double bytes = 0;               // read or written in all, repetitions included
  double instructions = 0;        // loads or stores: vectors, broadcasts, single elements
  double strided = 0;             // of them, elements of a vector taken one by one
  Footprint whole;                // over all loops
  double reuse_count = 1;         // times an element is used by the innermost loop that does not move it
  double reuse_iterations = 0;    // iterations between two uses
  double reuse_bytes = 0;         // bytes the statement touches between them
  std::array<double, kCaches> traffic{};  // lines that cross from each cache to the one below it
  double pages = 0;               // entered beyond what the translations hold
  bool conflict = false;          // steps of a multiple of 4 KiB: few cache sets
};

/// Shares of a statement's work, 0 to 1, that pay for a condition in the innermost loops.
struct Guards {
  double border = 0;  // on an operand's border
  double tail = 0;    // on a varying number of rows, vectors or sums
};

struct StatementView {
  const ir::StatementSummary* summary = nullptr;
  int loops = 0;
  std::array<double, kMaxLoops> extent{};
  std::array<ir::ForKind, kMaxLoops> kind{};
  std::array<double, kMaxLoops + 1> outside{};  // product of the extents outside loop l
  double trips = 1;
  double waste = 1;          // trips over what the result needs: whole tiles past the end
  double tile_waste = 1;     // the part of it in tiles that have some work; the others are skipped
  double variants = 1;       // copies of the loop body that full tiles and the last ones need
  bool column_tail = false;  // the last tile ends within its vectors
  int reductions = 0;        // loops that do not move the result
  Guards guards;
  double guarded = 0;        // loads under a condition
  bool ragged = false;       // a tile always reaches past the end: lanes are handled one by one
  int block = 0;             // first of the innermost loops that are unrolled or vectors
  double block_trips = 1;    // iterations of that block
  double unroll = 1;         // copies of the block an iteration of the loop around it
  double vector_extent = 1;  // of the innermost vector loop
  double instructions = 1;   // executions of one operation of the statement, as vectors
  double element_bytes = 4;  // the widest
  double serial_iterations = 0;  // of loops that are not unrolled, all levels
  double parallel_extent = 1;    // 1: not parallel
  double speedup = 1;            // of the parallel loops on the machine's threads
  double flops = 0;              // all operations on values
  std::array<AccessView, kMaxAccesses> access{};
  int accesses = 0;
  std::array<double, kMaxLoops + 1> bytes_at{};    // touched by one run of loops l and those inside, l <= block
  std::array<int, kCaches> level{};                // outermost l whose bytes fit the cache
  double accumulators = 0;   // vectors of a register tile
  double registers = 0;      // vectors alive at once in the block
  double chains = 0;         // accumulations that do not wait for each other; 0: none
  double chain_steps = 0;    // accumulations of one chain, one after the other
  bool chain_in_memory = false;
  bool copies = false;       // one read, one write, no operation
  DraftTerms terms{};        // its part of the draft, once draft_terms.h has filled it in
};

struct NestView {
  std::vector<StatementView> statements;  // the first `count` are in use
  std::size_t count = 0;
  double bytes = 0;          // distinct, of all buffers, without what is prepared
};

/// Fills `out`, reusing its memory; `nest` must outlive it.
void analyze(const ir::NestSummary& nest, const Machine& machine, NestView& out);

}  // namespace tessera::cost_model::detail
