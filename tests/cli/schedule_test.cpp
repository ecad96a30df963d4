// autotune schedule: plans without measuring, and decisions of a person's hand.
#include <fstream>

#include "support/json/json.h"
#include "tests/cli/one_line.h"

namespace tessera::test {
namespace {

const std::vector<std::string> kSmall{"--op", "matmul", "--shape", "m=24,n=40,k=16"};

std::vector<std::string> with(std::vector<std::string> head, std::vector<std::string> tail) {
  head.insert(head.end(), kSmall.begin(), kSmall.end());
  head.insert(head.end(), tail.begin(), tail.end());
  return head;
}

TEST(Schedule, EveryForm) {
  const std::vector<std::pair<const char*, const char*>> forms{{"tree", "nest C: i 24, j 40"}, {"decisions", "\"groups\":[{\"shared\":[\"i\",\"j\"]"}, {"steps", "split(C, axis i"},
                                                              {"loops", "C.acc"}, {"ir", "for "}, {"asm", "ret"}, {"llvm", "define"}};
  for (const auto& [form, text] : forms) {
    const CommandResult r = autotune(with({"schedule"}, {"--path", "polyhedral", "--print", form}));
    EXPECT_EQ(r.code, 0) << r.err;
    EXPECT_NE(r.out.find(text), std::string::npos) << form << "\n" << r.out;
    EXPECT_EQ(r.err, "proof: ok\n");
  }
}

TEST(Schedule, DecisionsOfAPerson) {
  const TemporaryFolder folder;
  const CommandOptions here{.folder = folder.path()};
  const CommandResult planned = autotune(with({"schedule"}, {"--print", "decisions"}), here);
  ASSERT_EQ(planned.code, 0) << planned.err;
  Json d = parse_json(planned.out).or_throw();
  const auto write = [&](const char* name) { std::ofstream(folder.path() + "/" + name) << dump_json(d); };
  d["sizes"]["C.i.rows"] = 3;
  write("mine.json");
  const CommandResult again = autotune(with({"schedule"}, {"--decisions", "mine.json", "--print", "decisions"}), here);
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(parse_json(again.out).or_throw()["sizes"]["C.i.rows"], 3);
  const CommandResult tuned = autotune(with({}, {"--decisions", "mine.json", "--trials", "4", "--threads", "1", "--log", "m.jsonl", "--json"}), here);
  ASSERT_EQ(tuned.code, 0) << tuned.err;
  EXPECT_GE(parse_json(tuned.out).or_throw()["polyhedral"]["trials"].get<int>(), 1);
  d["groups"][0]["shared"] = {"i", "zz"};
  write("wrong.json");
  std::ofstream(folder.path() + "/broken.json") << "{\"groups\":";
  for (const auto& [file, code, word] : {std::tuple{"wrong.json", 2, "zz"}, {"broken.json", 2, "broken.json"}, {"none.json", 1, "none.json"}}) {
    const CommandResult r = autotune(with({"schedule"}, {"--decisions", file}), here);
    expect_one_line(r, code, {word});
  }
}

TEST(Schedule, Refusals) {
  expect_refused({
      {{"schedule"}, {"needs a program"}},
      {{"schedule", "--op", "matmul", "--strategy", "most"}, {"--strategy", "keep-parallel"}},
      {{"schedule", "--op", "matmul", "--path", "search"}, {"--path", "polyhedral"}},
      {{"schedule", "--op", "csr_spmm"}, {"cannot plan 'csr_spmm'"}, 3},
      {{"--op", "csr_spmm", "--path", "polyhedral"}, {"--path search can"}, 3},
      {{"--op", "matmul", "--path", "both ways"}, {"--path", "both"}},
  });
}

}  // namespace
}  // namespace tessera::test
