// The hand-written kernels are right in every mode and order, and nothing is reported of them.
#include "tests/emulator/fixture.h"

namespace tessera::test {
namespace {

class Kernels : public testing::TestWithParam<std::string> {};

TEST_P(Kernels, RightInEveryModeAndOrder) {
  Fixture f = fixture(GetParam());
  for (const EmulationMode mode : {EmulationMode::kEager, EmulationMode::kLate}) {
    for (const std::uint64_t seed : {0, 1, 2, 3, 4}) {
      f.request.mode = mode;
      f.request.seed = seed;
      const auto report = runtime::emulator::emulate(f.request);
      ASSERT_TRUE(report.ok()) << report.reason();
      EXPECT_EQ(all_findings(*report), "") << "mode " << static_cast<int>(mode) << ", seed " << seed;
      EXPECT_EQ(wrong_answer(f, *report), "") << "mode " << static_cast<int>(mode) << ", seed " << seed;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, Kernels, testing::ValuesIn(fixture_names()),
                         [](const auto& info) { return info.param; });

/// One seed gives one run.
TEST(Emulation, SameSeedSameRun) {
  Fixture f = fixture("async_gemm");
  f.request.mode = EmulationMode::kLate;
  f.request.seed = 7;
  auto first = runtime::emulator::emulate(f.request), second = runtime::emulator::emulate(f.request);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->outputs, second->outputs);
  EXPECT_EQ(first->steps, second->steps);
  EXPECT_EQ(first->switches, second->switches);
}

/// Some blocks of a grid write their part of the output and leave the rest as it was.
TEST(Emulation, ChosenBlocks) {
  Fixture f = fixture("transpose");
  f.request.blocks = {{1, 2, 0}};
  const auto report = runtime::emulator::emulate(f.request);
  ASSERT_TRUE(report.ok()) << report.reason();
  EXPECT_EQ(all_findings(*report), "");
  const auto got = values_of<float>(report->outputs[1]);
  EXPECT_EQ(got[32 * 70 + 64], f.expected[32 * 70 + 64]);
  EXPECT_TRUE(std::isnan(got[0]));
}

TEST(Emulation, RefusesWhatCannotRun) {
  Fixture f = fixture("pointwise");
  EmulationRequest q = f.request;
  q.text = "extern \"C\" __global__ void pointwise() { nonsense(); }";
  auto report = runtime::emulator::emulate(q);
  ASSERT_FALSE(report.ok());
  EXPECT_NE(report.reason().find("nonsense"), std::string::npos) << report.reason();
  q = f.request;
  q.arguments.pop_back();
  report = runtime::emulator::emulate(q);
  ASSERT_FALSE(report.ok());
  EXPECT_NE(report.reason().find("takes 3 arguments, 2 given"), std::string::npos) << report.reason();
  q = f.request;
  q.block = {2048, 1, 1};
  EXPECT_FALSE(runtime::emulator::emulate(q).ok());
  q = f.request;
  q.text = "extern \"C\" __global__ void pointwise(const f32* a, const f32* b, f32* y) { *(volatile i32*)0 = 1; }";
  report = runtime::emulator::emulate(q);  // what does not go through an intrinsic only ends the child
  ASSERT_FALSE(report.ok());
  EXPECT_NE(report.reason().find("crash"), std::string::npos) << report.reason();
}

}  // namespace
}  // namespace tessera::test
