// The hand-written kernels are right in every mode and order, and nothing is reported of them.
#include "runtime/emulator/messages.h"
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
      EXPECT_EQ(all_findings(*report), "")
          << "mode " << static_cast<int>(mode) << ", seed " << seed;
      EXPECT_EQ(wrong_answer(f, *report), "")
          << "mode " << static_cast<int>(mode) << ", seed " << seed;
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
  auto first = runtime::emulator::emulate(f.request),
       second = runtime::emulator::emulate(f.request);
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
  ASSERT_EQ(report->written[1].size(), 18u);  // rows 32 .. 49, columns 64 .. 69
  EXPECT_EQ(report->written[1][0], (runtime::emulator::ByteRange{(32 * 70 + 64) * 4, 33 * 70 * 4}));
  EXPECT_TRUE(report->written[0].empty());
  EXPECT_EQ(got[32 * 70 + 64], f.expected[32 * 70 + 64]);
  EXPECT_TRUE(std::isnan(got[0]));
}

/// Memory costs only what is accessed: some blocks of a problem of 96 MiB.
TEST(Emulation, ChosenBlocksOfALargeProblem) {
  EmulationRequest q;
  q.text =
      "extern \"C\" __global__ void __launch_bounds__(256) copy(const f32* x, f32* y) {\n"
      "  const i32 i = ts_block_x() * 256 + ts_thread_x();\n"
      "  ts_store_global(y + i, ts_load_global<f32>(x + i));\n}\n";
  q.entry = "copy";
  q.grid = {48 << 10, 1, 1};
  q.block = {256, 1, 1};
  const std::size_t bytes = std::size_t{48} << 20;
  q.arguments = {{ArgumentUse::kRead, std::vector<std::byte>(bytes), {}, {}}, output(bytes)};
  q.blocks = runtime::emulator::sample_blocks(q.grid, 8, 1);
  const auto report = runtime::emulator::emulate(q);
  ASSERT_TRUE(report.ok()) << report.reason();
  EXPECT_EQ(all_findings(*report), "");
  std::int64_t written = 0;
  for (const auto& r : report->written[1]) written += r.end - r.begin;
  EXPECT_EQ(written, 10 * 1024);
}

/// A second kernel reads what the first one wrote and nothing else.
TEST(Emulation, WhatOneKernelLeavesTheNextReads) {
  Fixture f = fixture("transpose");
  f.request.blocks = {{1, 2, 0}};
  auto first = runtime::emulator::emulate(f.request);
  ASSERT_TRUE(first.ok()) << first.reason();
  EmulationRequest q;
  q.text =
      "extern \"C\" __global__ void sum(const f32* y, f32* z, i32 at) {\n"
      "  ts_store_global(z, ts_load_global<f32>(y + at));\n}\n";
  q.entry = "sum";
  const auto reads = [&](int at) {
    q.arguments = {{ArgumentUse::kReadWrite, first->outputs[1], {}, first->written[1]},
                   output(4),
                   {ArgumentUse::kScalar, bytes_of(std::vector<int>{at}), {}, {}}};
    const auto report = runtime::emulator::emulate(q);
    return report.ok() ? all_findings(*report) : report.reason();
  };
  EXPECT_EQ(reads(32 * 70 + 64), "");
  EXPECT_NE(reads(0).find("uninitialised"), std::string::npos);
}

TEST(Emulation, SampledBlocksAreTheEndsOfEveryAxisAndSomeOthers) {
  using runtime::emulator::Extent3;
  EXPECT_EQ(runtime::emulator::sample_blocks({1, 1, 1}, 8, 1), (std::vector<Extent3>{{0, 0, 0}}));
  const auto blocks = runtime::emulator::sample_blocks({100, 50, 1}, 8, 1);
  EXPECT_EQ(blocks.size(), 12u);
  for (const Extent3& corner :
       {Extent3{0, 0, 0}, Extent3{99, 0, 0}, Extent3{0, 49, 0}, Extent3{99, 49, 0}})
    EXPECT_NE(std::find(blocks.begin(), blocks.end(), corner), blocks.end());
  EXPECT_EQ(blocks, runtime::emulator::sample_blocks({100, 50, 1}, 8, 1));
}

/// What cannot be read as a request is refused, not run.
TEST(Emulation, MessagesSurviveTheWire) {
  using namespace runtime::emulator;
  Fixture f = fixture("split_k");
  f.request.blocks = {{0, 0, 0}, {0, 0, 3}};
  const auto bytes = encode(f.request);
  ASSERT_TRUE(decode_request(bytes).has_value());
  EXPECT_EQ(*decode_request(bytes), f.request);
  for (std::size_t n : {std::size_t{0}, std::size_t{8}, bytes.size() / 2, bytes.size() - 1})
    EXPECT_FALSE(decode_request(std::span(bytes).first(n)).has_value());
  EmulationReport report;
  report.findings = {{FindingKind::kSharedRace, "why", {1, 2, 3}, {4, 5, 6}, 7}};
  report.outputs = {{}, std::vector<std::byte>(3)};
  report.written = {{}, {{0, 3}}};
  report.steps = 5;
  EXPECT_EQ(*decode_report(encode(Result<EmulationReport>(report))), report);
  EXPECT_EQ(decode_report(encode(Result<EmulationReport>(refuse("why not")))).reason(), "why not");
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
  EXPECT_NE(report.reason().find("takes 3 arguments, 2 given"), std::string::npos)
      << report.reason();
  q = f.request;
  q.block = {2048, 1, 1};
  EXPECT_FALSE(runtime::emulator::emulate(q).ok());
  q = f.request;
  q.text =
      "extern \"C\" __global__ void pointwise(const f32* a, const f32* b, f32* y) { *(volatile "
      "i32*)0 = 1; }";
  report =
      runtime::emulator::emulate(q);  // what does not go through an intrinsic only ends the child
  ASSERT_FALSE(report.ok());
  EXPECT_NE(report.reason().find("crash"), std::string::npos) << report.reason();
}

}  // namespace
}  // namespace tessera::test
