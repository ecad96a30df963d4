// Plans from shared loops, compiled: nothing of their tiles leaves the registers.
#include "driver/compile.h"
#include "ops/catalog.h"
#include "polyhedral/cuda_steps.h"
#include "tests/cuda/nvrtc_fixture.h"

namespace tessera::driver {
namespace {

class SharedLoops : public codegen::NvrtcTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(SharedLoops, CompileWithoutSpills) {
  const dsl::ComputeDag dag = ops::build({GetParam(), {}, "", ""}).or_throw();
  const ir::Target target = resolve_target("cuda -arch=sm_90a");
  const auto nests = polyhedral::align(polyhedral::Scop::of(polyhedral::equations_of(dag).or_throw()).or_throw()).or_throw();
  const auto image = compile(dag, polyhedral::cuda_steps(dag, nests, target).or_throw().steps, target);
  ASSERT_TRUE(image.ok()) << image.reason();
  RecordProperty("registers", image->build.registers_per_thread);
  EXPECT_EQ(image->build.spill_bytes, 0);
}

INSTANTIATE_TEST_SUITE_P(Ops, SharedLoops,
                         ::testing::Values("matmul", "conv2d", "softmax", "layer_norm", "attention", "dense_bias_gelu", "conv2d_bn_relu", "depthwise_pointwise",
                                           "transpose_batch_matmul_softmax", "reduce_sum", "conv2d_transposed"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace tessera::driver
