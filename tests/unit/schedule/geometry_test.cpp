// Inferred boxes are never smaller than what is read, found by running the loops.
#include "schedule/geometry.h"

#include <map>

#include "dsl/inputs.h"
#include "driver/fuzz/random_program.h"
#include "driver/fuzz/random_schedule.h"
#include "ir/interpret.h"
#include "lower/lower.h"
#include "tests/support/options.h"
#include "tests/unit/schedule/programs.h"

namespace tessera::schedule::test {
namespace {

TEST(Geometry, TrailingTileIsShorter) {
  const State s = after(chain(10), {Split{"C", "i", {"i0", "i1"}, {4}}});
  const Stage& c = *s.find("C");
  const ir::Var i0 = c.find_axis("i0")->var;
  for (std::int64_t v = 0; v < 3; ++v) {
    std::int64_t n = 0;
    ASSERT_TRUE(is_const_int(ir::simplify(ir::substitute(axis_extent(c, "i1"), i0, ir::int_imm(v))), &n));
    EXPECT_EQ(n, v < 2 ? 4 : 2);
  }
}

/// Every element of `producer` that one iteration of `C.i0` reads lies in the box computed there.
void expect_covers(std::int64_t n, std::int64_t factor, std::int64_t a, std::int64_t b, std::int64_t window) {
  auto x = placeholder({a * (n - 1) + b + window}, f32, "A");
  auto p = compute({a * (n - 1) + b + window}, [&](dsl::Var i) { return x(i) * 2.0; }, "P");
  auto k = dsl::reduce_axis(window, "k");
  auto c = compute({n}, [&](dsl::Var i) { return dsl::sum(p(i * a + b + k), k); }, "C");
  const State s = after(start(dsl::ComputeDag::from_outputs({c})),
                        {Split{"C", "i", {"i0", "i1"}, {factor}}, ComputeAt{"P", "C", "i0"}});
  const Box& box = s.find("P")->region;
  const ir::Var i0 = s.find("C")->find_axis("i0")->var;
  for (std::int64_t o = 0; o * factor < n; ++o) {
    std::int64_t lo = 0, extent = 0;
    ASSERT_TRUE(is_const_int(ir::simplify(ir::substitute(box.lo[0], i0, ir::int_imm(o))), &lo));
    ASSERT_TRUE(is_const_int(ir::simplify(ir::substitute(box.extent[0], i0, ir::int_imm(o))), &extent));
    const std::int64_t first = o * factor * a + b;
    const std::int64_t last = (std::min(n, (o + 1) * factor) - 1) * a + b + window - 1;
    EXPECT_LE(lo, first);
    EXPECT_GE(lo + extent - 1, last);
    EXPECT_EQ(extent, last - first + 1) << "a box of one affine read is exact";
    EXPECT_LE(extent, box.bound[0]);
  }
}

TEST(Geometry, AffineBoxesAreExact) {
  for (const std::int64_t n : {1, 7, 13, 16}) {
    for (const std::int64_t factor : {1, 3, 4, 20}) {
      for (const std::int64_t a : {1, 2, 3}) expect_covers(n, factor, a, 2, 3);
    }
  }
}

// Random programs and places: the interpreter reports a read of what no computed box held, so a box
// that is too small by one element anywhere is found by enumeration of all reads.
TEST(Geometry, RandomBoxesHoldEveryRead) {
  const std::uint64_t seed = tessera::test::options().seed;
  RecordProperty("seed", std::to_string(seed));
  std::int64_t placed = 0;
  for (int p = 0; p < 120; ++p) {
    Rng rng(seed, {0x6e0, static_cast<std::uint64_t>(p)});
    const dsl::ComputeDag dag = driver::random_program(rng);
    driver::WalkStatistics met;
    const auto walk = driver::random_schedule(start(dag), rng, 24, met);
    for (std::size_t i = 0; i < walk.state.size(); ++i) placed += walk.state.stage(i).placement == Placement::kAt;
    const auto program = lower::build(walk.state);
    ASSERT_TRUE(program.ok()) << program.reason();
    ir::InterpretOptions options;
    options.max_steps = 50'000'000;
    const auto run = ir::interpret(*program, dsl::make_inputs(dag, seed, dsl::InputKind::kExact), options);
    EXPECT_TRUE(run.ok()) << "seed " << seed << " program " << p << ": " << run.reason();
  }
  EXPECT_GT(placed, 20) << "the walk places too few stages to show anything";
}

}  // namespace
}  // namespace tessera::schedule::test
