// Capabilities of a compiler for GPUs that need the compiler to show (tests/correctness/cuda_items_test.cpp has
// the others).
#include "codegen/cuda/source.h"
#include "driver/compile.h"
#include "ir/cuda_arch.h"
#include "ops/catalog.h"
#include "search/pack.h"
#include "search/point.h"
#include "tests/cuda/nvrtc_fixture.h"

namespace tessera::codegen {
namespace {

search::Task product(std::int64_t n, const std::string& target) {
  search::Task task;
  task.op = "matmul";
  task.dag = ops::build({"matmul", {{"m", n}, {"n", n}, {"k", n}}, "", ""}).or_throw();
  task.target = driver::resolve_target(target);
  return task;
}

class M23 : public NvrtcTest {};

/// One schedule, every architecture that we know: machine code and PTX of that architecture.
TEST_F(M23, EveryArchitectureHasCode) {
  for (const ir::CudaArch& arch : ir::cuda_archs()) {
    SCOPED_TRACE(arch.name);
    if (!check_architecture(*nvrtc(), arch.name).ok()) continue;  // newer than this NVRTC
    const search::Task task = product(128, std::string("cuda -arch=") + arch.name);
    const search::Candidate c = search::pack_candidates(task, {.count = 4, .seed = 1, .jobs = 1}, {}).at(1);
    const auto image = driver::compile(task.dag, c.steps, task.target);
    ASSERT_TRUE(image.ok()) << image.reason();
    EXPECT_EQ(image->target, task.target.text());
    const CudaSource source = cuda_source(driver::finished_program(task.dag, c.steps, task.target).or_throw()).or_throw();
    const Cubin cubin = compile_cuda(*nvrtc(), source.text, "product", arch.name, {.keep_ptx = true}).or_throw();
    EXPECT_NE(cubin.ptx.find(std::string(".target ") + arch.name), std::string::npos);
  }
}

class L18 : public NvrtcTest {};

/// Tiles above 48 KiB, which a block gets on demand only: up to what the architecture has, and no further.
TEST_F(L18, BlocksHaveTheSharedMemoryOfTheirArchitecture) {
  for (const auto& [arch, most] : std::map<std::string, std::int64_t>{{"sm_80", 163 << 10}, {"sm_86", 99 << 10}, {"sm_90a", 227 << 10}}) {
    SCOPED_TRACE(arch);
    const search::Task task = product(1024, "cuda -arch=" + arch);
    const std::vector<search::Sketch> sketches = search::generate_sketches(task);
    const auto kernel = [&](std::int64_t k, std::int64_t slots) {
      const search::Decisions d{{"A.s.vector", 4}, {"B.s.vector", 4}, {"C.i.w", 4}, {"C.i.v", 2}, {"C.i.x", 4}, {"C.i.r", 4}, {"C.j.w", 2}, {"C.j.v", 2}, {"C.j.x", 8}, {"C.j.r", 4}, {"C.k.block", k}, {"C.slots", slots}};
      return search::point_of(sketches, "C.tile", d);
    };
    const auto large = kernel(32, 3);  // 96 KiB
    ASSERT_TRUE(large.has_value());
    const auto image = driver::compile(task.dag, search::steps_of(sketches, *large).or_throw(), task.target);
    ASSERT_TRUE(image.ok()) << image.reason();
    EXPECT_EQ(image->launches[0].shared_bytes, 96 << 10);
    EXPECT_GT(image->launches[0].shared_bytes, ir::kSharedWithoutOptIn);
    EXPECT_LE(image->launches[0].shared_bytes, most);
    EXPECT_EQ(kernel(32, 4).has_value(), most > (128 << 10)) << "128 KiB";
  }
}

}  // namespace
}  // namespace tessera::codegen
