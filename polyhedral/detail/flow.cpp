#include "polyhedral/detail/flow.h"

#include <isl/aff.h>
#include <isl/map.h>
#include <isl/set.h>

#include <algorithm>
#include <limits>

#include "ir/rewrite.h"
#include "polyhedral/detail/reductions.h"

namespace tessera::polyhedral::detail {

using ir::Exprs;
using ir::Phase;

namespace {

/// [head, a, tail] -> [head, b, tail] with b > a.
isl::map later(isl::ctx ctx, int head, int size) {
  isl::map m = isl::manage(isl_map_universe(isl_space_alloc(ctx.get(), 0, static_cast<unsigned>(size), static_cast<unsigned>(size))));
  for (int d = 0; d < size; ++d) {
    if (d != head) m = isl::manage(isl_map_equate(m.release(), isl_dim_in, d, isl_dim_out, d));
  }
  return isl::manage(isl_map_order_lt(m.release(), isl_dim_in, head, isl_dim_out, head));
}

class Flow {
 public:
  Flow(const Judged& j, Verdict& verdict) : j_(j), verdict_(verdict), producers_(producers_of(j)) {}

  void run() {
    // One defect spoils what follows from it: the first is reported.
    const std::size_t before = verdict_.violations.size();
    check_reductions(j_, producers_, verdict_);
    for (std::size_t i = 0; i < j_.nest.leaves.size() && verdict_.violations.size() == before; ++i) {
      for (const Access& a : j_.matches[i].reads) {
        if (!a.accumulator) guarded(leaf(static_cast<int>(i)).stage, [&] { check_read(leaf(static_cast<int>(i)), a); });
      }
    }
    for (const ir::Buffer& output : j_.program.outputs) {
      if (verdict_.violations.size() == before) check_output(output);
    }
  }

 private:
  const Leaf& leaf(int i) const { return j_.nest.leaves[static_cast<std::size_t>(i)]; }
  const Match& matched(int i) const { return j_.matches[static_cast<std::size_t>(i)]; }

  template <class F>
  void guarded(const std::string& stage, const F& f) {
    try {
      f();
    } catch (const NotAffine& e) {
      verdict_.unknown.push_back({"index", "stage '" + stage + "' has the index " + e.what});
    }
  }

  void violated(Fault fault, const Leaf& l, std::string what, std::string loop = "") {
    verdict_.violations.push_back({fault, l.stage, std::move(loop), std::move(what)});
  }

  // ---- reads ----------------------------------------------------------------------------------------

  /// What store `s` puts where in an iteration of the first `loops` loops around it; `any`: the places alone, of
  /// what counts for nothing too.
  const isl::set& put(const Producer& p, std::size_t s, int loops, bool any) {
    const auto id = std::tuple(p.buffer->id, s, loops, any);
    const auto known = put_.find(id);
    if (known != put_.end()) return known->second;
    const Store& w = p.stores[s];
    const Leaf& l = leaf(w.leaf);
    const Key key = any ? Key{loops, w.value->index, {}, {}} : Key{loops, place_of(p, w), element_of(l), {}};
    return put_.emplace(id, image(any ? l.domain : matched(w.leaf).live, key_of(l.space, key))).first->second;
  }

  /// Where `put` is to be looked up for a read.
  static isl::multi_pw_aff looked_up(const Leaf& reader, const Access& a, const Producer& p, int loops) {
    return key_of(reader.space, a.any ? Key{loops, a.index, {}, {}} : Key{loops, p.dense ? Exprs{} : a.index, a.wanted, {}});
  }

  /// Whether no place gets two elements, or an element and something else, in an iteration of the first `loops`
  /// loops around `reader`.
  bool keeps(const Producer& p, const Leaf& reader, int loops) const {
    if (p.dense) return true;
    const int innermost = loops == 0 ? -1 : reader.loops[static_cast<std::size_t>(loops - 1)];
    const auto known = p.keeps.find(innermost);
    if (known != p.keeps.end()) return known->second;
    std::optional<isl::set> all;
    int keys = 0;
    for (const Store& w : p.stores) {
      const Leaf& l = leaf(w.leaf);
      if (loops > 0 && (static_cast<int>(l.loops.size()) < loops || l.loops[static_cast<std::size_t>(loops - 1)] != innermost)) continue;
      keys = loops + static_cast<int>(w.value->index.size());
      const isl::set& live = matched(w.leaf).live;
      isl::set here = image(live, key_of(l.space, {loops, w.value->index, element_of(l), 0}));
      const isl::set junk = l.domain.subtract(live);
      if (!junk.is_empty()) here = here.unite(image(junk, key_of(l.space, {loops, w.value->index, element_of(l), 1})));
      all = all ? all->unite(here) : here;
    }
    return p.keeps[innermost] = !all || by_key(*all, keys).is_single_valued();
  }

  /// One read of `reader`, a leaf or the end of the program.
  void check_read(const Leaf& reader, const Access& a) {
    const auto it = producers_.find(a.buffer->id);
    if (it == producers_.end()) return check_input(reader, a);
    const Producer& p = it->second;
    if (p.undecided) return;
    isl::set left = a.where;
    if (p.dense && !a.any) {
      for (std::size_t d = 0; d < a.index.size(); ++d) {
        if (ir::equal(a.index[d], a.wanted[d])) continue;
        const isl::set other = reader.space.value(a.index[d]).ne_set(reader.space.value(a.wanted[d])).intersect(a.where);
        if (!other.is_empty()) return wrong_element(reader, a, other.sample_point());
      }
    }
    int innermost = 0;
    for (const Store& w : p.stores) innermost = std::max(innermost, common_loops(p, leaf(w.leaf), reader, a));
    const bool amid = !a.any && stands_amid(p, reader);
    isl::set spoilt = isl::set::empty(left.space());  // started again, and not complete
    if (amid) spoilt = started(reader, a, p, innermost).intersect(left);
    left = left.subtract(spoilt);
    for (int loops = innermost; loops >= p.allocated && !left.is_empty(); --loops) {
      isl::set after = left;
      for (std::size_t s = 0; s < p.stores.size(); ++s) after = after.subtract(covered(reader, a, p, s, loops));
      if (!a.any && !keeps(p, reader, loops)) {  // then the last store of all decides
        if (!amid) left = left.subtract(last_is_right(reader, a, p, left));
        break;
      }
      left = after;
    }
    left = left.unite(spoilt);
    if (!left.is_empty()) missing(reader, a, p, left.coalesce().sample_point(), innermost);
  }

  /// Loops around a read and a store; of a reduction, around the read and all that belongs to it.
  int common_loops(const Producer& p, const Leaf& writer, const Leaf& reader, const Access& a) const {
    if (!p.is_reduction || a.any) return relation(writer, reader).common;
    int out = p.depth;
    for (const Store& w : p.stores) out = std::min(out, relation(leaf(w.leaf), reader).common);
    return out;
  }

  /// Whether a read stands between the parts of a reduction, or inside of one.
  bool stands_amid(const Producer& p, const Leaf& reader) const {
    if (!p.is_reduction) return false;
    bool before = false, after = false;
    for (const Store& w : p.stores) {
      const Relation r = relation(leaf(w.leaf), reader);
      before |= r.order < 0;
      after |= r.order >= 0 || r.common > p.depth;
    }
    return before && after;
  }

  /// Reads whose element a reduction starts in the same iteration of `loops` loops, before.
  isl::set started(const Leaf& reader, const Access& a, const Producer& p, int loops) {
    isl::set out = isl::set::empty(a.where.space());
    for (std::size_t s = 0; s < p.stores.size(); ++s) {
      const Leaf& writer = leaf(p.stores[s].leaf);
      if (writer.phase != Phase::kInit || relation(writer, reader).order > 0) continue;
      out = out.unite(put(p, s, loops, false).preimage(looked_up(reader, a, p, loops)));
    }
    return out;
  }

  /// Reads whose element store `s` has put in the same iteration of `loops` loops, before: it stands before, or
  /// an earlier iteration of the loop below has done so.
  isl::set covered(const Leaf& reader, const Access& a, const Producer& p, std::size_t s, int loops) {
    const isl::set none = isl::set::empty(a.where.space());
    const Leaf& writer = leaf(p.stores[s].leaf);
    if (p.is_reduction && writer.phase == Phase::kUpdate && !a.any) return none;  // complete with its initialisation
    const int common = common_loops(p, writer, reader, a);
    if (loops > common) return none;
    if (loops == common) {
      if (!(a.any ? relation(writer, reader).order < 0 : stands_before(p, writer, reader, common))) return none;
      return put(p, s, loops, a.any).preimage(looked_up(reader, a, p, loops));
    }
    const isl::set& here = put(p, s, loops + 1, a.any);
    const isl::set then = here.apply(later(here.ctx(), loops, static_cast<int>(here.tuple_dim())));
    return then.preimage(looked_up(reader, a, p, loops + 1));
  }

  /// Whether all that belongs to a store is done where the reader stands.
  bool stands_before(const Producer& p, const Leaf& writer, const Leaf& reader, int common) const {
    const auto before = [&](const Leaf& w) {
      const Relation r = relation(w, reader);
      return r.order < 0 && r.common == common;
    };
    if (!p.is_reduction) return relation(writer, reader).order < 0;
    return std::all_of(p.stores.begin(), p.stores.end(), [&](const Store& s) { return before(leaf(s.leaf)); });
  }

  // ---- storage that is used again -------------------------------------------------------------------

  /// Of the reads in `where`, those before which the last store to their place has put their element.
  isl::set last_is_right(const Leaf& reader, const Access& a, const Producer& p, const isl::set& where);

  /// Time of a leaf below the loops around the allocation: positions and loop variables in turn.
  isl::multi_pw_aff time_of(const Leaf& l, std::size_t length) const {
    isl::pw_aff_list list = isl::manage(isl_pw_aff_list_alloc(l.space.ctx().get(), static_cast<int>(length)));
    int loop = 0;
    for (std::size_t i = 0; i < length; ++i) {
      const bool inside = i < l.path.size();
      const bool is_loop = inside && l.path[i].kind == Branch::Kind::kLoop;
      list = list.add(is_loop ? isl::pw_aff(l.space.dimension(loop++)) : l.space.constant(inside ? l.path[i].index : 0));
    }
    const auto size = static_cast<unsigned>(length);
    return isl::multi_pw_aff(isl::manage(isl_space_alloc(l.space.ctx().get(), 0, static_cast<unsigned>(l.space.size()), size)), list);
  }

  // ---- inputs, outputs, words -----------------------------------------------------------------------

  void check_input(const Leaf& reader, const Access& a) {
    const auto held = j_.holders.find(a.buffer->id);
    if (held == j_.holders.end() || !held->second.equation->is_input()) {
      return violated(Fault::kCoverage, reader, "stage '" + reader.stage + "' reads '" + a.buffer->name + "', which nothing writes");
    }
    if (a.any) return;
    for (std::size_t d = 0; d < a.index.size(); ++d) {
      if (ir::equal(a.index[d], a.wanted[d])) continue;
      const isl::set other = reader.space.value(a.index[d]).ne_set(reader.space.value(a.wanted[d])).intersect(a.where);
      if (!other.is_empty()) return wrong_element(reader, a, other.sample_point());
    }
  }

  void check_output(const ir::Buffer& output) {
    const Equation* e = j_.program.producer(output.get());
    if (e == nullptr || e->is_input()) return;
    // The caller reads all of it after everything else.
    Leaf end{e->stage, Phase::kWhole, e, false, {}, {}, {}, {{Branch::Kind::kPosition, std::numeric_limits<int>::max()}}, {}, Space(context()), isl::set::universe(isl::space::unit(context())), -1};
    Access all{output.get(), {}, output.get(), {}, end.domain};
    for (std::size_t d = 0; d < e->data_rank(); ++d) {
      end.space.add_variable(e->coordinates[d].var);
      all.index.push_back(e->coordinates[d].var);
    }
    all.wanted = all.index;
    all.where = end.space.universe();
    for (std::size_t d = 0; d < e->data_rank(); ++d) all.where = all.where.intersect(end.space.within(all.index[d], 0, e->coordinates[d].extent));
    if (producers_.count(output->id) == 0) return violated(Fault::kCoverage, end, "output '" + output->name + "' is never written");
    guarded(e->stage, [&] { check_read(end, all); });
  }

  isl::ctx context() const { return j_.nest.ctx; }

  void wrong_element(const Leaf& reader, const Access& a, const isl::point& x) {
    violated(Fault::kValue, reader, "in " + iteration_text(reader, x) + " stage '" + reader.stage + "' reads " + element_text(a.buffer->name, reader, a.index, x) +
                                        " where the equation has " + element_text(a.tensor->name, reader, a.wanted, x));
  }

  /// Why the element that a read wants is not there: never put, put too late, or something else lies there.
  void missing(const Leaf& reader, const Access& a, const Producer& p, const isl::point& x, int common) {
    if (a.any) {
      return violated(Fault::kOrder, reader, "in " + iteration_text(reader, x) + " stage '" + reader.stage + "' reads " + element_text(p.buffer->name, reader, a.index, x) + " before anything is stored there");
    }
    const bool at_end = reader.loops.empty() && reader.path.size() == 1;
    const std::string wanted = element_text(a.tensor->name, reader, a.wanted, x);
    const isl::set here(x);
    bool ever = false, elsewhere = false;
    std::string why;
    for (std::size_t s = 0; s < p.stores.size(); ++s) {
      const Leaf& w = leaf(p.stores[s].leaf);
      if (!matched(p.stores[s].leaf).wrong.empty()) why = matched(p.stores[s].leaf).wrong;
      const int loops = std::min({p.allocated, static_cast<int>(w.loops.size()), static_cast<int>(reader.loops.size())});
      ever |= !here.intersect(put(p, s, loops, false).preimage(looked_up(reader, a, p, loops))).is_empty();
      const isl::set places = image(w.domain, key_of(w.space, {loops, p.stores[s].value->index, {}, {}}));
      elsewhere |= !here.intersect(places.preimage(key_of(reader.space, {loops, a.index, {}, {}}))).is_empty();
    }
    const std::string in = at_end ? "" : "in " + iteration_text(reader, x) + " ";
    if (at_end) return violated(why.empty() || ever ? Fault::kCoverage : Fault::kValue, reader, "output element " + wanted + " is " + (ever ? "overwritten or incomplete at the end" : "never computed") + (why.empty() ? "" : ": " + why));
    const std::string read = in + "stage '" + reader.stage + "' reads " + wanted + (p.dense ? "" : " at " + element_text(p.buffer->name, reader, a.index, x));
    if (ever) {
      const std::string loop = common > 0 && common <= static_cast<int>(reader.loops.size()) ? j_.nest.loops[static_cast<std::size_t>(reader.loops[static_cast<std::size_t>(common - 1)])].name : "";
      return violated(Fault::kOrder, reader, read + " before it is complete, or after it is overwritten", loop);
    }
    if (!why.empty()) return violated(Fault::kValue, reader, read + ", which is not what is computed there: " + why);
    violated(elsewhere ? Fault::kValue : Fault::kCoverage, reader, read + (elsewhere ? ", where another element lies" : ", which is never computed there"));
  }

  const Judged& j_;
  Verdict& verdict_;
  Producers producers_;
  std::map<std::tuple<std::uint64_t, std::size_t, int, bool>, isl::set> put_;
};

isl::set Flow::last_is_right(const Leaf& reader, const Access& a, const Producer& p, const isl::set& where) {
  std::size_t length = reader.path.size();
  for (const Store& w : p.stores) length = std::max(length, leaf(w.leaf).path.size());
  // Stores by place to (time, element, 0 or 1 when it is none), all in one map.
  const auto rank = static_cast<unsigned>(p.held.equation->data_rank());
  const isl::map before = isl::manage(isl_map_lex_gt(isl_space_set_alloc(context().get(), 0, static_cast<unsigned>(length))));
  std::optional<isl::map> stores;
  for (const Store& w : p.stores) {
    const Leaf& l = leaf(w.leaf);
    const isl::set& live = matched(w.leaf).live;
    for (const bool junk : {false, true}) {
      const isl::set domain = junk ? l.domain.subtract(live) : live;
      if (domain.is_empty()) continue;
      const isl::map at = key_of(l.space, {p.allocated, w.value->index, {}, {}}).as_map().intersect_domain(domain);
      const isl::map what = key_of(l.space, {0, {}, element_of(l), junk ? 1 : 0}).as_map();
      const isl::map here = at.reverse().apply_range(isl::manage(isl_map_flat_range_product(time_of(l, length).as_map().release(), what.copy())));
      stores = stores ? stores->unite(here) : here;
    }
  }
  // For every read: the stores to its place before it, the last of them, and whether that is the one.
  const isl::map at = key_of(reader.space, {p.allocated, a.index, {}, {}}).as_map().intersect_domain(where);
  const isl::map now = time_of(reader, length).as_map();
  isl::map found = at.apply_range(*stores);
  const isl::map earlier = isl::manage(isl_map_add_dims(now.apply_range(before).release(), isl_dim_out, rank + 1));
  const isl::map last = found.intersect(earlier).lexmax();
  isl::map right = isl::manage(isl_map_project_out(last.copy(), isl_dim_out, 0, static_cast<unsigned>(length)));
  return right.intersect(key_of(reader.space, {0, {}, a.wanted, 0}).as_map()).domain();
}

}  // namespace

std::string iteration_text(const Leaf& leaf, const isl::point& point) {
  std::string out;
  const auto add = [&](const std::string& name, const isl::pw_aff& value) { out += (out.empty() ? "" : ", ") + name + " = " + std::to_string(value.eval(point).num_si()); };
  for (const auto& [name, value] : leaf.iteration) add(name, leaf.space.value(value));
  for (int d = static_cast<int>(leaf.loops.size()); d < leaf.space.size() && !leaf.loops.empty(); ++d) add(leaf.space.name(d), isl::pw_aff(leaf.space.dimension(d)));
  return out.empty() ? "the only iteration" : out;
}

std::string element_text(const std::string& name, const Leaf& leaf, const ir::Exprs& index, const isl::point& point) {
  std::string out = name + "[";
  for (std::size_t d = 0; d < index.size(); ++d) out += (d ? ", " : "") + std::to_string(leaf.space.value(index[d]).eval(point).num_si());
  return out + "]";
}

void check_values(const Judged& judged, Verdict& verdict) { Flow(judged, verdict).run(); }

}  // namespace tessera::polyhedral::detail
