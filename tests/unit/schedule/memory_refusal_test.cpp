// What prefetch, streaming_store, storage_align and rolling_window refuse, and that later steps do not
// break what they have set up.
#include "tests/unit/schedule/programs.h"

namespace tessera::schedule::test {
namespace {

TEST(Refusals, PrefetchWantsAReadOfARootTensorAtAPlainLoop) {
  const State s = matmul(64, 64, 64);
  expect_refused(s, Prefetch{"C", "q", "A", 1}, {"'q'", "'C'", "i, j, k"});
  expect_refused(s, Prefetch{"C", "k", "Z", 1}, {"'Z'", "A, B, C"});
  expect_refused(s, Prefetch{"C", "k", "A", -1}, {"prefetch distance", "-1"});
  expect_refused(s, Prefetch{"C", "k", "A", Param::open("d")}, {"open hole 'd'"});
  expect_refused(s, Prefetch{"C", "k", "A", 1, 4}, {"locality is 4"});
  expect_refused(s, Prefetch{"C", "k", "A", 1, 3, true}, {"'C'", "does not write 'A'"});
  expect_refused(s, Prefetch{"C", "k", "C", 1}, {"'k'", "does not read 'C'"});
  expect_refused(s, Prefetch{"C", "i", "B", 1}, {"'i'", "256 lines of 'B'", "at most 64"});
  const State lanes = after(s, {Split{"C", "j", {"j0", "j1"}, {16}}, Reorder{"C", {"k", "j1"}}, Vectorize{"C", "j1"}});
  expect_refused(lanes, Prefetch{"C", "j1", "B", 1}, {"'j1'", "vector loop", "around it"});
  const State inner = after(chain(16), {Split{"C", "i", {"i0", "i1"}, {4}}, ComputeAt{"B", "C", "i0"}});
  expect_refused(inner, Prefetch{"C", "i1", "B", 1}, {"'B'", "not kept at root"});
}

TEST(Refusals, LaterStepsKeepAPrefetchPossible) {
  const State s = after(matmul(64, 64, 64), {Split{"C", "k", {"k0", "k1"}, {4}}, Prefetch{"C", "k1", "A", 1}});
  expect_refused(s, Rfactor{"C", "k0", "F"}, {"'k1'", "prefetch comes after"});
  EXPECT_TRUE(apply_step(s, Split{"C", "k1", {"k2", "k3"}, {2}}).ok());
  const State d = after(chain(16), {Prefetch{"C", "i", "B", 2}});
  expect_refused(d, ComputeAt{"B", "C", "i"}, {"'B'", "not kept at root"});
  expect_refused(d, Vectorize{"C", "i"}, {"'i'", "vector loop"});
}

TEST(Refusals, StreamingStore) {
  expect_refused(matmul(4, 4, 4), StreamingStore{"C"}, {"'C'", "reduction", "cache_write"});
  expect_refused(chain(8), StreamingStore{"A"}, {"'A'", "input"});
  const State placed = after(chain(8), {ComputeAt{"B", "C", "i"}});
  expect_refused(placed, StreamingStore{"B"}, {"'B'", "'i'", "caches"});
  expect_refused(after(chain(8), {StreamingStore{"B"}}), ComputeAt{"B", "C", "i"}, {"'B'", "streams"});
}

TEST(Refusals, StorageAlign) {
  const State s = after(matmul(8, 8, 8), {CacheRead{"B", {"C"}, "Bc"}});
  expect_refused(s, StorageAlign{"C", "i", 16, 0}, {"'C'", "output"});
  expect_refused(s, StorageAlign{"B", "d0", 16, 0}, {"'B'", "input"});
  expect_refused(s, StorageAlign{"Bc", "k", 16, 0}, {"'k'", "no dimension", "'Bc'"});
  expect_refused(s, StorageAlign{"Bc", "d1", 16, 0}, {"'d1'", "innermost"});
  expect_refused(s, StorageAlign{"Bc", "d0", 0, 0}, {"alignment factor", "0"});
  expect_refused(s, StorageAlign{"Bc", "d0", 8, 8}, {"offset 8", "factor 8"});
  expect_refused(after(s, {StorageAlign{"Bc", "d0", 16, 8}}), TransformLayout{"Bc", {{"d1", 0}, {"d0", 0}}}, {"'d0'", "storage_align", "innermost"});
  const State tile = after(s, {ComputeAt{"Bc", "C", "i"}, StorageAlign{"Bc", "d0", 3, 1}});
  expect_refused(tile, SetScope{"Bc", ir::Scope::kRegister}, {"'Bc'", "register tile"});
}

TEST(Refusals, RollingWindow) {
  const State s = stencil(16);
  expect_refused(s, RollingWindow{"B"}, {"'B'", "at root"});
  expect_refused(s, RollingWindow{"A"}, {"'A'", "input"});
  expect_refused(after(chain(8), {ComputeAt{"B", "C", "i"}}), RollingWindow{"B"}, {"'B'", "do not overlap"});
  const State at = after(s, {ComputeAt{"B", "C", "i"}});
  for (const Step& mark : {Step(Parallel{"C", "i"}), Step(Unroll{"C", "i"})}) {
    expect_refused(after(at, {mark}), RollingWindow{"B"}, {"'B'", "'i'", "one after the other"});
    expect_refused(after(at, {RollingWindow{"B"}}), mark, {"'B'", "'i'", "one after the other"});
  }
  expect_refused(after(at, {SetScope{"B", ir::Scope::kRegister}}), RollingWindow{"B"}, {"'B'", "register tile"});
  expect_refused(after(at, {Split{"B", "i", {"x", "y"}, {2}, ir::Tail::kPad}}), RollingWindow{"B"}, {"'B'", "pads"});
  const State tiled = after(s, {Split{"C", "i", {"i0", "i1"}, {4}}, ComputeAt{"B", "C", "i1"}});
  expect_refused(after(tiled, {StoreAt{"B", "C", "i0"}}), RollingWindow{"B"}, {"'B'", "stored at loop 'i0'"});
  expect_refused(after(tiled, {RollingWindow{"B"}}), StoreAt{"B", "C", "i0"}, {"'B'", "rolls"});
  const State product = after(matmul(8, 8, 8), {CacheRead{"A", {"C"}, "Ac"}, ComputeAt{"Ac", "C", "j"}});
  expect_refused(product, RollingWindow{"Ac"}, {"'Ac'", "does not move along loop 'j'"});
  expect_refused(after(s, {Split{"C", "i", {"i0", "i1"}, {4}}, Reorder{"C", {"i1", "i0"}}, Fuse{"C", {"i1", "i0"}, "f"}, ComputeAt{"B", "C", "f"}}),
                 RollingWindow{"B"}, {"'B'", "only move forward"});
}

TEST(Steps, MemoryStepsShowInTheLoops) {
  EXPECT_EQ(loops(stencil(16), {ComputeAt{"B", "C", "i"}, RollingWindow{"B"}, Prefetch{"B", "i", "A", 8}, StreamingStore{"C"}}),
            "for C.i in 0..16\n"
            "  for B.i in 0..3\n"
            "    prefetch A 8 ahead\n"
            "    B = ...  (rolling)\n"
            "  C = ...  (streaming)\n");
}

}  // namespace
}  // namespace tessera::schedule::test
