// Text and launches to an image, and the reasons why not.
#include "codegen/cuda/build_image.h"

#include "tests/cuda/nvrtc_fixture.h"
#include "tests/cuda/sources.h"

namespace tessera::codegen {
namespace {

class BuildImage : public NvrtcTest {
 protected:
  Result<runtime::KernelImage> build(const CudaSource& source,
                                     const std::string& target = "cuda -arch=sm_90a") {
    return build_cuda_image(*nvrtc(), cache_, ir::parse_target(target).or_throw(), source);
  }
  std::string refusal(const CudaSource& source) {
    const auto image = build(source);
    return image.ok() ? "" : image.reason();
  }
  CubinCache cache_{""};
};

TEST_F(BuildImage, HasCodeAndItsReport) {
  const auto image = build(test::doubling_source());
  ASSERT_TRUE(image.ok()) << image.reason();
  EXPECT_EQ(image->target, "cuda -arch=sm_90a");
  EXPECT_GT(image->build.registers_per_thread, 4);
  EXPECT_EQ(image->build.spill_bytes, 0);
  EXPECT_GT(image->build.compile_ms, 0);
  EXPECT_EQ(runtime::decode_image(runtime::encode(*image)).or_throw(), *image);
}

TEST_F(BuildImage, RefusalsComeBeforeTheCompilerWhereTheyCan) {
  CudaSource source = test::doubling_source();
  source.image.launches[0].block.x = 2048;
  EXPECT_NE(refusal(source).find("launch of 'doubles': a block of 2048 threads"), std::string::npos)
      << refusal(source);
  source = test::doubling_source();
  source.registers = {300};
  EXPECT_NE(refusal(source).find("300 registers"), std::string::npos);
  EXPECT_EQ(cache_.counts().misses, 0);  // nothing was compiled

  source = test::doubling_source(
      "__shared__ float s[12000]; s[i % 12000] = a[i % n]; __syncthreads(); o[i % n] = s[11999 - i % "
      "12000];");
  source.image.launches[0].shared_bytes = 200 << 10;
  EXPECT_NE(refusal(source).find("252800 bytes of shared memory"), std::string::npos) << refusal(source);
  source = test::doubling_source();
  source.image.launches[0].entry = source.image.entries[0].name = "other";
  EXPECT_NE(refusal(source).find("no kernel 'other'"), std::string::npos) << refusal(source);
  source = test::doubling_source(
      "float r[64]; for (int j = 0; j < 64; ++j) r[j] = a[j]; r[i & 63] = 1; for (int j = 0; j < i; ++j) "
      "r[(j * i) & 63] += r[j & 63]; o[i % n] = r[(i + 5) & 63];");
  EXPECT_NE(refusal(source).find("local memory"), std::string::npos) << refusal(source);
}

}  // namespace
}  // namespace tessera::codegen
