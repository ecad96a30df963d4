// Which threads have a value: reductions that several levels of threads share, register tiles that fewer
// threads compute than read.
#include <gtest/gtest.h>

#include "tests/correctness/cuda_kernels.h"

namespace tessera::test {
namespace {

std::string refusal(const Schedule& s) {
  const auto program = lower::lower(s.state(), cuda_options());
  return program.ok() ? "" : program.reason();
}

/// S[i] = sum of a row of `n`, Y[i, j] = A[i, j] + S[i].
Schedule sums_added(std::int64_t m, std::int64_t n) {
  auto A = placeholder({m, n}, f32, "A");
  auto k = reduce_axis(n, "k");
  auto S = compute({m}, [&](Var i) { return sum(A(i, k), k); }, "S");
  auto Y = compute({m, n}, [&](Var i, Var j) { return A(i, j) + S(i); }, "Y");
  return Schedule(ComputeDag::from_outputs({Y}, "rows"));
}

// ---- reductions that several levels share --------------------------------------------------------------

/// A sum that the lanes of all warps share, in any order of the two loops.
TEST(CudaThreads, SumsOfWarpsAndLanes) {
  for (const auto& [warps, lanes] : {std::pair<std::int64_t, std::int64_t>{1, 19}, {2, 32}, {5, 19}, {5, 8}}) {
    for (const bool swapped : {false, true}) {
      SCOPED_TRACE(std::to_string(warps) + " x " + std::to_string(lanes) + (swapped ? " swapped" : ""));
      auto A = placeholder({3, warps, 7, lanes}, f32, "A");
      auto w = reduce_axis(warps, "w"), q = reduce_axis(7, "q"), l = reduce_axis(lanes, "l");
      auto S = compute({3}, [&](Var i) { return sum(A(i, w, q, l), {w, q, l}); }, "S");
      Schedule s(ComputeDag::from_outputs({S}, "sums"));
      s.bind("S", "i", ForKind::kBlockX).bind("S", "w", ForKind::kWarp).bind("S", "l", ForKind::kLane);
      if (swapped) s.reorder("S", {"l", "q", "w"});
      expect_right(s);
    }
  }
}

/// The same over thread.x, y and z; beside data at the level above, too.
TEST(CudaThreads, SumsOfThreadsInTwoDimensionsAndThree) {
  for (const Shape& xyz : {Shape{8, 4, 1}, {16, 4, 1}, {32, 3, 1}, {5, 3, 1}, {7, 11, 1}, {4, 2, 4}, {1, 6, 2}, {3, 1, 5}}) {
    SCOPED_TRACE(std::to_string(xyz[0]) + " x " + std::to_string(xyz[1]) + " x " + std::to_string(xyz[2]));
    auto A = placeholder({3, xyz[2], xyz[1], xyz[0]}, f32, "A");
    auto x = reduce_axis(xyz[0], "x"), y = reduce_axis(xyz[1], "y"), z = reduce_axis(xyz[2], "z");
    auto S = compute({3}, [&](Var i) { return sum(A(i, z, y, x), {z, y, x}); }, "S");
    Schedule s(ComputeDag::from_outputs({S}, "sums"));
    s.bind("S", "i", ForKind::kBlockX).bind("S", "x", ForKind::kThreadX).bind("S", "y", ForKind::kThreadY).bind("S", "z", ForKind::kThreadZ);
    expect_right(s);
  }
  for (const Shape& xyz : {Shape{8, 4, 3}, {16, 4, 3}, {4, 2, 5}}) {
    SCOPED_TRACE(std::to_string(xyz[0]) + " x " + std::to_string(xyz[1]) + ", " + std::to_string(xyz[2]) + " rows");
    auto A = placeholder({xyz[2], xyz[1], xyz[0]}, f32, "A");
    auto x = reduce_axis(xyz[0], "x"), y = reduce_axis(xyz[1], "y");
    auto S = compute({xyz[2]}, [&](Var i) { return sum(A(i, y, x), {y, x}); }, "S");
    Schedule s(ComputeDag::from_outputs({S}, "sums"));
    s.bind("S", "i", ForKind::kThreadZ).bind("S", "x", ForKind::kThreadX).bind("S", "y", ForKind::kThreadY);
    expect_right(s);
  }
}

TEST(CudaThreads, SumsOfThreadsThatAreNoNeighboursAreRefused) {
  auto A = placeholder({4, 8, 6}, f32, "A");
  auto x = reduce_axis(8, "x"), y = reduce_axis(6, "y");
  auto S = compute({4}, [&](Var i) { return sum(A(i, x, y), {x, y}); }, "S");
  Schedule between(ComputeDag::from_outputs({S}, "sums"));
  between.bind("S", "i", ForKind::kThreadY).bind("S", "x", ForKind::kThreadX).bind("S", "y", ForKind::kThreadZ);
  EXPECT_NE(refusal(between).find("a loop over data to a level below"), std::string::npos) << refusal(between);
  Schedule warps(ComputeDag::from_outputs({S}, "sums"));
  warps.bind("S", "i", ForKind::kLane).bind("S", "x", ForKind::kWarp);
  EXPECT_NE(refusal(warps).find("bound to warp and not to lane"), std::string::npos) << refusal(warps);
}

/// A sum that threads share, for every term of another that they share: its threads are at different terms.
TEST(CudaThreads, SharedSumsInsideOfSharedSumsAreRefused) {
  auto A = placeholder({5, 8, 4}, f32, "A");
  auto q = reduce_axis(4, "q"), k = reduce_axis(8, "k");
  auto T = compute({5, 8}, [&](Var i, Var j) { return sum(A(i, j, q), q); }, "T");
  auto S = compute({5}, [&](Var i) { return sum(T(i, k), k); }, "S");
  Schedule s(ComputeDag::from_outputs({S}, "sums"));
  s.bind("S", "i", ForKind::kBlockX).bind("S", "k", ForKind::kThreadX).compute_at("T", "S", "k").bind("T", "q", ForKind::kThreadY);
  EXPECT_NE(refusal(s).find("compute it outside of that loop"), std::string::npos) << refusal(s);
}

/// Rows of two warps in a block whose other statements have more threads than the rows have.
TEST(CudaThreads, SumsBesideWiderStatements) {
  for (const std::int64_t wide : {160, 224}) {
    SCOPED_TRACE(wide);
    Schedule s = sums_added(10, 70);
    s.split("Y", "i", {"b", "y"}, {2}).bind("Y", "b", ForKind::kBlockX).fuse("Y", {"y", "j"}, "t").split("Y", "t", {"t0", "t1"}, {wide});
    s.bind("Y", "t1", ForKind::kThreadX);
    s.compute_at("S", "Y", "b").set_scope("S", Scope::kShared).split("S", "k", {"k0", "x"}, {64}).reorder("S", {"i", "x", "k0"});
    s.bind("S", "i", ForKind::kThreadY).bind("S", "x", ForKind::kThreadX);
    expect_right(s);
  }
}

// ---- register tiles -------------------------------------------------------------------------------------

/// Five lanes share a sum that all of a warp read from their registers.
TEST(CudaThreads, SumsOfFewLanesAreReadByAll) {
  for (const std::int64_t lanes : {5, 8, 32}) {
    SCOPED_TRACE(lanes);
    Schedule s = sums_added(6, 75);
    s.bind("Y", "i", ForKind::kBlockX).split("Y", "j", {"j0", "l"}, {32}).reorder("Y", {"l", "j0"}).bind("Y", "l", ForKind::kLane);
    s.compute_at("S", "Y", "i").split("S", "k", {"k0", "l"}, {lanes}).reorder("S", {"i", "l", "k0"}).bind("S", "l", ForKind::kLane);
    s.set_scope("S", Scope::kRegister);
    expect_right(s);
  }
}

/// One of three threads copies what all of them read.
TEST(CudaThreads, CopiesOfOneThreadAreRefused) {
  auto A = placeholder({1}, f32, "A");
  auto Y = compute({2, 3}, [&](Var, Var) { return A(0) + ir::constant_of(f32, 1); }, "Y");
  const auto copied = [&](Scope scope) {
    Schedule s(ComputeDag::from_outputs({Y}, "copy"));
    s.bind("Y", "j", ForKind::kThreadX).cache_read("A", {"Y"}, "A.r", Scope::kShared).compute_at("A.r", "Y", "i").set_scope("A.r", scope);
    s.spread("A.r", "d0", {"x0", "x1"}, "Y").reorder("A.r", {"x1", "x0"});
    return s;
  };
  EXPECT_NE(refusal(copied(Scope::kRegister)).find("'A.r' is read by threads that do not compute it; put the tile in shared memory"), std::string::npos)
      << refusal(copied(Scope::kRegister));
  expect_right(copied(Scope::kShared));
}

/// A sum of one warp that the first lanes of all warps read.
TEST(CudaThreads, SumsOfOneWarpReadByOthersAreRefused) {
  const auto summed = [](Scope scope) {
    Schedule s = sums_added(6, 75);
    s.bind("Y", "i", ForKind::kBlockX).split("Y", "j", {"j0", "w"}, {4}).reorder("Y", {"w", "j0"}).bind("Y", "w", ForKind::kWarp);
    s.compute_at("S", "Y", "i").split("S", "k", {"k0", "x"}, {32}).reorder("S", {"i", "x", "k0"}).bind("S", "x", ForKind::kThreadX);
    s.set_scope("S", scope);
    return s;
  };
  EXPECT_NE(refusal(summed(Scope::kRegister)).find("read by threads that do not compute it"), std::string::npos) << refusal(summed(Scope::kRegister));
  expect_right(summed(Scope::kShared));
}

/// A tile of twice as many rows as the tensor has: those that are written lie on the first half of its threads.
TEST(CudaThreads, TilesPastTheEndOfTheirTensor) {
  auto A = placeholder({16, 8}, f32, "A"), B = placeholder({8, 32}, f32, "B");
  auto k = reduce_axis(8, "k");
  auto C = compute({16, 32}, [&](Var i, Var j) { return sum(A(i, k) * B(k, j), k); }, "C");
  auto Y = compute({16, 32}, [&](Var i, Var j) { return C(i, j) + ir::constant_of(f32, 1); }, "Y");
  for (const ForKind level : {ForKind::kThreadY, ForKind::kThreadZ}) {
    Schedule s(ComputeDag::from_outputs({Y}, "past"));
    s.split("Y", "i", {"i0", "i1", "i2"}, {2, 16}).reorder("Y", {"i0", "i1", "j", "i2"}).bind("Y", "i0", ForKind::kBlockX).bind("Y", "i1", level);
    s.bind("Y", "j", ForKind::kThreadX).compute_at("C", "Y", "i0").pad_box("C").split("C", "i", {"t", "i1", "i2"}, {2, 16}, ir::Tail::kPad);
    s.reorder("C", {"t", "k", "i1", "j", "i2"}).bind("C", "i1", level).bind("C", "j", ForKind::kThreadX).set_scope("C", Scope::kRegister);
    expect_right(s);
  }
}

/// What a condition keeps other threads from reading need not be theirs.
TEST(CudaThreads, TilesOfFewerThreadsThatOthersDoNotRead) {
  auto A = placeholder({5, 24}, f32, "A");
  auto T = compute({5, 24}, [&](Var i, Var j) { return A(i, j) + ir::constant_of(f32, 1); }, "T");
  auto Y = compute({5, 32}, [&](Var i, Var j) { return if_then_else(j < 24, T(i, j), ir::constant_of(f32, 2)); }, "Y");
  Schedule s(ComputeDag::from_outputs({Y}, "padded"));
  s.bind("Y", "i", ForKind::kBlockX).bind("Y", "j", ForKind::kLane).compute_at("T", "Y", "i").bind("T", "j", ForKind::kLane);
  s.set_scope("T", Scope::kRegister);
  expect_right(s);
}

}  // namespace
}  // namespace tessera::test
