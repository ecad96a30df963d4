// autotune verify: what it proves, of logs and of default plans.
#include <filesystem>
#include <functional>

#include "schedule/step.h"
#include "support/json/json.h"
#include "tests/cli/one_line.h"
#include "tuning_logs/log_file.h"
#include "tuning_logs/query.h"

namespace tessera::test {
namespace {

TEST(Verify, DefaultPlans) {
  for (const char* target : {"cpu", "cuda -arch=sm_80"}) {
    const CommandResult r = autotune({"verify", "--op", "softmax", "--target", target, "--json"});
    EXPECT_EQ(r.code, 0) << r.err;
    const Json j = parse_json(r.out).or_throw();
    EXPECT_EQ(j["schedules"], 1);
    EXPECT_EQ(j["legal"], 1);
  }
}

TEST(Verify, EveryRecordOfALog) {
  const TemporaryFolder folder;
  const CommandOptions here{.folder = folder.path()};
  const CommandResult tuned = autotune({"--op", "matmul", "--shape", "m=24,n=40,k=16", "--trials", "4", "--log", "m.jsonl", "--json"}, here);
  ASSERT_EQ(tuned.code, 0) << tuned.err;
  EXPECT_EQ(parse_json(tuned.out).or_throw()["proof"], "ok");
  const CommandResult all = autotune({"verify", "m.jsonl", "--json"}, here);
  EXPECT_EQ(all.code, 0) << all.err;
  EXPECT_GE(parse_json(all.out).or_throw()["legal"].get<int>(), 4);
  const CommandResult best = autotune({"verify", "m.jsonl", "--best"}, here);
  EXPECT_EQ(best.code, 0) << best.err;
  EXPECT_NE(best.out.find("1 schedules: 1 proved, 0 illegal, 0 not decided"), std::string::npos) << best.out;
  const CommandResult replayed = autotune({"replay", "m.jsonl", "--json"}, here);
  EXPECT_EQ(parse_json(replayed.out).or_throw()["proof"], "ok");
  const CommandResult trusted = autotune({"replay", "m.jsonl", "--json", "--verify", "never"}, here);
  EXPECT_EQ(parse_json(trusted.out).or_throw()["proof"], "not asked for");
}

/// Records whose plan or target is none leave the others to be judged; as the best of a log they are the log's fault.
TEST(Verify, RecordsThatSomebodyChanged) {
  const TemporaryFolder folder;
  const CommandOptions here{.folder = folder.path()};
  const CommandResult tuned = autotune({"--op", "matmul", "--shape", "m=24,n=40,k=16", "--trials", "2", "--log", "m.jsonl", "--json"}, here);
  ASSERT_EQ(tuned.code, 0) << tuned.err;
  const tuning_logs::Record good = *tuning_logs::best_record(tuning_logs::read_log(folder / "m.jsonl"));
  const tuning_logs::Record header = tuning_logs::make_header(good.target, good.machine, good.threads, good.seed);
  struct Change {
    std::function<void(tuning_logs::Record&)> apply;
    const char* said;
  };
  const std::vector<Change> changes{
      {[](auto& r) { r.target = "toaster"; }, "unknown target 'toaster'"},
      {[](auto& r) { r.plan = schedule::StepList{schedule::Reorder{"C", {"z"}}}; }, "'z' is no axis of stage 'C'"},
      {[](auto& r) { r.plan = schedule::PolyhedralDecisions{r.target, "max", {{{"zz"}, {{"C", {"zz"}}}}}, {}}; }, "has no axis 'zz'"},
      {[](auto& r) { r.plan = schedule::PolyhedralDecisions{"cpu -mcpu=nope", "max", {{{}, {{"C", {}}}}}, {}}; }, "unknown CPU 'nope'"},
  };
  for (const Change& c : changes) {
    tuning_logs::Record r = good;
    c.apply(r);
    std::filesystem::remove(folder / "x.jsonl");
    {
      tuning_logs::LogWriter log(folder / "x.jsonl", header);
      log.append(r);
    }
    for (const char* command : {"replay", "show"}) expect_one_line(autotune({command, "x.jsonl"}, here), 1, {"x.jsonl", c.said});
    {
      tuning_logs::LogWriter log(folder / "x.jsonl", header);
      log.append(good);
    }
    const CommandResult v = autotune({"verify", "x.jsonl"}, here);
    EXPECT_EQ(v.code, 3) << v.out << v.err;
    EXPECT_NE(v.out.find("2 schedules: 1 proved, 0 illegal, 1 not decided"), std::string::npos) << v.out;
    EXPECT_NE(v.out.find(c.said), std::string::npos) << v.out;
  }
}

TEST(Verify, TooLittleTimeIsUnknownAndNotOk) {
  const CommandResult r = autotune({"verify", "--op", "attention", "--limit-ms", "1", "--json"});
  EXPECT_EQ(r.code, 3) << r.out;
  EXPECT_EQ(parse_json(r.out).or_throw()["unknown"], 1);
}

TEST(Verify, Refusals) {
  expect_refused({
      {{"verify"}, {"nothing to work on"}},
      {{"verify", "x.jsonl", "--op", "matmul"}, {"a log, a pack or a program, one of them"}},
      {{"--op", "matmul", "--verify", "sometimes"}, {"--verify", "never"}},
  });
  EXPECT_EQ(autotune({"verify", "/no/such/log.jsonl"}).code, 1);
}

}  // namespace
}  // namespace tessera::test
