// Exact footprints of structured loops, held against going through every iteration; and the closed form that the
// cost model uses for thousands of candidates, held against the exact ones.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "cost_model/detail/footprint.h"
#include "driver/compile.h"
#include "ir/nest_summary.h"
#include "ops/catalog.h"
#include "polyhedral/footprint.h"
#include "search/sketch.h"
#include "tests/polyhedral/programs.h"
#include "tests/support/options.h"

namespace tessera::polyhedral {
namespace {

using namespace test;  // NOLINT: the programs that the tests of this folder share

std::vector<StatementFootprint> footprints_of(const Schedule& s) {
  return footprints(loops_of(s), equations_of(s.state()).or_throw()).or_throw();
}

std::vector<std::int64_t> elements(const AccessFootprint& a) {
  std::vector<std::int64_t> out;
  for (const LevelFootprint& l : a.levels) out.push_back(l.elements);
  return out;
}

TEST(Footprints, OfATiledProduct) {
  // E in tiles of 4 x 8, k in parts of 5.
  const auto all = footprints_of(tiled_matmul(20, 4, 8, 5));
  const auto update = std::find_if(all.begin(), all.end(), [](const StatementFootprint& s) { return s.stage == "C" && s.phase == ir::Phase::kUpdate; });
  ASSERT_NE(update, all.end());
  EXPECT_EQ(update->loops, (std::vector<std::string>{"i0", "j0", "k0", "i", "k1", "j"}));
  ASSERT_EQ(update->accesses.size(), 4u);  // C, C, A, B
  EXPECT_EQ(elements(update->accesses[0]), (std::vector<std::int64_t>{32, 32, 32, 32, 8, 8, 1}));
  EXPECT_EQ(elements(update->accesses[2]), (std::vector<std::int64_t>{400, 80, 80, 20, 5, 1, 1}));
  EXPECT_EQ(elements(update->accesses[3]), (std::vector<std::int64_t>{400, 400, 160, 40, 40, 8, 1}));
  EXPECT_EQ(update->accesses[3].levels[2].box, (std::vector<std::int64_t>{20, 8}));
  EXPECT_EQ(update->accesses[3].levels[2].iterations, 4 * 8 * 20);
}

/// Levels of accesses, by what the closed form is for them.
struct Count {
  int all = 0, equal = 0;
};
using Shares = std::map<std::string, Count>;

const char* const kExact = "exact";            // regular, over rectangles, strides that divide each other
const char* const kPart = "part of a rectangle";  // borders, tails
const char* const kStrides = "strides";        // that do not divide each other
const char* const kIrregular = "irregular";    // fused loops, lookups

std::string class_of(const ir::AccessSummary& a, const AccessFootprint& exact, std::size_t level, const cost_model::detail::StrideOrder& order, int from, double rectangle) {
  if (!a.regular || !exact.exact) return kIrregular;
  if (static_cast<double>(exact.levels[level].iterations) != rectangle) return kPart;
  double smaller = 1;
  for (int k = 0; k < order.count; ++k) {
    const auto i = static_cast<std::size_t>(k);
    if (order.loop[i] < from) continue;
    if (std::fmod(order.stride[i], smaller) != 0) return kStrides;
    smaller = order.stride[i];
  }
  return kExact;
}

void compare(const ir::StatementSummary& summary, const StatementFootprint& exact, Shares& shares) {
  ASSERT_EQ(summary.stage, exact.stage);
  ASSERT_EQ(summary.phase, exact.phase);
  ASSERT_EQ(summary.accesses.size(), exact.accesses.size());
  std::vector<double> extents;
  std::vector<int> runs;  // loops that run twice or more
  for (std::size_t l = 0; l < summary.loops.size(); ++l) {
    extents.push_back(static_cast<double>(summary.loops[l].extent));
    if (summary.loops[l].extent > 1) runs.push_back(static_cast<int>(l));
  }
  ASSERT_EQ(runs.size(), exact.loops.size());
  for (std::size_t k = 0; k < summary.accesses.size(); ++k) {
    const ir::AccessSummary& a = summary.accesses[k];
    ASSERT_EQ(a.buffer, exact.accesses[k].buffer);
    const auto order = cost_model::detail::order_strides(a, 0, static_cast<int>(extents.size()), extents.data());
    double rectangle = 1;
    for (std::size_t level = runs.size() + 1; level-- > 0;) {
      const int from = level == runs.size() ? static_cast<int>(extents.size()) : runs[level];
      if (level < runs.size()) rectangle *= extents[static_cast<std::size_t>(from)];
      const double fast = cost_model::detail::footprint(a, order, from).elements;
      const auto slow = static_cast<double>(exact.accesses[k].levels[level].elements);
      const std::string kind = class_of(a, exact.accesses[k], level, order, from, rectangle);
      Count& count = shares[kind];
      ++count.all;
      count.equal += fast == slow;
      const auto where = [&] { return a.buffer + " in stage " + summary.stage + " at level " + std::to_string(level); };
      if (kind == kExact) {
        EXPECT_EQ(fast, slow) << where();
      } else if (kind == kPart) {
        EXPECT_GE(fast, slow) << where();
      }
    }
  }
}

constexpr int kPoints = 100;  // of each of ten problems

class ClosedForms : public ::testing::TestWithParam<std::pair<std::string, ops::Request>> {};

TEST_P(ClosedForms, AreExactWhereTheyClaimTo) {
  const ops::Request& request = GetParam().second;
  search::Task task;
  task.dag = ops::build(request).or_throw();
  task.op = request.op;
  task.target = driver::resolve_target("cpu -mcpu=x86-64-v3");
  task.threads = 2;
  const auto sketches = search::generate_sketches(task);
  const std::uint64_t seed = tessera::test::options().seed;
  Rng rng(seed, {hash_bytes(GetParam().first)});
  Shares shares;
  for (int i = 0; i < kPoints && !HasFailure(); ++i) {
    const search::Sketch& sketch = rng.pick(sketches);
    const auto steps = schedule::fill_holes(sketch.steps, sketch.space.decisions(*sketch.space.sample(rng))).or_throw();
    SCOPED_TRACE(request.op + " " + sketch.name + " " + dump_json(write_json(steps)));
    const auto loops = driver::structured_loops(task.dag, steps, task.target).or_throw();
    const auto exact = footprints(loops, equations_of(driver::scheduled(task.dag, steps).or_throw()).or_throw()).or_throw();
    const ir::NestSummary summary = ir::summarize(loops);
    ASSERT_EQ(summary.statements.size(), exact.size());
    for (std::size_t s = 0; s < exact.size(); ++s) compare(summary.statements[s], exact[s], shares);
  }
  RecordProperty("seed", std::to_string(seed));
  int all = 0;
  for (const auto& [kind, count] : shares) {
    RecordProperty(kind, std::to_string(count.equal) + " of " + std::to_string(count.all) + " equal");
    all += count.all;
  }
  EXPECT_GE(2 * shares[kExact].all, all);  // most of what the search meets is what they are exact for
}

INSTANTIATE_TEST_SUITE_P(Problems, ClosedForms,
                         ::testing::Values(std::pair("matmul", ops::Request{"matmul", {{"m", 24}, {"n", 32}, {"k", 16}}, "", ""}),
                                           std::pair("batch_matmul", ops::Request{"batch_matmul", {{"b", 2}, {"m", 8}, {"n", 16}, {"k", 12}}, "", ""}),
                                           std::pair("conv2d", ops::Request{"conv2d", {{"h", 6}, {"w", 6}, {"ci", 4}, {"co", 8}}, "", ""}),
                                           std::pair("conv2d_strided", ops::Request{"conv2d", {{"h", 9}, {"w", 10}, {"ci", 3}, {"co", 8}, {"stride", 2}}, "NCHW", ""}),
                                           std::pair("depthwise_conv2d", ops::Request{"depthwise_conv2d", {{"h", 8}, {"w", 7}, {"c", 8}}, "", ""}),
                                           std::pair("max_pool2d", ops::Request{"max_pool2d", {{"h", 9}, {"w", 8}, {"c", 8}}, "", ""}),
                                           std::pair("softmax", ops::Request{"softmax", {{"m", 12}, {"n", 40}}, "", ""}),
                                           std::pair("layer_norm", ops::Request{"layer_norm", {{"m", 12}, {"n", 40}}, "", ""}),
                                           std::pair("column_sum", ops::Request{"column_sum", {{"m", 30}, {"n", 24}}, "", ""}),
                                           std::pair("transpose", ops::Request{"transpose", {{"m", 30}, {"n", 24}}, "", ""})),
                         [](const auto& info) { return info.param.first; });

}  // namespace
}  // namespace tessera::polyhedral
