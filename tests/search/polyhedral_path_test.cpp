// The polyhedral path in a search: what it planned is measured first, and any of its points may be.
#include "search/polyhedral_path.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "driver/compile.h"
#include "driver/fuzz/check_pair.h"
#include "driver/verify.h"
#include "ops/catalog.h"
#include "search/pack.h"
#include "search/search.h"
#include "tests/search/invented.h"
#include "tests/support/options.h"

namespace tessera::search {
namespace {

Task task_of(const ops::Request& request, int threads = 2) {
  Task t;
  t.op = request.op;
  t.dag = ops::build(request).or_throw();
  t.target = driver::resolve_target("cpu -mcpu=x86-64-v4");
  t.threads = threads;
  return t;
}

class PolyhedralPoints : public ::testing::TestWithParam<std::string> {};

/// The verifier is asked about a few, which stand for the rest.
TEST_P(PolyhedralPoints, Replay) {
  constexpr int kPoints = 20, kProved = 2;
  const std::uint64_t seed = test::options().seed;
  RecordProperty("seed", std::to_string(seed));
  for (const int threads : {1, 2}) {
    const Task task = task_of({GetParam(), {}, "", ""}, threads);
    const auto sketches = polyhedral_sketches(task);
    if (GetParam() == "csr_spmm") {  // hand-written loops have no dependences to go by
      EXPECT_FALSE(sketches.ok());
      return;
    }
    ASSERT_TRUE(sketches.ok()) << sketches.reason();
    for (const PlannedSketch& p : *sketches) {
      ASSERT_TRUE(p.sketch.space.values(p.chosen) && p.sketch.space.contains(*p.sketch.space.values(p.chosen))) << p.sketch.text();
      Rng rng(seed, {task.hash()});
      for (int i = 0; i < kPoints; ++i) {
        const auto point = p.sketch.space.sample(rng);
        ASSERT_TRUE(point);
        const auto steps = schedule::fill_holes(p.sketch.steps, p.sketch.space.decisions(*point)).or_throw();
        const auto state = driver::scheduled(task.dag, steps);
        ASSERT_TRUE(state.ok()) << state.reason() << "\n" << p.sketch.text();
        if (i >= kProved) continue;
        EXPECT_EQ(to_string(driver::verify(task.dag, steps, task.target).or_throw()), "ok") << dump_json(write_json(steps));
      }
    }
  }
}

std::vector<std::string> names() {
  std::vector<std::string> out;
  for (const ops::Operator* op : ops::catalog()) out.push_back(op->name);
  return out;
}

INSTANTIATE_TEST_SUITE_P(Ops, PolyhedralPoints, ::testing::ValuesIn(names()), [](const auto& info) { return info.param; });

TEST(PolyhedralPath, PointsAreRight) {
  for (const ops::Request& r : {ops::Request{"matmul", {{"m", 37}, {"n", 45}, {"k", 29}}, "", ""}, ops::Request{"conv2d", {{"h", 9}, {"w", 11}, {"ci", 5}, {"co", 35}}, "", ""}}) {
    const Task task = task_of(r);
    const auto program = driver::CheckedProgram::make(task.dag, 1).or_throw();
    for (const PlannedSketch& p : polyhedral_sketches(task).or_throw()) {
      Rng rng(1);
      for (int i = 0; i < 10; ++i) {
        const auto steps = schedule::fill_holes(p.sketch.steps, p.sketch.space.decisions(*p.sketch.space.sample(rng))).or_throw();
        lower::Options options;
        options.vector_bytes = 64;
        EXPECT_EQ(driver::check_pair(program, steps, options).why, "") << dump_json(write_json(steps));
      }
    }
  }
}

std::vector<std::string> sketches_of_first_batch(Path path) {
  Search s(task_of({"conv2d_bn_relu", {}, "", ""}), {.trials = 8, .seed = 1, .path = path});
  std::vector<std::string> out;
  for (const Candidate& c : s.propose(0)) out.push_back(c.sketch);
  return out;
}

TEST(PolyhedralPath, IsMeasuredFirstAndNamed) {
  const auto search = sketches_of_first_batch(Path::kSearch), both = sketches_of_first_batch(Path::kBoth), alone = sketches_of_first_batch(Path::kPolyhedral);
  const auto planned = [](const std::vector<std::string>& names) { return std::count_if(names.begin(), names.end(), is_polyhedral); };
  EXPECT_EQ(planned(search), 0);
  EXPECT_EQ(both.at(1), "polyhedral.max");
  EXPECT_GE(planned(both), 1);
  EXPECT_LT(planned(both), 7);
  EXPECT_EQ(planned(alone), static_cast<std::ptrdiff_t>(alone.size()) - 1);  // all but the default plan
}

/// Planned candidates of batches 3 and 4, where a plan takes `ns` and what the rules propose takes 1000 and more.
int planned_later(std::int64_t ns) {
  Search s(task_of({"conv2d_bn_relu", {}, "", ""}), {.trials = 40, .seed = 1, .path = Path::kBoth});
  int out = 0;
  for (int batch = 0; batch < 5; ++batch) {
    std::vector<Trial> trials;
    for (const Candidate& c : s.propose(batch)) {
      out += batch >= 3 && is_polyhedral(c.sketch) ? 1 : 0;
      trials.push_back(trial_of(c, {is_polyhedral(c.sketch) ? ns + c.trial : 1000 + c.trial}));
    }
    s.complete(batch, std::move(trials));
  }
  return out;
}

TEST(PolyhedralPath, IsGivenUpWhereItIsLeftBehind) {
  EXPECT_EQ(planned_later(1500), 0);
  EXPECT_GT(planned_later(900), 0);
}

TEST(PolyhedralPath, PlansOfGpusAreInPacks) {
  Task task = task_of({"conv2d_bn_relu", {}, "", ""});
  task.target = driver::resolve_target("cuda -arch=sm_90a");
  const auto pack = pack_candidates(task, {.count = 6, .path = Path::kBoth}, {});
  ASSERT_EQ(pack.size(), 6u);
  EXPECT_EQ(pack[1].sketch, "polyhedral.max");
  for (const Candidate& c : pack) EXPECT_TRUE(driver::scheduled(task.dag, c.steps).ok()) << c.sketch;
  std::set<schedule::StepList, decltype([](const auto& a, const auto& b) { return dump_json(write_json(a)) < dump_json(write_json(b)); })> different;
  for (const Candidate& c : pack) different.insert(c.steps);
  EXPECT_EQ(different.size(), pack.size());
  for (const Candidate& c : pack_candidates(task, {.count = 4, .path = Path::kPolyhedral}, {})) EXPECT_TRUE(c.sketch == "default" || is_polyhedral(c.sketch)) << c.sketch;
}

TEST(PolyhedralPath, ProgramsThatItCannotPlan) {
  const Task task = task_of({"csr_spmm", {}, "", ""});
  EXPECT_NO_THROW(Search(task, {.trials = 8, .path = Path::kBoth}));
  try {
    Search(task, {.trials = 8, .path = Path::kPolyhedral});
    FAIL() << "csr_spmm has an extern";
  } catch (const UserError& e) {
    EXPECT_EQ(e.exit_code(), 3);
    EXPECT_NE(std::string(e.what()).find("--path search"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace tessera::search
