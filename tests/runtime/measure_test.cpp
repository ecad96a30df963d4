// Kernels that do what they must, through the real runner: timing, contracts, threads, refusals.
#include <gtest/gtest.h>

#include "runtime/isolation/find_tool.h"
#include "support/error.h"
#include "tests/runtime/measure_fixture.h"

namespace tessera::runtime {
namespace {

using testing::c_kernel;
using testing::doubling_data;
using testing::kDouble;

class Measure : public testing::MeasureFixture {};

TEST_F(Measure, GoodKernel) {
  const Measurement m = run(c_kernel(kDouble));
  ASSERT_EQ(m.status, MeasureStatus::kOk) << m.phase << ": " << m.message;
  EXPECT_GE(m.samples_ns.size(), 3U);
  EXPECT_LE(m.samples_ns.size(), 5U);
  EXPECT_EQ(m.probe_gflops.size(), m.samples_ns.size());
  EXPECT_GT(m.median_probe_gflops(), 0.5);
  EXPECT_GT(m.min_ns(), 20);
  EXPECT_LE(m.min_ns(), m.median_ns());
  EXPECT_LT(m.median_ns(), 100'000);
  EXPECT_GT(m.runs_per_sample, 10);
  EXPECT_GT(m.wall_ns, 0);
  EXPECT_EQ(m.prepare_ns, 0);
}

TEST_F(Measure, UnresolvedSymbolIsNamed) {
  expect(run_bad("system(\"true\");", "int system(const char*);"), MeasureStatus::kCompileError,
         "link", "system");
  EXPECT_EQ(
      run(c_kernel(
              "for (int64_t i = 0; i < n; ++i) o[i] = 2 * a[i] + floorf(0.5f * (a[i] == a[i]));",
              "float floorf(float);"))
          .status,
      MeasureStatus::kOk);
}
TEST_F(Measure, DamagedAndForeignObjects) {
  KernelImage image = c_kernel(kDouble);
  KernelImage cut = image, other = image, nameless = image;
  cut.object.resize(cut.object.size() / 2);
  EXPECT_FALSE(run(cut).ok());
  other.object[18] = std::byte{8};  // e_machine: MIPS
  expect(run(other), MeasureStatus::kUnsupportedTarget, "link", "not for this machine");
  nameless.entries[0].name = nameless.launches[0].entry = "absent";
  expect(run(nameless), MeasureStatus::kCompileError, "link", "absent");
  EXPECT_EQ(run(image).status, MeasureStatus::kOk);
}

TEST_F(Measure, PrepareAndWorkspace) {
  KernelImage image = c_kernel(
      "float* p = args[2]; float* w = host->workspace; w[0] += 1; for (int64_t i = 0; i < n; ++i) "
      "o[i] = p[i] * w[0];",
      "int32_t prepare(void** args, const tessera_host* host) { float* a = args[0]; float* p = "
      "args[2];"
      " for (int i = 0; i < 1000; ++i) p[i] = 2 * a[i]; return 0; }");
  image.arguments[0].role = ArgumentRole::kConstant;
  image.arguments.push_back({"P", ir::f32, {1000}, 4000, 64, ArgumentRole::kPrepared});
  image.entries.push_back({"prepare"});
  image.launches.push_back({"prepare", Phase::kPrepare, {}, 0, {}, {}, {}, 0});
  image.workspace_bytes = 64;
  image.zero_ranges = {{0, 4}};  // else the second run would start from 1
  const Measurement m = run(image);
  ASSERT_EQ(m.status, MeasureStatus::kOk) << m.phase << ": " << m.message;
  EXPECT_GT(m.prepare_ns, 0);
  KernelImage writes = image;
  writes.object = c_kernel("float* p = args[2]; p[0] = 1;",
                           "int32_t prepare(void** args, const tessera_host* host) { return 0; }")
                      .object;
  expect(run(writes), MeasureStatus::kInputModified, "verify_exact", "'P'");
  writes.object = c_kernel("",
                           "int32_t prepare(void** args, const tessera_host* host) { "
                           "((float*)host->workspace)[16] = 1; return 0; }")
                      .object;
  expect(run(writes), MeasureStatus::kOutOfBounds, "prepare", "'workspace'");
}

TEST_F(Measure, RacingStopsEarly) {
  MeasureOptions options;
  options.incumbent_ns = 1;
  const Measurement slow = run(c_kernel(kDouble), options);
  ASSERT_TRUE(slow.ok()) << slow.message;
  EXPECT_TRUE(slow.stopped_early);
  EXPECT_EQ(slow.samples_ns.size(), 1U);
  options.incumbent_ns = 1'000'000'000;
  EXPECT_FALSE(run(c_kernel(kDouble), options).stopped_early);
}
TEST_F(Measure, ImplausiblyFast) {
  MeasureOptions options;
  options.fewest_operations = 1e15;
  expect(run(c_kernel(kDouble), options), MeasureStatus::kImplausible, "timing", "GFLOP/s");
  options.fewest_operations = 1000;
  EXPECT_TRUE(run(c_kernel(kDouble), options).ok());
}
TEST_F(Measure, SeveralThreads) {
  const std::string before =
      "struct c { T* a; T* o; };\n"
      "static int32_t body(int64_t b, int64_t e, void* p) { struct c* c = p; for (int64_t i = b; i "
      "< e; ++i) c->o[i] = 2 * c->a[i]; return 0; }";
  const std::string body =
      "struct c c = {a, o}; return host->parallel_for(host->context, 0, n, body, &c);";
  MeasureOptions options;
  for (const int threads : {1, 2, 3}) {
    options.threads = threads;
    const Measurement m = run(c_kernel(body, before), options);
    EXPECT_TRUE(m.ok()) << threads << " " << m.phase << ": " << m.message;
  }
  options.threads = 2;  // a fault on a worker thread is described as well
  const std::string bad =
      "struct c { T* a; T* o; };\n"
      "static int32_t body(int64_t b, int64_t e, void* p) { struct c* c = p; for (int64_t i = b; i "
      "< e; ++i) c->o[i + (b > 0) * 1000] = 2 * c->a[i]; return 0; }";
  expect(run(c_kernel(body, bad), options), MeasureStatus::kOutOfBounds, "verify_exact", "of 'O'");
}
TEST_F(Measure, IntegersAndPoison) {
  measurer_.install(doubling_data<std::int8_t>());
  EXPECT_TRUE(run(c_kernel(kDouble, "", "signed char", ir::i8)).ok());
  expect(
      run(c_kernel("for (int64_t i = 1; i < n; ++i) o[i] = 2 * a[i];", "", "signed char", ir::i8)),
      MeasureStatus::kUninitialised, "verify_exact", "O[0]");
  measurer_.install(doubling_data<double>());
  EXPECT_TRUE(run(c_kernel(kDouble, "", "double", ir::f64)).ok());
}
TEST_F(Measure, SparsePoints) {
  DataSet data = doubling_data();
  ExpectedOutput& e = data.exact.outputs[0];
  std::vector<float> values{-16, 0};
  e.points = {0, 8};
  e.values = testing::bytes_of(values);
  measurer_.install(data);
  EXPECT_TRUE(run(c_kernel(kDouble)).ok());
  expect(run(c_kernel("for (int64_t i = 0; i < 9; ++i) o[i] = 2 * a[i];")),
         MeasureStatus::kUninitialised, "verify_exact", "O[9]");
}
TEST_F(Measure, MissingOperand) {
  measurer_.install(DataSet{});
  expect(run(c_kernel(kDouble)), MeasureStatus::kInternal, "allocate", "'A'");
}
TEST(MeasureWithoutData, IsRefused) {
  CpuMeasurer measurer;
  const Measurement m = measurer.measure(c_kernel(kDouble), {});
  EXPECT_EQ(m.status, MeasureStatus::kInternal);
  EXPECT_NE(m.message.find("no operands"), std::string::npos) << m.message;
}

TEST_F(Measure, Asynchronous) {
  const KernelImage image = c_kernel(kDouble);
  measurer_.start(image, {});
  EXPECT_TRUE(measurer_.busy());
  while (!measurer_.poll(50)) {
  }
  EXPECT_TRUE(measurer_.finish().ok());
  EXPECT_FALSE(measurer_.busy());
}
TEST_F(Measure, InterleavedBlamesOnlyTheGuilty) {
  std::vector<KernelImage> images(4, c_kernel(kDouble));
  images[1] = c_kernel("*(volatile int*)0 = 1;");
  images[3] = c_kernel(
      "for (int r = 0; r < 20; ++r) for (int64_t i = 0; i < n; ++i) ((volatile T*)o)[i] = 2 * "
      "a[i];");
  MeasureOptions options;
  options.most_samples = 7;
  const std::vector<Measurement> m = measurer_.measure_interleaved(images, options);
  ASSERT_EQ(m.size(), 4U);
  EXPECT_EQ(m[1].status, MeasureStatus::kCrash) << m[1].message;
  for (const int i : {0, 2, 3}) {
    EXPECT_TRUE(m[i].ok()) << i << " " << m[i].phase << ": " << m[i].message;
    EXPECT_EQ(m[i].samples_ns.size(), 7U);
    EXPECT_EQ(m[i].probe_gflops.size(), 7U);
  }
  EXPECT_GT(m[3].min_ns(), 5 * m[0].min_ns());
}

TEST(FindTool, SaysWhereItLooked) {
  ::setenv("TESSERA_LIBEXEC", "/nonexistent", 1);
  try {
    find_tool("kernel_runner");
    ADD_FAILURE();
  } catch (const UserError& e) {
    EXPECT_EQ(e.exit_code(), 1);
    EXPECT_NE(std::string(e.what()).find("/nonexistent"), std::string::npos);
  }
  ::unsetenv("TESSERA_LIBEXEC");
}

}  // namespace
}  // namespace tessera::runtime
