// The loops of a tiled matmul with tails on every axis, at the cut and finished.
#include <gtest/gtest.h>

#include "dsl/dsl.h"
#include "ir/print.h"
#include "lower/lower.h"
#include "schedule/schedule.h"
#include "tests/support/golden.h"

namespace tessera::lower {
namespace {

schedule::Schedule tiled_matmul() {
  auto a = dsl::placeholder({10, 7}, ir::f32, "A"), b = dsl::placeholder({7, 33}, ir::f32, "B");
  auto k = dsl::reduce_axis(7, "k");
  auto c = dsl::compute({10, 33}, [&](dsl::Var i, dsl::Var j) { return dsl::sum(a(i, k) * b(k, j), k); }, "C");
  schedule::Schedule s(dsl::ComputeDag::from_outputs({c}, "matmul"));
  s.cache_write("C", "Cw")
      .tile("C", {"i", "j"}, {"i0", "j0", "i1", "j1"}, {4, 16})
      .vectorize("C", "j1")
      .compute_at("Cw", "C", "j0")
      .set_scope("Cw", ir::Scope::kRegister)
      .reorder("Cw", {"k", "i", "j"})
      .unroll("Cw", "i")
      .vectorize("Cw", "j")
      .parallel("C", "i0");
  return s;
}

TEST(Lower, TiledMatmulLoops) { test::expect_golden("lower/tiled_matmul_loops.txt", ir::to_string(build(tiled_matmul().state()).or_throw())); }

TEST(Lower, TiledMatmulFinished) {
  test::expect_golden("lower/tiled_matmul_finished.txt", ir::to_string(lower(tiled_matmul().state()).or_throw()));
}

TEST(Lower, TiledMatmulState) { test::expect_golden("lower/tiled_matmul_state.txt", tiled_matmul().state().print_loops()); }

}  // namespace
}  // namespace tessera::lower
