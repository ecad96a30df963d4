// The functions behind cuda_rules(): one pair a file of this folder.
#pragma once

#include "ir/cuda_arch.h"
#include "search/rules/rules.h"

namespace tessera::search {

Verdict cuda_inline_meets(const SketchBuilder& b, const std::string& stage);
std::vector<SketchBuilder> cuda_inline_expand(const SketchBuilder& b, const std::string& stage);

Verdict cuda_rows_meets(const SketchBuilder& b, const std::string& stage);
std::vector<SketchBuilder> cuda_rows_expand(const SketchBuilder& b, const std::string& stage);

Verdict cuda_tile_meets(const SketchBuilder& b, const std::string& stage);
std::vector<SketchBuilder> cuda_tile_expand(const SketchBuilder& b, const std::string& stage);

Verdict cuda_rfactor_meets(const SketchBuilder& b, const std::string& stage);
std::vector<SketchBuilder> cuda_rfactor_expand(const SketchBuilder& b, const std::string& stage);

Verdict cuda_reduction_meets(const SketchBuilder& b, const std::string& stage);
std::vector<SketchBuilder> cuda_reduction_expand(const SketchBuilder& b, const std::string& stage);

Verdict cuda_transpose_meets(const SketchBuilder& b, const std::string& stage);
std::vector<SketchBuilder> cuda_transpose_expand(const SketchBuilder& b, const std::string& stage);

Verdict cuda_threads_meets(const SketchBuilder& b, const std::string& stage);
std::vector<SketchBuilder> cuda_threads_expand(const SketchBuilder& b, const std::string& stage);

// Shared by them.
/// Powers of two in [low, high].
std::vector<std::int64_t> powers_between(std::int64_t low, std::int64_t high);
/// Fuses `axes` (at least one) to `into`; one alone keeps its name, which is returned.
Result<std::string> fused(SketchBuilder& b, const std::string& stage, const std::vector<std::string>& axes, const std::string& into);
/// What a block may have: of the task's architecture.
ir::CudaArch arch_of(const Task& task);

}  // namespace tessera::search
