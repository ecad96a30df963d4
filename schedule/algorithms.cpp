#include "schedule/algorithms.h"

#include <algorithm>

#include "ir/rewrite.h"
#include "schedule/algorithms/rewrites.h"

namespace tessera::schedule {

namespace {

Result<State> direct(const State& state, const Stage&, const AlgorithmValues&) { return state; }

}  // namespace

const std::vector<Algorithm>& algorithms() {
  static const std::vector<Algorithm> kAlgorithms{
      {"direct", "the stage as it is defined", {}, true, direct},
      {"im2col", "a matrix of patches and a matrix product", {}, true, im2col},
      {"winograd", "3x3 convolution in tiles of fewer multiplications", {{"tile", 2, 4, 2, "rows and columns of outputs a tile, 2 or 4"}}, false, winograd},
      {"split_k", "partial results of chunks of the longest reduction axis", {{"chunks", 2, 1 << 16, 1, "parts of the reduction"}}, true, split_k},
      {"pad_reduction", "zeros up to a multiple of what the reduction runs over", {{"multiple", 2, 1 << 10, 1, "what the reduction becomes a multiple of"}}, true, pad_reduction},
      {"round_factors", "a product of f32 with factors rounded to tf32, for tensor cores", {}, false, round_factors},
  };
  return kAlgorithms;
}

std::vector<ConstantIndex> constant_indices(const Stage& s) {
  std::vector<ConstantIndex> out;
  const auto note = [&](const Expr& index, std::int64_t period) {
    for (const RootAxis& r : s.roots) {
      const auto* v = index.as<ir::VarNode>();
      if (v == nullptr || v->id != r.coordinate.id()) continue;
      const ConstantIndex found{r.axis, period > 0 ? period : r.extent};
      if (std::find(out.begin(), out.end(), found) == out.end()) out.push_back(found);
    }
  };
  for (const Expr& body : s.body) {
    ir::walk(body, [&](const Expr& e) {
      const auto* select = e.as<ir::Select>();
      const auto* equal = select == nullptr ? nullptr : select->condition.as<ir::EQ>();
      std::int64_t n = 0;
      if (equal == nullptr || !is_const_int(equal->b)) return true;
      const auto* digit = equal->a.as<ir::FloorMod>();
      if (digit != nullptr && is_const_int(digit->b, &n)) note(digit->a, n);
      note(equal->a, 0);
      return true;
    });
  }
  return out;
}

}  // namespace tessera::schedule
