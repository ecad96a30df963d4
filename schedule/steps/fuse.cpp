#include "schedule/steps/fuse.h"

#include "schedule/steps/common.h"

namespace tessera::schedule {

Result<State> Fuse::apply(const State& state) const {
  if (axes.size() < 2) return refuse("fuse needs at least two loops, ", axes.size(), " given");
  const Stage* before = nullptr;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    TESSERA_TRY(ref, require_plain_loop(state, stage, axes[i], "fuse"));
    before = ref.stage;
    if (i > 0 && ref.index != before->leaf_index(axes[i - 1]) + 1) {
      return refuse("loop '", axes[i], "' of stage '", stage, "' does not stand directly inside '", axes[i - 1],
                    "'; reorder them first");
    }
    if (before->find_axis(axes[i])->kind != before->find_axis(axes[0])->kind) {
      return refuse("loops '", axes[0], "' and '", axes[i], "' of stage '", stage,
                    "' are a data and a reduction loop; only loops of one kind fuse");
    }
  }
  TESSERA_TRY_DONE(require_new_axis(*before, into));
  State next = state;
  Stage& s = next.edit(stage);
  std::string outer = axes[0];
  for (std::size_t i = 1; i < axes.size(); ++i) {
    const bool last = i + 1 == axes.size();
    const std::string name = last ? into : into + ".part" + std::to_string(i);
    if (!last) TESSERA_TRY_DONE(require_new_axis(s, name));
    make_rectangular(s, axes[i]);
    s.axes.push_back({name, Var::fresh(name), s.find_axis(outer)->kind, 1, ForKind::kSerial, false, {}});
    Relation r;
    r.kind = Relation::Kind::kFuse;
    r.whole = name;
    r.outer = outer;
    r.inner = axes[i];
    s.relations.push_back(r);
    const auto at = s.leaves.begin() + s.leaf_index(outer);
    *at = name;
    s.leaves.erase(at + 1);
    outer = name;
  }
  guard_reordered(s);
  for (const std::string& a : axes) move_attachments(next, stage, a, into);
  return finish_step(std::move(next));
}

}  // namespace tessera::schedule
