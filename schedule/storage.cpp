#include "schedule/storage.h"

#include <algorithm>

#include "ir/rewrite.h"
#include "schedule/geometry.h"

namespace tessera::schedule {

namespace {

/// Splits with tail `pad` write whole tiles. Where the box is stored around several places of
/// computation, their tiles start anywhere inside it.
std::vector<std::int64_t> stored_extents(const Stage& s, const Box& box) {
  const bool aligned = !s.store_at || *s.store_at == s.at;
  std::vector<std::int64_t> out = box.bound;
  for (const Relation& r : s.relations) {
    if (r.kind != Relation::Kind::kSplit || r.tail != ir::Tail::kPad) continue;
    for (std::size_t d = 0; d < out.size(); ++d) {
      if (s.roots[d].axis != r.whole) continue;
      out[d] = aligned ? (out[d] + r.factor - 1) / r.factor * r.factor : out[d] + r.factor - 1;
    }
  }
  return out;
}

Result<ir::Layout> stored_layout(const Stage& s, const std::vector<std::int64_t>& extents) {
  if (s.layout.empty()) return ir::Layout::row_major(extents);
  // Innermost pieces first, so that each divisor is the product of the blocks inside.
  std::vector<ir::LayoutDigit> digits(s.layout.size());
  std::vector<std::int64_t> inside(extents.size(), 1);
  for (std::size_t i = s.layout.size(); i-- > 0;) {
    const LayoutPart& p = s.layout[i];
    const auto d = static_cast<std::size_t>(p.dim);
    const std::int64_t rest = (extents[d] + inside[d] - 1) / inside[d];
    const std::int64_t n = p.factor == 0 ? rest : p.factor;
    digits[i] = {p.dim, inside[d], n, 1};
    inside[d] *= n;
  }
  return ir::Layout::tiled(extents, std::move(digits));
}

bool depends_on_constants_alone(const State& state, const Stage& s, const std::vector<std::string>& prepared) {
  bool constant = true, reads = false;
  for (const Expr& body : s.body) {
    ir::walk(body, [&](const Expr& e) {
      const auto* l = e.as<ir::Load>();
      if (l == nullptr) return true;
      reads = true;
      const Stage* p = state.producer(l->buffer.get());
      const bool ahead = p != nullptr && std::find(prepared.begin(), prepared.end(), p->name) != prepared.end();
      constant &= p != nullptr && (p->kind == dsl::OperationKind::kConstant || ahead);
      return true;
    });
  }
  return constant && reads;
}

}  // namespace

Result<StoredBox> stored_box(const State& state, const Stage& s) {
  Box box = s.region;
  if (s.store_at) {
    TESSERA_TRY(kept, required_region(state, s, fixed_at(state, *s.store_at)));
    box = std::move(kept);
  }
  StoredBox out;
  out.base = box.lo;
  out.extents = stored_extents(s, box);
  TESSERA_TRY(layout, stored_layout(s, out.extents));
  out.layout = std::move(layout);
  return out;
}

std::vector<std::string> prepared_stages(const State& state) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < state.size(); ++i) {
    const Stage& s = state.stage(i);
    if (s.is_input() || s.is_output || s.placement != Placement::kRoot) continue;
    // What is computed inside the stage would have to run ahead with it.
    bool alone = true;
    for (std::size_t q = 0; q < state.size(); ++q) {
      alone &= !(state.stage(q).placement == Placement::kAt && state.stage(q).at.stage == s.name);
    }
    if (alone && depends_on_constants_alone(state, s, out)) out.push_back(s.name);
  }
  return out;
}

}  // namespace tessera::schedule
