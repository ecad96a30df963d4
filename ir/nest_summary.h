// What a cost model sees of a program: for each statement its loops, its operations and, for each
// buffer it touches, how the address moves with every loop. Built from structured loops here and from
// a scheduling state without lowering in schedule/summary.h; a test holds the two equal.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "ir/program.h"

namespace tessera::ir {

struct LoopSummary {
  std::int64_t extent = 1;  // the largest count
  ForKind kind = ForKind::kSerial;
  std::int64_t copies = 1;  // of the body an iteration: a serial loop that is partly unrolled
  std::int64_t slots = 1;   // of shared tiles that are filled slots - 1 iterations ahead
  bool operator==(const LoopSummary&) const = default;
};

/// Executions of one instance of the statement, by class.
struct OpCounts {
  int float_mul = 0, float_add = 0, float_div = 0, float_compare = 0, float_call = 0;
  int integer = 0;   // on values; the arithmetic of indices does not count
  int select = 0;
  bool operator==(const OpCounts&) const = default;
  OpCounts& operator+=(const OpCounts& o);
};

/// One read or write. `strides[l]` is the change of the element offset, in storage before any swizzle, when
/// loop l of the statement advances by one; `regular` is false when that is not the same everywhere (a
/// floordiv or a lookup in the index), and the stride then 0.
struct AccessSummary {
  std::string buffer;
  bool write = false;
  Scope scope = Scope::kGlobal;
  int element_bytes = 4;
  std::int64_t elements = 0;  // of the buffer's storage
  std::int64_t row = 1;       // extent of the buffer's last dimension
  bool regular = true;
  std::vector<std::int64_t> strides;
  bool operator==(const AccessSummary&) const = default;
};

struct StatementSummary {
  std::string stage;
  Phase phase = Phase::kWhole;
  bool prepared = false;           // runs once for a set of constant operands, outside the timed run
  bool last_block = false;         // runs in the last block of the kernel before it (kLastBlock)
  std::string intrinsic;           // of a warp's product (ir/mma.h): its last three loops are one instruction; else empty
  std::vector<LoopSummary> loops;  // outermost first; those that run at most once are left out
  OpCounts ops;
  std::vector<AccessSummary> accesses;  // writes first, then reads in order of appearance
  bool operator==(const StatementSummary&) const = default;
};

struct NestSummary {
  std::vector<StatementSummary> statements;  // in program order
  bool operator==(const NestSummary&) const = default;
};

/// LoopSummary::copies of a loop annotated with `unroll`: only serial loops take copies, at most as many as they run.
inline std::int64_t copies_of(ForKind kind, std::int64_t extent, std::int64_t unroll) {
  return kind == ForKind::kSerial ? std::min(extent, unroll) : 1;
}
/// The same, of a loop with its annotations.
inline std::int64_t copies_of(ForKind kind, std::int64_t extent, const std::map<std::string, std::int64_t>& notes) {
  const auto unroll = notes.find("unroll");
  return copies_of(kind, extent, unroll == notes.end() ? 1 : unroll->second);
}

/// What the outermost node of `e` adds to the count.
OpCounts operation_of(const Expr& e);
/// Operations of a value, without those inside indices.
OpCounts count_operations(const Expr& value);
/// How `offset` (a flat element offset, without a swizzle) moves with each loop variable.
AccessSummary summarize_access(const Buffer& b, bool write, const Expr& offset, const std::vector<Var>& loops);
/// From structured loops (every leaf an Instance).
NestSummary summarize(const Program& structured);

}  // namespace tessera::ir
