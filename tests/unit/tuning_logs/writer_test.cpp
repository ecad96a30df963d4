// Nothing acknowledged is lost: writers are killed, run against each other and run out of disk.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <set>
#include <thread>

#include "tests/unit/tuning_logs/sample.h"

namespace tessera::tuning_logs {
namespace {

using testing::error_of;
using testing::header;
using testing::TemporaryDirectory;
using testing::trial;

/// A child that appends trials first, first + 1, ... and sends the number of each through a pipe once
/// it is acknowledged.
class WritingChild {
 public:
  WritingChild(const std::string& path, int first, int count) {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    trial(0);  // made once, before the fork
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ends[0]);
      try {
        LogWriter w(path, header());
        Record r = trial(first);
        for (int i = 0; i < count; ++i) {
          r.trial = first + i;
          w.append(r);
          if (::write(ends[1], &r.trial, sizeof r.trial) != sizeof r.trial) break;
        }
      } catch (...) {
        ::_exit(1);
      }
      ::_exit(0);
    }
    ::close(ends[1]);
    pipe_ = ends[0];
  }
  ~WritingChild() { ::close(pipe_); }
  void kill() { ::kill(pid_, SIGKILL); }
  /// Numbers that were acknowledged, after the child has ended.
  std::vector<int> acknowledged() {
    std::vector<int> out;
    for (int n = 0; ::read(pipe_, &n, sizeof n) == sizeof n;) out.push_back(n);
    ::waitpid(pid_, &status_, 0);
    return out;
  }
  int status() const { return status_; }

 private:
  pid_t pid_ = -1;
  int pipe_ = -1, status_ = 0;
};

std::multiset<int> numbers(const std::string& path) {
  std::multiset<int> out;
  for (const Record& r : read_log(path).records) out.insert(r.trial);
  return out;
}

TEST(LogWriting, Kill9LosesNothingAcknowledged) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("log.jsonl");
  std::vector<int> acknowledged;
  for (int round = 0; round < 50; ++round) {
    WritingChild child(path, round * 100'000, 100'000);
    std::this_thread::sleep_for(std::chrono::microseconds(mix64(static_cast<std::uint64_t>(round)) % 12'000));
    child.kill();
    for (const int n : child.acknowledged()) acknowledged.push_back(n);
  }
  ASSERT_GT(acknowledged.size(), 100u);
  const auto found = numbers(path);
  for (const int n : acknowledged) ASSERT_EQ(found.count(n), 1u) << n;
}

TEST(LogWriting, TwoWritersOneOfThemKilled) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("log.jsonl");
  std::vector<int> acknowledged;
  WritingChild survivor(path, 90'000'000, 600);
  for (int round = 0; round < 10; ++round) {
    WritingChild child(path, round * 100'000, 100'000);
    std::this_thread::sleep_for(std::chrono::microseconds(2000 + mix64(static_cast<std::uint64_t>(round)) % 8'000));
    child.kill();
    for (const int n : child.acknowledged()) acknowledged.push_back(n);
  }
  const auto kept = survivor.acknowledged();
  EXPECT_EQ(kept.size(), 600u);
  EXPECT_EQ(survivor.status(), 0);
  acknowledged.insert(acknowledged.end(), kept.begin(), kept.end());
  const auto found = numbers(path);
  for (const int n : acknowledged) ASSERT_EQ(found.count(n), 1u) << n;
}

TEST(LogWriting, AnExistingLogGrows) {
  const TemporaryDirectory directory;
  const std::string path = testing::write_log(directory, "log.jsonl", 3);
  const std::string before = testing::read_file(path);
  {
    LogWriter w(path, header());
    w.append(trial(3), Durability::kPower);
    EXPECT_EQ(w.warning(), "");
  }
  EXPECT_EQ(testing::read_file(path).substr(0, before.size()), before);
  const LogContents log = read_log(path);
  EXPECT_EQ(log.records.size(), 4u);
  EXPECT_EQ(log.headers.size(), 2u);
  EXPECT_EQ(log.scan.damaged, 0);
  EXPECT_EQ(log.records[3], [&] { Record r = trial(3); r.time_ns = log.records[3].time_ns; return r; }());
}

TEST(LogWriting, OtherFilesAreLeftAlone) {
  const TemporaryDirectory directory;
  const std::string source = directory.file("main.cpp"), fifo = directory.file("fifo");
  testing::write_file(source, "int main() {}\n");
  EXPECT_NE(error_of([&] { LogWriter(source, header()); }).find("is not a tuning log"), std::string::npos);
  EXPECT_EQ(testing::read_file(source), "int main() {}\n");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_NE(error_of([&] { LogWriter(fifo, header()); }).find("not a regular file"), std::string::npos);
}

TEST(LogWriting, PlacesThatCannotBeWritten) {
  const TemporaryDirectory directory;
  const std::string inside = directory.file("no/such/dir.jsonl");
  EXPECT_EQ(error_of([&] { LogWriter(inside, header()); }),
            "cannot open log '" + inside + "': No such file or directory; its directory does not exist; make it first");
  EXPECT_EQ(error_of([&] { LogWriter(directory.file(""), header()); }),
            "cannot open log '" + directory.file("") + "': Is a directory; name a file inside it");
  EXPECT_NE(error_of([&] { LogWriter("/proc/version", header()); }).find("/proc/version"), std::string::npos);
}

TEST(LogWriting, AFullDiskIsOneClearLine) {
  if (::access("/dev/full", W_OK) != 0) GTEST_SKIP() << "no /dev/full here";
  EXPECT_NE(error_of([] { LogWriter("/dev/full", header()); }).find("cannot write to log '/dev/full': No space left on device; free some space"),
            std::string::npos);
}

TEST(LogWriting, AFileThatMayNotGrowKeepsWhatItHas) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("log.jsonl");
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit limit{20'000, 20'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    ::signal(SIGXFSZ, SIG_IGN);
    int acknowledged = 0;
    try {
      LogWriter w(path, header());
      for (;; ++acknowledged) w.append(trial(acknowledged));
    } catch (const UserError& e) {
      if (e.exit_code() != 1 || std::string(e.what()).find(path) == std::string::npos) ::_exit(255);
    }
    ::_exit(acknowledged);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  const int acknowledged = WEXITSTATUS(status);
  EXPECT_GT(acknowledged, 3);
  EXPECT_LT(acknowledged, 200);
  EXPECT_EQ(numbers(path).size(), static_cast<std::size_t>(acknowledged));
}

TEST(LogWriting, AfterAnErrorNothingMoreIsAccepted) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("log.jsonl");
  LogWriter w(path, header());
  Record bad = trial(0);
  bad.samples_ns = {0};
  EXPECT_NE(error_of([&] { w.append(bad); }).find("a sample of 0 ns"), std::string::npos);
  w.append(trial(0));  // a record that was refused is no error of the file
  EXPECT_EQ(read_log(path).records.size(), 1u);
}

}  // namespace
}  // namespace tessera::tuning_logs
