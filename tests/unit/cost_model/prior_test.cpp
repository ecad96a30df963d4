#include "cost_model/prior.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "cost_model/metrics.h"
#include "support/rng.h"
#include "tests/unit/cost_model/nests.h"

namespace tessera::cost_model {
namespace {

// Tasks of different scale with one law: time falls with column 0, grows with column 1.
TaskData task(const std::string& name, std::uint64_t seed, std::size_t programs) {
  Rng rng(seed);
  TaskData t;
  t.task = name;
  const double scale = std::exp(10 * rng.uniform());
  for (std::size_t i = 0; i < programs; ++i) {
    const double x = 1 + rng.uniform(), y = 1 + rng.uniform();
    t.programs.push_back(program({static_cast<float>(x), static_cast<float>(y)}));
    t.ns.push_back(1000 * scale * std::exp(y - 2 * x));
  }
  return t;
}

Prior small_prior() {
  const std::vector<TaskData> tasks{task("a", 1, 60), task("b", 2, 60)};
  TrainOptions o;
  o.booster.trees = 30;
  o.machine.threads = 3;
  o.provenance = "a test";
  return train_prior(tasks, o).or_throw();
}

TEST(Prior, LearnsTheOrderOfOtherTasks) {
  const std::vector<TaskData> held_out{task("c", 3, 50), task("d", 4, 51)};
  const Prior p = small_prior();
  const Evaluation e = evaluate(p, held_out).or_throw();
  ASSERT_EQ(e.tasks.size(), 2U);
  for (const TaskScore& t : e.tasks) {
    EXPECT_GT(t.prior_accuracy, 0.9) << t.task;
    EXPECT_EQ(t.draft_accuracy, 0.5) << t.task;  // all programs have the same terms
    EXPECT_GT(t.top_8, 0.95) << t.task;
    EXPECT_GT(t.recall_30, 0.8) << t.task;
  }
  EXPECT_NEAR(e.median.prior_accuracy, (e.tasks[0].prior_accuracy + e.tasks[1].prior_accuracy) / 2, 1e-12);
  EXPECT_EQ(e.median.programs, 101U);
  // Scores estimate -log(time): their range is that of the task.
  const std::vector<double> s = p.score(held_out[0].programs).or_throw();
  const auto [low, high] = std::minmax_element(s.begin(), s.end());
  EXPECT_GT(*high - *low, 1.2);
  EXPECT_LT(*high - *low, 4);
}

TEST(Prior, TheFileGivesAnEqualPrior) {
  const Prior p = small_prior();
  const std::string path = (std::filesystem::path(testing::TempDir()) / "tessera_prior_test.bin").string();
  ASSERT_TRUE(p.save(path).ok());
  const Prior q = Prior::load(path).or_throw();
  std::filesystem::remove(path);
  EXPECT_EQ(p.bytes().or_throw(), q.bytes().or_throw());
  EXPECT_EQ(q.info(), (PriorInfo{p.info().machine, 2, 120, "a test"}));
  EXPECT_EQ(q.info().machine.threads, 3);
  EXPECT_EQ(p.draft(), q.draft());
  const TaskData t = task("c", 3, 20);
  EXPECT_EQ(p.score(t.programs).or_throw(), q.score(t.programs).or_throw());
  EXPECT_EQ(p.bytes().or_throw(), small_prior().bytes().or_throw());  // trained again, the same
}

void expect_refused(const std::string& bytes, const std::string& word) {
  const auto p = Prior::from_bytes(bytes, "some/file");
  ASSERT_FALSE(p.ok()) << word;
  EXPECT_NE(p.reason().find("some/file"), std::string::npos) << p.reason();
  EXPECT_NE(p.reason().find("autotune train"), std::string::npos) << p.reason();
  EXPECT_NE(p.reason().find(word), std::string::npos) << p.reason();
}

TEST(Prior, RefusesWhatItCannotTrust) {
  const std::string good = small_prior().bytes().or_throw();
  ASSERT_TRUE(Prior::from_bytes(good, "some/file").ok());
  expect_refused("", "no prior");
  expect_refused("\x7f" "ELF and the rest", "no prior");
  expect_refused(good.substr(0, 40), "damaged");
  expect_refused(good.substr(0, good.size() - 1), "damaged");
  expect_refused(good + "x", "damaged");
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string s = good;
    const std::size_t at = s.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return s.replace(at, from.size(), to);
  };
  expect_refused(with("\"format\":3", "\"format\":4"), "format 4");
  expect_refused(with("\"features\":\"", "\"features\":\"f"), "other features");
  expect_refused(with("\"draft\"", "\"draught\""), "damaged");
  // One byte changed anywhere in the trees.
  for (std::size_t at = good.size() / 2; at < good.size(); at += 997) {
    std::string s = good;
    s[at] = static_cast<char>(s[at] ^ 0x10);
    expect_refused(s, "damaged");
  }
  const auto absent = Prior::load("no/such/file");
  ASSERT_FALSE(absent.ok());
  EXPECT_NE(absent.reason().find("no/such/file"), std::string::npos);
  EXPECT_FALSE(small_prior().save("no/such/folder/file").ok());
}

TEST(Prior, TheShippedOneFitsTodaysFeatures) {
  const auto p = shipped_prior();
  ASSERT_TRUE(p.ok()) << p.reason();
  EXPECT_GE(p->info().tasks, 100);
  // A register tile is faster than plain loops, on any machine.
  const std::vector<Features> two{extract(naive_matmul(), p->info().machine), extract(tiled_matmul(), p->info().machine)};
  const std::vector<double> s = p->score(two).or_throw();
  EXPECT_GT(s[1], s[0] + 0.5);
}

TEST(Prior, NeedsAnOrderToLearnFrom) {
  EXPECT_FALSE(train_prior({}, {}).ok());
  const std::vector<TaskData> one{{"a", {program({1})}, {5}}};
  EXPECT_FALSE(train_prior(one, {}).ok());
}

}  // namespace
}  // namespace tessera::cost_model
