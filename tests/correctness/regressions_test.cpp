// Pairs that were wrong once, as the fuzzer shrank them.
#include <gtest/gtest.h>

#include <cstring>

#include "driver/compile.h"
#include "driver/fuzz/check_pair.h"
#include "driver/reference.h"
#include "dsl/dsl.h"
#include "ops/catalog.h"
#include "search/sketch.h"
#include "tests/support/native_pair.h"

namespace tessera::driver {
namespace {

using dsl::compute;
using dsl::placeholder;
using ir::Expr;
using ir::f32;
using ir::Tail;
using namespace tessera::schedule;  // NOLINT: steps
using dsl::Tensor;

std::string wrong(const std::vector<Tensor>& outputs, const StepList& steps) {
  NativeCheck native("cpu");
  return test::wrong(dsl::ComputeDag::from_outputs(outputs), steps, native);
}

// Tiles that pad a box stored around several places of computation begin anywhere inside it.
TEST(Regressions, PadTilesInsideAWiderStore) {
  auto a = placeholder({61}, f32, "A");
  auto b = compute({61}, [&](dsl::Var i) { return a(i) * 2.0; }, "B");
  auto c = compute({16, 5}, [&](dsl::Var i, dsl::Var j) { return b(i + j) + 1.0; }, "C");
  EXPECT_EQ(wrong({c}, {Split{"B", "i", {"x", "y"}, {11}, Tail::kPad}, ComputeAt{"B", "C", "j"}, StoreAt{"B", "C", "i"}}), "");
}

TEST(Regressions, GuardedSplitOfAPaddedTile) {
  auto a = placeholder({9}, f32, "A");
  auto b = compute({5, 9}, [&](dsl::Var i, dsl::Var j) { return a(j) * 2.0 + ir::cast(f32, i); }, "B");
  auto c = compute({5, 9}, [&](dsl::Var i, dsl::Var j) { return b(i, j) + 1.0; }, "C");
  EXPECT_EQ(wrong({c}, {Split{"B", "j", {"x0", "x1"}, {9}, Tail::kPad}, Fuse{"B", {"i", "x0"}, "f"},
                        Split{"B", "x1", {"x5", "x6"}, {2}, Tail::kGuard}}), "");
}

// An iteration past the domain asks for a box past what is stored: nothing is computed for it.
TEST(Regressions, NothingIsComputedForIterationsPastTheDomain) {
  auto a = placeholder({40, 30}, f32, "A");
  auto b = compute({40, 30}, [&](dsl::Var i, dsl::Var j) { return a(i, j) * 2.0; }, "B");
  auto c = compute({61, 15}, [&](dsl::Var i, dsl::Var j) { return b(ir::floordiv(i, 2), j); }, "C");
  EXPECT_EQ(wrong({c}, {Fuse{"C", {"i", "j"}, "f"}, Split{"C", "f", {"o", "m", "n"}, {100, 11}, Tail::kGuard}, ComputeAt{"B", "C", "n"},
                        StoreAt{"B", "C", "o"}}), "");
}

// The count of an inner tile may depend on a loop that does not hold still where the box is taken.
TEST(Regressions, BoxesUseNoLoopThatMoves) {
  auto a = placeholder({11}, f32, "A");
  auto b = compute({11}, [&](dsl::Var i) { return a(i) * 2.0; }, "B");
  auto c = compute({11}, [&](dsl::Var i) { return b(i) + 1.0; }, "C");
  EXPECT_EQ(wrong({c}, {Split{"C", "i", {"x4", "x5"}, {3}}, Split{"C", "x4", {"x8", "x9"}, {2}, Tail::kGuard}, ComputeAt{"B", "C", "x8"}}), "");
}

// A box at an inner place, taken by bounds, was larger than the exact one that is stored.
TEST(Regressions, ComputedBoxLiesInTheStoredOne) {
  auto a = placeholder({31}, f32, "A");
  auto b = compute({24}, [&](dsl::Var i) { return a(i) * 2.0; }, "B");
  auto c = compute({2, 24}, [&](dsl::Var i, dsl::Var j) { return b(Expr(23) - j) + ir::cast(f32, i); }, "C");
  auto k = dsl::reduce_axis(8, "k");
  auto d = compute({5, 11}, [&](dsl::Var i, dsl::Var j) {
    return dsl::sum(c(ir::min(k, 1), k + j) * c(1, ir::max(i - 2, 0)), k);
  }, "D");
  EXPECT_EQ(wrong({d}, {ComputeAt{"B", "C", "i"}, ComputeAt{"C", "D", "j"}, StoreAt{"B", "D", "j"}}), "");
}

// INT64_MIN, the identity of max, has no negation: max(x, INT64_MIN) became INT64_MIN.
TEST(Regressions, IdentityOfMaxInI64) {
  auto a = placeholder({7}, ir::i64, "A");
  auto k = dsl::reduce_axis(7, "k");
  auto c = compute({1}, [&](dsl::Var) { return dsl::max(a(k), k); }, "C");
  EXPECT_EQ(wrong({c}, {Split{"C", "k", {"k0", "k1"}, {4}, Tail::kGuard}, Rfactor{"C", "k1", "F"}}), "");
}

// Large buffers inside loops live in the workspace; their address is hoisted past the allocation.
TEST(Regressions, WorkspaceAddressesDominateTheirUses) {
  auto a = placeholder({200, 200}, f32, "A");
  auto b = compute({200, 200}, [&](dsl::Var i, dsl::Var j) { return a(i, j) * 2.0; }, "B");
  auto c = compute({3, 200, 200}, [&](dsl::Var h, dsl::Var i, dsl::Var j) { return b(i, j) + ir::cast(f32, h); }, "C");
  EXPECT_EQ(wrong({c}, {Split{"C", "i", {"o", "n"}, {2}}, ComputeAt{"B", "C", "n"}}), "");
}

// Unrolled copies bind one variable again and again: a read kept from one copy is not that of the next.
TEST(Regressions, ReadsAreNotSharedBetweenCopiesOfALet) {
  auto a = placeholder({31, 17, 2}, f32, "A");
  auto c = compute({11, 17, 2}, [&](dsl::Var i, dsl::Var j, dsl::Var k) { return ir::cast(ir::f64, a(i * 3, j, k)); }, "C");
  EXPECT_EQ(wrong({c}, {Reorder{"C", {"j", "i", "k"}}, Fuse{"C", {"j", "i"}, "f0"}, Split{"C", "f0", {"x0", "x1", "x2"}, {17, 2}},
                        Fuse{"C", {"x1", "x2", "k"}, "f1"}, Annotate{"C", "f1", "unroll", 5}}), "");
}

// An index alone out of a tuple: the other value takes part in combining and is kept.
TEST(Regressions, OneValueOfATuple) {
  auto a = placeholder({5, 13}, f32, "A");
  auto k = dsl::reduce_axis(13, "k");
  const auto argmax = dsl::reducer("argmax", {f32, ir::i64}, [](const dsl::Exprs& x, const dsl::Exprs& y) -> dsl::Exprs {
    const Expr first = x[0] > y[0] || (x[0] == y[0] && x[1] <= y[1]);
    return {ir::select(first, x[0], y[0]), ir::select(first, x[1], y[1])};
  }, {dsl::lowest(f32), Expr(std::int64_t{1} << 40)});
  auto c = compute({5}, [&](dsl::Var i) { return dsl::reduce(argmax, {a(i, k), k}, {k})[1]; }, "C");
  EXPECT_EQ(wrong({c}, {}), "");
  EXPECT_EQ(wrong({c}, {Split{"C", "k", {"k0", "k1"}, {4}}, Rfactor{"C", "k1", "F"}, ComputeAt{"F", "C", "i"}}), "");
}

// A register tile written first inside a loop of varying count, read after it.
TEST(Regressions, RegisterTileBornInAVaryingLoop) {
  auto a = dsl::constant({67, 4}, f32, "A");
  auto b = compute({64, 4}, [&](dsl::Var i, dsl::Var j) { return a(i + j, ir::floormod(j, 4)); }, "B");
  auto k = dsl::reduce_axis(4, "k");
  auto m = compute({64}, [&](dsl::Var i) { return dsl::max(b(i, k), k); }, "M");
  auto c = compute({64, 4}, [&](dsl::Var i, dsl::Var j) { return b(i, j) - m(i); }, "C");
  EXPECT_EQ(wrong({c}, {Split{"C", "i", {"x0", "x1"}, {14}}, Split{"C", "x1", {"x2", "x3", "x4", "x5"}, {7, 9, 2}},
                        Split{"C", "x0", {"x6", "x7"}, {8}}, Reorder{"C", {"j", "x7", "x2", "x5", "x4", "x3", "x6"}},
                        ComputeAt{"M", "C", "x3"}, Tile{"C", {"x2", "x5"}, {"a", "b", "c", "d"}, {2, 2}},
                        SetScope{"M", ir::Scope::kRegister}}), "");
}

// A register tile written element by element and read as one vector is no single value.
TEST(Regressions, RegisterTileOfSingleElementsReadAsAVector) {
  auto a = placeholder({15, 2}, ir::i32, "A"), w = dsl::constant({2, 13}, ir::i32, "W");
  auto k = dsl::reduce_axis(2, "k");
  auto b = compute({15, 13}, [&](dsl::Var i, dsl::Var j) { return dsl::sum(a(i, k) * w(k, j), k); }, "B");
  auto c = compute({2, 1}, [&](dsl::Var i, dsl::Var j) { return b(i * 2 + 8, i + j); }, "C");
  EXPECT_EQ(wrong({c}, {Split{"C", "j", {"x0", "x1"}, {4}, Tail::kGuard}, ComputeAt{"B", "C", "i"},
                        SetScope{"B", ir::Scope::kRegister}, Vectorize{"C", "x1"}}), "");
}

// 2^24 squares: the bound of their sum said nothing, and other orders were held against the rounding of the
// default plan. One row less of the 4,096 changes the norm by 1.2e-4, and must be seen.
TEST(Regressions, SumsWhoseBoundHidesARow) {
  search::Task task;
  task.op = "norm";
  task.dag = ops::build({.op = "norm", .shape = {{"b", 1}, {"m", 4096}, {"n", 4096}}, .layout = "", .dtype = ""}).or_throw();
  task.target = resolve_target("cpu");
  Builder builder;
  runtime::CpuMeasurer runner;
  Reference reference = make_reference(task.dag, task.target, 1, builder, runner);
  runner.install(reference.data);
  const search::Sketch sketch = search::generate_sketches(task).at(0);
  Rng rng(3);
  const StepList steps = fill_holes(sketch.steps, sketch.space.decisions(*sketch.space.sample(rng))).or_throw();
  const auto image = compile(task.dag, steps, task.target).or_throw();
  runtime::MeasureOptions measure;
  measure.sample_ns = 1;
  const runtime::Measurement right = runner.measure(image, measure);
  EXPECT_TRUE(right.ok()) << right.phase << ": " << right.message;
  for (runtime::ExpectedOutput& o : reference.data.exact.outputs) {
    float v = 0;
    std::memcpy(&v, o.values.data(), sizeof v);
    v *= 1 - 1.2e-4F;
    std::memcpy(o.values.data(), &v, sizeof v);
  }
  runner.install(reference.data);
  EXPECT_EQ(runner.measure(image, measure).status, runtime::MeasureStatus::kWrongAnswer);
}

}  // namespace
}  // namespace tessera::driver
