// CUDA kernels to export: a single one, several with a workspace, one with much shared memory.
#pragma once

#include "codegen/cuda/build_image.h"
#include "codegen/cuda/source.h"
#include "driver/compile.h"
#include "exporter/export_cuda.h"
#include "ir/cuda_arch.h"
#include "ops/catalog.h"
#include "search/pack.h"
#include "support/json/json.h"
#include "tests/export/export_fixture.h"

namespace tessera::exporter::testing {

/// An operator with a plan, and what became of it.
struct CudaCase {
  dsl::ComputeDag dag;
  ir::Program finished;
  codegen::BuiltCuda built;
};

inline const ir::Target& cuda_target() {
  static const ir::Target target = ir::parse_target("cuda -arch=sm_90a").or_throw();
  return target;
}

inline CudaCase cuda_case(const dsl::ComputeDag& dag, const schedule::Plan& plan) {
  codegen::CubinCache cache("");
  ir::Program finished = driver::finished_program(dag, plan, cuda_target()).or_throw();
  codegen::CudaSource source = codegen::cuda_source(finished).or_throw();
  codegen::BuiltCuda built = codegen::build_cuda(codegen::needed_nvrtc(), cache, cuda_target(), std::move(source), true).or_throw();
  return {dag, std::move(finished), std::move(built)};
}

inline const CudaCase& one_kernel() {
  static const CudaCase c = cuda_case(matmul(), driver::default_plan(matmul(), cuda_target()));
  return c;
}

inline const CudaCase& several_kernels() {
  static const CudaCase c = [] {
    const dsl::ComputeDag dag = ops::build({"softmax", {{"m", 37}, {"n", 70}}, "", ""}).or_throw();
    return cuda_case(dag, driver::default_plan(dag, cuda_target()));
  }();
  return c;
}

/// Sums of rows, cut into chunks that the last block adds up.
inline const CudaCase& last_block() {
  static const CudaCase c = [] {
    const dsl::ComputeDag dag = ops::build({"reduce_sum", {{"m", 3}, {"n", 509}}, "", ""}).or_throw();
    const std::string y = dag.outputs()[0]->name;
    const schedule::State state = schedule::State::initial(std::make_shared<const dsl::ComputeDag>(dag)).or_throw();
    const std::string row = state.find(y)->roots[0].axis, k = state.find(y)->roots[1].axis;
    const schedule::StepList steps{schedule::Split{y, k, {"k.o", "k.i"}, {64}},
                                   schedule::Rfactor{y, "k.o", "part"},
                                   schedule::Bind{"part", row, ir::ForKind::kBlockY},
                                   schedule::Bind{"part", "k.o", ir::ForKind::kBlockX},
                                   schedule::Bind{"part", "k.i", ir::ForKind::kThreadX},
                                   schedule::Bind{y, row, ir::ForKind::kThreadX},
                                   schedule::FinishInLastBlock{y}};
    return cuda_case(dag, steps);
  }();
  return c;
}

/// A point of the search space that asks for more shared memory than the driver gives unasked.
inline const CudaCase& much_shared() {
  static const CudaCase c = [] {
    search::Task task;
    task.dag = matmul(false, 256, 256, 256);
    task.target = cuda_target();
    for (const search::Candidate& candidate : search::pack_candidates(task, {.count = 400, .seed = 7, .jobs = 1}, {})) {
      const ir::Program finished = driver::finished_program(task.dag, candidate.steps, task.target).or_throw();
      const auto source = codegen::cuda_source(finished);
      if (!source.ok() || source->image.launches.front().shared_bytes <= ir::kSharedWithoutOptIn) continue;
      if (!driver::check_launchable(finished, task.target).ok()) continue;
      return cuda_case(task.dag, candidate.steps);
    }
    throw InternalError("no point of the space has more than 48 KiB of shared memory");
  }();
  return c;
}

inline const Json& member(const Json& j, const char* name) { return *json_member(j, name).or_throw(); }

}  // namespace tessera::exporter::testing
