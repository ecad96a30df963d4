// An emitted statement held against the equation that it claims to compute.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "polyhedral/detail/nest.h"
#include "polyhedral/verify.h"

namespace tessera::polyhedral::detail {

/// What a buffer keeps: a tensor, by the stage that defines it.
struct Held {
  const Equation* equation = nullptr;
  int output = 0;
  const ir::BufferNode* tensor() const { return equation->outputs[static_cast<std::size_t>(output)].get(); }
};
using Holders = std::map<std::uint64_t, Held>;

/// A read at `index` of a buffer, where the equation reads `wanted` of `tensor`.
struct Access {
  const ir::BufferNode* buffer = nullptr;
  ir::Exprs index;
  const ir::BufferNode* tensor = nullptr;
  ir::Exprs wanted;
  isl::set where;
  bool accumulator = false;  // the partial result of the reduction itself
  bool any = false;          // whatever is there will do, once something has been stored
};

/// A read or a store, wherever it is executed, right or not.
struct Touch {
  const ir::BufferNode* buffer = nullptr;
  ir::Exprs index;
  isl::set where;
  bool store = false;
};

struct Match {
  isl::set live;               // instances of the domain that compute their equation, if their reads do
  bool all_live = false;       // that is all of the domain
  std::vector<Access> reads;   // of live instances
  std::vector<Touch> touches;  // of all
  std::string wrong;           // why some instances of the domain are not live; empty when all are
  std::vector<Undecided> unknown;
  std::vector<Undecided> doubts;  // about `wrong`: what was not followed may have been right
};

/// By the names of the buffers that leaves store to; conflicts become `unknown`.
Holders holders_of(const Nest& nest, const Equations& program, std::vector<Undecided>& unknown);
/// `leaf.space` gets names for the data of the equation.
Match match(Leaf& leaf, const Holders& holders, const Equations& program);

}  // namespace tessera::polyhedral::detail
