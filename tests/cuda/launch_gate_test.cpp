// What is refused before it is compiled, and targets by name.
#include "codegen/cuda/launch_gate.h"

#include <gtest/gtest.h>

#include "ir/target.h"

namespace tessera::codegen {
namespace {

ir::CudaArch arch(const char* name) { return ir::cuda_arch(name).or_throw(); }

std::string refusal(const LaunchFacts& f, const char* name = "sm_90a") {
  const Status s = check_launch(f, arch(name));
  return s.ok() ? "" : s.reason();
}

TEST(LaunchGate, LimitsFromBothSides) {
  const LaunchFacts good{
      .grid = {1000, 2, 1}, .block = {256, 1, 1}, .cluster = {}, .shared_bytes = 232448, .registers = 255};
  EXPECT_EQ(refusal(good), "");
  const auto with = [&](auto change) {
    LaunchFacts f = good;
    change(f);
    return refusal(f);
  };
  EXPECT_NE(with([](auto& f) {
              f.shared_bytes = 232449;
            }).find("232449 bytes of shared memory a block; sm_90a has 232448"),
            std::string::npos);
  EXPECT_NE(with([](auto& f) { f.block = {1025, 1, 1}; }).find("1025 threads"), std::string::npos);
  EXPECT_NE(with([](auto& f) { f.block = {48, 1, 1}; }).find("whole warps"), std::string::npos);
  EXPECT_NE(with([](auto& f) { f.block = {1, 1, 128}; }).find("deep"), std::string::npos);
  EXPECT_NE(with([](auto& f) { f.registers = 256; }).find("256 registers a thread"), std::string::npos);
  EXPECT_NE(with([](auto& f) {
              f.block = {512, 1, 1};
              f.registers = 200;
            }).find("in all"),
            std::string::npos);
  EXPECT_EQ(with([](auto& f) {
              f.block = {512, 1, 1};
              f.registers = 128;
            }),
            "");
  EXPECT_NE(with([](auto& f) { f.grid.y = 65536; }).find("y or z"), std::string::npos);
  EXPECT_EQ(with([](auto& f) { f.grid.x = (std::int64_t{1} << 31) - 1; }), "");
  EXPECT_NE(with([](auto& f) { f.grid.x = std::int64_t{1} << 31; }).find("along x"), std::string::npos);
  EXPECT_NE(with([](auto& f) { f.grid.x = 0; }).find("below 1"), std::string::npos);
  EXPECT_NE(with([](auto& f) {
              f.block = {std::int64_t{1} << 40, std::int64_t{1} << 40, 1};
            }).find("threads"),
            std::string::npos);
  EXPECT_NE(with([](auto& f) { f.named_barriers = 16; }).find("named barriers"), std::string::npos);
  EXPECT_EQ(with([](auto& f) { f.cluster = {8, 1, 1}; }), "");
  EXPECT_NE(with([](auto& f) { f.cluster = {8, 2, 1}; }).find("cluster of 16"), std::string::npos);
  EXPECT_NE(with([](auto& f) { f.cluster = {3, 1, 1}; }).find("whole number of clusters"), std::string::npos);
  EXPECT_NE(
      refusal({.grid = {2, 1, 1}, .block = {32, 1, 1}, .cluster = {2, 1, 1}}, "sm_80").find("no clusters"),
      std::string::npos);
  EXPECT_NE(refusal(good, "sm_89").find("has 101376"), std::string::npos);
}

TEST(LaunchGate, BlocksThatShareAnSm) {
  const auto blocks = [](std::int64_t threads, int registers, std::int64_t shared, const char* name) {
    return blocks_per_sm(
        {.grid = {}, .block = {threads, 1, 1}, .cluster = {}, .shared_bytes = shared, .registers = registers},
        arch(name));
  };
  EXPECT_EQ(blocks(256, 32, 0, "sm_80"), 8);
  EXPECT_EQ(blocks(256, 32, 0, "sm_86"), 6);
  EXPECT_EQ(blocks(32, 32, 0, "sm_86"), 16);
  EXPECT_EQ(blocks(256, 128, 0, "sm_90a"), 2);
  EXPECT_EQ(blocks(128, 32, 100 << 10, "sm_90a"), 2);
  EXPECT_EQ(blocks(128, 32, 227 << 10, "sm_90a"), 1);
  EXPECT_EQ(blocks(128, 32, 228 << 10, "sm_90a"), 0);
}

TEST(CudaTarget, NamesAreKnownOrRefusedWithThoseThatAre) {
  for (const char* text : {"cuda", "cuda -arch=sm_80", "cuda -arch=sm_86", "cuda -arch=sm_89",
                           "cuda -arch=sm_90a", "cuda -arch=sm_100a"}) {
    const auto t = ir::parse_target(text);
    ASSERT_TRUE(t.ok()) << t.reason();
    EXPECT_EQ(t->text(), text);
  }
  for (const char* text : {"cuda -arch=sm_70", "cuda -arch=sm_90", "cuda -arch=90", "cuda -arch=native"}) {
    const auto t = ir::parse_target(text);
    ASSERT_FALSE(t.ok()) << text;
    EXPECT_NE(t.reason().find("sm_80, sm_86, sm_89, sm_90a, sm_100a"), std::string::npos) << t.reason();
  }
  EXPECT_FALSE(ir::parse_target("cuda -mcpu=sm_80").ok());
}

TEST(CudaTarget, DevicesByComputeCapability) {
  const auto name = [](int major, int minor) {
    const auto a = ir::cuda_arch_of_capability(major, minor);
    return a.ok() ? std::string(a->name) : "refused";
  };
  EXPECT_EQ(name(8, 0), "sm_80");
  EXPECT_EQ(name(8, 7), "sm_86");
  EXPECT_EQ(name(8, 9), "sm_89");
  EXPECT_EQ(name(9, 0), "sm_90a");
  EXPECT_EQ(name(10, 0), "sm_100a");
  EXPECT_EQ(name(10, 3), "refused");  // what has an 'a' runs on its own version alone
  EXPECT_EQ(name(7, 5), "refused");
  EXPECT_EQ(name(12, 0), "refused");
}

}  // namespace
}  // namespace tessera::codegen
