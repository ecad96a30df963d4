// Candidates that crash, loop for ever, write out of bounds or allocate without end, met in the
// middle of a tuning run: each is a record with its status, the run goes on, and nothing is left
// behind.
#include <gtest/gtest.h>

#include "driver/compile.h"
#include "ops/catalog.h"
#include "search/session.h"
#include "tests/runtime/measure_fixture.h"
#include "tests/support/command.h"

namespace tessera::test {
namespace {

using runtime::MeasureStatus;
using runtime::testing::c_kernel;
using runtime::testing::kDouble;

/// Measures hand-made kernels in place of what the search proposes.
class FaultyMeasurer : public search::Measurer {
 public:
  FaultyMeasurer() {
    runner_.install(runtime::testing::doubling_data());
    kernels_ = {kDouble, "*(volatile int*)0 = 1;", "for (;;) asm volatile(\"\");",
                std::string(kDouble) + "o[n + 200000] = 1;"};
    images_.push_back(c_kernel(kDouble));
    for (std::size_t i = 1; i < kernels_.size(); ++i) images_.push_back(c_kernel(kernels_[i]));
    runtime::KernelImage hungry = c_kernel(kDouble);
    hungry.workspace_bytes = std::int64_t{100} << 30;
    images_.push_back(hungry);
    images_.push_back(c_kernel("for (int64_t i = 0; i < n; ++i) o[i] = 2 * a[i] + (i == 700);"));
    images_.push_back(c_kernel(std::string(kDouble) + "a[5] = 1;"));
    images_.push_back(c_kernel("for (int64_t i = 1; i < n; ++i) o[i] = 2 * a[i];"));
  }

  std::vector<search::Trial> measure(const std::vector<search::Candidate>& batch,
                                     std::int64_t incumbent_ns,
                                     const std::function<void(const search::Trial&)>& done,
                                     const std::function<bool()>& stop) override {
    std::vector<search::Trial> out;
    for (const search::Candidate& c : batch) {
      runtime::MeasureOptions o;
      o.limits.wall_ns = 1'000'000'000;
      o.incumbent_ns = incumbent_ns;
      search::Trial t;
      t.candidate = c;
      t.measurement =
          runner_.measure(images_[static_cast<std::size_t>(c.trial) % images_.size()], o);
      done(t);
      out.push_back(t);
      if (stop()) break;
    }
    return out;
  }
  std::vector<search::Trial> remeasure(const std::vector<search::Trial>& best) override {
    return best;
  }
  const runtime::CpuMeasurer& runner() const { return runner_; }

 private:
  runtime::CpuMeasurer runner_;
  std::vector<std::string> kernels_;
  std::vector<runtime::KernelImage> images_;
};

TEST(FaultyCandidates, EachIsARecordAndTheRunGoesOn) {
  if (!runtime::testing::kMemoryCanBeLimited)
    GTEST_SKIP() << "sanitizers reserve all the address space";
  const TemporaryFolder folder;
  ::setenv("TMPDIR", folder.path().c_str(), 1);
  search::Task task;
  task.dag =
      ops::build(
          {.op = "matmul", .shape = {{"m", 64}, {"n", 64}, {"k", 64}}, .layout = "", .dtype = ""})
          .or_throw();
  task.target = driver::resolve_target("cpu");
  task.op = "matmul";
  search::SessionOptions options;
  options.search.trials = 16;
  options.log = folder / "faults.jsonl";
  options.tool = "test";
  search::SearchResult result;
  pid_t server = -1;
  {
    FaultyMeasurer measurer;
    result = search::run_session(task, options, measurer, {});
    EXPECT_EQ(measurer.runner().worker().servers_started(), 1);  // it outlives all of them
    server = measurer.runner().worker().server_pid();
    EXPECT_EQ(runtime::testing::children_of(server), "");
  }
  ::unsetenv("TMPDIR");
  const int n = result.progress.trials;
  ASSERT_EQ(n, 16);
  EXPECT_EQ(result.progress.ok, 2);
  ASSERT_TRUE(result.best.has_value());
  for (const char* status : {"crash", "timeout", "out_of_bounds", "resource", "wrong_answer",
                             "input_modified", "uninitialised"})
    EXPECT_EQ(result.progress.failed[status], 2) << status;

  std::map<MeasureStatus, int> written;
  int trials = 0;
  for (const tuning_logs::Record& r : tuning_logs::read_records(options.log).records) {
    if (r.kind != tuning_logs::RecordKind::kTrial) continue;
    EXPECT_EQ(r.trial, trials++);
    ++written[r.status];
    if (r.ok()) continue;
    EXPECT_FALSE(r.message.empty());
    EXPECT_FALSE(r.phase.empty());
    EXPECT_TRUE(r.samples_ns.empty());  // never a made-up time
  }
  EXPECT_EQ(trials, n);
  for (const auto& [status, count] : result.progress.failed)
    EXPECT_EQ(written[*runtime::parse_measure_status(status)], count) << status;

  EXPECT_EQ(processes_of(folder.path()), std::vector<pid_t>{});
  EXPECT_EQ(folder.entries(), std::vector<std::string>{"faults.jsonl"});
  EXPECT_NE(::kill(server, 0), 0);

  // The command line tells what happened from the log alone.
  const CommandResult check = autotune({"log", "check", "faults.jsonl"}, {.folder = folder.path()});
  EXPECT_EQ(check.code, 0) << check.out;
  for (const char* status : {"crash", "timeout", "out_of_bounds", "resource", "wrong_answer"})
    EXPECT_NE(check.out.find(std::to_string(result.progress.failed[status]) + " " + status),
              std::string::npos)
        << check.out;

  // Causes as they were injected: each kernel failed in one way, whatever addresses it met.
  const CommandResult explained =
      autotune({"explain", "faults.jsonl", "--json"}, {.folder = folder.path()});
  ASSERT_EQ(explained.code, 0) << explained.err;
  const Json said = parse_json(explained.out).or_throw();
  std::map<std::string, int> counted;
  for (const Json& f : said["tasks"][0]["failures"]) {
    EXPECT_EQ(f["examples"].size(), 2U) << f.dump();
    counted[f["status"].get<std::string>()] += f["count"].get<int>();
  }
  EXPECT_EQ(counted, result.progress.failed);
}

}  // namespace
}  // namespace tessera::test
