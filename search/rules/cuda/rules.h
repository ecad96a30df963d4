// The functions behind cuda_rules(): one pair a file of this folder.
#pragma once

#include <functional>

#include "ir/cuda_arch.h"
#include "search/rules/rules.h"

namespace tessera::search {

Verdict cuda_inline_meets(const SketchBuilder& b, const std::string& stage);
std::vector<SketchBuilder> cuda_inline_expand(const SketchBuilder& b, const std::string& stage);

/// Rows in blocks of threads that step together.
Verdict cuda_scan_meets(const SketchBuilder& b, const std::string& stage);
std::vector<SketchBuilder> cuda_scan_expand(const SketchBuilder& b, const std::string& stage);

Verdict cuda_rows_meets(const SketchBuilder& b, const std::string& stage);
std::vector<SketchBuilder> cuda_rows_expand(const SketchBuilder& b, const std::string& stage);

/// Products of chunks of the reduction, and their sum.
Verdict cuda_split_k_meets(const SketchBuilder& b, const std::string& stage);
std::vector<SketchBuilder> cuda_split_k_expand(const SketchBuilder& b, const std::string& stage);

/// Makes matrix products of what tensor cores can take: im2col, pad_reduction.
Verdict cuda_mma_form_meets(const SketchBuilder& b, const std::string& stage);
std::vector<SketchBuilder> cuda_mma_form_expand(const SketchBuilder& b, const std::string& stage);

Verdict cuda_mma_meets(const SketchBuilder& b, const std::string& stage);
std::vector<SketchBuilder> cuda_mma_expand(const SketchBuilder& b, const std::string& stage);

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
/// The stage that `is_product` accepts and whose results the elementwise stage `name` takes, as `taker` tells of it; empty
/// when there is none.
std::string product_taken_by(const SketchBuilder& b, const std::string& name, const std::function<bool(const std::string&)>& is_product,
                             const std::function<std::string(const schedule::Stage&)>& taker);
/// The tile of what `reader` reads of `tensor`, in shared memory at `loop` of it, padded: a copy, or the tensor's own
/// stage where only this reader needs it (a border, a scale, patches of an image). `before` adds what stands between
/// the tile and the reader, once the tile has its name. The name of the tile.
Result<std::string> shared_tile(SketchBuilder& b, const std::string& tensor, const std::string& reader, const std::string& loop,
                                const std::function<Status(const std::string& tile)>& before = {});
/// All threads that `reader` has fetch the tile, a hole of elements at a time, `slots` tiles ahead.
Status fetch_tile(SketchBuilder& b, const std::string& tile, const std::string& reader, const schedule::Param& slots);
/// Rows of blocks that are done together, column by column, before the next rows: what a wave of blocks reads of both
/// operands is then that of a square, near enough, and stays in the second cache. 1 where there are few rows.
std::int64_t rows_of_a_group(std::int64_t extent);
/// Elements that a thread may take at once along an axis: powers of two that divide its extent, up to 16 bytes of
/// elements of `bytes`.
std::vector<std::int64_t> vector_lengths(std::int64_t extent, int bytes);
/// Bytes of the widest element in memory of which `stage` reads neighbours along `coordinate`; 0: there is none.
int widest_along(const SketchBuilder& b, const std::string& stage, const ir::Var& coordinate);
/// What `reduction` reads of memory along `coordinate` inside of `loop`: in one vector, into registers.
Status read_in_vectors(SketchBuilder& b, const std::string& reduction, const ir::Var& coordinate, const std::string& loop);
/// What a block may have: of the task's architecture.
ir::CudaArch arch_of(const Task& task);

}  // namespace tessera::search
