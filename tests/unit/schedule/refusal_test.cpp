// Illegal steps are refused with stage, axis and reason: one test a rule of each primitive.
#include "tests/unit/schedule/programs.h"

namespace tessera::schedule::test {
namespace {

TEST(Refusals, UnknownStageListsThem) { expect_refused(chain(8), Unroll{"X", "i"}, {"'X'", "A, B, C"}); }

TEST(Refusals, UnknownAxisListsTheLoops) { expect_refused(matmul(4, 6, 5), Unroll{"C", "z"}, {"'z'", "'C'", "i, j, k"}); }

TEST(Refusals, InputsHaveNoLoops) {
  expect_refused(chain(8), Split{"A", "i", {"i0", "i1"}, {4}}, {"'A'", "input"});
  expect_refused(chain(8), ComputeInline{"A"}, {"'A'", "input"});
}

TEST(Refusals, Split) {
  const State s = chain(8);
  expect_refused(s, Split{"C", "i", {"i0", "i1"}, {0}}, {"split factor", "0"});
  expect_refused(s, Split{"C", "i", {"i0", "i1"}, {-2}}, {"split factor", "-2"});
  expect_refused(s, Split{"C", "i", {"i0", "i1"}, {2, 2}}, {"'i'", "factors"});
  expect_refused(s, Split{"C", "i", {"i0"}, {}}, {"'i'", "factors"});
  expect_refused(s, Split{"C", "i", {"x", "x"}, {2}}, {"'x'"});
  expect_refused(s, Split{"C", "i", {"i", "x"}, {2}}, {"'C'", "already", "'i'"});
  expect_refused(s, Split{"C", "i", {"i0", "i1"}, {Param::open("t")}}, {"hole", "'t'"});
  expect_refused(s, Split{"C", "i", {"a b", "c"}, {2}}, {"'a b'"});
  expect_refused(s, Split{"C", "i", {"a", "b", "c"}, {std::int64_t{1} << 40, 16}}, {"2^40"});
}

TEST(Refusals, SplitOfAMarkedLoop) {
  const State s = after(chain(8), {Vectorize{"C", "i"}});
  expect_refused(s, Split{"C", "i", {"i0", "i1"}, {4}}, {"'i'", "'C'", "already vector"});
  expect_refused(after(chain(8), {Split{"C", "i", {"i0", "i1"}, {4}}}), Split{"C", "i", {"a", "b"}, {2}}, {"'i'", "no loop any more", "i0, i1"});
}

TEST(Refusals, PadNeedsACopyOfAWholeDimension) {
  expect_refused(matmul(5, 6, 7), Split{"C", "i", {"i0", "i1"}, {4}, ir::Tail::kPad}, {"'C'", "output", "pad"});
  expect_refused(after(chain(8), {Split{"B", "i", {"i0", "i1"}, {3}}}), Split{"B", "i1", {"a", "b"}, {2}, ir::Tail::kPad},
                 {"'i1'", "'B'", "dimension"});
}

TEST(Refusals, FuseTakesNeighboursInOrder) {
  const State s = matmul(4, 6, 5);
  expect_refused(s, Fuse{"C", {"j", "i"}, "f"}, {"'i'", "'j'", "reorder"});
  expect_refused(s, Fuse{"C", {"i", "k"}, "f"}, {"'k'", "'i'", "reorder"});
  expect_refused(s, Fuse{"C", {"i"}, "f"}, {"two loops"});
  expect_refused(s, Fuse{"C", {"i", "j"}, "k"}, {"already", "'k'"});
}

TEST(Refusals, FuseOfDataWithReduction) {
  expect_refused(matmul(4, 6, 5), Fuse{"C", {"j", "k"}, "f"}, {"'j'", "'k'", "reduction"});
}

TEST(Refusals, ReorderNamesALoopOnce) {
  expect_refused(matmul(4, 6, 5), Reorder{"C", {"i", "i"}}, {"'i'", "twice"});
}

TEST(Refusals, ReorderOutsideTheInitialisation) {
  const State s = after(matmul(4, 6, 5), {DecomposeReduction{"C", "j"}});
  expect_refused(s, Reorder{"C", {"k", "j"}}, {"'k'", "'C'", "initialisation"});
}

TEST(Refusals, VectorizeOfAReduction) {
  expect_refused(matmul(4, 6, 5), Vectorize{"C", "k"}, {"'k'", "'C'", "reduction", "rfactor"});
}

TEST(Refusals, VectorizeOfTooManyLanesTwiceOrAroundAStage) {
  expect_refused(chain(100), Vectorize{"C", "i"}, {"'i'", "100", "64", "split"});
  expect_refused(after(matmul(4, 6, 5), {Vectorize{"C", "j"}}), Vectorize{"C", "i"}, {"'j'", "already"});
  expect_refused(after(chain(8), {ComputeAt{"B", "C", "i"}}), Vectorize{"C", "i"}, {"'B'", "'i'", "another stage"});
}

TEST(Refusals, UnrollOfALongLoop) { expect_refused(chain(1000), Unroll{"C", "i"}, {"'i'", "1000", "512"}); }

TEST(Refusals, ParallelOnAReduction) {
  expect_refused(matmul(4, 6, 5), Parallel{"C", "k"}, {"'k'", "'C'", "reduction", "rfactor"});
}

TEST(Refusals, ParallelLoopsDoNotNest) {
  const State s = after(matmul(4, 6, 5), {Parallel{"C", "i"}});
  expect_refused(s, Parallel{"C", "j"}, {"'j'", "'i'", "do not nest"});
  const State inner = after(matmul(4, 6, 5), {Parallel{"C", "j"}});
  expect_refused(inner, Parallel{"C", "i"}, {"'j'", "do not nest"});
}

TEST(Refusals, ParallelStagesDoNotNest) {
  const State s = after(chain(8), {Split{"C", "i", {"i0", "i1"}, {4}}, Parallel{"B", "i"}, ComputeAt{"B", "C", "i0"}});
  expect_refused(s, Parallel{"C", "i0"}, {"'B'", "parallel"});
  const State t = after(chain(8), {Split{"C", "i", {"i0", "i1"}, {4}}, Parallel{"B", "i"}, Parallel{"C", "i0"}});
  expect_refused(t, ComputeAt{"B", "C", "i0"}, {"'i'", "'B'", "parallel"});
}

// Found by the fuzzer: a later step must not undo what an earlier one relied on.
TEST(Refusals, ReorderThatNestsParallelInLanes) {
  const State s = after(matmul(4, 8, 5), {Parallel{"C", "i"}, Vectorize{"C", "j"}});
  expect_refused(s, Reorder{"C", {"j", "i"}}, {"'i'", "'C'", "vector loop 'j'"});
}

TEST(Refusals, ReorderThatPutsAStageIntoLanes) {
  const State s = after(matmul(4, 8, 5), {CacheRead{"A", {}, "Ac"}, ComputeAt{"Ac", "C", "i"}, Vectorize{"C", "j"}});
  expect_refused(s, Reorder{"C", {"j", "i"}}, {"'Ac'", "vector loop 'j'"});
}

TEST(Refusals, ReorderThatTakesStorageInside) {
  const State s = after(matmul(4, 8, 5), {CacheRead{"A", {}, "Ac"}, ComputeAt{"Ac", "C", "j"}, StoreAt{"Ac", "C", "i"}});
  expect_refused(s, Reorder{"C", {"j", "i"}}, {"'Ac'", "stored", "'i'", "'j'"});
}

TEST(Refusals, ComputeRootOfARegisterTile) {
  const State s = after(chain(8), {ComputeAt{"B", "C", "i"}, SetScope{"B", ir::Scope::kRegister}});
  expect_refused(s, ComputeRoot{"B"}, {"'B'", "register"});
}

TEST(Refusals, OutlineAroundHalfOfARegisterTile) {
  const State s = after(matmul(4, 8, 5), {CacheWrite{"C", "Cw"}, ComputeAt{"Cw", "C", "i"}, SetScope{"Cw", ir::Scope::kRegister}});
  expect_refused(s, Outline{"C", "j"}, {"'Cw'", "register", "'j'"});
}

TEST(Refusals, ComputeAt) {
  const State s = chain(8);
  expect_refused(s, ComputeAt{"C", "B", "i"}, {"'C'", "output"});
  expect_refused(s, ComputeAt{"B", "B", "i"}, {"'B'", "itself"});
  expect_refused(s, ComputeAt{"B", "C", "z"}, {"'z'", "'C'", "i"});
  expect_refused(after(chain(8), {Vectorize{"C", "i"}}), ComputeAt{"B", "C", "i"}, {"'i'", "'C'", "vector"});
}

TEST(Refusals, ComputeAtWhereAReaderRunsOutside) {
  expect_refused(diamond(8), ComputeAt{"B", "C", "i"}, {"'B'", "'C'", "'D'", "does not run inside"});
}

TEST(Refusals, ComputeAtInACircle) {
  auto s = after(diamond(8), {ComputeAt{"C", "E", "i"}, ComputeAt{"D", "E", "i"}, ComputeAt{"B", "E", "i"}});
  expect_refused(s, ComputeAt{"E", "B", "i"}, {"'E'", "output"});
}

TEST(Refusals, StoreAt) {
  const State s = chain(8);
  expect_refused(s, StoreAt{"B", "C", "i"}, {"'B'", "root", "compute_at"});
  const State at = after(matmul(4, 8, 5), {CacheRead{"A", {}, "Ac"}, ComputeAt{"Ac", "C", "i"}});
  expect_refused(at, StoreAt{"Ac", "C", "j"}, {"'j'", "'C'", "enclose"});
  const State shared = after(matmul(4, 8, 5), {CacheRead{"A", {}, "Ac"}, ComputeAt{"Ac", "C", "j"}, Parallel{"C", "j"}});
  expect_refused(shared, StoreAt{"Ac", "C", "i"}, {"'Ac'", "parallel", "'j'"});
  const State stored = after(matmul(4, 8, 5), {CacheRead{"A", {}, "Ac"}, ComputeAt{"Ac", "C", "j"}, StoreAt{"Ac", "C", "i"}});
  expect_refused(stored, Parallel{"C", "j"}, {"'Ac'", "'j'", "share"});
}

TEST(Refusals, InlineOnlyElementwiseSingleOutputs) {
  expect_refused(chain(8), ComputeInline{"C"}, {"'C'", "output"});
  const State s = after(matmul(4, 6, 5), {CacheWrite{"C", "Cw"}});
  expect_refused(s, ComputeInline{"Cw"}, {"'Cw'", "reduction"});
  expect_refused(two_outputs(8), ComputeInline{"B"}, {"'B'", "2 outputs"});
  const State held = after(diamond(8), {ComputeInline{"D"}, CacheRead{"A", {"B"}, "Ac"}, ComputeAt{"Ac", "B", "i"}});
  expect_refused(held, ComputeInline{"B"}, {"'Ac'", "'B'"});
  expect_refused(after(chain(8), {ComputeInline{"B"}}), Unroll{"B", "i"}, {"'B'", "inlined"});
}

TEST(Refusals, CacheRead) {
  expect_refused(chain(8), CacheRead{"A", {"C"}, "Ac"}, {"'C'", "does not read", "'A'"});
  expect_refused(chain(8), CacheRead{"A", {}, "B"}, {"already", "'B'"});
  expect_refused(two_outputs(8), CacheRead{"B", {}, "Bc"}, {"'B'", "several outputs"});
  expect_refused(chain(8), CacheRead{"C", {}, "Cc"}, {"no stage reads", "'C'"});
}

TEST(Refusals, CacheWriteComesFirst) {
  expect_refused(after(chain(8), {Split{"C", "i", {"i0", "i1"}, {4}}}), CacheWrite{"C", "Cw"}, {"'C'", "before"});
  expect_refused(after(chain(8), {Vectorize{"C", "i"}}), CacheWrite{"C", "Cw"}, {"'i'", "'C'", "before"});
  expect_refused(chain(8), CacheWrite{"A", "Aw"}, {"'A'", "input"});
}

TEST(Refusals, Rfactor) {
  expect_refused(matmul(4, 6, 5), Rfactor{"C", "j", "Cf"}, {"'j'", "'C'", "data loop"});
  expect_refused(matmul(4, 6, 5), Rfactor{"C", "k", "A"}, {"already", "'A'"});
  expect_refused(after(matmul(4, 6, 5), {Unroll{"C", "k"}}), Rfactor{"C", "k", "Cf"}, {"'k'", "marked"});
  const State s = after(matmul(4, 6, 5), {CacheRead{"A", {}, "Ac"}, ComputeAt{"Ac", "C", "k"}});
  expect_refused(s, Rfactor{"C", "k", "Cf"}, {"'Ac'", "'k'", "before"});
}

TEST(Refusals, DecomposeReduction) {
  expect_refused(chain(8), DecomposeReduction{"C", "i"}, {"'C'", "does not reduce"});
  expect_refused(after(matmul(4, 6, 5), {Reorder{"C", {"k", "j"}}}), DecomposeReduction{"C", "j"}, {"'j'", "'k'", "partial sums"});
}

TEST(Refusals, SetScope) {
  expect_refused(chain(8), SetScope{"C", ir::Scope::kRegister}, {"'C'", "output"});
  expect_refused(chain(8), SetScope{"B", ir::Scope::kRegister}, {"'B'", "root", "compute_at"});
  auto a = placeholder({100, 100}, f32, "A");
  auto b = compute({100, 100}, [&](dsl::Var i, dsl::Var j) { return a(i, j) * 2.0; }, "B");
  auto c = compute({2, 100, 100}, [&](dsl::Var h, dsl::Var i, dsl::Var j) { return b(i, j) + ir::cast(f32, h); }, "C");
  const State s = after(start(dsl::ComputeDag::from_outputs({c})), {ComputeAt{"B", "C", "i"}});
  expect_refused(s, SetScope{"B", ir::Scope::kRegister}, {"'B'", "40000 bytes", "16384"});
}

TEST(Refusals, TransformLayout) {
  expect_refused(chain(8), TransformLayout{"C", {{"i", 0}}}, {"'C'", "output"});
  expect_refused(chain(8), TransformLayout{"B", {{"z", 0}}}, {"'z'", "dimension"});
  expect_refused(chain(8), TransformLayout{"B", {{"i", 4}}}, {"'i'", "once"});
  expect_refused(chain(8), TransformLayout{"B", {{"i", 4}, {"i", 0}}}, {"'i'", "before its blocks"});
}

TEST(Refusals, TensorizeSaysWhichPartDoesNotMatch) {
  const State s = after(matmul(6, 32, 5), {Reorder{"C", {"k", "i", "j"}}});
  expect_refused(s, Tensorize{"C", {"i", "j"}, "cpu.nothing"}, {"'cpu.nothing'", "cpu.fma.f32x16"});
  expect_refused(s, Tensorize{"C", {"k", "i"}, "cpu.fma.f32x16"}, {"innermost"});
  expect_refused(s, Tensorize{"C", {"j"}, "cpu.fma.f32x16"}, {"1 loops"});
  expect_refused(matmul(6, 32, 5), Tensorize{"C", {"j", "k"}, "cpu.fma.f32x16"}, {"'k'", "reduction"});
  expect_refused(after(matmul(32, 64, 5), {Reorder{"C", {"k", "i", "j"}}}), Tensorize{"C", {"i", "j"}, "cpu.fma.f32x16"},
                 {"128 accumulators", "room for"});
  auto a = placeholder({4, 32}, f32, "A");
  auto c = compute({4, 32}, [&](dsl::Var i, dsl::Var j) { return a(i, j) + 1.0; }, "C");
  expect_refused(start(dsl::ComputeDag::from_outputs({c})), Tensorize{"C", {"i", "j"}, "cpu.fma.f32x16"}, {"'C'", "no sum"});
}

TEST(Refusals, OutlineAndAnnotate) {
  expect_refused(after(chain(8), {Vectorize{"C", "i"}}), Outline{"C", "i"}, {"'i'", "vector"});
  expect_refused(after(matmul(4, 6, 5), {Outline{"C", "i"}}), Outline{"C", "j"}, {"'i'", "already"});
  expect_refused(chain(8), Annotate{"C", "i", "import", 1}, {"'import'", "grain, unroll"});
  expect_refused(chain(8), Annotate{"C", "i", "unroll", 1000}, {"unroll", "1000", "64"});
}

TEST(Refusals, ReplayNamesTheStep) {
  const auto r = replay(chain(8), {Split{"C", "i", {"i0", "i1"}, {4}}, Unroll{"C", "i"}});
  ASSERT_FALSE(r.ok());
  EXPECT_EQ(r.reason().rfind("step 1: unroll: ", 0), 0U) << r.reason();
}

}  // namespace
}  // namespace tessera::schedule::test
