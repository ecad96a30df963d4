// A matrix product of few results and a long reduction has too few tiles for a device: chunks of the reduction are
// products of their own, and a second kernel adds them up (use_algorithm split_k). Every order of adding is the same
// from run to run.
//
// Condition: one reduction axis and one row axis; tiles of 64 x 64 results are fewer than multiprocessors; chunks of
// 64 or more, all of a length.
#include <algorithm>

#include "search/rules/cuda/rules.h"
#include "search/rules/reduction_shape.h"

namespace tessera::search {

namespace {

constexpr std::int64_t kShortest = 64, kMostChunks = 32;

/// 2, 4, ... as far as all chunks of the longest reduction axis are of a length.
std::vector<std::int64_t> chunk_counts(const schedule::Stage& s) {
  std::int64_t longest = 1;
  for (const schedule::RootAxis& r : s.roots) {
    if (r.kind == schedule::AxisKind::kReduce) longest = std::max(longest, r.extent);
  }
  std::vector<std::int64_t> out;
  for (std::int64_t n = 2; n <= kMostChunks && longest % (n * kShortest) == 0; n *= 2) out.push_back(n);
  return out;
}

}  // namespace

Verdict cuda_split_k_meets(const SketchBuilder& b, const std::string& name) {
  const schedule::Stage& s = b.stage(name);
  const bool single = s.is_reduction() && !s.is_scan() && s.outputs.size() == 1 && s.data_axes().size() > 1 && s.reduce() != nullptr && s.reduce()->sources.size() == 1;
  if (!single) return Verdict::kPass;
  const ReductionShape shape = shape_of(s);
  if (shape.rows.size() != 1 || shape.reduce.size() != 1 || shape.column.extent < 2 || chunk_counts(s).empty()) return Verdict::kPass;
  const double tiles = volume(s, schedule::AxisKind::kData) / (64 * 64);
  return tiles < arch_of(b.task()).sms ? Verdict::kApply : Verdict::kPass;
}

std::vector<SketchBuilder> cuda_split_k_expand(const SketchBuilder& b, const std::string& name) {
  SketchBuilder next = b;
  const schedule::Param chunks = next.hole(name + ".chunks", chunk_counts(b.stage(name)));
  if (!next.step(schedule::UseAlgorithm{name, "split_k", {{"chunks", chunks}}}).ok()) return {};
  std::vector<SketchBuilder> out{next};
  const std::string chunk = name + ".partial";
  if (cuda_mma_form_meets(next, chunk) != Verdict::kPass) {
    for (SketchBuilder& other : cuda_mma_form_expand(next, chunk)) out.push_back(std::move(other));
  }
  return out;
}

}  // namespace tessera::search
