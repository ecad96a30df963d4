// What each step does, as loops.
#include "tests/unit/schedule/programs.h"

namespace tessera::schedule::test {
namespace {

using Names = std::vector<std::string>;

TEST(Steps, SplitMakesRoundedUpTiles) {
  EXPECT_EQ(loops(chain(10), {Split{"C", "i", {"i0", "i1"}, {4}}}),
            "for B.i in 0..10\n"
            "  B = ...\n"
            "for C.i0 in 0..3\n"
            "  for C.i1 in 0..4\n"
            "    C = ...\n");
}

TEST(Steps, SplitByMoreThanTheExtent) {
  EXPECT_EQ(loops(chain(3), {Split{"C", "i", {"i0", "i1"}, {8}}}),
            "for B.i in 0..3\n"
            "  B = ...\n"
            "for C.i0 in 0..1\n"
            "  for C.i1 in 0..3\n"
            "    C = ...\n");
}

TEST(Steps, SplitIntoThreeAndGuarded) {
  EXPECT_EQ(loops(chain(100), {Split{"C", "i", {"a", "b", "c"}, {3, 7}, ir::Tail::kGuard}}),
            "for B.i in 0..100\n"
            "  B = ...\n"
            "for C.a in 0..5\n"
            "  for C.b in 0..3\n"
            "    for C.c in 0..7\n"
            "      C = ...\n");
}

TEST(Steps, FuseMultipliesExtents) {
  EXPECT_EQ(loops(matmul(4, 6, 5), {Fuse{"C", {"i", "j"}, "f"}}),
            "for C.f in 0..24\n"
            "  for C.k in 0..5 reduce\n"
            "    C = ...\n");
}

TEST(Steps, FuseOfASplitRunsWholeTiles) {
  EXPECT_EQ(loops(chain(10), {Split{"C", "i", {"i0", "i1"}, {4}}, Fuse{"C", {"i0", "i1"}, "f"}}),
            "for B.i in 0..10\n"
            "  B = ...\n"
            "for C.f in 0..12\n"
            "  C = ...\n");
}

TEST(Steps, ReorderAcrossAReduction) {
  EXPECT_EQ(loops(matmul(4, 6, 5), {Reorder{"C", {"k", "i"}}}),
            "for C.k in 0..5 reduce\n"
            "  for C.j in 0..6\n"
            "    for C.i in 0..4\n"
            "      C = ...\n");
}

TEST(Steps, TileIsTwoSplitsAndAReorder) {
  const State s = matmul(9, 10, 5);
  EXPECT_EQ(loops(s, {Tile{"C", {"i", "j"}, {"i0", "j0", "i1", "j1"}, {4, 8}}}),
            loops(s, {Split{"C", "i", {"i0", "i1"}, {4}}, Split{"C", "j", {"j0", "j1"}, {8}},
                      Reorder{"C", {"i0", "j0", "i1", "j1"}}}));
}

TEST(Steps, MarksShowOnTheLoop) {
  EXPECT_EQ(loops(matmul(4, 8, 5), {Parallel{"C", "i"}, Vectorize{"C", "j"}, Unroll{"C", "k"}, Reorder{"C", {"k", "j"}}}),
            "for C.i in 0..4 parallel\n"
            "  for C.k in 0..5 unroll reduce\n"
            "    for C.j in 0..8 vector\n"
            "      C = ...\n");
}

TEST(Steps, AnnotateAndOutline) {
  EXPECT_EQ(loops(matmul(4, 8, 5), {Annotate{"C", "k", "unroll", 4}, Outline{"C", "i"}}),
            "for C.i in 0..4 outline\n"
            "  for C.j in 0..8\n"
            "    for C.k in 0..5 reduce @unroll=4\n"
            "      C = ...\n");
}

TEST(Steps, ComputeAtComputesWhatTheLoopNeeds) {
  EXPECT_EQ(loops(stencil(16), {Split{"C", "i", {"i0", "i1"}, {4}}, ComputeAt{"B", "C", "i0"}}),
            "for C.i0 in 0..4\n"
            "  for B.i in 0..6\n"
            "    B = ...\n"
            "  for C.i1 in 0..4\n"
            "    C = ...\n");
}

TEST(Steps, ComputeAtFollowsASplitToItsInnermostPiece) {
  const State s = after(chain(12), {ComputeAt{"B", "C", "i"}, Split{"C", "i", {"i0", "i1"}, {4}}});
  EXPECT_EQ(s.find("B")->at, (Attach{"C", "i1"}));
  const State fused = after(s, {Fuse{"C", {"i0", "i1"}, "f"}});
  EXPECT_EQ(fused.find("B")->at, (Attach{"C", "f"}));
}

TEST(Steps, StoreAtKeepsAnOuterBox) {
  const State s = after(stencil(16), {Split{"C", "i", {"i0", "i1"}, {4}}, ComputeAt{"B", "C", "i1"}, StoreAt{"B", "C", "i0"}});
  EXPECT_EQ(s.find("B")->region.bound, std::vector<std::int64_t>{3});
  ASSERT_TRUE(s.find("B")->store_at.has_value());
}

TEST(Steps, ComputeRootUndoesComputeAt) {
  EXPECT_EQ(loops(chain(8), {ComputeAt{"B", "C", "i"}, ComputeRoot{"B"}}), loops(chain(8), {}));
}

TEST(Steps, InlineLeavesOneNest) {
  EXPECT_EQ(loops(chain(8), {ComputeInline{"B"}}), "B inlined\nfor C.i in 0..8\n  C = ...\n");
}

TEST(Steps, CacheReadPutsACopyBeforeTheReaders) {
  const State s = after(diamond(8), {CacheRead{"B", {"C"}, "Bc"}});
  ASSERT_NE(s.find("Bc"), nullptr);
  EXPECT_LT(s.index_of("B"), s.index_of("Bc"));
  EXPECT_LT(s.index_of("Bc"), s.index_of("C"));
  const auto readers = s.consumers(*s.find("Bc"));
  ASSERT_EQ(readers.size(), 1U);
  EXPECT_EQ(readers[0]->name, "C");
}

TEST(Steps, CacheWriteMovesTheComputation) {
  EXPECT_EQ(loops(matmul(4, 6, 5), {CacheWrite{"C", "Cw"}}),
            "for Cw.i in 0..4\n"
            "  for Cw.j in 0..6\n"
            "    for Cw.k in 0..5 reduce\n"
            "      Cw = ...\n"
            "for C.i in 0..4\n"
            "  for C.j in 0..6\n"
            "    C = ...\n");
}

TEST(Steps, CacheWriteKeepsSeveralOutputsTogether) {
  const State s = after(two_outputs(8), {CacheWrite{"B", "Bw"}});
  EXPECT_EQ(s.find("Bw")->outputs.size(), 2U);
  EXPECT_EQ(s.find("B")->outputs.size(), 2U);
}

TEST(Steps, RfactorMakesPartialResults) {
  EXPECT_EQ(loops(matmul(4, 6, 10), {Split{"C", "k", {"k0", "k1"}, {4}}, Rfactor{"C", "k1", "Cf"}}),
            "for Cf.i in 0..4\n"
            "  for Cf.j in 0..6\n"
            "    for Cf.k1 in 0..4\n"
            "      for Cf.k0 in 0..3 reduce\n"
            "        Cf = ...\n"
            "for C.i in 0..4\n"
            "  for C.j in 0..6\n"
            "    for C.k1 in 0..4 reduce\n"
            "      C = ...\n");
}

TEST(Steps, DecomposeReductionNamesThePlaceOfTheStart) {
  const State s = after(matmul(4, 6, 5), {DecomposeReduction{"C", "i"}});
  EXPECT_EQ(s.find("C")->init_axis, "i");
}

TEST(Steps, SetScopeAndLayout) {
  const State s = after(chain(8), {ComputeAt{"B", "C", "i"}, SetScope{"B", ir::Scope::kRegister}});
  EXPECT_EQ(s.find("B")->scope, ir::Scope::kRegister);
  const State packed = after(matmul(4, 32, 5), {Pack{"B", {}, "Bp", {{"d1", 0}, {"d0", 0}, {"d1", 16}}}});
  const std::vector<LayoutPart> parts{{1, 0}, {0, 0}, {1, 16}};
  EXPECT_EQ(packed.find("Bp")->layout, parts);
}

TEST(Steps, TensorizeUnrollsAndVectorises) {
  EXPECT_EQ(loops(matmul(6, 32, 5), {Reorder{"C", {"k", "i", "j"}}, Tensorize{"C", {"i", "j"}, "cpu.fma.f32x16"}}),
            "for C.k in 0..5 reduce\n"
            "  for C.i in 0..6 unroll\n"
            "    for C.j.vectors in 0..2 unroll\n"
            "      for C.j.lanes in 0..16 vector\n"
            "        C = ...\n");
}

TEST(Steps, AStateIsAValue) {
  const State before = chain(8);
  const std::string text = before.print_loops();
  after(before, {Split{"C", "i", {"i0", "i1"}, {4}}, ComputeAt{"B", "C", "i0"}});
  EXPECT_EQ(before.print_loops(), text);
}

}  // namespace
}  // namespace tessera::schedule::test
