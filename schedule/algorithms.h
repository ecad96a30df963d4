// Algorithms that compute a stage in another way: rewrites of one stage into several, each proved
// right, with what it does to rounding errors. The step use_algorithm applies a row of the table.
//
//   direct    the stage as it is defined
//   im2col    a convolution as a matrix of patches and a matrix product; any strides, padding, dilation
//   winograd  a 3x3 convolution in fewer multiplications; f32, stride 1, dilation 1, no groups
//   split_k   a reduction as partial results of chunks and their sum
//   pad_reduction  zeros up to a multiple of what a product sums over
//   round_factors  a product of f32 whose factors are rounded to tf32, which tensor cores multiply
//
// A row matches the form of a stage (a sum of products of two reads), not the name of an operator.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "schedule/state.h"

namespace tessera::schedule {

struct AlgorithmParameter {
  const char* name;
  std::int64_t lo, hi, step;  // lo, lo + step, ... hi
  const char* meaning;
};
using AlgorithmValues = std::map<std::string, std::int64_t>;

struct Algorithm {
  const char* name;
  const char* what;  // in a line
  std::vector<AlgorithmParameter> parameters;
  /// True: operations are only reordered, so exact operands give the exact result. False: results are
  /// checked against the definition's error bounds times State::error_factor.
  bool exact;
  Result<State> (*rewrite)(const State& state, const Stage& s, const AlgorithmValues& values);
};

/// In the order in which a search tries them.
const std::vector<Algorithm>& algorithms();

/// An axis of a stage that picks among constants: `select(axis % period == 0, x, select(...))`.
/// Unrolled in runs of `period`, each copy is left with the one expression that it needs.
struct ConstantIndex {
  std::string axis;
  std::int64_t period = 1;
  bool operator==(const ConstantIndex&) const = default;
};
std::vector<ConstantIndex> constant_indices(const Stage& s);

}  // namespace tessera::schedule
