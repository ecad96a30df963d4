// The functions behind builtin_rules(): one pair a file of this folder.
#pragma once

#include "search/rules/sketch_builder.h"

namespace tessera::search {

Verdict winograd_meets(const SketchBuilder& b, const std::string& stage);
std::vector<SketchBuilder> winograd_expand(const SketchBuilder& b, const std::string& stage);

Verdict inline_elementwise_meets(const SketchBuilder& b, const std::string& stage);
std::vector<SketchBuilder> inline_elementwise_expand(const SketchBuilder& b, const std::string& stage);

Verdict extern_meets(const SketchBuilder& b, const std::string& stage);
std::vector<SketchBuilder> extern_expand(const SketchBuilder& b, const std::string& stage);

Verdict scan_meets(const SketchBuilder& b, const std::string& stage);
std::vector<SketchBuilder> scan_expand(const SketchBuilder& b, const std::string& stage);

Verdict row_fusion_meets(const SketchBuilder& b, const std::string& stage);
std::vector<SketchBuilder> row_fusion_expand(const SketchBuilder& b, const std::string& stage);
/// Stages between the inputs and `output` that are at root, consumers first.
std::vector<std::string> intermediates(const SketchBuilder& b, const std::string& output);

Verdict multi_level_tiling_meets(const SketchBuilder& b, const std::string& stage);
std::vector<SketchBuilder> multi_level_tiling_expand(const SketchBuilder& b, const std::string& stage);

Verdict register_tile_meets(const SketchBuilder& b, const std::string& stage);
std::vector<SketchBuilder> register_tile_expand(const SketchBuilder& b, const std::string& stage);
/// A reduction at root with one result whose reads can be vectors along its last data axis, as they are
/// or once packed.
bool has_reuse(const SketchBuilder& b, const std::string& stage);
/// A reduction whose operands serve several rows of a tile (a product or convolution): it wants a
/// nest of its own rather than to follow a row of its consumer.
bool has_row_reuse(const SketchBuilder& b, const std::string& stage);

Verdict vector_reduction_meets(const SketchBuilder& b, const std::string& stage);
std::vector<SketchBuilder> vector_reduction_expand(const SketchBuilder& b, const std::string& stage);

Verdict add_rfactor_meets(const SketchBuilder& b, const std::string& stage);
std::vector<SketchBuilder> add_rfactor_expand(const SketchBuilder& b, const std::string& stage);

Verdict compute_location_meets(const SketchBuilder& b, const std::string& stage);
std::vector<SketchBuilder> compute_location_expand(const SketchBuilder& b, const std::string& stage);

Verdict elementwise_meets(const SketchBuilder& b, const std::string& stage);
std::vector<SketchBuilder> elementwise_expand(const SketchBuilder& b, const std::string& stage);

Verdict leave_meets(const SketchBuilder& b, const std::string& stage);
std::vector<SketchBuilder> leave_expand(const SketchBuilder& b, const std::string& stage);

/// What factor_reduction() makes of a reduction `name`, to be placed where its rows are computed.
struct FactoredReduction {
  std::string lanes;   // stage: a vector of partial results a row
  std::string groups;  // stage: several of them, added to one
  std::string hole;    // how many
  std::string loop;    // of groups, along contiguous memory
  std::string tensor;  // what is read along it
};
/// Splits the reduction into vectors of partial results and final sums: shared by vector_reduction and
/// row_fusion.
Result<FactoredReduction> factor_reduction(SketchBuilder& b, const std::string& stage);
/// Computes the partial results at a loop, in registers.
Status place_partials(SketchBuilder& b, const FactoredReduction& f, const std::string& stage, const std::string& loop);

}  // namespace tessera::search
