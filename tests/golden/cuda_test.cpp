// The text of a small kernel for CUDA: a transpose through shared memory with edges on both axes.
#include <gtest/gtest.h>

#include "codegen/cuda/print.h"
#include "dsl/dsl.h"
#include "lower/lower.h"
#include "schedule/schedule.h"
#include "tests/support/golden.h"

namespace tessera::codegen {
namespace {

TEST(Cuda, TransposeText) {
  auto a = dsl::placeholder({20, 37}, ir::f32, "A");
  auto b = dsl::compute({37, 20}, [&](dsl::Var i, dsl::Var j) { return a(j, i); }, "B");
  schedule::Schedule s(dsl::ComputeDag::from_outputs({b}, "transpose"));
  s.tile("B", {"i", "j"}, {"i0", "j0", "i1", "j1"}, {8, 8});
  s.bind("B", "i0", ir::ForKind::kBlockY).bind("B", "j0", ir::ForKind::kBlockX).bind("B", "i1", ir::ForKind::kThreadY).bind("B", "j1", ir::ForKind::kThreadX);
  s.cache_read("A", {"B"}, "A.s", ir::Scope::kShared).compute_at("A.s", "B", "j0").pad_box("A.s").storage_align("A.s", "d0", 2, 1);
  s.bind("A.s", "d0", ir::ForKind::kThreadY).bind("A.s", "d1", ir::ForKind::kThreadX);
  lower::Options options;
  options.target = ir::TargetKind::kCuda;
  options.name = "transpose";
  std::string text;
  for (const CudaKernel& k : print_cuda(lower::lower(s.state(), options).or_throw()).or_throw()) text += k.text;
  test::expect_golden("lower/transpose_cuda.txt", text);
}

}  // namespace
}  // namespace tessera::codegen
