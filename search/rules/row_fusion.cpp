// A chain of rowwise stages (softmax, norms): every intermediate stage is computed inside the row loop
// of the output, so that a row is read from memory once. Applies when no intermediate is computed
// twice that way.
#include "search/rules/rules.h"

namespace tessera::search {

namespace {

bool fits(const SketchBuilder& b, const std::string& name) {
  const schedule::Stage& s = b.stage(name);
  if (!s.is_output || s.is_reduction() || s.is_scan() || s.is_extern() || s.data_axes().size() < 2) return false;
  const std::vector<std::string> inner = intermediates(b, name);
  if (inner.empty()) return false;
  SketchBuilder trial = b;
  const std::string row = s.data_axes()[s.data_axes().size() - 2];
  double rows = 1;
  for (const std::string& a : s.data_axes()) {
    rows *= static_cast<double>(s.find_axis(a)->extent);
    if (a == row) break;
  }
  for (const std::string& q : inner) {
    if (b.stage(q).is_scan() || b.stage(q).is_extern() || has_row_reuse(b, q)) return false;
    if (!trial.step(schedule::ComputeAt{q, name, row}).ok()) return false;
    const schedule::Stage& placed = trial.stage(q);
    if (volume(placed.region.bound) * rows > volume(placed, schedule::AxisKind::kData) * 1.001) return false;
  }
  return true;
}

}  // namespace

std::vector<std::string> intermediates(const SketchBuilder& b, const std::string& output) {
  std::vector<std::string> out;
  for (std::size_t i = b.state().size(); i-- > 0;) {
    const schedule::Stage& s = b.state().stage(i);
    if (!s.is_input() && s.placement == schedule::Placement::kRoot && s.name != output) out.push_back(s.name);
  }
  return out;
}

Verdict row_fusion_meets(const SketchBuilder& b, const std::string& name) {
  return fits(b, name) ? Verdict::kApplyAndSkipRest : Verdict::kPass;
}

std::vector<SketchBuilder> row_fusion_expand(const SketchBuilder& b, const std::string& name) {
  SketchBuilder next = b;
  const std::vector<std::string> data = b.stage(name).data_axes();
  const std::string row = data[data.size() - 2], last = data.back();
  const auto vectors = [&](const std::string& stage, const std::string& axis) -> Status {
    const std::int64_t extent = next.stage(stage).find_axis(axis)->extent;
    const int lanes = lanes_for(next.task(), next.stage(stage), extent);
    if (lanes < 2) return Done{};
    const schedule::Param several = next.hole(stage + ".unroll", powers_up_to(std::min<std::int64_t>(8, (extent + lanes - 1) / lanes)));
    TESSERA_TRY_DONE(next.step(schedule::Split{stage, axis, {axis + ".0", axis + ".u", axis + ".1"}, {several, lanes}, ir::Tail::kPartition}));
    TESSERA_TRY_DONE(next.step(schedule::Unroll{stage, axis + ".u"}));
    return next.step(schedule::Vectorize{stage, axis + ".1"});
  };
  const auto run = [&]() -> Status {
    for (const std::string& q : intermediates(b, name)) {
      std::optional<FactoredReduction> parts;
      if (next.stage(q).is_reduction()) {
        SketchBuilder trial = next;
        if (auto made = factor_reduction(trial, q); made.ok()) {
          next = std::move(trial);
          parts = *made;
          TESSERA_TRY_DONE(next.step(schedule::Unroll{q, next.stage(q).leaves.back()}));
        }
      } else {
        SketchBuilder placed = next;
        TESSERA_TRY_DONE(placed.step(schedule::ComputeAt{q, name, row}));
        const bool one_a_row = volume(placed.stage(q).region.bound) <= 1;
        if (!one_a_row) TESSERA_TRY_DONE(vectors(q, next.stage(q).data_axes().back()));
      }
      TESSERA_TRY_DONE(next.step(schedule::ComputeAt{q, name, row}));
      if (parts) {
        const std::vector<std::string> own = next.stage(q).data_axes();
        const bool nested = !own.empty();
        TESSERA_TRY_DONE(place_partials(next, *parts, nested ? q : name, nested ? own.back() : row));
      }
      next.finish(q);
    }
    TESSERA_TRY_DONE(vectors(name, last));
    return parallelize(next, name, std::vector<std::string>(data.begin(), data.end() - 1));
  };
  // Fusing the row loops renames the loop that the others hang on; their attachment follows it.
  if (!run().ok()) return {};
  next.add_name("row_fusion");
  next.finish(name);
  return {std::move(next)};
}

}  // namespace tessera::search
