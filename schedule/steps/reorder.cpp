#include "schedule/steps/reorder.h"

#include <algorithm>

#include "schedule/steps/common.h"

namespace tessera::schedule {

Result<State> Reorder::apply(const State& state) const {
  TESSERA_TRY(before, require_compute(state, stage, "reorder"));
  std::vector<int> places;
  for (const std::string& a : order) {
    TESSERA_TRY(index, require_leaf(*before, a));
    if (std::find(places.begin(), places.end(), index) != places.end()) {
      return refuse("reorder names loop '", a, "' of stage '", stage, "' twice");
    }
    places.push_back(index);
  }
  std::sort(places.begin(), places.end());
  State next = state;
  Stage& s = next.edit(stage);
  for (std::size_t i = 0; i < order.size(); ++i) s.leaves[static_cast<std::size_t>(places[i])] = order[i];
  if (!s.init_axis.empty()) {
    for (int i = 0; i < s.leaf_index(s.init_axis); ++i) {
      const std::string& leaf = s.leaves[static_cast<std::size_t>(i)];
      if (s.find_axis(leaf)->kind == AxisKind::kReduce) {
        return refuse("reorder moves reduction loop '", leaf, "' of stage '", stage,
                      "' outside its initialisation at '", s.init_axis, "'");
      }
    }
  }
  guard_reordered(s);
  return finish_step(std::move(next));
}

}  // namespace tessera::schedule
