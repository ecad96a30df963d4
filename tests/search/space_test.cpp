#include "search/space.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace tessera::search {
namespace {

Space tile_space() {
  return Space({{"rows", {1, 2, 3, 4, 6, 8}}, {"width", {16, 32, 48, 64}}, {"mid", {1, 2, 4, 8, 16}}},
               {{"register file", {{1, {"rows", "width"}}, {1, {"width"}}}, 0, 31 * 16},
                {"independent accumulators", {{1, {"rows", "width"}}}, 128, INT64_MAX},
                {"cache block", {{1, {"rows", "mid"}}}, 0, 64}});
}

TEST(Space, EverySampleSatisfiesEveryConstraint) {
  const Space space = tile_space();
  Rng rng(7);
  std::set<Values> seen;
  for (int i = 0; i < 2000; ++i) {
    const auto p = space.sample(rng);
    ASSERT_TRUE(p.has_value());
    const std::int64_t rows = p->at(0), width = p->at(1), mid = p->at(2);
    EXPECT_LE(rows * width + width, 31 * 16);
    EXPECT_GE(rows * width, 128);
    EXPECT_LE(rows * mid, 64);
    EXPECT_TRUE(space.contains(*p));
    seen.insert(*p);
  }
  // The whole space is reached, and nothing outside it.
  EXPECT_EQ(static_cast<std::int64_t>(seen.size()), space.count(1'000'000));
}

TEST(Space, SaysWhenThereIsNoPoint) {
  const Space space({{"a", {4, 8}}}, {{"impossible", {{1, {"a"}}}, 0, 3}});
  Rng rng(1);
  EXPECT_FALSE(space.sample(rng).has_value());
  EXPECT_EQ(space.count(10), 0);
}

TEST(Space, BacksOutOfDeadEnds) {
  // a + b must be exactly 9: bounds alone admit many partial choices that cannot be completed.
  const Space space({{"a", {1, 2, 4, 8}}, {"b", {1, 5, 7, 100}}}, {{"sum", {{1, {"a"}}, {1, {"b"}}}, 9, 9}});
  Rng rng(3);
  for (int i = 0; i < 100; ++i) {
    const auto p = space.sample(rng);
    ASSERT_TRUE(p.has_value());
    EXPECT_EQ(p->at(0) + p->at(1), 9);
  }
}

TEST(Space, BacksOverHolesThatTookNoPartInADeadEnd) {
  // a * b = 7 is possible by bounds and has no point; sixty holes that have nothing to do with it are
  // decided between the two. To try their values in turn would take 4^60 steps.
  std::vector<Hole> holes = {{"a", {2, 3}}};
  std::vector<Constraint> constraints = {{"seven", {{1, {"a", "b"}}}, 7, 7}};
  for (int i = 0; i < 60; ++i) holes.push_back({"free" + std::to_string(i), {1, 2, 3, 4}});
  for (int i = 1; i < 60; ++i) {
    constraints.push_back({"pair", {{1, {"free" + std::to_string(i - 1)}}, {1, {"free" + std::to_string(i)}}}, 0, 7});
  }
  holes.push_back({"b", {1, 2, 3, 4, 5, 6}});
  Rng rng(5);
  EXPECT_EQ(Space(holes, constraints).sample(rng), std::nullopt);
  EXPECT_TRUE(Space(holes, constraints).empty());
  EXPECT_EQ(Space(holes, constraints).count(10), 0);

  // With one value that fits, it is found, and the free holes still take all of theirs.
  holes.back().domain.push_back(7);
  holes.front().domain.insert(holes.front().domain.begin(), 1);
  const Space space(holes, constraints);
  std::set<std::int64_t> seen;
  for (int i = 0; i < 200; ++i) {
    const auto p = space.sample(rng);
    ASSERT_TRUE(p.has_value());
    EXPECT_TRUE(space.contains(*p));
    EXPECT_EQ(p->front() * p->back(), 7);
    seen.insert(p->at(30));
  }
  EXPECT_EQ(seen.size(), 4u);
}

TEST(Space, FindsAPointWheneverThereIsOne) {
  // Random small problems, satisfiable or not: the solver and the enumeration agree with trying every value.
  Rng rng(11);
  int without = 0;
  for (int problem = 0; problem < 2000; ++problem) {
    std::vector<Hole> holes;
    for (int h = 0; h < 5; ++h) {
      std::set<std::int64_t> domain;
      for (int v = 0; v < 3; ++v) domain.insert(1 + rng.below(12));
      holes.push_back({std::string(1, static_cast<char>('a' + h)), {domain.begin(), domain.end()}});
    }
    std::vector<Constraint> constraints;
    for (int c = 0; c < 3; ++c) {
      Constraint& k = constraints.emplace_back();
      for (int t = 0; t < 2; ++t) {
        k.terms.push_back({1 + rng.below(2), {holes[static_cast<std::size_t>(rng.below(5))].name, holes[static_cast<std::size_t>(rng.below(5))].name}});
      }
      k.at_least = 20 + rng.below(80);
      k.at_most = k.at_least + rng.below(60);
    }
    const Space space(holes, constraints);
    const auto p = space.sample(rng);
    std::int64_t points = 0;
    for (const std::int64_t a : holes[0].domain) {
      for (const std::int64_t b : holes[1].domain) {
        for (const std::int64_t c : holes[2].domain) {
          for (const std::int64_t d : holes[3].domain) {
            for (const std::int64_t e : holes[4].domain) points += space.contains({a, b, c, d, e}) ? 1 : 0;
          }
        }
      }
    }
    EXPECT_EQ(p.has_value(), points > 0) << "problem " << problem;
    EXPECT_EQ(space.count(INT64_MAX), points) << "problem " << problem;
    if (p) {
      EXPECT_TRUE(space.contains(*p));
    } else {
      ++without;
    }
  }
  EXPECT_GT(without, 100);
  EXPECT_LT(without, 1900);
}

TEST(Space, PointsOutsideAreNotContained) {
  const Space space = tile_space();
  EXPECT_FALSE(space.contains({8, 64, 1}));
  EXPECT_FALSE(space.contains({5, 32, 1}));
  EXPECT_FALSE(space.contains({4, 32}));
}

TEST(Space, NamesAndPositionsAgree) {
  const Space space = tile_space();
  const Values point{4, 48, 2};
  EXPECT_EQ(space.decisions(point), (Decisions{{"rows", 4}, {"width", 48}, {"mid", 2}}));
  EXPECT_EQ(space.values(space.decisions(point)), point);
  EXPECT_EQ(space.values({{"rows", 4}, {"width", 48}}), std::nullopt);
  EXPECT_EQ(space.values({{"rows", 4}, {"width", 48}, {"other", 2}}), std::nullopt);
}

TEST(Space, SolvesWithinGivenDomains) {
  const Space space = tile_space();
  Rng rng(5);
  std::set<Values> seen;
  for (int i = 0; i < 200; ++i) {
    const auto p = space.solve({{8}, {16, 48, 64}, {1, 8}}, rng);
    ASSERT_TRUE(p.has_value());
    EXPECT_TRUE(space.contains(*p));
    seen.insert(*p);
  }
  EXPECT_EQ(seen, (std::set<Values>{{8, 16, 1}, {8, 16, 8}, {8, 48, 1}, {8, 48, 8}}));  // 8 * 64 + 64 does not fit
  EXPECT_EQ(space.solve({{8}, {64}, {1}}, rng), std::nullopt);
}

TEST(Space, PointsAreAllPointsInOrder) {
  const Space space = tile_space();
  const std::vector<Values> all = space.points(1'000'000);
  EXPECT_EQ(static_cast<std::int64_t>(all.size()), space.count(1'000'000));
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
  for (const Values& v : all) EXPECT_TRUE(space.contains(v));
  EXPECT_EQ(space.points(5), std::vector<Values>(all.begin(), all.begin() + 5));
}

}  // namespace
}  // namespace tessera::search
