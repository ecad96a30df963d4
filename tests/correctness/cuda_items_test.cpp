// What a compiler for GPUs has to be able to do, one suite an item of our list of capabilities (M: what TVM
// has, L: what it lacks): the halves that need no GPU. The halves that are timed are in tests/gpu.
#include <gtest/gtest.h>

#include <iostream>

#include "driver/compile.h"
#include "ops/catalog.h"
#include "search/sketch.h"
#include "tests/correctness/cuda_kernels.h"

namespace tessera::test {
namespace {

int count(const std::string& text, const std::string& word) {
  int n = 0;
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++n;
  return n;
}

/// O[i] = max(A[i], 0), a vector of `vector` a thread, 64 threads a block.
Schedule pointwise(std::int64_t n, std::int64_t vector) {
  auto A = placeholder({n}, f32, "A");
  auto O = compute({n}, [&](Var i) { return ir::max(A(i), ir::constant_of(f32, 0)); }, "O");
  Schedule s(ComputeDag::from_outputs({O}, "relu"));
  s.split("O", "i", {"b", "x", "v"}, {64, vector}).bind("O", "b", ForKind::kBlockX).bind("O", "x", ForKind::kThreadX).vectorize("O", "v");
  return s;
}

/// S[j] = sum of a column, one thread each.
Schedule columns(std::int64_t m, std::int64_t n) {
  auto A = placeholder({m, n}, f32, "A");
  auto k = reduce_axis(m, "k");
  auto S = compute({n}, [&](Var j) { return sum(A(k, j), k); }, "S");
  Schedule s(ComputeDag::from_outputs({S}, "columns"));
  s.cache_write("S", "S.r").split("S", "i", {"b", "x"}, {32}).bind("S", "b", ForKind::kBlockX).bind("S", "x", ForKind::kThreadX);
  s.compute_at("S.r", "S", "x").pad_box("S.r").set_scope("S.r", Scope::kRegister);
  return s;
}

struct Canonical {
  const char* name;
  Schedule schedule;
  int barriers;  // that the text needs
};

/// Ten kernels as people write them, and how many barriers their texts have. A product without slots fills its
/// tiles once all have read the last ones and reads them once all are filled; slots leave one barrier a round
/// for both. Rows of a warp or less meet by shuffles alone.
std::vector<Canonical> canonical() {
  return {{"pointwise", pointwise(1000, 1), 0},
          {"vectors", pointwise(1024, 4), 0},
          {"columns", columns(37, 75), 0},
          {"transpose", transpose(37, 51), 1},
          {"product", gemm({37, 51, 29}, {1, false}), 2},
          {"product of vectors", gemm({64, 32, 24}, {1, true}), 2},
          {"product, 2 slots", gemm({37, 51, 29}, {2, false}), 1},
          {"product, 3 slots", gemm({37, 51, 29}, {3, false}), 1},
          {"rows of warps", rows_of(37, 51, {32, 1}), 0},
          {"rows of parts of warps", rows_of(37, 51, {8, 4}), 0}};
}

// ---- M10: memory by scope, barriers ---------------------------------------------------------------------

TEST(M10, CanonicalKernelsHaveNoRaces) {
  for (const Canonical& c : canonical()) {
    SCOPED_TRACE(c.name);
    expect_right(c.schedule);
  }
}

/// A tile in shared memory is filled once by all threads of a block, one in registers by each for itself.
TEST(M10, TheScopeSaysWhoseATileIs) {
  const Schedule s = gemm({32, 16, 8}, {});
  const codegen::CudaKernel kernel = kernels_of(s).front();
  EXPECT_EQ(kernel.block.x, 64);
  EXPECT_EQ(kernel.shared_bytes, 4 * (32 * 8 + 8 * 16));
  EXPECT_EQ(kernel.local_bytes, 4 * 4 * 2);  // a thread's part of 32 x 16 sums of 64 threads
}

// ---- M11: lowering --------------------------------------------------------------------------------------

TEST(M11, BarriersAreAsFewAsTheOrderNeeds) {
  const std::string last = lower::finish_passes(ir::TargetKind::kCuda).back().name;
  for (const Canonical& c : canonical()) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(count(text_of(c.schedule), "ts_sync_block()"), c.barriers);
    Damage none;
    EXPECT_EQ(caught(c.schedule, damaged(c.schedule, last, none)), "");
    for (int b = 0; b < none.met; ++b) {
      Damage one;
      one.barriers = {b};
      EXPECT_NE(caught(c.schedule, damaged(c.schedule, last, one)), "") << "barrier " << b << " is not needed";
    }
  }
}

TEST(M11, WholeTilesHaveNoGuards) {
  EXPECT_EQ(count(text_of(gemm({64, 32, 24}, {1, true})), "if ("), 0);
  EXPECT_EQ(count(text_of(pointwise(1024, 4)), "if ("), 0);
  EXPECT_GT(count(text_of(gemm({37, 51, 29}, {1, true})), "if ("), 0);
  EXPECT_GT(count(text_of(pointwise(1000, 4)), "if ("), 0);
}

TEST(M11, AllReduceUsesShuffles) {
  const Schedule s = rows_of(32, 128, {32, 1});
  EXPECT_EQ(count(text_of(s), "ts_shuffle"), 2 * 5);  // the maximum and the sum, five halves of a warp each
  EXPECT_EQ(kernels_of(s).front().shared_bytes, 0);
  const Schedule block = rows_of(32, 128, {128, 1});
  EXPECT_GE(count(text_of(block), "ts_shuffle"), 2 * 5);
  EXPECT_GT(kernels_of(block).front().shared_bytes, 0);  // a word a warp
  EXPECT_LE(kernels_of(block).front().shared_bytes, 2 * 128);  // two places, each aligned
}

TEST(M11, CopiesIntoSlotsAreAsynchronous) {
  const std::string one = text_of(gemm({64, 32, 24}, {1, true})), two = text_of(gemm({64, 32, 24}, {2, true}));
  EXPECT_EQ(count(one, "ts_async_copy"), 0);
  EXPECT_GT(count(two, "ts_async_copy"), 0);
  EXPECT_EQ(count(two, "ts_async_wait<"), 1);
}

/// The tiles of a block lie in one arena, each at its own place.
TEST(M11, SharedTilesAreOneArena) {
  const codegen::CudaKernel one = kernels_of(gemm({64, 32, 24}, {1, false})).front(), three = kernels_of(gemm({64, 32, 24}, {3, false})).front();
  EXPECT_EQ(count(one.text, "ts_shared<"), 2);
  EXPECT_EQ(three.shared_bytes, 3 * one.shared_bytes);
}

/// 32 bits index everything that has fewer than 2^31 elements, and nothing that has more.
TEST(M11, IndicesAreNarrowWhereThatIsProved) {
  EXPECT_EQ(count(text_of(pointwise(1 << 20, 1)), "i64"), 0);
  EXPECT_GT(count(text_of(pointwise(std::int64_t{1} << 33, 1)), "i64"), 0);
}

// ---- L14: shapes that no tile divides -------------------------------------------------------------------

class L14 : public ::testing::TestWithParam<std::int64_t> {};

/// The whole tiles of a block cover the results once: what is computed beyond them stays below a tile an axis.
TEST_P(L14, PrimesAreRightAndWasteLessThanATile) {
  const std::int64_t n = GetParam();
  const Schedule s = gemm({n, n, n}, {2, true});
  const codegen::CudaKernel k = kernels_of(s).front();
  EXPECT_EQ(k.grid.x * k.grid.y, (n + 31) / 32 * ((n + 15) / 16));
  if (n < 100) expect_right(s);  // every thread of larger ones is too much to emulate here
}

INSTANTIATE_TEST_SUITE_P(Extents, L14, ::testing::Values(31, 127, 509, 997, 1009, 1021), [](const auto& info) { return std::to_string(info.param); });

// ---- L15: vectors where alignment is proved -------------------------------------------------------------

TEST(L15, RowsThatAreNoMultipleOfAVectorAreReadOneByOne) {
  const auto widest = [](std::int64_t n) {
    auto A = placeholder({64, n}, f32, "A");
    auto O = compute({64, n}, [&](Var i, Var j) { return A(i, j) + A(i, j); }, "O");
    Schedule s(ComputeDag::from_outputs({O}, "twice"));
    s.split("O", "j", {"j0", "x", "v"}, {16, 4}).bind("O", "i", ForKind::kBlockX).reorder("O", {"x", "j0"}).bind("O", "x", ForKind::kThreadX).vectorize("O", "v");
    expect_right(s);
    return count(text_of(s), "ts_load_global_nc<f32x4>");
  };
  EXPECT_GT(widest(128), 0);
  EXPECT_EQ(widest(127), 0);
  EXPECT_EQ(widest(126), 0);
}

/// A view that begins one element in: the vector would be misaligned, and the emulator would say so.
TEST(L15, OffsetsThatAreNoMultipleOfAVectorAreReadOneByOne) {
  for (const int offset : {0, 1, 4}) {
    auto A = placeholder({1024 + 4}, f32, "A");
    auto O = compute({1024}, [&](Var i) { return A(i + offset) + A(i + offset); }, "O");
    Schedule s(ComputeDag::from_outputs({O}, "view"));
    s.split("O", "i", {"b", "x", "v"}, {64, 4}).bind("O", "b", ForKind::kBlockX).bind("O", "x", ForKind::kThreadX).vectorize("O", "v");
    SCOPED_TRACE("offset " + std::to_string(offset));
    EXPECT_EQ(count(text_of(s), "ts_load_global_nc<f32x4>") > 0, offset % 4 == 0);
    expect_right(s);
  }
}

// ---- L21, L22: what the space of a GPU holds ------------------------------------------------------------

std::vector<search::Sketch> sketches_of(const std::string& op, const ops::Shape& shape, dsl::ComputeDag& dag) {
  search::Task task;
  task.op = op;
  task.dag = dag = ops::build({op, shape, "", ""}).or_throw();
  task.target = driver::resolve_target("cuda -arch=sm_90a");
  return search::generate_sketches(task);
}

/// One number out of many: a kernel for the parts over all threads, and one for their sum or its last block.
TEST(L21, LongReductionsAreTwoKernelsOrOneThatTheLastBlockFinishes) {
  dsl::ComputeDag dag;
  Rng rng(options().seed);
  std::map<bool, std::size_t> kernels;  // of sketches with a last block, and without
  for (const search::Sketch& s : sketches_of("norm", {{"m", 512}, {"n", 512}}, dag)) {
    if (s.name.find("rfactor") == std::string::npos) continue;
    const auto steps = schedule::fill_holes(s.steps, s.space.decisions(*s.space.sample(rng))).or_throw();
    const auto program = driver::finished_program(dag, steps, driver::resolve_target("cuda -arch=sm_90a")).or_throw();
    const auto printed = codegen::print_cuda(program).or_throw();
    kernels[s.name.find(".last_block") != std::string::npos] = printed.size();
    EXPECT_GT(printed[0].grid.x * printed[0].grid.y * printed[0].block.x, 256) << s.name;
    driver::EmulationOracle oracle(dag, options().seed);
    EXPECT_EQ(oracle.check(program, {.late = true, .seed = 1}).why, "") << s.name;
  }
  ASSERT_EQ(kernels.size(), 2U);
  EXPECT_EQ(kernels[true] + 1, kernels[false]);
}

/// Threads over two dimensions of a tile: those of a warp read eight columns and four rows of it.
TEST(L22, WarpsCoverTwoDimensionsOfATile) {
  const std::string text = text_of(gemm({64, 32, 24}, {1, true}));
  EXPECT_GT(count(text, "thread / 8"), 0);
  EXPECT_GT(count(text, "thread % 8"), 0);
}

/// The space of a product has blocks of all shapes of the same threads, and warps of all shapes.
TEST(L22, BlocksOfTwoDimensionsAreInTheSpace) {
  dsl::ComputeDag dag;
  std::set<std::pair<std::int64_t, std::int64_t>> blocks, warps;  // rows and columns of 128 threads, of 32
  for (const search::Sketch& s : sketches_of("matmul", {{"m", 256}, {"n", 256}, {"k", 64}}, dag)) {
    Rng rng(options().seed);
    for (int i = 0; i < 200 && s.space.find("C.i.x"); ++i) {
      const auto d = s.space.decisions(*s.space.sample(rng));
      const std::int64_t rows = d.at("C.i.x"), columns = d.at("C.j.x"), down = d.at("C.i.w"), across = d.at("C.j.w");
      EXPECT_EQ(rows * columns, 32);
      warps.emplace(rows, columns);
      if (down * across == 4) blocks.emplace(down * rows, across * columns);
    }
  }
  EXPECT_GE(blocks.size(), 6U);
  EXPECT_EQ(warps.size(), 6U);
}

/// Blocks that follow one another fill two rows of tiles before they go on along them; the last rows are not whole.
TEST(L22, BlocksOfTwoRowsAreDoneTogether) {
  const ir::Target target = driver::resolve_target("cuda -arch=sm_90a");
  for (const char* dtype : {"f32", "f16"}) {
    search::Task task;
    task.op = "matmul";
    task.dag = ops::build({"matmul", {{"m", 520}, {"n", 2100}, {"k", 16}}, "", dtype}).or_throw();
    task.target = target;
    Rng rng(options().seed);
    int tiles = 0;
    for (const search::Sketch& s : search::generate_sketches(task)) {
      if (s.name != "C.tile" && s.name != "C.mma") continue;
      SCOPED_TRACE(s.name);
      const search::Values point = *s.space.sample(rng);
      const auto steps = schedule::fill_holes(s.steps, s.space.decisions(point)).or_throw();
      const auto program = driver::finished_program(task.dag, steps, target).or_throw();
      EXPECT_GT(count(codegen::print_cuda(program).or_throw()[0].text, "block % 2"), 0);
      driver::EmulationOracle oracle(task.dag, options().seed);
      EXPECT_EQ(oracle.check(program, {.late = true, .seed = 1}).why, "");
      ++tiles;
    }
    EXPECT_GE(tiles, 1);
  }
}

/// A warp as a level of its own: warps share out the rows of a block, lanes what lies along them.
TEST(L22, WarpsAreALevel) {
  const Schedule s = rows_of_warps();
  const codegen::CudaKernel kernel = kernels_of(s).front();
  EXPECT_EQ(kernel.block.x * kernel.block.y * kernel.block.z, 4 * 32);
  EXPECT_EQ(kernel.shared_bytes, 0);
  EXPECT_EQ(count(kernel.text, "ts_shuffle"), 5);
}

}  // namespace
}  // namespace tessera::test
