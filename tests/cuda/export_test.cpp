// From a pack over a device, a fake one here, to a log and out of the house: what measured a kernel travels with it.
#include "codegen/cuda/nvrtc.h"
#include "driver/compile.h"
#include "dsl/text.h"
#include "tests/cuda/fake_device.h"
#include "tests/support/command.h"
#include "tuning_logs/pack.h"

namespace tessera {
namespace {

const char* const kExpression = "O[i] = A[i] * 2.0";

TEST(ExportLog, TheDeviceThatMeasuredIsNamed) {
  if (!codegen::nvrtc().ok()) GTEST_SKIP() << codegen::nvrtc().reason();
  const test::TemporaryFolder folder;
  const test::CommandOptions here{.folder = folder.path(), .environment = {{"TESSERA_CUDA_DRIVER", runtime::testing::kFakeDriver}}};
  const dsl::ComputeDag dag = dsl::parse_statement(kExpression, "i=" + std::to_string(runtime::testing::kLength), {}).or_throw();
  tuning_logs::PackHeader header;
  header.task = tuning_logs::make_task(dag, kExpression);
  header.target = "cuda -arch=sm_90a";
  {
    tuning_logs::PackWriter writer(folder / "p.pack", header);
    tuning_logs::PackedCandidate c;
    c.trial = 4;
    c.sketch = "by hand";
    c.plan = driver::default_plan(dag, ir::parse_target(header.target).or_throw());
    c.image = runtime::testing::fake_image("doubles");
    writer.append(c);
  }
  ASSERT_EQ(test::autotune({"measure", "p.pack", "--log", "l.jsonl"}, here).code, 0);
  const test::CommandResult r = test::autotune({"export", "l.jsonl", "--to", "cuda", "-o", "out"}, here);
  ASSERT_EQ(r.code, 0) << r.err;
  const Json tuned_on = parse_json(test::read_text(folder / "out/kernel.launch.json")).or_throw()["tuned_on"];
  EXPECT_EQ(tuned_on["device"], "Fake device");
  EXPECT_EQ(tuned_on["sketch"], "by hand");
  EXPECT_EQ(tuned_on["trial"], 4);
  EXPECT_EQ(tuned_on["median_ns"], 1'000'000);
  EXPECT_GT(tuned_on["samples"], 1);
}

}  // namespace
}  // namespace tessera
