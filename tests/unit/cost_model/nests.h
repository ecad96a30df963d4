// Nests written down by hand, and columns by their names.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "cost_model/features.h"

namespace tessera::cost_model {

using ir::ForKind;

inline ir::AccessSummary access(std::string buffer, bool write, std::int64_t elements, std::vector<std::int64_t> strides,
                                ir::Scope scope = ir::Scope::kGlobal) {
  return {.buffer = std::move(buffer), .write = write, .scope = scope, .element_bytes = 4, .elements = elements, .regular = true, .strides = std::move(strides)};
}

inline ir::StatementSummary statement(std::vector<ir::LoopSummary> loops, int mul, int add, std::vector<ir::AccessSummary> accesses) {
  ir::StatementSummary s;
  s.stage = "S";
  s.loops = std::move(loops);
  s.ops.float_mul = mul;
  s.ops.float_add = add;
  s.accesses = std::move(accesses);
  return s;
}

/// C[i, j] += A[i, k] * B[k, j], 64 x 64 x 64, three plain loops.
inline ir::NestSummary naive_matmul() {
  return {{statement({{64}, {64}, {64}}, 1, 1,
                     {access("C", true, 4096, {64, 1, 0}), access("C", false, 4096, {64, 1, 0}), access("A", false, 4096, {64, 0, 1}),
                      access("B", false, 4096, {0, 1, 64})})}};
}

/// The same with a register tile of 4 rows and 2 vectors of 8: i 16, j 4, k 64, then the tile.
inline ir::NestSummary tiled_matmul() {
  const ir::Scope reg = ir::Scope::kRegister;
  return {{statement({{16}, {4}, {64}, {4, ForKind::kUnroll}, {2, ForKind::kUnroll}, {8, ForKind::kVector}}, 1, 1,
                     {access("acc", true, 64, {0, 0, 0, 16, 8, 1}, reg), access("acc", false, 64, {0, 0, 0, 16, 8, 1}, reg),
                      access("A", false, 4096, {256, 0, 1, 64, 0, 0}), access("B", false, 4096, {0, 16, 64, 0, 8, 1})})}};
}

/// The column of a row; fails the test when there is none of that name.
inline double column(const Features& f, std::size_t row, const std::string& name) {
  const auto& names = feature_names();
  const auto it = std::find(names.begin(), names.end(), name);
  EXPECT_NE(it, names.end()) << name;
  return it == names.end() ? -1 : f.row(row)[static_cast<std::size_t>(it - names.begin())];
}

/// The number behind a column of sizes.
inline double size(const Features& f, std::size_t row, const std::string& name) { return std::exp2(column(f, row, name)) - 1; }

/// A program of one row in which column 0 of `values` is the first of the program's, the rest is 0: for
/// tests of learning.
inline Features program(std::vector<float> values) {
  Features f;
  f.values.assign(feature_count(), 0);
  std::copy(values.begin(), values.end(), f.values.begin());
  f.terms[kArithmetic] = 1e6;
  return f;
}

}  // namespace tessera::cost_model
