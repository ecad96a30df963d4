#include "schedule/steps/transform_layout.h"

#include <algorithm>

#include "schedule/steps/common.h"

namespace tessera::schedule {

Result<std::vector<LayoutPart>> resolve_layout(const Stage& s, const std::vector<LayoutPiece>& order) {
  const std::vector<std::string> axes = s.data_axes();
  std::vector<LayoutPart> out;
  std::vector<int> rest(axes.size(), 0);
  for (const LayoutPiece& p : order) {
    const auto it = std::find(axes.begin(), axes.end(), p.axis);
    if (it == axes.end()) return refuse("'", p.axis, "' is no dimension of stage '", s.name, "'");
    TESSERA_TRY(factor, value_of(p.factor, "layout factor", 0));
    const int dim = static_cast<int>(it - axes.begin());
    rest[static_cast<std::size_t>(dim)] += factor == 0 ? 1 : 0;
    if (factor == 0) {
      for (const LayoutPart& earlier : out) {
        if (earlier.dim == dim) return refuse("the remaining piece of '", p.axis, "' must come before its blocks");
      }
    }
    out.push_back({dim, factor});
  }
  for (std::size_t d = 0; d < axes.size(); ++d) {
    if (rest[d] != 1) return refuse("layout of stage '", s.name, "' names the remaining piece of '", axes[d], "' ", rest[d], " times; once is needed");
  }
  return out;
}

Result<State> TransformLayout::apply(const State& state) const {
  TESSERA_TRY(s, require_compute(state, stage, "transform_layout"));
  if (s->is_output) return refuse("stage '", stage, "' is an output of the program; its layout is the caller's");
  TESSERA_TRY(layout, resolve_layout(*s, order));
  for (const StrideAlignment& a : s->alignments) {
    if (!layout.empty() && a.dim == layout.back().dim) {
      return refuse("storage_align widened the stride of '", s->data_axes()[static_cast<std::size_t>(a.dim)], "' of stage '", stage,
                    "', which this order makes the innermost; its elements stay neighbours, keep another axis innermost");
    }
  }
  State next = state;
  next.edit(stage).layout = std::move(layout);
  return finish_step(std::move(next));
}

}  // namespace tessera::schedule
