#include "runtime/kernel_image.h"

#include <gtest/gtest.h>

#include <functional>

#include "runtime/measurement.h"
#include "support/rng.h"

namespace tessera::runtime {
namespace {

KernelImage sample_image() {
  KernelImage image;
  image.target = "cpu -mcpu=znver5";
  image.object = {std::byte{1}, std::byte{2}, std::byte{3}};
  image.entries = {{"main_run"}, {"main_prepare"}};
  image.launches = {
      {"main_prepare", Phase::kPrepare, {{LaunchArgumentKind::kTensor, 1}}, 0, {}, {}, {}, 0},
      {"main_run",
       Phase::kRun,
       {{LaunchArgumentKind::kWorkspace, 64}, {LaunchArgumentKind::kScalar, -7}},
       128,
       {4, 5, 6},
       {32, 1, 1},
       {2, 1, 1},
       1024}};
  image.workspace_bytes = 256;
  image.per_thread_workspace_bytes = 64;
  image.zero_ranges = {{0, 16}, {240, 16}};
  image.arguments = {{"A", ir::f32, {2, 3}, 24, 64, ArgumentRole::kInput},
                     {"B", ir::bf16, {4}, 8, 2, ArgumentRole::kConstant},
                     {"Bp", ir::bf16, {4}, 64, 64, ArgumentRole::kPrepared},
                     {"C", ir::f64, {}, 8, 8, ArgumentRole::kOutput}};
  image.symbolic_dims = {"n"};
  image.build = {12.5, {"note"}, 255, 8, 4096};
  return image;
}

TEST(KernelImage, RoundTrip) {
  const KernelImage image = sample_image();
  ASSERT_TRUE(check_image(image).ok()) << check_image(image).reason();
  const auto decoded = decode_image(encode(image));
  ASSERT_TRUE(decoded.ok()) << decoded.reason();
  EXPECT_EQ(*decoded, image);
  EXPECT_TRUE(image.has_phase(Phase::kPrepare));
  EXPECT_EQ(image.find_argument("Bp")->alignment, 64);
  EXPECT_EQ(image.find_argument("nothing"), nullptr);
}

TEST(KernelImage, EveryTruncationIsRefused) {
  const std::vector<std::byte> bytes = encode(sample_image());
  for (std::size_t n = 0; n < bytes.size(); ++n)
    EXPECT_FALSE(decode_image(std::span(bytes).first(n)).ok()) << n;
  std::vector<std::byte> longer = bytes;
  longer.push_back({});
  EXPECT_FALSE(decode_image(longer).ok());
}

TEST(KernelImage, DamageIsRefusedOrHarmless) {
  const std::vector<std::byte> bytes = encode(sample_image());
  Rng rng(7);
  for (int i = 0; i < 20000; ++i) {
    std::vector<std::byte> damaged = bytes;
    for (int k = 0; k < 1 + i % 3; ++k)
      damaged[static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(bytes.size())))] =
          static_cast<std::byte>(rng.below(256));
    const auto decoded = decode_image(damaged);
    EXPECT_TRUE(!decoded.ok() || check_image(*decoded).ok());
  }
}

TEST(KernelImage, ChecksSayWhatIsWrong) {
  const auto refused = [](const std::function<void(KernelImage&)>& edit, const std::string& part) {
    KernelImage image = sample_image();
    edit(image);
    const Status s = check_image(image);
    ASSERT_FALSE(s.ok()) << part;
    EXPECT_NE(s.reason().find(part), std::string::npos) << s.reason();
  };
  refused([](KernelImage& i) { i.object.clear(); }, "no object");
  refused([](KernelImage& i) { i.entries[0].name = "a b"; }, "identifier");
  refused([](KernelImage& i) { i.launches[1].entry = "other"; }, "no entry");
  refused([](KernelImage& i) { i.launches.pop_back(); }, "phase run");
  refused([](KernelImage& i) { i.launches[0].arguments[0].value = 4; }, "out of range");
  refused([](KernelImage& i) { i.launches[1].workspace_offset = 257; }, "workspace offset");
  refused([](KernelImage& i) { i.workspace_bytes = -1; }, "workspace");
  refused([](KernelImage& i) { i.zero_ranges[1].bytes = 17; }, "leaves the workspace");
  refused([](KernelImage& i) { i.arguments[0].alignment = 48; }, "power of two");
  refused([](KernelImage& i) { i.arguments[0].bytes = 23; }, "takes 24 bytes");
  refused([](KernelImage& i) { i.arguments[0].shape = {1LL << 40, 1LL << 40}; }, "overflows");
  refused([](KernelImage& i) { i.arguments[0].name = "B"; }, "two arguments");
}

TEST(Measurement, StatusNames) {
  for (int i = 0; i < kMeasureStatusCount; ++i) {
    const auto status = static_cast<MeasureStatus>(i);
    const auto parsed = parse_measure_status(to_string(status));
    ASSERT_TRUE(parsed.ok());
    EXPECT_EQ(*parsed, status);
  }
  EXPECT_EQ(to_string(MeasureStatus::kOutOfBounds), "out_of_bounds");
  EXPECT_EQ(to_string(MeasureStatus::kInternal), "internal");
  EXPECT_NE(parse_measure_status("oops").reason().find("gpu_timeout"), std::string::npos);
}

TEST(Measurement, RoundTripAndStatistics) {
  Measurement m;
  m.status = MeasureStatus::kOk;
  m.samples_ns = {30, 10, 20};
  m.probe_gflops = {2, 1, 3};
  m.runs_per_sample = 4;
  m.stopped_early = true;
  m.prepare_ns = 5;
  m.disturbed_samples = 6;
  m.wall_ns = 7;
  EXPECT_EQ(m.min_ns(), 10);
  EXPECT_EQ(m.median_ns(), 20);
  EXPECT_EQ(m.median_probe_gflops(), 2);
  const std::vector all{m, failed_measurement(MeasureStatus::kCrash, "timing", "died")};
  const auto decoded = decode_measurements(encode(all));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(*decoded, all);
  EXPECT_EQ(all[1].median_ns(), 0);
}

TEST(Measurement, NoTimeWithoutSuccess) {
  Measurement invented = failed_measurement(MeasureStatus::kCrash, "timing", "died");
  invented.samples_ns = {1};
  EXPECT_FALSE(decode_measurements(encode(std::vector{invented})).ok());
  Measurement silent;
  silent.status = MeasureStatus::kOk;
  EXPECT_FALSE(decode_measurements(encode(std::vector{silent})).ok());
}

}  // namespace
}  // namespace tessera::runtime
