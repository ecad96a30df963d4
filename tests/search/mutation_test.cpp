// Offspring are valid points of the space, of every kind, for every operator.
#include "search/mutation.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "driver/compile.h"
#include "ops/catalog.h"

namespace tessera::search {
namespace {

std::vector<Sketch> two_sketches() {
  const Space tiles({{"rows", {1, 2, 4, 8}}, {"width", {16, 32, 64}}, {"mid", {1, 2, 4}}},
                    {{"register file", {{1, {"rows", "width"}}}, 0, 256}});
  const Space blocked({{"rows", {1, 2, 4, 8}}, {"width", {16, 32, 64}}, {"block", {64, 128}}},
                      {{"register file", {{1, {"rows", "width"}}}, 0, 128}});
  return {{"tiles", {}, tiles}, {"blocked", {}, blocked}};
}

/// The values of all children that `breed` makes with the first `seeds` seeds.
std::set<Values> children_of(std::uint64_t seeds, const std::function<std::optional<Point>(Rng&)>& breed) {
  std::set<Values> out;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    Rng rng(seed);
    if (const auto child = breed(rng)) out.insert(child->values);
  }
  return out;
}

TEST(Mutation, NeighbourMovesOneHoleByOnePlace) {
  const auto sketches = two_sketches();
  const Mutator m(sketches);
  const auto seen = children_of(200, [&](Rng& rng) { return m.mutate({0, {4, 32, 2}}, MutationKind::kNeighbour, rng); });
  EXPECT_EQ(seen, (std::set<Values>{{2, 32, 2}, {8, 32, 2}, {4, 16, 2}, {4, 64, 2}, {4, 32, 1}, {4, 32, 4}}));
}

TEST(Mutation, TradeMovesAFactorBetweenTwoHolesOfALimit) {
  const auto sketches = two_sketches();
  const Mutator m(sketches);
  const auto seen = children_of(100, [&](Rng& rng) { return m.mutate({0, {4, 32, 2}}, MutationKind::kTrade, rng); });
  EXPECT_EQ(seen, (std::set<Values>{{8, 16, 2}, {2, 64, 2}}));
}

TEST(Mutation, StructureKeepsTheTile) {
  const auto sketches = two_sketches();
  const Mutator m(sketches);
  Rng rng(1);
  const auto child = m.mutate({0, {4, 32, 2}}, MutationKind::kStructure, rng);
  ASSERT_TRUE(child.has_value());
  EXPECT_EQ(child->sketch, 1U);
  EXPECT_EQ(child->values[0], 4);
  EXPECT_EQ(child->values[1], 32);
  // 8 * 32 does not fit the other register file: the nearest that does.
  const auto near = m.mutate({0, {8, 32, 2}}, MutationKind::kStructure, rng);
  ASSERT_TRUE(near.has_value());
  EXPECT_LE(near->values[0] * near->values[1], 128);
}

TEST(Mutation, CrossoverTakesEachHoleFromAParent) {
  const auto sketches = two_sketches();
  const Mutator m(sketches);
  const auto seen = children_of(200, [&](Rng& rng) { return m.cross({0, {8, 16, 1}}, {0, {2, 64, 4}}, rng); });
  for (const Values& v : seen) {
    EXPECT_TRUE(v[0] == 8 || v[0] == 2);
    EXPECT_TRUE(v[1] == 16 || v[1] == 64);
    EXPECT_TRUE(v[2] == 1 || v[2] == 4);
    EXPECT_LE(v[0] * v[1], 256);
  }
  EXPECT_EQ(seen.size(), 5U);  // 8 combinations, less 8 * 64 twice and the first parent
}

TEST(Mutation, ProjectionGoesToTheNearestValues) {
  const auto sketches = two_sketches();
  const Mutator m(sketches);
  Rng rng(1);
  const auto p = m.project(0, {{"rows", 5}, {"width", 100}, {"elsewhere", 7}}, rng);
  ASSERT_TRUE(p.has_value());
  EXPECT_EQ(p->values[0], 4);
  EXPECT_EQ(p->values[1], 64);
}

TEST(Mutation, NoValueLeftGivesNoChild) {
  const std::vector<Sketch> one{{"one", {}, Space({{"a", {3}}}, {})}};
  const Mutator m(one);
  Rng rng(1);
  for (const MutationKind k : {MutationKind::kNeighbour, MutationKind::kRedraw, MutationKind::kTrade, MutationKind::kStructure}) {
    EXPECT_EQ(m.mutate({0, {3}}, k, rng), std::nullopt);
  }
}

class OffspringOf : public testing::TestWithParam<std::string> {};

TEST_P(OffspringOf, ReplayAndDiffer) {
  Task task;
  task.op = GetParam();
  task.dag = ops::build({.op = GetParam(), .shape = {}, .layout = "", .dtype = ""}).or_throw();
  task.target = driver::resolve_target("cpu");
  task.threads = 2;
  const std::vector<Sketch> sketches = generate_sketches(task);
  const Mutator m(sketches);
  Rng rng(7);
  std::vector<Point> points;
  for (std::size_t s = 0; s < sketches.size(); ++s) points.push_back(*m.fresh(s, rng));
  for (int i = 0; i < 60; ++i) {
    const Point& a = rng.pick(points);
    const Point& b = rng.pick(points);
    const auto child = rng.chance(0.5) ? m.mutate(a, rng) : m.cross(a, b, rng);
    if (!child) continue;
    EXPECT_NE(*child, a);
    EXPECT_TRUE(sketches[child->sketch].space.contains(child->values));
    const auto state = driver::scheduled(task.dag, steps_of(sketches, *child).or_throw());
    EXPECT_TRUE(state.ok()) << sketches[child->sketch].name << ": " << (state.ok() ? "" : state.reason());
    points.push_back(*child);
  }
}

std::vector<std::string> operator_names() {
  std::vector<std::string> out;
  for (const ops::Operator* op : ops::catalog()) out.push_back(op->name);
  return out;
}

INSTANTIATE_TEST_SUITE_P(Catalogue, OffspringOf, testing::ValuesIn(operator_names()), [](const auto& info) { return info.param; });

}  // namespace
}  // namespace tessera::search
