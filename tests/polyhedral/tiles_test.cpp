// Footprints of tiles as functions of their sizes, held against what loops of such tiles touch; and the sizes
// that are chosen by them.
#include <gtest/gtest.h>

#include <cmath>
#include <ctime>
#include <set>

#include "ops/catalog.h"
#include "polyhedral/footprint.h"
#include "polyhedral/tiles.h"
#include "support/rng.h"
#include "tests/polyhedral/programs.h"
#include "tests/support/options.h"

namespace tessera::polyhedral {
namespace {

using namespace test;  // NOLINT: the programs that the tests of this folder share
using Sizes = std::vector<std::int64_t>;

ComputeDag product(std::int64_t m, std::int64_t n, std::int64_t k) {
  return ops::build({"matmul", {{"m", m}, {"n", n}, {"k", k}}, "", ""}).or_throw();
}

/// Of the last reduction of a program, or of its last stage.
std::string busiest(const Equations& program) {
  std::string out = program.stages.back().stage;
  for (const Equation& e : program.stages) {
    if (e.reduce() != nullptr) out = e.stage;
  }
  return out;
}

TileFootprints footprints_of(const ComputeDag& dag) {
  const Equations program = equations_of(dag).or_throw();
  return TileFootprints::of(*program.find(busiest(program))).or_throw();
}

TEST(TileFootprints, OfAProductAndAConvolution) {
  const TileFootprints p = footprints_of(product(64, 64, 64));
  ASSERT_EQ(p.accesses().size(), 3u);
  EXPECT_EQ(p.extents({8, 16, 4}), (std::vector<Sizes>{{8, 16}, {8, 4}, {4, 16}}));
  EXPECT_EQ(p.bytes({8, 16, 4}), 4.0 * (8 * 16 + 8 * 4 + 4 * 16));
  EXPECT_EQ(p.lines({8, 16, 4}), 8 + 8 + 4);  // four elements of a row of A are one line too
  // k innermost: C once, A for each column of tiles, B for each row of them.
  EXPECT_EQ(p.traffic({8, 16, 4}), 64.0 * (8 * 32 + 8 * 512 + 4 * 512));
  EXPECT_EQ(p.traffic({8, 16, 64}), 64.0 * (8 * 32 + 32 * 8 + 64 * 32));  // the rows of A stay
  // Columns outside: A for each column of tiles, B once.
  EXPECT_EQ(p.traffic({8, 16, 64}, {1, 0, 2}), 64.0 * (8 * 32 + 32 * 32 + 64 * 4));
  const TileFootprints c = footprints_of(padded_convolution(32, 32));
  // n, f, y, u; c, r, s
  EXPECT_EQ(c.extents({1, 8, 4, 16, 2, 3, 3}), (std::vector<Sizes>{{1, 8, 4, 16}, {1, 2, 6, 18}, {8, 2, 3, 3}}));
  EXPECT_EQ(c.extents({4, 32, 32, 32, 32, 3, 3})[1], (Sizes{4, 32, 34, 34}));
}

/// Lines are those of the first tile, whose rows start with a line, in tensors whose rows are whole lines.
TEST(TileFootprints, CountDistinctLines) {
  const TileFootprints f = footprints_of(product(32, 48, 64));
  const std::uint64_t seed = tessera::test::options().seed;
  RecordProperty("seed", std::to_string(seed));
  Rng rng(seed);
  for (int i = 0; i < 200; ++i) {
    Sizes sizes;
    for (const TileFootprints::Axis& a : f.axes()) sizes.push_back(rng.between(1, a.extent));
    const auto extents = f.extents(sizes);
    std::set<std::pair<std::size_t, std::int64_t>> lines;
    for (std::size_t k = 0; k < extents.size(); ++k) {
      for (std::int64_t y = 0; y < extents[k][0]; ++y) {
        for (std::int64_t x = 0; x < extents[k][1]; ++x) lines.emplace(k, (y * f.accesses()[k].shape[1] + x) / 16);
      }
    }
    EXPECT_EQ(f.lines(sizes), static_cast<double>(lines.size()));
  }
}

TEST(TileFootprints, OfStencilsAndDivisions) {
  auto x = placeholder({34, 64}, f32, "X");
  auto y = compute({32, 64}, [&](Var i, Var j) { return x(i, j) + x(i + 1, j) + x(i + 2, j); }, "Y");
  const TileFootprints s = footprints_of(ComputeDag::from_outputs({y}));
  ASSERT_EQ(s.accesses().size(), 2u);  // the three are one
  EXPECT_EQ(s.extents({4, 16})[1], (Sizes{6, 16}));
  auto u = compute({68, 128}, [&](Var i, Var j) { return x(ir::floordiv(Expr(i), 2), ir::floordiv(Expr(j), 2)); }, "U");
  const TileFootprints f = footprints_of(ComputeDag::from_outputs({u}));
  EXPECT_EQ(f.extents({1, 8})[1], (Sizes{1, 5}));  // where the tile starts at an odd place
  EXPECT_EQ(f.extents({2, 9})[1], (Sizes{2, 5}));
  EXPECT_EQ(f.extents({3, 1})[1], (Sizes{2, 1}));
}

/// The loops over tiles of `sizes` outside, those inside of one tile inside.
schedule::StepList tiled(const ComputeDag& dag, const std::string& stage, const Sizes& sizes) {
  Schedule s(dag);
  std::vector<std::string> outer, inner;
  const schedule::Stage of = *s.state().find(stage);
  std::vector<std::string> roots;
  for (const schedule::RootAxis& r : of.roots) roots.push_back(r.axis);
  for (std::size_t a = 0; a < roots.size(); ++a) {
    if (sizes[a] < of.roots[a].extent) {
      outer.push_back(roots[a] + ".t");
      inner.push_back(roots[a] + ".p");
      s.split(stage, roots[a], {outer.back(), inner.back()}, {sizes[a]});
    } else {
      inner.push_back(roots[a]);
    }
  }
  outer.insert(outer.end(), inner.begin(), inner.end());
  s.reorder(stage, outer);
  return s.steps();
}

/// Of whole tiles in loops: the model's extents are those of ISL, or above where it is a bound.
void expect_exact(const ComputeDag& dag, const Sizes& sizes) {
  const Equations program = equations_of(dag).or_throw();
  const std::string stage = busiest(program);
  const TileFootprints model = TileFootprints::of(*program.find(stage)).or_throw();
  Schedule s(dag);
  for (const schedule::Step& step : tiled(dag, stage, sizes)) s.apply(step);
  std::size_t outer = 0;
  for (std::size_t a = 0; a < sizes.size(); ++a) outer += sizes[a] < model.axes()[a].extent ? 1 : 0;
  const auto extents = model.extents(sizes);
  for (const StatementFootprint& f : footprints(loops_of(s), equations_of(s.state()).or_throw()).or_throw()) {
    if (f.stage != stage || f.phase == ir::Phase::kInit) continue;
    for (const AccessFootprint& exact : f.accesses) {
      if (!exact.write && exact.buffer == f.accesses[0].buffer) continue;  // partial sums
      std::size_t found = 0, one = 0;
      for (std::size_t k = 0; k < extents.size(); ++k) {
        if (model.accesses()[k].tensor != exact.buffer || model.accesses()[k].write != exact.write) continue;
        one = k;
        ++found;
      }
      ASSERT_EQ(found, 1u) << exact.buffer;
      EXPECT_EQ(extents[one], exact.levels[outer].box) << exact.buffer;
    }
  }
}

class TilesOf : public ::testing::TestWithParam<ops::Request> {};

TEST_P(TilesOf, AreThoseOfLoops) {
  const ComputeDag dag = ops::build(GetParam()).or_throw();
  const TileFootprints model = footprints_of(dag);
  const std::uint64_t seed = tessera::test::options().seed;
  RecordProperty("seed", std::to_string(seed));
  Rng rng(seed, {hash_bytes(GetParam().op)});
  for (int i = 0; i < 30; ++i) {
    Sizes sizes;
    std::string text;
    for (const TileFootprints::Axis& a : model.axes()) {
      sizes.push_back(rng.between(1, a.extent));
      text += " " + a.name + " " + std::to_string(sizes.back());
    }
    SCOPED_TRACE(GetParam().op + text);
    expect_exact(dag, sizes);
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, TilesOf, ::testing::Values(ops::Request{"matmul", {{"m", 13}, {"n", 24}, {"k", 17}}, "", ""},
                                                         ops::Request{"batch_matmul", {{"b", 3}, {"m", 7}, {"n", 9}, {"k", 8}}, "", ""},
                                                         ops::Request{"conv2d", {{"h", 14}, {"w", 13}, {"ci", 4}, {"co", 6}, {"stride", 2}}, "", ""},
                                                         ops::Request{"conv1d", {{"w", 40}, {"ci", 3}, {"co", 5}, {"dilation", 2}}, "", ""},
                                                         ops::Request{"depthwise_conv2d", {{"h", 12}, {"w", 11}, {"c", 6}}, "", ""},
                                                         ops::Request{"max_pool2d", {{"h", 12}, {"w", 14}, {"c", 5}}, "", ""},
                                                         ops::Request{"column_sum", {{"m", 19}, {"n", 23}}, "", ""},
                                                         ops::Request{"transpose", {{"m", 19}, {"n", 23}}, "", ""}),
                         [](const auto& info) { return info.param.op; });

/// Within 5 ms of CPU time an operator; no extent but those of remainders is only known to be within its tensor.
TEST(TileFootprints, OfEveryOperator) {
  std::vector<std::string> whole;
  double slowest = 0;
  for (const ops::Operator* op : ops::catalog()) {
    const Equations program = equations_of(ops::build({op->name, {}, "", ""}).or_throw()).or_throw();
    double least = 1e9;
    for (int run = 0; run < 3; ++run) {
      const std::clock_t start = std::clock();
      for (const Equation& e : program.stages) {
        if (e.is_input() || e.code) continue;
        const TileFootprints f = TileFootprints::of(e).or_throw();
        for (const TileAccess& a : f.accesses()) {
          for (std::size_t d = 0; d < a.shape.size() && run == 0; ++d) {
            const bool moves = std::any_of(a.extents[d].coefficients.begin(), a.extents[d].coefficients.end(), [](std::int64_t c) { return c != 0; });
            if (a.shape[d] > 1 && !moves && a.extents[d].divisions.empty() && a.extents[d].constant == a.shape[d]) whole.push_back(op->name + " " + a.tensor);
          }
        }
      }
      least = std::min(least, 1e3 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
    }
    slowest = std::max(slowest, least);
  }
  RecordProperty("slowest_ms", std::to_string(slowest));
  EXPECT_LT(slowest, 10);  // of slower machines
  EXPECT_EQ(whole, (std::vector<std::string>{"conv2d_transposed W", "conv2d_transposed W", "conv2d_transposed phases", "conv2d_transposed phases"}));
}

// ---- choosing sizes ---------------------------------------------------------------------------------

TileLimits limits_of(double capacity, std::vector<std::int64_t> steps, double least_tiles) {
  TileLimits out;
  out.capacity = capacity;
  out.steps = std::move(steps);
  out.least_tiles = least_tiles;
  return out;
}

std::string text(const TileChoice& c) {
  std::string out;
  for (const std::int64_t s : c.sizes) out += (out.empty() ? "" : " ") + std::to_string(s);
  return out;
}

TEST(ChooseTiles, OfALargeProduct) {
  const TileFootprints f = footprints_of(product(1024, 1024, 1024));
  for (const double capacity : {256.0 * 1024, 1024.0 * 1024}) {
    const TileChoice c = choose_tiles(f, limits_of(capacity, {4, 16, 1}, 1)).or_throw();
    SCOPED_TRACE(text(c));
    EXPECT_LE(c.footprint, capacity);
    EXPECT_EQ(c.sizes[0] % 4, 0);
    EXPECT_EQ(c.sizes[1] % 16, 0);
    // Two matrices cross at least 2 m n k / sqrt(capacity in elements) times in any order (Hong and Kung, 1981).
    const double elements = capacity / 4, least = 2.0 * 1024 * 1024 * 1024 / std::sqrt(elements) * 4;
    EXPECT_LT(c.traffic, 2 * least);
    EXPECT_GT(c.traffic, least / 2);
  }
  EXPECT_LT(choose_tiles(f, limits_of(1024 * 1024, {4, 16, 1}, 1)).or_throw().traffic, choose_tiles(f, limits_of(256 * 1024, {4, 16, 1}, 1)).or_throw().traffic);
}

TEST(ChooseTiles, LeavesTilesToRunInParallel) {
  const TileFootprints f = footprints_of(product(256, 256, 256));
  const TileChoice one = choose_tiles(f, limits_of(4 << 20, {4, 16, 1}, 1)).or_throw();
  EXPECT_EQ(one.sizes, (Sizes{256, 256, 256}));  // all of it fits
  EXPECT_EQ(one.traffic, 3 * 256 * 256 * 4);
  const TileChoice many = choose_tiles(f, limits_of(4 << 20, {4, 16, 1}, 32)).or_throw();
  EXPECT_GE((256 + many.sizes[0] - 1) / many.sizes[0] * ((256 + many.sizes[1] - 1) / many.sizes[1]), 32);
  EXPECT_GE(many.traffic, one.traffic);
}

TEST(ChooseTiles, OfColumnSums) {
  // 8192 rows of 2048 columns: the sums stay, and whole lines are read.
  const TileFootprints f = footprints_of(ops::build({"column_sum", {{"m", 8192}, {"n", 2048}}, "", ""}).or_throw());
  const TileChoice c = choose_tiles(f, limits_of(32 << 10, {}, 1)).or_throw();
  SCOPED_TRACE(text(c));
  EXPECT_EQ(c.sizes[0] % 16, 0);
  EXPECT_EQ(c.traffic, (8192.0 + 1) * 2048 * 4);
  const TileChoice parallel = choose_tiles(f, limits_of(32 << 10, {}, 64)).or_throw();
  EXPECT_EQ(parallel.sizes[0], 32);
  EXPECT_EQ(parallel.traffic, c.traffic);
}

TEST(ChooseTiles, OfAConvolution) {
  const TileFootprints f = footprints_of(ops::build({"conv2d", {}, "", ""}).or_throw());
  ASSERT_EQ(f.axes().size(), 7u);
  const std::clock_t start = std::clock();
  const TileChoice c = choose_tiles(f, limits_of(256 << 10, {1, 1, 4, 16, 1, 1, 1}, 8)).or_throw();
  RecordProperty("ms", std::to_string(1e3 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC));
  SCOPED_TRACE(text(c));
  EXPECT_LE(c.footprint, 256 << 10);
  EXPECT_GE(c.sizes[3], 16);
  EXPECT_EQ(c.sizes[4], 3);  // windows are not taken apart
  EXPECT_EQ(c.sizes[5], 3);
  double tensors = 0;  // of each once
  for (const TileAccess& a : f.accesses()) {
    double bytes = a.element_bytes;
    for (const std::int64_t e : a.shape) bytes *= static_cast<double>(e);
    tensors += bytes;
  }
  EXPECT_LT(c.traffic, 2 * tensors);
}

TEST(ChooseTiles, RefusesWhatNothingMeets) {
  const TileFootprints f = footprints_of(product(64, 64, 64));
  EXPECT_EQ(choose_tiles(f, limits_of(64, {}, 1)).reason(), "no tile of C fits 64 bytes with at least 1 tiles");
  EXPECT_EQ(choose_tiles(f, limits_of(1 << 20, {4}, 1)).reason(), "1 steps for 3 axes");
  TileLimits limits;
  limits.order = {1, 0};
  EXPECT_EQ(choose_tiles(f, limits).reason(), "an order of 2 loops for 3 axes");
}

/// The least traffic of any sizes at all.
double best_of_all(const TileFootprints& f, const TileLimits& limits) {
  double best = 1e300;
  Sizes sizes(f.axes().size(), 1);
  for (bool more = true; more;) {
    double tiles = 1;
    for (std::size_t a = 0; a < sizes.size(); ++a) tiles *= f.axes()[a].reduce ? 1.0 : std::ceil(double(f.axes()[a].extent) / double(sizes[a]));
    if (tiles >= limits.least_tiles && f.lines(sizes) * 64 <= limits.capacity) best = std::min(best, f.traffic(sizes));
    more = false;
    for (std::size_t a = sizes.size(); a-- > 0 && !more;) {
      more = sizes[a] < f.axes()[a].extent;
      sizes[a] = more ? sizes[a] + 1 : 1;
    }
  }
  return best;
}

TEST(ChooseTiles, AreNearTheBestOfAllSizes) {
  const std::vector<ops::Request> requests{{"matmul", {{"m", 48}, {"n", 60}, {"k", 50}}, "", ""},
                                           {"dense", {{"m", 33}, {"n", 64}, {"k", 47}}, "", ""},
                                           {"batch_matmul", {{"b", 4}, {"m", 20}, {"n", 32}, {"k", 24}}, "", ""},
                                           {"conv2d", {{"h", 8}, {"w", 8}, {"ci", 8}, {"co", 32}}, "", ""},
                                           {"depthwise_conv2d", {{"h", 14}, {"w", 14}, {"c", 32}}, "", ""},
                                           {"transpose", {{"m", 80}, {"n", 96}}, "", ""},
                                           {"column_sum", {{"m", 100}, {"n", 90}}, "", ""}};
  for (const ops::Request& r : requests) {
    const TileFootprints f = footprints_of(ops::build(r).or_throw());
    for (const double capacity : {2e3, 4e3, 8e3, 16e3}) {
      for (const double least : {1.0, 8.0}) {
        const TileLimits limits = limits_of(capacity, {}, least);
        const double best = best_of_all(f, limits);
        const auto chosen = choose_tiles(f, limits);
        ASSERT_EQ(chosen.ok(), best < 1e300) << r.op << " " << capacity;
        if (!chosen.ok()) continue;
        RecordProperty(r.op + "_" + std::to_string(int(capacity)) + "_" + std::to_string(int(least)), std::to_string(chosen->traffic / best));
        EXPECT_LE(chosen->traffic, 1.5 * best) << r.op << " " << capacity << " " << text(*chosen);
      }
    }
  }
}

/// A point of the model in well under a microsecond of CPU time.
TEST(ChooseTiles, ThousandsOfPointsAMillisecond) {
  const TileFootprints f = footprints_of(product(1024, 1024, 1024));
  const std::clock_t start = std::clock();
  double sum = 0;
  for (int i = 0; i < 20'000; ++i) sum += f.traffic({1 + i % 64, 1 + i % 128, 1 + i % 32});
  const double us = 1e6 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC / 20'000;
  RecordProperty("us", std::to_string(us));
  EXPECT_GT(sum, 0);
  EXPECT_LT(us, 3);
}

}  // namespace
}  // namespace tessera::polyhedral
