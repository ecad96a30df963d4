// Which candidates a pack gets.
#include "search/pack.h"

#include <gtest/gtest.h>

#include <set>

#include "driver/compile.h"
#include "ops/catalog.h"

namespace tessera::search {
namespace {

Task task_of_op(const std::string& op, const ops::Shape& shape) {
  Task t;
  t.op = op;
  t.dag = ops::build({op, shape, "", ""}).or_throw();
  t.target = driver::resolve_target("cuda -arch=sm_90a");
  return t;
}

TEST(SpreadCandidates, AreDistinctAndEvenOverTheSketches) {
  const Task task = task_of_op("conv2d", {});
  const std::vector<Candidate> all = spread_candidates(task, 65, 1);
  ASSERT_EQ(all.size(), 65U);
  std::map<std::string, int> of_sketch;
  std::set<std::pair<std::string, Decisions>> distinct;
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].trial, static_cast<int>(i));
    ++of_sketch[all[i].sketch];
    distinct.insert({all[i].sketch, all[i].decisions});
    EXPECT_TRUE(driver::scheduled(task.dag, all[i].steps).ok());
  }
  EXPECT_EQ(distinct.size(), all.size());
  EXPECT_EQ(of_sketch.at("default"), 1);
  of_sketch.erase("default");
  const auto sketches = static_cast<int>(generate_sketches(task).size());
  ASSERT_EQ(static_cast<int>(of_sketch.size()), sketches);
  for (const auto& [name, n] : of_sketch) EXPECT_NEAR(n, 64.0 / sketches, 1) << name;
}

TEST(SpreadCandidates, EndWithTheSpace) {
  const Task task = task_of_op("relu", {{"m", 1}, {"n", 2}});
  const std::vector<Candidate> all = spread_candidates(task, 10'000, 1);
  std::int64_t points = 1;
  for (const Sketch& s : generate_sketches(task)) points += s.space.count(10'000);
  EXPECT_EQ(static_cast<std::int64_t>(all.size()), points);
}

TEST(SpreadCandidates, DependOnTheSeedAlone) {
  const Task task = task_of_op("softmax", {{"m", 64}, {"n", 256}});
  const auto decisions = [&](std::uint64_t seed) {
    std::vector<Decisions> out;
    for (const Candidate& c : spread_candidates(task, 24, seed)) out.push_back(c.decisions);
    return out;
  };
  EXPECT_EQ(decisions(1), decisions(1));
  EXPECT_NE(decisions(1), decisions(2));
}

}  // namespace
}  // namespace tessera::search
