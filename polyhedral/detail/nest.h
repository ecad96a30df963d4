// Structured loops as statements in a tree: for every leaf its iterations, its place among the others, and what
// it reads and writes, taken from the expressions that are emitted.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ir/program.h"
#include "polyhedral/detail/affine.h"
#include "polyhedral/equations.h"
#include "support/result.h"

namespace tessera::polyhedral::detail {

/// A loop whose variable is taken apart by divisions (fused loops) stands for one loop a digit, so that its sets
/// need no divisions: `b` with b // 6 and b % 6 is the loops b // 6 and b % 6.
struct Loop {
  std::string name;   // of the variable
  std::string digit;  // "b // 6"; empty: all of it
  ir::ForKind kind = ir::ForKind::kSerial;
  int depth = 0;      // loops around it
  bool joins = false; // threads that add up parts of one result

  const std::string& label() const { return digit.empty() ? name : digit; }
};

/// One step from the root towards a leaf: the k-th statement of a block, or into a loop.
struct Branch {
  enum class Kind : std::uint8_t { kPosition, kLoop } kind = Kind::kPosition;
  int index = 0;
  bool operator==(const Branch&) const = default;
};

/// buffer[index] = value, with variables that name values already in their places.
struct StoredValue {
  ir::Buffer buffer;
  ir::Exprs index;
  ir::Expr value;
};

struct Leaf {
  std::string stage;
  ir::Phase phase = ir::Phase::kWhole;
  const Equation* equation = nullptr;
  bool is_extern = false;         // its dimensions are elements rather than loops
  ir::Exprs coordinates;
  std::vector<int> loops;         // ids, outermost first; dimension i is the variable of loop i
  std::vector<std::pair<std::string, ir::Expr>> iteration;  // what people call it: variables by name
  std::vector<Branch> path;
  std::vector<StoredValue> stores;
  Space space;                    // loops, then data that indices read
  isl::set domain;
  int commit = -1;                // the event that closes the slot it fills; -1: it fills none
};

/// Where the threads of a block wait for each other, or deal with a channel.
struct Event {
  enum class Kind : std::uint8_t { kBarrier, kCommit, kWait } kind = Kind::kBarrier;
  std::vector<int> loops;
  std::vector<Branch> path;
  Space space;
  isl::set domain;
  std::int64_t unfinished = 0;  // of a wait: commits that it lets be
};

struct Nest {
  isl::ctx ctx;
  std::vector<Loop> loops;
  std::vector<Leaf> leaves;                  // in the order in which they stand
  std::vector<Event> events;
  std::map<std::uint64_t, int> allocated;    // loops around the allocation of a buffer; absent: of the program
  std::vector<std::string> unknown;          // statements that are not understood, by what they are
};

/// The loops of all launches, in order. Statements that it cannot read become entries of `unknown`.
Nest nest_of(isl::ctx ctx, const ir::Program& loops, const Equations& program);

/// How one leaf lies to another.
struct Relation {
  int common = 0;       // loops around both
  int order = 0;        // -1: the first stands before, 1: after, 0: the same leaf, or other branches of a choice
};
Relation relation(const Leaf& a, const Leaf& b);

}  // namespace tessera::polyhedral::detail
