// The JSON objects that are promised to stay: their fields and types, alone on stdout.
#include <gtest/gtest.h>

#include "support/json/json.h"
#include "tests/support/command.h"
#include "tuning_logs/log_file.h"

namespace tessera::test {
namespace {

/// The one object that stdout carries: one line, nothing before or after.
Json only_object(const CommandResult& r) {
  EXPECT_EQ(std::count(r.out.begin(), r.out.end(), '\n'), 1) << r.out;
  const Result<Json> j = parse_json(r.out);
  EXPECT_TRUE(j.ok()) << r.out;
  return j.ok() ? *j : Json::object();
}

std::string type_word(const Json& j) {
  if (j.is_number_integer()) return "integer";
  if (j.is_number()) return "number";
  if (j.is_string()) return "string";
  if (j.is_boolean()) return "boolean";
  if (j.is_array()) return "array";
  return j.is_null() ? "null" : "object";
}

/// `fields`: name and the types that are allowed, "number|null". More fields may be there.
void expect_fields(const Json& j, const std::vector<std::pair<std::string, std::string>>& fields) {
  for (const auto& [name, allowed] : fields) {
    ASSERT_TRUE(j.contains(name)) << name << " is missing in " << j.dump();
    const std::string found = type_word(j[name]), bars = "|" + allowed + "|";
    const bool fits = bars.find("|" + found + "|") != std::string::npos ||
                      (found == "integer" && bars.find("|number|") != std::string::npos);
    EXPECT_TRUE(fits) << name << " is " << found << ", not " << allowed;
  }
}

const std::vector<std::pair<std::string, std::string>> kTuneFields = {
    {"op", "string"},           {"target", "string"},       {"log", "string"},
    {"trials", "integer"},      {"ok", "integer"},          {"rejected", "integer"},
    {"failed", "object"},       {"constant", "array"},      {"best", "object|null"},
    {"wall_seconds", "number"}, {"search_share", "number"}, {"trials_per_second", "number"},
};
const std::vector<std::pair<std::string, std::string>> kBestFields = {
    {"seconds", "number"},         {"gflops", "number"},
    {"peak_share", "number|null"}, {"bandwidth_share", "number|null"},
    {"prepare_seconds", "number"},
};

TEST(JsonOutput, TuneReplayCheck) {
  const TemporaryFolder folder;
  const CommandOptions here{.folder = folder.path()};
  const CommandResult r =
      autotune({"--op", "matmul", "--shape", "m=32,n=48,k=16", "--constant", "B", "--threads", "1",
                "--trials", "6", "--log", "m.jsonl", "--json"},
               here);
  ASSERT_EQ(r.code, 0) << r.err;
  const Json j = only_object(r);
  expect_fields(j, kTuneFields);
  expect_fields(j["best"], kBestFields);
  EXPECT_EQ(j["op"], "matmul");
  EXPECT_EQ(j["log"], "m.jsonl");
  EXPECT_EQ(j["trials"], 6);
  EXPECT_EQ(j["rejected"], 0);
  EXPECT_EQ(j["constant"], Json::array({"B"}));
  int all = j["ok"].get<int>();
  for (const auto& [status, n] : j["failed"].items()) {
    EXPECT_TRUE(runtime::parse_measure_status(status).ok()) << status;
    all += n.get<int>();
  }
  EXPECT_EQ(all, 6);
  EXPECT_GT(j["best"]["peak_share"].get<double>(), 0);
  EXPECT_LT(j["best"]["peak_share"].get<double>(), 1.2);
  EXPECT_GE(j["search_share"].get<double>(), 0);
  EXPECT_LE(j["search_share"].get<double>(), 1);

  const CommandResult replay = autotune({"replay", "m.jsonl", "--json"}, here);
  ASSERT_EQ(replay.code, 0) << replay.err;
  const Json p = only_object(replay);
  expect_fields(p, {{"seconds", "number"},
                    {"logged_seconds", "number"},
                    {"gflops", "number"},
                    {"peak_share", "number|null"},
                    {"correct", "boolean"}});
  EXPECT_EQ(p["correct"], true);
  EXPECT_GT(p["seconds"].get<double>(), 0);

  const CommandResult check = autotune({"log", "check", "m.jsonl", "--json"}, here);
  ASSERT_EQ(check.code, 0) << check.err;
  const Json c = only_object(check);
  expect_fields(c, {{"records", "integer"},
                    {"damaged", "integer"},
                    {"newer_schema", "integer"},
                    {"targets", "array"}});
  EXPECT_EQ(c["damaged"], 0);
  EXPECT_EQ(c["targets"], Json::array({j["target"]}));
  EXPECT_GE(c["records"].get<int>(), 6);

  const CommandResult best = autotune({"log", "best", "m.jsonl", "--json"}, here);
  ASSERT_EQ(best.code, 0) << best.err;
  expect_fields(only_object(best), {{"best", "array"}});
  const CommandResult merged =
      autotune({"log", "merge", "m.jsonl", "m.jsonl", "-o", "two.jsonl", "--json"}, here);
  ASSERT_EQ(merged.code, 0) << merged.err;
  expect_fields(only_object(merged), {{"written", "integer"},
                                      {"duplicates", "integer"},
                                      {"damaged", "integer"},
                                      {"output", "string"}});
}

TEST(JsonOutput, NothingToMultiply) {
  const TemporaryFolder folder;
  const CommandResult r = autotune({"--expr", "C[i] = A[i] + 1.0", "--where", "i=64", "--trials",
                                    "2", "--log", "c.jsonl", "--json"},
                                   {.folder = folder.path()});
  ASSERT_EQ(r.code, 0) << r.err;
  const Json j = only_object(r);
  expect_fields(j, kTuneFields);
  expect_fields(j["best"], kBestFields);
  EXPECT_TRUE(j["best"]["peak_share"].is_null());  // no multiply-adds: no share of their peak
}

TEST(JsonOutput, Doctor) {
  const CommandResult r = autotune({"doctor", "--json"});
  ASSERT_EQ(r.code, 0) << r.out << r.err;
  const Json j = only_object(r);
  expect_fields(j, {{"cpu", "object"}, {"cuda", "object"}, {"ok", "boolean"}});
  expect_fields(j["cpu"], {{"name", "string"},
                           {"isa", "string"},
                           {"cores", "integer"},
                           {"peak_gflops_f32", "number"},
                           {"memory_gb_s", "number"}});
  expect_fields(
      j["cuda"],
      {{"driver", "string|null"}, {"devices", "array"}, {"nvrtc", "object|null"}});
  EXPECT_EQ(j["ok"], true);
}

/// Without a kernel that ran, `best` is null, the exit code 3, and the object is there all the
/// same.
TEST(JsonOutput, NothingRanCorrectly) {
  const TemporaryFolder folder, tools;
  for (const char* tool : {"kernel_builder", "kernel_runner"}) {
    write_text(tools / tool, "#!/bin/sh\nexit 3\n");
    ASSERT_EQ(std::system(("chmod +x '" + (tools / tool) + "'").c_str()), 0);
  }
  const CommandResult r = autotune(
      {"--op", "matmul", "--shape", "m=8,n=8,k=8", "--trials", "2", "--log", "m.jsonl", "--json"},
      {.folder = folder.path(), .environment = {{"TESSERA_LIBEXEC", tools.path()}}});
  EXPECT_EQ(r.code, 1) << r.err;  // the installation is broken, not the program
  const Json j = only_object(r);
  expect_fields(j, kTuneFields);
  EXPECT_TRUE(j["best"].is_null());
  EXPECT_EQ(j["ok"], 0);
  EXPECT_EQ(j["failed"].size(), 1U);
}

/// The same seed proposes the same plans; another seed others.
TEST(Determinism, SeedDecidesTheProposals) {
  const TemporaryFolder folder;
  const auto plans = [&](const std::string& log, const std::string& seed) {
    const CommandResult r =
        autotune({"--op", "conv2d", "--shape", "h=8,w=8,ci=8,co=16", "--threads", "1", "--trials",
                  "12", "--seed", seed, "--log", log},
                 {.folder = folder.path()});
    EXPECT_EQ(r.code, 0) << r.err;
    std::vector<std::string> out;
    for (const tuning_logs::Record& record : tuning_logs::read_records(folder / log).records) {
      if (record.kind != tuning_logs::RecordKind::kTrial) continue;
      EXPECT_EQ(record.trial, static_cast<int>(out.size()));
      out.push_back(record.sketch + " " + dump_json(to_json_value(record.plan)));
    }
    EXPECT_EQ(out.size(), 12U);
    return out;
  };
  const auto first = plans("a.jsonl", "7");
  EXPECT_EQ(first, plans("b.jsonl", "7"));
  EXPECT_NE(first, plans("c.jsonl", "8"));
  EXPECT_EQ(std::set<std::string>(first.begin(), first.end()).size(),
            first.size());  // and no plan twice
}

}  // namespace
}  // namespace tessera::test
