#include <gtest/gtest.h>

#include "tests/unit/tuning_logs/sample.h"
#include "tuning_logs/query.h"

namespace tessera::tuning_logs {
namespace {

using testing::error_of;
using testing::failure;
using testing::header;
using testing::read_file;
using testing::TemporaryDirectory;
using testing::trial;

Record timed(int number, std::int64_t ns, RecordKind kind = RecordKind::kTrial) {
  Record r = trial(number);
  r.kind = kind;
  r.samples_ns = {ns, ns + 2, ns + 1};
  return r;
}

TEST(LogQuery, TheBestIsTheFastestMedianAndFinalsCount) {
  LogContents log;
  log.records = {timed(0, 500), failure(1), timed(2, 300), timed(3, 400)};
  EXPECT_EQ(best_record(log)->trial, 2);
  log.records.push_back(timed(3, 450, RecordKind::kFinal));
  log.records.push_back(timed(2, 460, RecordKind::kFinal));
  EXPECT_EQ(best_record(log)->trial, 3);
  EXPECT_EQ(best_record(log)->median_ns(), 451);
  log.records = {failure(1)};
  EXPECT_FALSE(best_record(log).has_value());
}

TEST(LogQuery, TasksTargetsAndThreadsAreApart) {
  LogContents log;
  Record other = timed(5, 10);
  other.task = make_task(testing::matmul(32), "small");
  Record threads = timed(6, 20);
  threads.threads = 4;
  Record target = timed(7, 30);
  target.target = "cpu -mcpu=znver5";
  log.records = {other, threads, target, timed(0, 500), timed(1, 400)};
  EXPECT_EQ(best_records(log).size(), 4u);
  EXPECT_EQ(best_record(log)->trial, 1);
  EXPECT_EQ(best_record(log, {.task = "small"})->trial, 5);
  EXPECT_EQ(best_record(log, {.task = other.task.hash})->trial, 5);
  EXPECT_EQ(best_record(log, {.threads = 4})->trial, 6);
  EXPECT_EQ(best_record(log, {.target = "cpu -mcpu=znver5"})->trial, 7);
  EXPECT_FALSE(best_record(log, {.target = "cuda"}).has_value());
}

TEST(LogQuery, SummaryCounts) {
  const TemporaryDirectory directory;
  const std::string path = testing::write_log(directory, "log.jsonl", 10);
  std::string text = read_file(path);
  testing::write_file(path, text + "garbage\n\n{\"crc\":\"0000");
  const Json j = to_json_value(summarize(path));
  EXPECT_EQ(j["records"], 10);
  EXPECT_EQ(j["damaged"], 2);
  EXPECT_EQ(j["newer_schema"], 0);
  EXPECT_EQ(j["targets"], Json::array({"cpu -mcpu=x86-64-v3"}));
  EXPECT_EQ(j["headers"], 1);
  EXPECT_EQ(j["statuses"]["ok"], 8);
  EXPECT_EQ(j["statuses"]["wrong_answer"], 2);
  EXPECT_EQ(j["first_damaged"].size(), 2u);
}

TEST(LogQuery, MergeKeepsEveryRecordOnce) {
  const TemporaryDirectory directory;
  const std::string a = testing::write_log(directory, "a.jsonl", 5), b = directory.file("b.jsonl"), out = directory.file("out.jsonl");
  {
    LogWriter w(b, header());
    w.append(trial(100));
  }
  testing::write_file(b, read_file(b) + read_file(a).substr(0, read_file(a).size() - 30));  // concatenated, torn
  const MergeResult m = merge_logs({a, b}, out);
  EXPECT_EQ(m.written, 8);     // 6 of a, 2 of b
  EXPECT_EQ(m.duplicates, 5);  // all of a in b but the torn one
  EXPECT_EQ(m.damaged, 1);
  const LogContents log = read_log(out);
  EXPECT_EQ(log.records.size(), 6u);
  EXPECT_EQ(log.scan.damaged, 0);
  EXPECT_EQ(read_file(out).substr(0, read_file(a).size()), read_file(a));
  // Nothing is replaced, and nothing is left beside it.
  EXPECT_NE(error_of([&] { merge_logs({a}, a); }).find("it exists"), std::string::npos);
  EXPECT_NE(error_of([&] { merge_logs({directory.file("none")}, directory.file("new")); }).find("No such file"), std::string::npos);
  int files = 0;
  for ([[maybe_unused]] const auto& f : std::filesystem::directory_iterator(directory.file(""))) ++files;
  EXPECT_EQ(files, 3);
}

}  // namespace
}  // namespace tessera::tuning_logs
