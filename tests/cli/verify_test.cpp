// autotune verify: what it proves, of logs and of default plans.
#include "support/json/json.h"
#include "tests/cli/one_line.h"

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
