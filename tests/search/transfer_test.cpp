// Which records suggest where a task may start.
#include "search/transfer.h"

#include <gtest/gtest.h>

#include "driver/compile.h"
#include "ops/catalog.h"

namespace tessera::search {
namespace {

dsl::ComputeDag matmul(std::int64_t m, std::int64_t n, std::int64_t k) {
  return ops::build({.op = "matmul", .shape = {{"m", m}, {"n", n}, {"k", k}}, .layout = "", .dtype = ""}).or_throw();
}

tuning_logs::Record record(const dsl::ComputeDag& dag, std::int64_t ns, Decisions decisions) {
  tuning_logs::Record r;
  r.task = tuning_logs::make_task(dag, dag.name());
  r.target = driver::resolve_target("cpu").text();
  r.threads = 1;
  r.sketch = "register_tile";
  r.decisions = std::move(decisions);
  r.samples_ns = {ns};
  return r;
}

Task task_of(const dsl::ComputeDag& dag) {
  Task t;
  t.dag = dag;
  t.target = driver::resolve_target("cpu");
  t.threads = 1;
  return t;
}

TEST(Transfer, FamiliesDifferInExtentsOnly) {
  EXPECT_EQ(family_of(matmul(8, 8, 8)), family_of(matmul(100, 7, 3)));
  EXPECT_NE(family_of(matmul(8, 8, 8)), family_of(matmul(8, 8, 8).with_constants({"B"}).or_throw()));
  EXPECT_NE(family_of(matmul(8, 8, 8)), family_of(ops::build({"dense", {}, "", ""}).or_throw()));
}

TEST(Transfer, NearestShapesFirstFastestPointsFirst) {
  const std::vector<tuning_logs::Record> records{
      record(matmul(1024, 1024, 1024), 10, {{"far", 1}}),
      record(matmul(64, 64, 128), 30, {{"slow", 1}}),
      record(matmul(64, 64, 128), 20, {{"fast", 1}}),
      record(matmul(64, 64, 64), 1, {{"own", 1}}),
      record(ops::build({"dense", {}, "", ""}).or_throw(), 1, {{"other", 1}}),
  };
  const auto s = suggestions(records, task_of(matmul(64, 64, 64)), 4);
  ASSERT_EQ(s.size(), 3U);
  EXPECT_EQ(s[0].decisions, (Decisions{{"fast", 1}}));
  EXPECT_EQ(s[1].decisions, (Decisions{{"far", 1}}));
  EXPECT_EQ(s[2].decisions, (Decisions{{"slow", 1}}));
  EXPECT_EQ(suggestions(records, task_of(matmul(64, 64, 64)), 1).size(), 1U);
}

TEST(Transfer, OtherThreadsAndFailuresSuggestNothing) {
  tuning_logs::Record threads = record(matmul(32, 32, 32), 10, {{"a", 1}});
  threads.threads = 2;
  tuning_logs::Record failed = record(matmul(32, 32, 32), 10, {{"b", 1}});
  failed.status = runtime::MeasureStatus::kCrash;
  failed.samples_ns.clear();
  EXPECT_TRUE(suggestions({threads, failed}, task_of(matmul(64, 64, 64)), 4).empty());
}

}  // namespace
}  // namespace tessera::search
