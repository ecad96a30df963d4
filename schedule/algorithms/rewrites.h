// The rewrites behind the table in schedule/algorithms.h, and what they share. Each header comment is
// the identity that makes the rewrite right.
#pragma once

#include "schedule/algorithms.h"

namespace tessera::schedule {

/// With patches[m, k] = X at output position m and tap k, and the filter as a matrix,
///   Y[m, n] = sum(X[window(m, k)] * W[k, n], k)   ->   S.product[m, n] = sum(patches[m, k] * weights[k, n], k)
/// where m and k flatten the axes of the outputs and of the reduction.
Result<State> im2col(const State& state, const Stage& s, const AlgorithmValues& values);

/// Tiles of t x t outputs from tiles of a x a inputs, a = t + 2:  Y = AT ((G W GT) * (BT X B)) A, with
/// one product a channel and position of the tile summed over channels. G is kept in integers and the
/// filter divided once, so that weights that are multiples of 4 (t = 2) or 576 (t = 4) stay exact.
Result<State> winograd(const State& state, const Stage& s, const AlgorithmValues& values);

/// sum(f(k), k < n)  ->  sum(sum(f(c * m + k), k < m), c), terms past n left out.
Result<State> split_k(const State& state, const Stage& s, const AlgorithmValues& values);

/// sum(A[i, k] * B[k, j], k < n)  ->  sum(A0[i, k] * B0[k, j], k < m) where m is the next multiple and A0, B0 are
/// A, B with zeros past n: what is added is zero.
Result<State> pad_reduction(const State& state, const Stage& s, const AlgorithmValues& values);

/// sum(A[i, k] * B[k, j])  ->  sum(cast(f32, cast(tf32, A[i, k])) * cast(f32, cast(tf32, B[k, j]))): each factor loses 13
/// of its 24 digits, the sum none.
Result<State> round_factors(const State& state, const Stage& s, const AlgorithmValues& values);

/// sum(cast(A[...]) * cast(B[...])) over the reduction axes of a stage.
struct Factor {
  Expr value;            // casts included
  const ir::Load* load;  // in `value`
  bool uses(const RootAxis& r) const;
};
struct Product {
  Factor a, b;
};
/// Refuses a stage of another form with the first thing that differs.
Result<Product> match_product(const Stage& s);

/// A new stage in the making: axes first, then `finish`. Coordinates are what bodies are written in.
class StageMaker {
 public:
  explicit StageMaker(std::string name) { stage_.name = std::move(name); }
  Var data(const std::string& axis, std::int64_t extent) { return add(axis, extent, AxisKind::kData); }
  Var reduce(const std::string& axis, std::int64_t extent) { return add(axis, extent, AxisKind::kReduce); }
  /// With reduction axes, `body` is summed over them by `combiner`.
  Stage finish(const Expr& body, const ir::Combiner& combiner = {});

 private:
  Var add(const std::string& axis, std::int64_t extent, AxisKind kind);
  Stage stage_;
};

/// Several coordinates as one, row-major, and back: (i, j) of extents (m, n) is i * n + j.
Expr flatten(const Exprs& coordinates, const std::vector<std::int64_t>& extents);
Exprs unflatten(const Expr& flat, const std::vector<std::int64_t>& extents);

/// `next` with the new stages before `s`, and `s` itself an elementwise stage with this body.
Result<State> with_stages_before(const State& state, const Stage& s, std::vector<Stage> stages, const Expr& body);

}  // namespace tessera::schedule
