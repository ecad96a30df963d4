// A run that is interrupted, or killed at any moment, loses nothing that it has acknowledged: what
// it showed is in the log, the next run goes on from there, and nothing of the dead one is left.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <regex>
#include <set>

#include "support/rng.h"
#include "tests/support/command.h"
#include "tests/support/options.h"
#include "tuning_logs/log_file.h"

namespace tessera::test {
namespace {

class Interrupt : public ::testing::Test {
 protected:
  Interrupt() {
    options_ = {.folder = folder_.path(),
                .environment = {{"TMPDIR", folder_.path()}, {"TERM", "xterm"}, {"NO_COLOR", "1"}},
                .terminal = true};
  }

  std::vector<std::string> words(int trials) const {
    return {program_path("autotune"),
            "--op",
            "matmul",
            "--shape",
            "m=48,n=48,k=48",
            "--threads",
            "1",
            "--resume",
            "--trials",
            std::to_string(trials),
            "--log",
            "m.jsonl",
            "--json"};
  }
  std::string log() const { return folder_ / "m.jsonl"; }

  /// Trials in the log: each place in the search once, counted without a gap.
  int trials() const {
    std::set<std::pair<int, int>> places;
    std::set<int> numbers;
    int n = 0;
    for (const tuning_logs::Record& r : tuning_logs::read_log(log()).records) {
      if (r.kind != tuning_logs::RecordKind::kTrial) continue;
      ++n;
      EXPECT_TRUE(places.emplace(r.batch, r.slot).second)
          << "batch " << r.batch << " slot " << r.slot << " twice";
      numbers.insert(r.trial);
    }
    EXPECT_EQ(static_cast<int>(numbers.size()), n);
    EXPECT_TRUE(n == 0 || *numbers.rbegin() == n - 1);
    return n;
  }

  /// The last "n/total trials" that the user saw; 0 when none.
  static int shown(const std::string& err) {
    static const std::regex pattern("(\\d+)/\\d+ trials");
    int last = 0;
    for (auto it = std::sregex_iterator(err.begin(), err.end(), pattern);
         it != std::sregex_iterator(); ++it)
      last = std::stoi((*it)[1]);
    return last;
  }

  void expect_nothing_left() const {
    EXPECT_EQ(processes_of(folder_.path()), std::vector<pid_t>{});
    for (const std::string& entry : folder_.entries()) EXPECT_EQ(entry, "m.jsonl");
  }

  /// Kills runs at `kills` random moments, then lets the last one end.
  void kill_often(int kills, int total) {
    Rng rng(test::options().seed, {0x6b696c6c});
    RecordProperty("seed", std::to_string(test::options().seed));
    int lost = 0;
    for (int i = 0; i < kills; ++i) {
      const std::string before = read_text(log());
      int acknowledged = 0;
      {
        Command run(words(total), options_);
        run.collect(0.02 + 0.6 * rng.uniform());
        ASSERT_TRUE(run.running())
            << "the run ended before kill " << i << "; more trials are needed: " << run.err();
        run.send(SIGKILL);
        acknowledged = shown(run.wait().err);
      }
      const std::string after = read_text(log());
      ASSERT_TRUE(after.starts_with(before)) << "kill " << i << ": the log lost bytes";
      lost += std::max(0, acknowledged - (after.empty() ? 0 : trials()));
      expect_nothing_left();
    }
    EXPECT_EQ(lost, 0);
    const int kept = trials();
    EXPECT_GT(kept, 0);
    const CommandResult last = Command(words(total), options_).wait(120);
    EXPECT_EQ(last.code, 0) << last.err;
    EXPECT_EQ(trials(), total) << "after " << kept << " of the killed runs";
    expect_nothing_left();
    std::printf("kills: %d lost: %d trials: %d, %d of them by killed runs\n", kills, lost, trials(),
                kept);
  }

  TemporaryFolder folder_;
  CommandOptions options_;
};

TEST_F(Interrupt, CtrlCEndsCleanlyAndResumeGoesOn) {
  int so_far = 0;
  for (const bool whole_group : {false, true}) {  // a terminal signals the helpers too
    Command run(words(1000), options_);
    for (int i = 0; i < 400 && shown(run.err()) < so_far + 5; ++i) run.collect(0.05);
    EXPECT_GE(processes_of(folder_.path(), 0).size(),
              3U);  // the program and its two servers, seen while they run
    if (whole_group) {
      run.send_group(SIGINT);
    } else {
      run.send(SIGINT);
    }
    const CommandResult r = run.wait(20);
    EXPECT_EQ(r.code, 130) << r.err;
    EXPECT_NE(r.out.find("\"trials\":"), std::string::npos)
        << r.out;  // the summary is printed all the same
    EXPECT_EQ(tuning_logs::read_log(log()).scan.damaged, 0);
    for (const tuning_logs::Record& record : tuning_logs::read_log(log()).records)
      EXPECT_TRUE(record.ok()) << runtime::to_string(record.status) << ": " << record.message;
    EXPECT_GE(trials(), shown(r.err));
    EXPECT_GT(trials(), so_far);
    so_far = trials();
    expect_nothing_left();
  }
  const CommandResult rest = Command(words(so_far + 6), options_).wait(60);
  EXPECT_EQ(rest.code, 0) << rest.err;
  EXPECT_EQ(trials(), so_far + 6);
  EXPECT_NE(rest.out.find("\"trials\":" + std::to_string(so_far + 6)), std::string::npos)
      << rest.out;

  // All trials are there: nothing is measured again, and the best is told from the log.
  const CommandResult again = Command(words(so_far + 6), options_).wait(60);
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(trials(), so_far + 6);
}

TEST_F(Interrupt, TerminateIsAsCtrlC) {
  Command run(words(1000), options_);
  for (int i = 0; i < 400 && shown(run.err()) < 3; ++i) run.collect(0.05);
  run.send(SIGTERM);
  EXPECT_EQ(run.wait(20).code, 130);
  expect_nothing_left();
}

TEST_F(Interrupt, ImpatientCtrlC) {
  Command run(words(1000), options_);
  for (int i = 0; i < 400 && shown(run.err()) < 3; ++i) run.collect(0.05);
  run.send(SIGINT);
  run.send(SIGINT);
  EXPECT_EQ(run.wait(20).code, 130);
  EXPECT_GE(trials(), 3);
  expect_nothing_left();
}

TEST_F(Interrupt, KilledAtRandomMoments) { kill_often(6, 120); }

/// docs/proofs.md runs this one by name.
TEST_F(Interrupt, DISABLED_KilledFiftyTimes) { kill_often(50, 800); }

}  // namespace
}  // namespace tessera::test
