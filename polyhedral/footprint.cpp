#include "polyhedral/footprint.h"

#include <isl/map.h>
#include <isl/set.h>

#include <algorithm>
#include <set>

#include "ir/rewrite.h"
#include "polyhedral/detail/nest.h"
#include "polyhedral/detail/stage_reads.h"

namespace tessera::polyhedral {

namespace {

using detail::Leaf;
using detail::NotAffine;
using ir::Expr;

/// An access of a leaf and the iterations that make it.
struct Touch {
  const ir::BufferNode* buffer = nullptr;
  ir::Exprs index;
  isl::set where;
  bool write = false;
};

/// Reads in order of appearance; lazy choices guard theirs.
void add_reads(const Leaf& leaf, const Expr& e, const isl::set& where, std::vector<Touch>& out) {
  if (const auto* load = e.as<ir::Load>()) out.push_back({load->buffer.get(), load->indices, where, false});
  if (const auto* choice = e.as<ir::IfThenElseExpr>()) {
    isl::set yes = where, no = where;
    try {
      const isl::set holds = leaf.space.where(choice->condition);
      yes = where.intersect(holds);
      no = where.subtract(holds);
    } catch (const NotAffine&) {  // either branch, anywhere
    }
    add_reads(leaf, choice->condition, where, out);
    add_reads(leaf, choice->yes, yes, out);
    return add_reads(leaf, choice->no, no, out);
  }
  ir::for_each_child(e, [&](const Expr& c) { add_reads(leaf, c, where, out); });
}

std::vector<Touch> touches_of(const Leaf& leaf) {
  std::vector<Touch> out;
  for (const detail::StoredValue& s : leaf.stores) out.push_back({s.buffer.get(), s.index, leaf.domain, true});
  for (const detail::StoredValue& s : leaf.stores) {
    for (const Expr& i : s.index) add_reads(leaf, i, leaf.domain, out);
    add_reads(leaf, s.value, leaf.domain, out);
  }
  return out;
}

isl::set without_dimensions(const isl::set& s, int first) {
  const auto from = static_cast<unsigned>(first);
  return isl::manage(isl_set_project_out(s.copy(), isl_dim_set, from, static_cast<unsigned>(s.tuple_dim()) - from));
}

isl::map at(const isl::map& m, int dimension, std::int64_t value) {
  return isl::manage(isl_map_fix_si(m.copy(), isl_dim_in, static_cast<unsigned>(dimension), static_cast<int>(value)));
}

/// Points of a set; where they are no box, ISL goes through them one by one.
std::int64_t count(const isl::set& s) {
  if (isl_set_is_box(s.get()) != isl_bool_true) return isl::manage(isl_set_count_val(s.get())).num_si();
  std::int64_t out = 1;
  for (const std::int64_t e : detail::box_extents(s)) out *= e;
  return out;
}

/// Iterations -> elements.
isl::map relation_of(const Leaf& leaf, const Touch& t, bool& exact) {
  const auto rank = static_cast<unsigned>(t.index.size());
  isl::map m = isl::manage(isl_map_universe(isl_space_alloc(leaf.space.ctx().get(), 0, static_cast<unsigned>(leaf.space.size()), rank)));
  for (unsigned d = 0; d < rank; ++d) {
    try {
      isl::map one = leaf.space.value(t.index[d]).as_map();
      one = isl::manage(isl_map_insert_dims(one.release(), isl_dim_out, 0, d));
      m = m.intersect(isl::manage(isl_map_add_dims(one.release(), isl_dim_out, rank - d - 1)));
    } catch (const NotAffine&) {
      std::int64_t extent = 0;
      ir::is_const_int(t.buffer->shape[d], &extent);
      m = isl::manage(isl_map_upper_bound_si(isl_map_lower_bound_si(m.release(), isl_dim_out, d, 0), isl_dim_out, d, static_cast<int>(extent - 1)));
      exact = false;
    }
  }
  m = m.intersect_domain(t.where);
  const auto loops = static_cast<unsigned>(leaf.loops.size()), all = static_cast<unsigned>(leaf.space.size());
  exact &= loops == all;
  return isl::manage(isl_map_project_out(m.release(), isl_dim_in, loops, all - loops));
}

/// The loops of a leaf; a fused loop is several dimensions, one a digit.
struct Level {
  std::string name;
  int first = 0;  // dimension
};

std::vector<Level> levels_of(const Leaf& leaf) {
  std::vector<Level> out;
  const isl::set domain = without_dimensions(leaf.domain, static_cast<int>(leaf.loops.size()));
  int first = 0;
  for (const auto& [name, value] : leaf.iteration) {
    std::set<ir::VarId> digits;
    ir::walk(value, [&](const Expr& e) {
      if (const auto* v = e.as<ir::VarNode>()) digits.insert(v->id);
      return true;
    });
    const int next = first + static_cast<int>(digits.size());
    isl::map step = isl::manage(isl_map_from_range(without_dimensions(domain, next).release()));
    step = isl::manage(isl_map_move_dims(step.release(), isl_dim_in, 0, isl_dim_out, 0, static_cast<unsigned>(first)));
    if (!step.is_single_valued()) out.push_back({name, first});
    first = next;
  }
  return out;
}

class Counter {
 public:
  explicit Counter(const Leaf& leaf) : leaf_(leaf), levels_(levels_of(leaf)) {}

  StatementFootprint run() const {
    StatementFootprint out{leaf_.stage, leaf_.phase, {}, {}};
    for (const Level& l : levels_) out.loops.push_back(l.name);
    for (const Touch& t : touches_of(leaf_)) out.accesses.push_back(access(t));
    return out;
  }

 private:
  AccessFootprint access(const Touch& t) const {
    AccessFootprint out{t.buffer->name, t.write, true, {}};
    isl::map left = relation_of(leaf_, t, out.exact);
    auto level = levels_.begin();
    for (int d = 0; d <= static_cast<int>(leaf_.loops.size()); ++d) {
      const bool all = d == static_cast<int>(leaf_.loops.size());
      if (level != levels_.end() ? level->first == d : all) {
        const isl::set elements = left.range();
        out.levels.push_back({count(elements), count(left.domain()), detail::box_extents(elements)});
        if (level != levels_.end()) ++level;
      }
      if (!all) left = largest(left, d);
    }
    return out;
  }

  /// `m` in the iteration of dimension `d` that touches most.
  static isl::map largest(const isl::map& m, int d) {
    const isl::set domain = m.domain();
    if (domain.is_empty()) return m;
    const std::int64_t lo = isl::manage(isl_set_dim_min_val(domain.copy(), d)).num_si();
    const std::int64_t hi = isl::manage(isl_set_dim_max_val(domain.copy(), d)).num_si();
    isl::map best = at(m, d, lo);
    if (lo == hi) return best;
    std::int64_t most = count(best.range());
    for (const std::int64_t v : std::set<std::int64_t>{lo + (hi - lo) / 2, hi}) {
      const isl::map one = at(m, d, v);
      if (const std::int64_t n = count(one.range()); n > most) {
        most = n;
        best = one;
      }
    }
    return best;
  }

  const Leaf& leaf_;
  std::vector<Level> levels_;
};

}  // namespace

Result<std::vector<StatementFootprint>> footprints(const ir::Program& loops, const Equations& program, std::chrono::milliseconds limit) {
  const detail::IslContext isl;
  return isl.within(limit, [&]() -> Result<std::vector<StatementFootprint>> {
    const detail::Nest nest = detail::nest_of(isl, loops, program);
    if (!nest.unknown.empty()) return refuse("the loops hold ", nest.unknown[0], ", whose accesses are not known");
    std::vector<StatementFootprint> out;
    for (const Leaf& leaf : nest.leaves) {
      if (!leaf.is_extern) out.push_back(Counter(leaf).run());
    }
    return out;
  });
}

}  // namespace tessera::polyhedral
