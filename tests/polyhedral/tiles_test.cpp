// Footprints of tiles as functions of their sizes, held against what loops of such tiles touch; and the sizes
// that are chosen by them.
#include <gtest/gtest.h>

#include <chrono>

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
  const TileFootprints c = footprints_of(padded_convolution(32, 32));
  // n, f, y, u; c, r, s
  EXPECT_EQ(c.extents({1, 8, 4, 16, 2, 3, 3}), (std::vector<Sizes>{{1, 8, 4, 16}, {1, 2, 6, 18}, {8, 2, 3, 3}}));
  EXPECT_EQ(c.extents({4, 32, 32, 32, 32, 3, 3})[1], (Sizes{4, 32, 34, 34}));
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

/// Under 5 ms an operator, and no extent that is only known to be within its tensor but where data choose it.
TEST(TileFootprints, OfEveryOperator) {
  int stages = 0, unknown = 0;
  double worst = 0;
  for (const ops::Operator* op : ops::catalog()) {
    const Equations program = equations_of(ops::build({op->name, {}, "", ""}).or_throw()).or_throw();
    const auto start = std::chrono::steady_clock::now();
    for (const Equation& e : program.stages) {
      if (e.is_input() || e.code) continue;
      const TileFootprints f = TileFootprints::of(e).or_throw();
      ++stages;
      for (const TileAccess& a : f.accesses()) {
        for (std::size_t d = 0; d < a.shape.size(); ++d) {
          const bool whole = a.shape[d] > 1 && a.extents[d].constant == a.shape[d];
          unknown += whole;
          if (whole) std::printf("%s %s %s dim %zu\n", op->name.c_str(), e.stage.c_str(), a.tensor.c_str(), d);
        }
      }
    }
    const double took = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    worst = std::max(worst, took);
    std::printf("%s %.2f ms\n", op->name.c_str(), took);
  }
  std::printf("%d stages, %d unknown, worst %.2f\n", stages, unknown, worst);
}

}  // namespace
}  // namespace tessera::polyhedral
