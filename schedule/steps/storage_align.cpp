#include "schedule/steps/storage_align.h"

#include <algorithm>

#include "schedule/steps/common.h"
#include "schedule/storage.h"

namespace tessera::schedule {

Result<State> StorageAlign::apply(const State& state) const {
  TESSERA_TRY(s, require_compute(state, stage, "storage_align"));
  if (s->is_output) return refuse("stage '", stage, "' is an output of the program; its layout is the caller's");
  const std::vector<std::string> axes = s->data_axes();
  const auto at = std::find(axes.begin(), axes.end(), axis);
  if (at == axes.end()) return refuse("'", axis, "' is no dimension of stage '", stage, "'");
  TESSERA_TRY(f, value_of(factor, "alignment factor", 1, 1 << 16));
  TESSERA_TRY(o, value_of(offset, "alignment offset", 0, 1 << 16));
  if (o >= f) return refuse("alignment offset ", o, " is not below the factor ", f);
  const int dim = static_cast<int>(at - axes.begin());
  State next = state;
  std::vector<StrideAlignment>& all = next.edit(stage).alignments;
  std::erase_if(all, [&](const StrideAlignment& a) { return a.dim == dim; });
  all.push_back({dim, f, o});
  TESSERA_TRY(done, finish_step(std::move(next)));
  TESSERA_TRY(box, stored_box(done, *done.find(stage)));
  (void)box;
  return done;
}

}  // namespace tessera::schedule
