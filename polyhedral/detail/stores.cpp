#include "polyhedral/detail/stores.h"

#include <isl/aff.h>
#include <isl/map.h>
#include <isl/point.h>

#include <algorithm>

#include "ir/rewrite.h"

namespace tessera::polyhedral::detail {

using ir::Exprs;

isl::multi_pw_aff key_of(const Space& space, const Key& key) {
  isl::pw_aff_list list = isl::manage(isl_pw_aff_list_alloc(space.ctx().get(), 8));
  for (int l = 0; l < key.loops; ++l) list = list.add(isl::pw_aff(space.dimension(l)));
  for (const Exprs* part : {&key.place, &key.element}) {
    for (const ir::Expr& e : *part) list = list.add(space.value(e));
  }
  if (key.flag) list = list.add(space.constant(*key.flag));
  const auto size = static_cast<unsigned>(isl_pw_aff_list_n_pw_aff(list.get()));
  return isl::multi_pw_aff(isl::manage(isl_space_alloc(space.ctx().get(), 0, static_cast<unsigned>(space.size()), size)), list);
}

isl::set image(const isl::set& domain, const isl::multi_pw_aff& f) { return domain.apply(f.as_map()).coalesce(); }

isl::map by_key(const isl::set& s, int keys) {
  isl::map m = isl::manage(isl_map_from_range(s.copy()));
  return isl::manage(isl_map_move_dims(m.release(), isl_dim_in, 0, isl_dim_out, 0, static_cast<unsigned>(keys)));
}

bool same(const Exprs& a, const Exprs& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](const ir::Expr& x, const ir::Expr& y) { return ir::equal(x, y); });
}

Exprs element_of(const Leaf& l) { return {l.coordinates.begin(), l.coordinates.begin() + static_cast<std::ptrdiff_t>(l.equation->data_rank())}; }

std::string coordinate_text(const isl::point& x, int d) {
  const isl::val v = isl::manage(isl_point_get_coordinate_val(x.get(), isl_dim_set, d));
  return std::to_string(v.num_si());
}

std::string key_text(const Producer& p, const isl::point& x, int from, int count) {
  std::string out = p.held.equation->stage + "[";
  for (int d = 0; d < count; ++d) out += (d ? ", " : "") + coordinate_text(x, from + d);
  return out + "]";
}

namespace {

void add(const Judged& j, int i, const StoredValue& s, Producers& out) {
  const Leaf& l = j.nest.leaves[static_cast<std::size_t>(i)];
  Producer& p = out[s.buffer->id];
  p.held = j.holders.at(s.buffer->id);
  p.buffer = s.buffer.get();
  p.is_reduction = p.held.equation->reduce() != nullptr;
  const auto allocated = j.nest.allocated.find(s.buffer->id);
  p.allocated = allocated == j.nest.allocated.end() ? 0 : allocated->second;
  p.dense = p.dense && same(s.index, element_of(l)) && j.matches[static_cast<std::size_t>(i)].all_live;
  if (p.stores.empty()) p.depth = static_cast<int>(l.loops.size());
  for (const Store& other : p.stores) p.depth = std::min(p.depth, relation(j.nest.leaves[static_cast<std::size_t>(other.leaf)], l).common);
  p.stores.push_back({i, &s});
}

}  // namespace

Producers producers_of(const Judged& judged) {
  Producers out;
  for (std::size_t i = 0; i < judged.nest.leaves.size(); ++i) {
    for (const StoredValue& s : judged.nest.leaves[i].stores) add(judged, static_cast<int>(i), s, out);
  }
  return out;
}

}  // namespace tessera::polyhedral::detail
