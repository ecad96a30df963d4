// Kernels that their last block finishes, through NVRTC: the counter is a variable of their module and no parameter.
#include "codegen/cuda/source.h"
#include "driver/compile.h"
#include "ops/catalog.h"
#include "search/sketch.h"
#include "tests/cuda/nvrtc_fixture.h"

namespace tessera::codegen {
namespace {

class LastBlock : public NvrtcTest {};

TEST_F(LastBlock, SketchesCompileForEveryArchitecture) {
  for (const char* arch : {"sm_80", "sm_90a"}) {
    for (const char* op : {"norm", "argmax"}) {
      search::Task task;
      task.op = op;
      task.dag = ops::build({op, {{"m", op == std::string("norm") ? 512 : 3}, {"n", 16381}}, "", ""}).or_throw();
      task.target = driver::resolve_target(std::string("cuda -arch=") + arch);
      Rng rng(1);
      int found = 0;
      for (const search::Sketch& s : search::generate_sketches(task)) {
        if (s.name.find(".last_block") == std::string::npos) continue;
        SCOPED_TRACE(s.name + " " + arch);
        ++found;
        const auto steps = schedule::fill_holes(s.steps, s.space.decisions(*s.space.sample(rng))).or_throw();
        const CudaSource source = cuda_source(driver::finished_program(task.dag, steps, task.target).or_throw()).or_throw();
        EXPECT_NE(source.text.find("ts_counter("), std::string::npos);
        const auto image = driver::compile(task.dag, steps, task.target);
        ASSERT_TRUE(image.ok()) << image.reason();
        EXPECT_TRUE(image->zero_ranges.empty());
        EXPECT_EQ(image->build.spill_bytes, 0);
      }
      EXPECT_GT(found, 0) << op << " " << arch;
    }
  }
}

}  // namespace
}  // namespace tessera::codegen
