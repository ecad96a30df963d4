// The integer sets of a Scop.
#pragma once

#include <vector>

#include "polyhedral/detail/isl.h"
#include "polyhedral/scop.h"

namespace tessera::polyhedral::detail {

/// What an instance of a statement touches. `relation` maps [statement[x] -> access[]] to elements, so that one
/// reference can be told from the others; elements are named by tensors.
struct Reference {
  std::string name;  // "C_update_0"
  isl::map relation;
  bool write = false;
  bool may = false;  // reads more than it does: what data choose may be any element
};

struct Statement {
  std::string name;
  const Equation* equation = nullptr;
  int stage = 0;  // its position in Equations::stages
  ir::Phase phase = ir::Phase::kWhole;
  isl::set domain;
  std::vector<Reference> references;
};

/// Pairs of instances, the first before the second in the program as it is written. They are dependences
/// through memory: every earlier access to an element counts, not the last write alone. That is what makes it
/// sound to let go of the order of updates: initialisation before every update and every update before every
/// reader are pairs of their own (with flow of values only the chain from one update to the next would hold them).
struct Dependences {
  isl::union_map flow;       // write to read
  isl::union_map strict;     // all that a schedule keeps: flow, and writes after reads and writes
  isl::union_map reduction;  // updates of one element by each other: any order, not at once
};

struct ScopSets {
  IslContext isl;  // first: everything below lives in it
  std::vector<Statement> statements;
  isl::union_set domain;
  isl::union_map reads, writes;  // without the names of references
  isl::union_map order;          // to time, as the program is written
  Dependences dependences;
};

}  // namespace tessera::polyhedral::detail
