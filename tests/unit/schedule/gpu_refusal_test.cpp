// What bind, spread, pad_box, pipeline, swizzle and finish_in_last_block refuse, and that later steps do not break what they have set up.
#include "tests/unit/schedule/programs.h"

namespace tessera::schedule::test {
namespace {

using ir::ForKind;

/// C, 32 x n elements in blocks of 8 x `columns`, one a thread; B.s is a tile of B for a step of 4 of the sum.
State tiled(std::int64_t n = 32, std::int64_t columns = 8) {
  return after(matmul(32, n, 16), {CacheWrite{"C", "C.acc"},
                                   Split{"C", "i", {"i0", "i1"}, {8}},
                                   Split{"C", "j", {"j0", "j1"}, {columns}},
                                   Reorder{"C", {"i0", "j0", "i1", "j1"}},
                                   Bind{"C", "i0", ForKind::kBlockY},
                                   Bind{"C", "j0", ForKind::kBlockX},
                                   Bind{"C", "i1", ForKind::kThreadY},
                                   Bind{"C", "j1", ForKind::kThreadX},
                                   ComputeAt{"C.acc", "C", "j0"},
                                   Split{"C.acc", "k", {"k0", "k1"}, {4}},
                                   Reorder{"C.acc", {"k0", "i", "j", "k1"}},
                                   CacheRead{"B", {"C.acc"}, "B.s", ir::Scope::kShared},
                                   ComputeAt{"B.s", "C.acc", "k0"}});
}

TEST(Refusals, BindTakesALevelOfTheGpu) {
  const State s = matmul(64, 64, 8);
  expect_refused(s, Bind{"X", "i", ForKind::kBlockX}, {"'X'", "A, B, C"});
  expect_refused(s, Bind{"A", "i", ForKind::kBlockX}, {"'A'", "input"});
  expect_refused(s, Bind{"C", "z", ForKind::kBlockX}, {"'z'", "'C'", "i, j, k"});
  expect_refused(s, Bind{"C", "i", ForKind::kParallel}, {"block.x", "thread.x", "warp or lane", "'parallel'"});
  expect_refused(s, Bind{"C", "k", ForKind::kBlockX}, {"'k'", "'C'", "reduction", "rfactor"});
  expect_refused(s, Bind{"C", "i", ForKind::kLane}, {"'i'", "'C'", "64 times", "32 lanes", "split"});
  expect_refused(after(s, {Unroll{"C", "i"}}), Bind{"C", "i", ForKind::kThreadX}, {"'i'", "'C'", "already unroll"});
  EXPECT_TRUE(apply_step(s, Bind{"C", "k", ForKind::kThreadX}).ok());
}

TEST(Refusals, BlocksAreOutermost) {
  const State s = matmul(64, 64, 8);
  expect_refused(s, Bind{"C", "j", ForKind::kBlockX}, {"'j'", "'C'", "block.x", "inside loop 'i'", "outermost", "reorder"});
  expect_refused(after(s, {Bind{"C", "i", ForKind::kBlockX}}), Reorder{"C", {"j", "i"}}, {"'i'", "'C'", "inside loop 'j'", "outermost"});
  const State inner = after(chain(16), {Split{"C", "i", {"i0", "i1"}, {4}}, ComputeAt{"B", "C", "i0"}});
  expect_refused(inner, Bind{"B", "i", ForKind::kBlockX}, {"'i'", "'B'", "inside loop 'i0' of 'C'"});
}

TEST(Refusals, ALevelIsBoundOnce) {
  const State s = after(matmul(64, 64, 8), {Bind{"C", "i", ForKind::kBlockX}});
  expect_refused(s, Bind{"C", "j", ForKind::kBlockX}, {"'j'", "'i'", "'C'", "block.x already"});
  const State threads = after(s, {Split{"C", "j", {"j0", "j1"}, {8}}, Bind{"C", "j0", ForKind::kThreadX}});
  expect_refused(threads, Bind{"C", "j1", ForKind::kThreadX}, {"'j1'", "'j0'", "thread.x already"});
  expect_refused(threads, Bind{"C", "j1", ForKind::kLane}, {"'j1'", "lane", "'j0'", "thread.x already"});
  expect_refused(threads, Parallel{"C", "j1"}, {"'j1'", "parallel", "bind it"});
  EXPECT_TRUE(apply_step(threads, Bind{"C", "j1", ForKind::kThreadY}).ok());
  expect_refused(after(matmul(64, 64, 8), {Parallel{"C", "i"}}), Bind{"C", "j", ForKind::kThreadX}, {"'j'", "'i'", "parallel already"});
}

TEST(Refusals, StorageOutsideOfBoundLoopsWouldBeShared) {
  const State s = after(matmul(8, 8, 8), {CacheRead{"A", {}, "Ac"}, ComputeAt{"Ac", "C", "j"}, Bind{"C", "i", ForKind::kBlockX}, Bind{"C", "j", ForKind::kThreadX}});
  expect_refused(s, StoreAt{"Ac", "C", "i"}, {"'Ac'", "thread.x", "'j'", "share"});
}

TEST(Refusals, SpreadTakesTheThreadsOfAStage) {
  const State s = tiled();
  const std::vector<std::string> into{"d0.step", "d0.thread"};
  expect_refused(s, Spread{"B.s", "d0", into, "C.acc"}, {"'C.acc'", "no loop over threads", "bind"});
  const State bound = after(s, {Bind{"C.acc", "i", ForKind::kThreadY}, Bind{"C.acc", "j", ForKind::kThreadX}});
  expect_refused(bound, Spread{"B.s", "z", into, "C.acc"}, {"'z'", "'B.s'", "d0, d1"});
  expect_refused(bound, Spread{"B.s", "d0", into, "X"}, {"'X'", "stages are"});
  expect_refused(bound, Spread{"B.s", "d0", into, "B"}, {"'B'", "input"});
  expect_refused(bound, Spread{"B.s", "d0", {"t"}, "C.acc"}, {"two loops", "1"});
  expect_refused(after(bound, {Unroll{"B.s", "d0"}}), Spread{"B.s", "d0", into, "C.acc"}, {"'d0'", "already unroll"});
  const State spread = after(bound, {Spread{"B.s", "d0", into, "C.acc"}});
  EXPECT_EQ(spread.find("B.s")->split_into("d0.thread")->factor, 64);
  EXPECT_EQ(spread.find("B.s")->find_axis("d0.thread")->loop, ForKind::kThreadX);
}

TEST(Refusals, SpreadCountsWholeWarps) {
  const State s = after(tiled(), {Bind{"C.acc", "i", ForKind::kWarp}, Bind{"C.acc", "j", ForKind::kLane}});
  EXPECT_EQ(after(s, {Spread{"B.s", "d0", {"a", "b"}, "C.acc"}}).find("B.s")->split_into("b")->factor, 8 * 32);
}

TEST(Refusals, PadBoxNeedsABox) {
  const State s = tiled();
  expect_refused(s, PadBox{"X"}, {"'X'", "stages are"});
  expect_refused(s, PadBox{"B"}, {"'B'", "input"});
  expect_refused(s, PadBox{"C"}, {"'C'", "root", "compute_at"});
  const State rolling = after(stencil(16), {ComputeAt{"B", "C", "i"}, RollingWindow{"B"}});
  expect_refused(rolling, PadBox{"B"}, {"'B'", "rolls", "padded"});
  const State moved = after(stencil(16), {Split{"C", "i", {"i0", "i1"}, {4}}, ComputeAt{"B", "C", "i1"}, StoreAt{"B", "C", "i0"}});
  expect_refused(moved, PadBox{"B"}, {"'B'", "stored at another loop"});
  const State padded = after(s, {PadBox{"B.s"}});
  expect_refused(padded, ComputeRoot{"B.s"}, {"'B.s'", "root", "padded"});
  expect_refused(padded, StoreAt{"B.s", "C", "j0"}, {"'B.s'", "stored at another loop"});
}

TEST(Refusals, TheLastBlockFinishesTheKernelBefore) {
  const State cut = after(matmul(4, 4, 64), {Split{"C", "k", {"k0", "k1"}, {8}}, Rfactor{"C", "k0", "C.part"}});
  const FinishInLastBlock finish{"C"};
  expect_refused(cut, FinishInLastBlock{"X"}, {"'X'", "stages are"});
  expect_refused(cut, FinishInLastBlock{"A"}, {"'A'", "input"});
  expect_refused(cut, FinishInLastBlock{"C.part"}, {"'C.part'", "first at root", "there is none"});
  expect_refused(after(cut, {Bind{"C", "i", ForKind::kBlockX}}), finish, {"'i'", "'C'", "block.x", "one block", "'C.part'", "bind it to threads"});
  expect_refused(diamond(16), FinishInLastBlock{"D"}, {"'D'", "reads nothing of 'C'", "has begun"});
  const State done = after(cut, {finish});
  EXPECT_EQ(done.print_loops().find("(in the last block)"), done.print_loops().rfind("(in the last block)"));
  expect_refused(done, finish, {"'C'", "already"});
  expect_refused(done, Bind{"C", "i", ForKind::kBlockX}, {"'i'", "block.x", "bind it to threads"});
  expect_refused(done, ComputeAt{"C.part", "C", "i"}, {"'C'", "first at root"});
  EXPECT_TRUE(apply_step(done, Bind{"C", "i", ForKind::kThreadX}).ok());
  // The copy that stays is finished; the sum before it is a kernel of its own, or inside of it.
  const State copied = after(done, {CacheWrite{"C", "C.acc"}});
  EXPECT_FALSE(copied.find("C.acc")->in_last_block);
  expect_refused(copied, FinishInLastBlock{"C.acc"}, {"'C.acc'", "'C'", "finished once"});
  const State inside = after(copied, {ComputeAt{"C.acc", "C", "i"}});
  expect_refused(after(inside, {Bind{"C.part", "i", ForKind::kBlockX}}), Bind{"C.acc", "j", ForKind::kBlockX}, {"'j'", "block.x"});
}

TEST(Refusals, TheLastBlockComputesWholeStages) {
  const State s = after(chain(16), {Split{"C", "i", {"i0", "i1"}, {4}}});
  expect_refused(after(s, {ComputeAt{"B", "C", "i0"}}), FinishInLastBlock{"B"}, {"'B'", "inside of a loop", "root"});
  const State done = after(s, {FinishInLastBlock{"C"}});
  expect_refused(done, ComputeInline{"B"}, {"'C'", "first at root"});
}

TEST(Refusals, PipelineIsOfSharedTilesAtASerialLoop) {
  const State s = tiled();
  expect_refused(s, Pipeline{"X", 2}, {"'X'", "stages are"});
  expect_refused(s, Pipeline{"B", 2}, {"'B'", "input"});
  expect_refused(s, Pipeline{"C.acc", 2}, {"'C.acc'", "global memory", "shared", "scope first"});
  expect_refused(s, Pipeline{"B.s", 0}, {"slots", "0"});
  expect_refused(s, Pipeline{"B.s", 9}, {"slots", "9"});
  expect_refused(s, Pipeline{"B.s", Param::open("n")}, {"hole", "'n'"});
  EXPECT_TRUE(apply_step(s, Pipeline{"B.s", 1}).ok());
  expect_refused(after(s, {ComputeAt{"B.s", "C", "j0"}}), Pipeline{"B.s", 2}, {"'B.s'", "2 slots", "'j0'", "block.x", "one after the other"});
  expect_refused(after(s, {Unroll{"C.acc", "k0"}}), Pipeline{"B.s", 2}, {"'B.s'", "'k0'", "unroll"});
  const State shared = after(matmul(32, 32, 16), {CacheRead{"B", {}, "B.s", ir::Scope::kShared}});
  expect_refused(shared, Pipeline{"B.s", 2}, {"'B.s'", "2 slots", "needs a place inside the loop"});
}

TEST(Refusals, LaterStepsKeepAPipeline) {
  const State s = after(tiled(), {Pipeline{"B.s", 3}});
  expect_refused(s, ComputeRoot{"B.s"}, {"'B.s'", "3 slots"});
  expect_refused(s, Unroll{"C.acc", "k0"}, {"'B.s'", "3 slots", "'k0'"});
  expect_refused(s, StoreAt{"B.s", "C", "j0"}, {"'B.s'", "3 slots", "stored where it is computed"});
  expect_refused(s, SetScope{"B.s", ir::Scope::kRegister}, {"'B.s'", "3 slots"});
}

TEST(Refusals, SlotsOfALoopAreOneNumber) {
  const State s = after(tiled(), {CacheRead{"A", {"C.acc"}, "A.s", ir::Scope::kShared}, ComputeAt{"A.s", "C.acc", "k0"}, Pipeline{"B.s", 3}});
  expect_refused(s, Pipeline{"A.s", 2}, {"'A.s'", "2 slots", "'B.s'", "3", "'k0'"});
  EXPECT_TRUE(apply_step(s, Pipeline{"A.s", 3}).ok());
}

TEST(Steps, GpuStepsShowInTheLoops) {
  EXPECT_EQ(after(tiled(), {PadBox{"B.s"}, Pipeline{"B.s", 3}}).print_loops(),
            "for C.i0 in 0..4 block.y\n"
            "  for C.j0 in 0..4 block.x\n"
            "    for C.acc.k0 in 0..4 reduce\n"
            "      for B.s.d0 in 0..4\n"
            "        for B.s.d1 in 0..8\n"
            "          B.s = ...  (shared)  (padded)  (3 slots)\n"
            "      for C.acc.i in 0..8\n"
            "        for C.acc.j in 0..8\n"
            "          for C.acc.k1 in 0..4 reduce\n"
            "            C.acc = ...\n"
            "    for C.i1 in 0..8 thread.y\n"
            "      for C.j1 in 0..8 thread.x\n"
            "        C = ...\n");
}

TEST(Refusals, Swizzle) {
  const State s = tiled();
  expect_refused(s, Swizzle{"C", 4}, {"'C'", "global memory", "set its scope"});
  expect_refused(s, Swizzle{"B", 4}, {"'B'", "input"});
  expect_refused(s, Swizzle{"B.s", 0}, {"swizzle chunk", "0"});
  expect_refused(s, Swizzle{"B.s", 32}, {"swizzle chunk", "32", "16"});
  expect_refused(s, Swizzle{"B.s", 6}, {"6", "power of two"});
  expect_refused(s, Swizzle{"B.s", Param::open("chunk")}, {"open hole 'chunk'"});
  expect_refused(s, Swizzle{"B.s", 16}, {"'B.s'", "8 elements", "chunks of 16", "storage_align"});
  expect_refused(tiled(48, 24), Swizzle{"B.s", 4}, {"'B.s'", "24 elements", "chunks of 4", "storage_align"});
  expect_refused(tiled(48, 12), Swizzle{"B.s", 8}, {"'B.s'", "12 elements", "chunks of 8"});
  expect_refused(after(s, {StorageAlign{"B.s", "d0", 8, 4}}), Swizzle{"B.s", 4}, {"'B.s'", "storage_align", "one of the two"});
}

TEST(Refusals, LaterStepsKeepASwizzlePossible) {
  const State s = after(tiled(48), {Swizzle{"B.s", 4}});
  expect_refused(s, Swizzle{"B.s", 2}, {"'B.s'", "chunks of 4", "already"});
  expect_refused(s, StorageAlign{"B.s", "d0", 8, 4}, {"'B.s'", "storage_align", "one of the two"});
  expect_refused(s, SetScope{"B.s", ir::Scope::kGlobal}, {"'B.s'", "global memory has no banks"});
  expect_refused(s, ComputeAt{"B.s", "C", "i0"}, {"'B.s'", "48 elements"});
  EXPECT_TRUE(apply_step(s, Pipeline{"B.s", 3}).ok());
  EXPECT_TRUE(apply_step(s, PadBox{"B.s"}).ok());
}

}  // namespace
}  // namespace tessera::schedule::test
