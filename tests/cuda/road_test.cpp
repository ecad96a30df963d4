// From a program to an image for a device, in one call.
#include "codegen/cuda/build_image.h"
#include "driver/compile.h"
#include "ops/catalog.h"
#include "search/pack.h"
#include "search/point.h"
#include "tests/cuda/nvrtc_fixture.h"

namespace tessera::driver {
namespace {

using runtime::LaunchArgumentKind;

class Road : public codegen::NvrtcTest {
 protected:
  static runtime::KernelImage image(const std::string& op, const ops::Shape& shape, const std::string& target = "cuda -arch=sm_90a") {
    const dsl::ComputeDag dag = ops::build({op, shape, "", ""}).or_throw();
    const ir::Target resolved = resolve_target(target);
    return driver::compile(dag, default_plan(dag, resolved), resolved).or_throw();
  }
};

TEST_F(Road, OneKernel) {
  const runtime::KernelImage m = image("matmul", {{"m", 33}, {"n", 40}, {"k", 20}}, "cuda -arch=sm_80");
  EXPECT_EQ(m.target, "cuda -arch=sm_80");
  ASSERT_EQ(m.launches.size(), 1U);
  EXPECT_EQ(m.launches[0].grid, (runtime::Extent3{6, 1, 1}));  // 1320 elements, 256 a block
  EXPECT_EQ(m.launches[0].block, (runtime::Extent3{256, 1, 1}));
  ASSERT_EQ(m.arguments.size(), 3U);
  EXPECT_EQ(m.arguments[0].alignment, 16);
  EXPECT_EQ(m.workspace_bytes, 0);
  EXPECT_GT(m.build.registers_per_thread, 8);
  EXPECT_NE(m.build.source_hash, 0U);
}

/// What one kernel leaves to the next lies in the workspace, a place for each.
TEST_F(Road, KernelsShareAWorkspace) {
  const runtime::KernelImage s = image("softmax", {{"m", 6}, {"n", 100}});
  ASSERT_EQ(s.launches.size(), 4U);
  std::map<std::int64_t, int> places;
  for (const runtime::Launch& l : s.launches) {
    for (const runtime::LaunchArgument& a : l.arguments) {
      if (a.kind != LaunchArgumentKind::kWorkspace) continue;
      ++places[a.value];
      EXPECT_EQ(a.value % 256, 0);
      EXPECT_LT(a.value, s.workspace_bytes);
    }
  }
  EXPECT_EQ(places.size(), 3U);  // row maxima, exponentials, row sums
  EXPECT_EQ(s.arguments.size(), 2U);
}

/// Tiles of one kernel are no registers of another, which may have more threads.
TEST_F(Road, RegistersAreOfOneKernel) {
  const dsl::ComputeDag dag = ops::build({"softmax", {{"m", 6}, {"n", 100}}, "", ""}).or_throw();
  const ir::Target target = resolve_target("cuda -arch=sm_90a");
  const auto source = codegen::cuda_source(finished_program(dag, default_plan(dag, target), target).or_throw()).or_throw();
  EXPECT_EQ(source.registers, (std::vector<int>{1, 0, 1, 0}));  // the sums have a register each
}

TEST_F(Road, ArchitecturesAreNamed) {
  EXPECT_FALSE(resolve_target("cuda").arch.empty());
  EXPECT_EQ(resolve_target("cuda -arch=sm_86").text(), "cuda -arch=sm_86");
  EXPECT_THROW(resolve_target("cuda -arch=sm_61"), UserError);
}

/// Left to itself ptxas of CUDA 13.0 keeps this tile of a 7 x 7 convolution to 80 registers and spills 24 bytes.
TEST_F(Road, RegistersComeBeforeThreadsWhereTheyWouldSpill) {
  search::Task task;
  task.op = "conv2d_bias_relu";
  task.dag = ops::build({task.op, ops::find_preset("CBR.1").or_throw().shape, "", "f32"}).or_throw();
  task.target = resolve_target("cuda -arch=sm_90a");
  const std::vector<search::Sketch> sketches = search::generate_sketches(task);
  const auto point = search::point_of(sketches, "conv.tile.epilogue", {{"W.s.vector", 4}, {"Xpad.vector", 4}, {"conv.co.r", 4}, {"conv.co.v", 2}, {"conv.co.w", 1},
                                                                       {"conv.co.x", 8}, {"conv.rh.block", 4}, {"conv.slots", 4}, {"conv.x.r", 1}, {"conv.x.v", 1},
                                                                       {"conv.x.w", 1}, {"conv.x.x", 2}, {"conv.y.r", 2}, {"conv.y.v", 2}, {"conv.y.w", 2}, {"conv.y.x", 2}});
  ASSERT_TRUE(point.has_value());
  const schedule::StepList steps = search::steps_of(sketches, *point).or_throw();
  codegen::CubinCache cache("");
  codegen::CudaSource source = codegen::cuda_source(finished_program(task.dag, steps, task.target).or_throw()).or_throw();
  const std::string printed = source.text;
  const codegen::Cubin plain = codegen::compile_cuda(*codegen::nvrtc(), printed, source.name, task.target.arch).or_throw();
  const codegen::Cubin made = codegen::compile_source(*codegen::nvrtc(), cache, task.target.arch, source, {}).or_throw();
  EXPECT_EQ(made.report.entries[0].spill_bytes(), 0);
  const bool spills = plain.report.entries[0].spill_bytes() > 0;
  EXPECT_EQ(source.text != printed, spills);
  EXPECT_EQ(source.text.find("__launch_bounds__(64, 1)") != std::string::npos, spills);
}

/// One thread computes this scan where nothing is planned: the compiler would unroll all of its loops and keep every element in a register, or the row
/// lies in the thread's local memory, where the plan has put it.
TEST_F(Road, LoopsOfTheCompilersOwnAreNoReasonToRefuse) {
  for (const auto& [batch, hidden] : {std::pair{3, 17}, {2, 64}}) {  // unrolled whole by ptxas 13.0; addressed
    SCOPED_TRACE(hidden);
    const dsl::ComputeDag dag = ops::build({"rnn", {{"seq", 5}, {"batch", batch}, {"hidden", hidden}}, "", ""}).or_throw();
    const ir::Target target = resolve_target("cuda -arch=sm_80");
    codegen::CubinCache cache("");
    codegen::CudaSource source = codegen::cuda_source(finished_program(dag, schedule::StepList{}, target).or_throw()).or_throw();
    EXPECT_EQ(source.private_bytes, batch * hidden * 4);
    const auto built = codegen::build_cuda(*codegen::nvrtc(), cache, target, std::move(source), false);
    ASSERT_TRUE(built.ok()) << built.reason();
    EXPECT_EQ(built->image.build.spill_bytes, 0);
  }
}

}  // namespace
}  // namespace tessera::driver
