// The order in which candidates for a GPU are tried, before anything is measured and after.
#include <gtest/gtest.h>

#include "ir/cuda_arch.h"

#include "driver/compile.h"
#include "ops/catalog.h"
#include "search/feature_source.h"
#include "search/pack.h"
#include "search/point.h"

namespace tessera::search {
namespace {

Task task_of(const std::string& op, const ops::Shape& shape, const std::string& target = "cuda -arch=sm_90a", const std::string& dtype = "") {
  Task t;
  t.op = op;
  t.dag = ops::build({op, shape, "", dtype}).or_throw();
  t.target = driver::resolve_target(target);
  return t;
}

/// The candidate that is tried first, after the default plan.
Candidate first_of(const Task& task) { return pack_candidates(task, {.count = 16, .seed = 1, .jobs = 1}, {}).at(1); }

double draft_of(const Task& task, const Candidate& c) {
  const std::vector<Sketch> sketches = generate_sketches(task);
  const FeatureSource source(task, sketches, machine_of(task), 1);
  return cost_model::draft_ns(source.of_steps(c.steps).or_throw().terms, cost_model::default_draft(source.machine()));
}

/// The same sketch with other decisions.
Candidate with(const Task& task, const Candidate& c, const Decisions& changed) {
  const std::vector<Sketch> sketches = generate_sketches(task);
  Candidate out = c;
  for (const auto& [hole, value] : changed) out.decisions.at(hole) = value;
  const auto point = point_of(sketches, out.sketch, out.decisions);
  if (!point) throw std::logic_error("no point of " + c.sketch);
  out.steps = steps_of(sketches, *point).or_throw();
  return out;
}

std::int64_t product(const Candidate& c, const std::vector<std::string>& holes) {
  std::int64_t n = 1;
  for (const std::string& h : holes) n *= c.decisions.at(h);
  return n;
}

/// Products by blocks of 64 x 64 or more with 32 sums or more a thread, copies of 16 bytes, tiles ahead; the larger
/// the product, the larger the block.
TEST(GpuRanking, ProductsBeginWithLargeTiles) {
  for (const std::int64_t n : {1024, 2048, 4096}) {
    SCOPED_TRACE(n);
    const Candidate c = first_of(task_of("matmul", {{"m", n}, {"n", n}, {"k", n}}));
    ASSERT_EQ(c.sketch, "C.tile");
    const std::int64_t rows = product(c, {"C.i.w", "C.i.v", "C.i.x", "C.i.r"}), columns = product(c, {"C.j.w", "C.j.v", "C.j.x", "C.j.r"});
    EXPECT_GE(std::min(rows, columns), 64);
    EXPECT_LE(std::max(rows, columns), 256);
    EXPECT_GE(rows * columns, n >= 4096 ? 128 * 128 : 64 * 64);
    const std::int64_t sums = product(c, {"C.i.v", "C.i.r", "C.j.v", "C.j.r"}), threads = product(c, {"C.i.w", "C.i.x", "C.j.w", "C.j.x"});
    EXPECT_GE(sums, 32);
    EXPECT_LE(sums, 128);
    EXPECT_GE(threads, 64);
    EXPECT_LE(threads, 256);
    EXPECT_GE(c.decisions.at("C.slots"), 2);
    EXPECT_EQ(c.decisions.at("A.s.vector"), 4);
    EXPECT_EQ(c.decisions.at("B.s.vector"), 4);
  }
}

/// Of half precision on tensor cores, whole 16 bytes a copy and several tiles ahead.
TEST(GpuRanking, HalfPrecisionBeginsWithTensorCores) {
  for (const char* dtype : {"f16", "bf16"}) {
    SCOPED_TRACE(dtype);
    const Candidate c = first_of(task_of("matmul", {{"m", 4096}, {"n", 4096}, {"k", 4096}}, "cuda -arch=sm_90a", dtype));
    ASSERT_EQ(c.sketch, "C.mma");
    const std::int64_t rows = 16 * product(c, {"C.i.warps", "C.i.fragments"}), columns = 8 * product(c, {"C.j.warps", "C.j.fragments"});
    EXPECT_GE(std::min(rows, columns), 64);
    EXPECT_GE(rows * columns, 128 * 64);
    EXPECT_GE(product(c, {"C.i.fragments", "C.j.fragments"}), 8);
    EXPECT_GE(c.decisions.at("C.slots"), 2);
    EXPECT_EQ(c.decisions.at("A.s.vector"), 8);
    EXPECT_EQ(c.decisions.at("B.s.vector"), 8);
  }
}

/// The same tiles with 16 bytes between their rows instead: four blocks fit where five did.
TEST(GpuRanking, SwizzledTilesLeaveRoomForABlockMore) {
  const Task task = task_of("dense", {{"m", 4096}, {"n", 4096}, {"k", 4096}}, "cuda -arch=sm_90a", "f16");
  const Candidate swizzled = with(task, first_of(task), {{"Y.i.warps", 2}, {"Y.j.warps", 1}, {"Y.i.fragments", 4}, {"Y.j.fragments", 4}, {"Y.k.block", 2}, {"Y.slots", 4}});
  Candidate apart = swizzled;
  int tiles = 0;
  for (schedule::Step& s : apart.steps) {
    const auto* n = std::get_if<schedule::Swizzle>(&s);
    if (n == nullptr) continue;
    s = schedule::StorageAlign{n->stage, "d0", 16, 8};
    ++tiles;
  }
  EXPECT_EQ(tiles, 2);
  EXPECT_LT(draft_of(task, swizzled), draft_of(task, apart));
}

/// 14 x 14 pictures of 256 channels have too few results for large tiles: every SM gets a block, and the tiles
/// are in shared memory several rounds ahead.
TEST(GpuRanking, SmallConvolutionsFillTheDevice) {
  const Task task = task_of("conv2d", {{"n", 1}, {"h", 14}, {"w", 14}, {"ci", 256}, {"co", 256}, {"kh", 3}, {"kw", 3}, {"pad", 1}});
  const Candidate c = first_of(task);
  ASSERT_EQ(c.sketch, "Y.tile");
  std::int64_t blocks = 1;
  for (const auto& [axis, extent] : std::map<std::string, std::int64_t>{{"y", 14}, {"x", 14}, {"co", 256}}) {
    const std::int64_t tile = product(c, {"Y." + axis + ".w", "Y." + axis + ".v", "Y." + axis + ".x", "Y." + axis + ".r"});
    blocks *= (extent + tile - 1) / tile;
  }
  EXPECT_GE(blocks, ir::cuda_arch("sm_90a").or_throw().sms);
  EXPECT_GE(c.decisions.at("Y.slots"), 2);
}

TEST(GpuRanking, RowsAreKeptInRegisters) {
  const Candidate c = first_of(task_of("softmax", {{"m", 4096}, {"n", 4096}}));
  EXPECT_EQ(c.sketch, "rows.kept");
  EXPECT_LE(4096 / c.decisions.at("Y.threads"), 64);
  EXPECT_EQ(c.decisions.at("Y.vector"), 4);
}

/// Fewer rows than multiprocessors, and long ones: each reduction is cut across blocks.
TEST(GpuRanking, FewLongRowsFillTheDevice) {
  for (const auto& [m, n] : {std::pair{1, 262144}, {8, 131072}}) {
    SCOPED_TRACE(std::to_string(m) + " x " + std::to_string(n));
    const Candidate c = first_of(task_of("softmax", {{"m", m}, {"n", n}}));
    ASSERT_TRUE(c.sketch.starts_with("rows.cut")) << c.sketch;
    for (const char* chunk : {"Xmax.chunk", "Xsum.chunk"}) EXPECT_GE(m * n / c.decisions.at(chunk), ir::cuda_arch("sm_90a").or_throw().sms / 2) << chunk;
  }
}

/// Facts of a large product that hold on every device.
TEST(GpuRanking, WhatIsBetterIsCheaper) {
  for (const char* arch : {"sm_80", "sm_90a"}) {
    SCOPED_TRACE(arch);
    const Task task = task_of("matmul", {{"m", 4096}, {"n", 4096}, {"k", 4096}}, std::string("cuda -arch=") + arch);
    const Candidate good = with(task, first_of(task), {{"C.i.w", 4}, {"C.i.v", 2}, {"C.i.x", 4}, {"C.i.r", 4}, {"C.j.w", 2}, {"C.j.v", 2}, {"C.j.x", 8}, {"C.j.r", 4}, {"C.k.block", 8}, {"C.slots", 3}});
    const double ns = draft_of(task, good);
    EXPECT_GT(draft_of(task, with(task, good, {{"C.i.v", 1}, {"C.i.r", 1}, {"C.j.v", 1}, {"C.j.r", 1}})), 2 * ns) << "one sum a thread";
    EXPECT_GT(draft_of(task, with(task, good, {{"C.i.v", 1}, {"C.j.v", 1}})), ns) << "4 x 4 sums a thread";
    EXPECT_GT(draft_of(task, with(task, good, {{"C.slots", 1}})), ns) << "nothing is filled ahead";
    EXPECT_GT(draft_of(task, with(task, good, {{"A.s.vector", 1}, {"B.s.vector", 1}})), ns) << "copies of 4 bytes";
    EXPECT_GT(draft_of(task, with(task, good, {{"C.j.x", 1}, {"C.i.x", 32}, {"C.i.w", 1}, {"C.j.w", 8}})), ns) << "lanes along one column";
  }
}

}  // namespace
}  // namespace tessera::search
