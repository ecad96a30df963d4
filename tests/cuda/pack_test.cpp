// Packs on a device: a fake one here, whose kernels double, fail and are slow by name.
#include "dsl/text.h"
#include "search/task.h"
#include "tests/cuda/fake_device.h"
#include "tests/support/command.h"
#include "tuning_logs/log_file.h"
#include "tuning_logs/pack.h"
#include "tuning_logs/query.h"

namespace tessera {
namespace {

using tuning_logs::PackedCandidate;
using tuning_logs::RecordKind;

const char* const kExpression = "O[i] = A[i] * 2.0";

class MeasuredPack : public ::testing::Test {
 protected:
  void write(const std::vector<std::string>& kernels, const std::string& target = "cuda -arch=sm_90a") {
    const dsl::ComputeDag dag = dsl::parse_statement(kExpression, "i=" + std::to_string(runtime::testing::kLength), {}).or_throw();
    tuning_logs::PackHeader header;
    header.task = tuning_logs::make_task(dag, kExpression);
    header.target = target;
    header.seed = 3;
    tuning_logs::PackWriter writer(folder_ / "p.pack", header);
    for (const std::string& kernel : kernels) {
      PackedCandidate c;
      c.trial = trials_++;
      c.sketch = kernel;
      c.plan = schedule::StepList{};
      if (kernel == "refused") {
        c.status = runtime::MeasureStatus::kResource;
        c.message = "resource: too much";
      } else {
        c.image = runtime::testing::fake_image(kernel);
      }
      writer.append(c);
    }
  }
  test::CommandResult measure(const std::vector<std::string>& more = {}, const std::string& driver = runtime::testing::kFakeDriver) {
    std::vector<std::string> words{"measure", "p.pack", "--log", "l.jsonl"};
    words.insert(words.end(), more.begin(), more.end());
    return test::autotune(words, {.folder = folder_.path(), .environment = {{"TESSERA_CUDA_DRIVER", driver}}});
  }
  test::TemporaryFolder folder_;
  int trials_ = 0;
};

TEST_F(MeasuredPack, EveryCandidateBecomesARecord) {
  write({"slow", "wrong", "doubles", "refused", "faults"});
  const test::CommandResult r = measure();
  ASSERT_EQ(r.code, 0) << r.out << r.err;
  EXPECT_NE(r.out.find("5 kernels of p.pack measured, 2 ok, 1 gpu_fault, 1 resource, 1 wrong_answer"), std::string::npos) << r.out;
  EXPECT_NE(r.out.find("best: 1 ms"), std::string::npos) << r.out;
  const tuning_logs::LogContents log = tuning_logs::read_log(folder_ / "l.jsonl");
  std::map<std::string, std::string> outcome;
  int finals = 0;
  for (const tuning_logs::Record& record : log.records) {
    finals += record.kind == RecordKind::kFinal ? 1 : 0;
    if (record.kind == RecordKind::kTrial) outcome[record.sketch] = runtime::to_string(record.status);
    EXPECT_EQ(record.target, "cuda -arch=sm_90a");
    EXPECT_EQ(record.seed, 3);
    EXPECT_EQ(record.batch * 8 + record.slot, record.trial);
  }
  EXPECT_EQ(outcome, (std::map<std::string, std::string>{
                         {"slow", "ok"}, {"wrong", "wrong_answer"}, {"doubles", "ok"}, {"refused", "resource"}, {"faults", "gpu_fault"}}));
  EXPECT_EQ(finals, 2);
  EXPECT_EQ(tuning_logs::best_record(log)->sketch, "doubles");
}

TEST_F(MeasuredPack, NothingRightEndsInThree) {
  write({"wrong"});
  const test::CommandResult r = measure({"--json"});
  EXPECT_EQ(r.code, 3) << r.err;
  EXPECT_NE(r.out.find("\"best\":null"), std::string::npos) << r.out;
}

TEST_F(MeasuredPack, WithoutItsDeviceSaysWhatWorks) {
  write({"doubles"});
  for (const auto& [target, driver] : std::map<std::string, std::string>{{"cuda -arch=sm_90a", "/nowhere/libcuda.so.1"},
                                                                         {"cuda -arch=sm_100a", runtime::testing::kFakeDriver},
                                                                         {"cuda -arch=sm_80", runtime::testing::kFakeDriver}}) {
    write({"doubles"}, target);
    const test::CommandResult r = measure({}, driver);
    EXPECT_EQ(r.code, 4) << r.err;
    EXPECT_EQ(std::count(r.err.begin(), r.err.end(), '\n'), 1) << r.err;
    EXPECT_NE(r.err.find("autotune measure p.pack --emulate"), std::string::npos) << r.err;
  }
}

}  // namespace
}  // namespace tessera
