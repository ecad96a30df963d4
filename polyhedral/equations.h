// A program as equations: what every stage computes, apart from loops and storage. What the integer sets of
// this folder are made from, and what the verifier holds loops against.
//
// Equations come from a State because the steps that rewrite stages (inline, rfactor, caches, algorithms) have
// done so there; nothing of its loops, placements or storage is taken over.
#pragma once

#include <string>
#include <vector>

#include "dsl/dag.h"
#include "schedule/state.h"
#include "support/result.h"

namespace tessera::polyhedral {

struct Coordinate {
  ir::Var var;  // in the bodies; runs over [0, extent)
  std::int64_t extent = 1;
  bool reduce = false;
};

/// One stage: `outputs[v][data coordinates] = body[v]`, or the reduction over the others.
struct Equation {
  std::string stage;
  std::vector<ir::Buffer> outputs;
  std::vector<Coordinate> coordinates;  // data first, one a dimension of the outputs
  ir::Exprs body;                       // one an output; empty for inputs and externs
  int step_dimension = -1;              // of a scan: its rows are computed one after the other along it
  std::int64_t given_rows = 0;          // of a scan: its first rows, which no stage of its step computes
  std::vector<std::string> step;        // of a scan: the stages that compute a row with it, in order
  std::optional<dsl::ExternCode> code;
  dsl::ValueRule values;                // of an input

  bool is_input() const { return body.empty() && !code; }
  bool is_scan() const { return step_dimension >= 0; }
  const ir::Reduce* reduce() const { return body.empty() ? nullptr : body[0].as<ir::Reduce>(); }
  std::size_t data_rank() const;
  /// The output whose value is `index` of the reduced tuple; -1 when none is.
  int output_of(int index) const;
};

struct Equations {
  std::vector<Equation> stages;     // producers first
  std::vector<ir::Buffer> outputs;  // of the program

  const Equation* find(const std::string& stage) const;
  /// The stage that defines a tensor; nullptr when none does.
  const Equation* producer(const ir::BufferNode* tensor) const;
};

/// Refuses symbolic extents.
Result<Equations> equations_of(const schedule::State& state);
Result<Equations> equations_of(const dsl::ComputeDag& dag);

}  // namespace tessera::polyhedral
