#include "polyhedral/detail/reductions.h"

#include <isl/map.h>
#include <isl/set.h>

#include <algorithm>

namespace tessera::polyhedral::detail {

using ir::Phase;

namespace {

class Reductions {
 public:
  Reductions(const Judged& j, Verdict& verdict) : j_(j), verdict_(verdict) {}

  void check(Producer& p) {
    try {
      check_reduction(p);
    } catch (const NotAffine& e) {
      verdict_.unknown.push_back({"index", "stage '" + p.held.equation->stage + "' has the index " + e.what});
    }
  }

 private:
  const Leaf& leaf(int i) const { return j_.nest.leaves[static_cast<std::size_t>(i)]; }
  const Match& matched(int i) const { return j_.matches[static_cast<std::size_t>(i)]; }

  void violated(Fault fault, const Leaf& l, std::string what, std::string loop = "") {
    verdict_.violations.push_back({fault, l.stage, std::move(loop), std::move(what)});
  }

  std::vector<Store> of(const Producer& p, Phase phase) const {
    std::vector<Store> out;
    std::copy_if(p.stores.begin(), p.stores.end(), std::back_inserter(out), [&](const Store& s) { return leaf(s.leaf).phase == phase; });
    return out;
  }

  void check_reduction(Producer& p) {
    const std::string& stage = p.held.equation->stage;
    const std::vector<Store> inits = of(p, Phase::kInit), updates = of(p, Phase::kUpdate);
    const Leaf& first = leaf(p.stores[0].leaf);
    if (inits.empty()) return violated(Fault::kReduction, first, "reduction '" + stage + "' has no start value in '" + p.buffer->name + "'");
    if (updates.empty()) return violated(Fault::kReduction, first, "reduction '" + stage + "' adds nothing to '" + p.buffer->name + "'");
    for (const Store& u : updates) {
      for (const Store& i : inits) {
        const Relation r = relation(leaf(i.leaf), leaf(u.leaf));
        if (r.common == p.depth && r.order < 0) continue;
        if (inits.size() > 1 || updates.size() > 1) {
          verdict_.unknown.push_back({"copies", "reduction '" + stage + "' is written out in several places"});
          p.undecided = true;
        } else {
          violated(Fault::kReduction, leaf(u.leaf), "reduction '" + stage + "' adds terms before its start value is set");
        }
        return;
      }
    }
    for (const Store& u : updates) check_accumulator(p, u);
    check_terms(p, inits, updates);
  }

  /// An update adds to the place that it reads.
  void check_accumulator(const Producer& p, const Store& u) {
    const Leaf& l = leaf(u.leaf);
    for (const Access& a : matched(u.leaf).reads) {
      if (!a.accumulator || a.buffer != p.buffer || same(a.index, u.value->index)) continue;
      isl::set apart = isl::set::empty(a.where.space());
      for (std::size_t d = 0; d < a.index.size(); ++d) apart = apart.unite(l.space.value(a.index[d]).ne_set(l.space.value(u.value->index[d])));
      apart = apart.intersect(a.where);
      if (apart.is_empty()) continue;
      const isl::point x = apart.sample_point();
      violated(Fault::kValue, l, "in " + iteration_text(l, x) + " the reduction '" + l.stage + "' adds to " + element_text(p.buffer->name, l, a.index, x) +
                                     " and stores to " + element_text(p.buffer->name, l, u.value->index, x));
    }
  }

  /// In an iteration around the reduction a place is started for one element; false when it is not.
  bool check_starts(const Producer& p, const std::vector<Store>& inits) {
    if (p.dense) return true;
    std::optional<isl::set> all;
    for (const Store& i : inits) {
      const Leaf& l = leaf(i.leaf);
      const isl::set here = image(matched(i.leaf).live, key_of(l.space, {p.depth, i.value->index, element_of(l), {}}));
      all = all ? all->unite(here) : here;
    }
    const isl::map elements = by_key(*all, p.depth + static_cast<int>(inits[0].value->index.size()));
    const isl::map both = elements.reverse().apply_range(elements);
    const isl::map two = both.subtract(isl::set(both.domain()).identity());
    if (two.is_empty()) return check_other_starts(p, inits, *all);
    const isl::point x = two.wrap().sample_point();
    const int rank = static_cast<int>(p.held.equation->data_rank());
    violated(Fault::kReduction, leaf(inits[0].leaf), "reduction '" + p.held.equation->stage + "' adds up " + key_text(p, x, 0, rank) + " and " + key_text(p, x, rank, rank) + " in one place of '" + p.buffer->name + "'");
    return false;
  }

  /// What is stored as the start of something else, or is none, spoils what is started there.
  bool check_other_starts(const Producer& p, const std::vector<Store>& inits, const isl::set& started) {
    const auto rank = static_cast<unsigned>(p.held.equation->data_rank());
    const isl::set places = isl::manage(isl_set_project_out(started.copy(), isl_dim_set, static_cast<unsigned>(started.tuple_dim()) - rank, rank));
    for (const Store& i : inits) {
      const Leaf& l = leaf(i.leaf);
      const isl::multi_pw_aff at = key_of(l.space, {p.depth, i.value->index, {}, {}});
      const isl::set hit = places.preimage(at).intersect(l.domain.subtract(matched(i.leaf).live));
      if (hit.is_empty()) continue;
      const std::string& why = matched(i.leaf).wrong;
      violated(why.empty() ? Fault::kReduction : Fault::kValue, l,
               "in " + iteration_text(l, hit.sample_point()) + " the reduction '" + l.stage + "' is started from another value" + (why.empty() ? "" : ": " + why));
      return false;
    }
    return true;
  }

  /// Of the elements that are initialised in an iteration around the reduction, each gets each term once.
  void check_terms(const Producer& p, const std::vector<Store>& inits, const std::vector<Store>& updates) {
    const int v = p.depth, rank = static_cast<int>(p.held.equation->data_rank());
    const int places = p.dense ? 0 : static_cast<int>(updates[0].value->index.size());
    std::optional<isl::set> terms, started;
    if (!check_starts(p, inits)) return;
    for (const Store& u : updates) {
      const Leaf& l = leaf(u.leaf);
      const isl::set done = image(matched(u.leaf).live, key_of(l.space, {v, place_of(p, u), l.coordinates, {}}));
      // Twice: two iterations below the loops around that add the same term.
      const isl::map instances = key_of(l.space, {v, {}, l.coordinates, {}}).as_map().intersect_domain(without_data(l, matched(u.leaf).live));
      if (!instances.is_injective()) {
        const isl::map twice = instances.apply_range(instances.reverse()).subtract(isl::set(instances.domain()).identity());
        const isl::point x = twice.domain().sample_point();
        violated(Fault::kReduction, l, "term " + element_text(l.stage, l, l.coordinates, x) + " is added more than once, as in " + iteration_text(l, x));
        return;
      }
      if (terms && !terms->is_disjoint(done)) return violated(Fault::kReduction, l, "terms of '" + l.stage + "' are added by two statements");
      terms = terms ? terms->unite(done) : done;
    }
    for (const Store& i : inits) {
      const Leaf& l = leaf(i.leaf);
      const isl::set here = image(matched(i.leaf).live, key_of(l.space, {v, place_of(p, i), l.coordinates, {}}));
      started = started ? started->unite(here) : here;
    }
    isl::set needed = isl::manage(isl_set_add_dims(started->copy(), isl_dim_set, static_cast<unsigned>(p.held.equation->coordinates.size()) - static_cast<unsigned>(rank)));
    for (std::size_t c = static_cast<std::size_t>(rank); c < p.held.equation->coordinates.size(); ++c) {
      const auto d = static_cast<unsigned>(v + places) + static_cast<unsigned>(c);
      needed = isl::manage(isl_set_lower_bound_si(needed.release(), isl_dim_set, d, 0));
      needed = isl::manage(isl_set_upper_bound_val(needed.release(), isl_dim_set, d, isl_val_int_from_si(needed.ctx().get(), static_cast<long>(p.held.equation->coordinates[c].extent - 1))));
    }
    const isl::set missing = needed.subtract(*terms);
    if (!missing.is_empty()) return term_missing(p, updates, missing);
    check_unstarted(p, updates, *started, places, rank);
  }

  /// Terms that are added to places which belong to no element that was started, or for instances outside of
  /// the domain, spoil what is there.
  void check_unstarted(const Producer& p, const std::vector<Store>& updates, const isl::set& started, int places, int rank) {
    for (const Store& u : updates) {
      const Leaf& l = leaf(u.leaf);
      const int v = p.depth;
      const isl::set done = image(matched(u.leaf).live, key_of(l.space, {v, place_of(p, u), element_of(l), {}}));
      const isl::set loose = done.subtract(started);
      if (!loose.is_empty()) {
        return violated(Fault::kReduction, l, "reduction '" + l.stage + "' adds terms to " + key_text(p, loose.sample_point(), v + places, rank) + ", which has no start value");
      }
      const isl::set junk = l.domain.subtract(matched(u.leaf).live);
      if (junk.is_empty()) continue;
      const isl::set hit = image(junk, key_of(l.space, {v, u.value->index, {}, {}}));
      isl::set of_elements = p.dense ? started : isl::manage(isl_set_project_out(started.copy(), isl_dim_set, static_cast<unsigned>(v + places), static_cast<unsigned>(rank)));
      if (!hit.is_disjoint(of_elements)) {
        const isl::point x = junk.sample_point();
        const std::string& why = matched(u.leaf).wrong;
        return violated(why.empty() ? Fault::kReduction : Fault::kValue, l,
                        "in " + iteration_text(l, x) + " the reduction '" + l.stage + "' adds what is no term of it" + (why.empty() ? "" : ": " + why));
      }
    }
  }

  void term_missing(const Producer& p, const std::vector<Store>& updates, const isl::set& missing) {
    const Leaf& l = leaf(updates[0].leaf);
    const isl::point x = missing.sample_point();
    const int size = static_cast<int>(missing.tuple_dim()), rank = static_cast<int>(p.held.equation->coordinates.size());
    std::string around;
    for (int d = 0; d < p.depth; ++d) around += (d ? ", " : " in ") + j_.nest.loops[static_cast<std::size_t>(l.loops[static_cast<std::size_t>(d)])].label() + " = " + coordinate_text(x, d);
    const std::string& wrong = matched(updates[0].leaf).wrong;
    violated(wrong.empty() ? Fault::kReduction : Fault::kValue, l, "term " + key_text(p, x, size - rank, rank) + " is not added to what was started" + around + (wrong.empty() ? "" : ": " + wrong),
             p.depth > 0 ? l.space.name(p.depth - 1) : "");
  }

  static isl::set without_data(const Leaf& l, const isl::set& s) {
    const auto loops = static_cast<unsigned>(l.loops.size()), data = static_cast<unsigned>(l.space.size()) - loops;
    if (data == 0) return s;
    isl::set out = isl::manage(isl_set_add_dims(isl_set_project_out(s.copy(), isl_dim_set, loops, data), isl_dim_set, data));
    for (unsigned d = 0; d < data; ++d) out = isl::manage(isl_set_fix_si(out.release(), isl_dim_set, loops + d, 0));
    return out;
  }

  const Judged& j_;
  Verdict& verdict_;
};

}  // namespace

void check_reductions(const Judged& judged, Producers& producers, Verdict& verdict) {
  Reductions checks(judged, verdict);
  for (auto& [id, p] : producers) {
    if (p.is_reduction) checks.check(p);
  }
}

}  // namespace tessera::polyhedral::detail
