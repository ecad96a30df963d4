// Thread program -> CUDA C++ text without headers (docs/reference/cuda_text.md), one entry a function.
#pragma once

#include <string>
#include <vector>

#include "ir/program.h"
#include "runtime/kernel_image.h"

namespace tessera::codegen {

/// A kernel's text, and what a launch of it needs.
struct CudaKernel {
  std::string name;
  std::string text;  // without the prelude
  runtime::Extent3 grid, block;
  std::int64_t shared_bytes = 0;
  std::int64_t local_bytes = 0;    // of the largest set of register tiles a thread holds at once
  std::int64_t private_bytes = 0;  // of the largest set of arrays a thread addresses (Scope::kLocal)
  std::vector<ir::Buffer> parameters;  // in order
  ir::RunPhase phase = ir::RunPhase::kRun;
  bool waits_for_all = false;  // its last block goes on when all have run: a part of the grid does not do
};

/// Every function of a finished program (lower/, target cuda) in the order of its launches. Refuses
/// dtypes and statements that have no form in the text, with the statement.
Result<std::vector<CudaKernel>> print_cuda(const ir::Program& program);

}  // namespace tessera::codegen
