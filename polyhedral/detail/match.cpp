#include "polyhedral/detail/match.h"

#include <isl/set.h>

#include <algorithm>

#include "ir/print.h"
#include "ir/rewrite.h"

namespace tessera::polyhedral::detail {

using ir::Expr;
using ir::Exprs;

namespace {

/// A choice as its parts, lazy or eager.
struct Choice {
  Expr condition, yes, no;
  bool lazy = false;
};

std::optional<Choice> as_choice(const Expr& e) {
  if (const auto* n = e.as<ir::IfThenElseExpr>()) return Choice{n->condition, n->yes, n->no, true};
  if (const auto* n = e.as<ir::Select>()) return Choice{n->condition, n->yes, n->no, false};
  return std::nullopt;
}

Exprs children(const Expr& e) {
  Exprs out;
  ir::for_each_child(e, [&](const Expr& c) { out.push_back(c); });
  return out;
}

/// Nodes of one kind that differ in more than their children.
bool same_label(const Expr& a, const Expr& b) {
  if (a->kind != b->kind || !(a.type() == b.type())) return false;
  if (const auto* n = a.as<ir::Cast>()) return n->mode == b.as<ir::Cast>()->mode;
  if (const auto* n = a.as<ir::Call>()) return n->intrinsic == b.as<ir::Call>()->intrinsic;
  return children(a).size() == children(b).size() && !children(a).empty();
}

class Matcher {
 public:
  Matcher(Leaf& leaf, const Holders& holders, const Equations& program) : leaf_(leaf), holders_(holders), program_(program), wrong_(isl::set::empty(leaf.domain.space())) {}

  Match run() {
    take();
    if (!out_.all_live) {
      // Instances that count for nothing may read anything that has been stored.
      const isl::set rest = leaf_.domain.subtract(out_.live);
      for (const Touch& t : out_.touches) {
        const isl::set there = t.where.intersect(rest);
        if (!t.store && !there.is_empty()) out_.reads.push_back({t.buffer, t.index, t.buffer, {}, there, false, true});
      }
    }
    return std::move(out_);
  }

 private:
  void take() {
    const Equation& e = *leaf_.equation;
    isl::set inside = leaf_.domain;
    for (std::size_t i = 0; i < leaf_.coordinates.size(); ++i) {
      inside = inside.intersect(leaf_.space.within(leaf_.coordinates[i], 0, e.coordinates[i].extent));
    }
    out_.live = inside;
    out_.all_live = leaf_.domain.is_subset(inside);
    if (leaf_.is_extern) return read_all();
    std::vector<bool> stored(e.outputs.size());
    for (const StoredValue& s : leaf_.stores) {
      const Held& held = holders_.at(s.buffer->id);
      stored[static_cast<std::size_t>(held.output)] = true;
      compare(wanted(held.output), s.value, inside);
      out_.touches.push_back({s.buffer.get(), s.index, leaf_.domain, true});
      touch(s.value, leaf_.domain);
    }
    if (std::find(stored.begin(), stored.end(), false) != stored.end()) differs(inside, "an output is not stored");
    if (!wrong_.is_empty()) {
      out_.all_live = false;
      out_.live = out_.live.subtract(for_all_data(wrong_)).coalesce();
      for (Access& a : out_.reads) a.where = a.where.intersect(out_.live);
      std::erase_if(out_.reads, [](const Access& a) { return a.where.is_empty(); });
    }
  }

  /// What the equation says of output `v`, in terms of the leaf's loops.
  Expr wanted(int v) const {
    const Equation& e = *leaf_.equation;
    ir::VarMap at;
    for (std::size_t i = 0; i < leaf_.coordinates.size(); ++i) at[e.coordinates[i].var.id()] = leaf_.coordinates[i];
    const Expr& body = e.body[static_cast<std::size_t>(v)];
    const auto* r = body.as<ir::Reduce>();
    if (r == nullptr) return ir::substitute(body, at);
    if (leaf_.phase == ir::Phase::kInit) return r->combiner->identity[static_cast<std::size_t>(r->index)];
    const Exprs element(leaf_.coordinates.begin(), leaf_.coordinates.begin() + static_cast<std::ptrdiff_t>(e.data_rank()));
    ir::VarMap with;
    for (std::size_t i = 0; i < r->sources.size(); ++i) {
      const int kept = e.output_of(static_cast<int>(i));
      if (kept >= 0) with[r->combiner->lhs[i].id()] = e.outputs[static_cast<std::size_t>(kept)].load(element);
      with[r->combiner->rhs[i].id()] = ir::substitute(r->sources[i], at);
    }
    return ir::substitute(r->combiner->result[static_cast<std::size_t>(r->index)], with);
  }

  /// An extern reads all of what it reads.
  void read_all() {
    for (const ir::Buffer& tensor : leaf_.equation->code->reads) {
      const Equation* producer = program_.producer(tensor.get());
      if (producer == nullptr || producer->is_input()) continue;
      out_.unknown.push_back({"extern", "the extern '" + leaf_.stage + "' reads '" + tensor->name + "', which a stage computes"});
    }
  }

  /// Instances one of whose data makes them wrong are wrong.
  isl::set for_all_data(const isl::set& s) const {
    const unsigned loops = static_cast<unsigned>(leaf_.loops.size()), data = static_cast<unsigned>(leaf_.space.size()) - loops;
    if (data == 0) return s;
    return isl::manage(isl_set_add_dims(isl_set_project_out(s.copy(), isl_dim_set, loops, data), isl_dim_set, data));
  }

  void differs(const isl::set& where, const std::string& why) {
    if (where.is_empty()) return;
    wrong_ = wrong_.unite(where);
    if (out_.wrong.empty()) out_.wrong = why;
  }

  std::optional<isl::set> where(const Expr& condition) const {
    try {
      return leaf_.space.where(condition);
    } catch (const NotAffine&) {
      return std::nullopt;
    }
  }

  void compare(const Expr& want, const Expr& got, const isl::set& path) {
    if (path.is_empty() || compare_indices(want, got, path) || compare_choices(want, got, path)) return;
    const auto *wanted_load = want.as<ir::Load>(), *load = got.as<ir::Load>();
    if (wanted_load != nullptr && load != nullptr) return read(*wanted_load, *load, path);
    if (children(want).empty() && ir::equal(want, got)) return;
    if (want.type() == ir::i64 && compare_sums(want, got, path)) return;
    if (!same_label(want, got)) return compare_decided(want, got, path);
    const Exprs a = children(want), b = children(got);
    for (std::size_t i = 0; i < a.size(); ++i) compare(a[i], b[i], path);
  }

  bool compare_choices(const Expr& want, const Expr& got, const isl::set& path) {
    const auto w = as_choice(want), g = as_choice(got);
    // What loops choose comes first: it may leave one side of the equation and no choice where it was.
    if (w && g && !w->lazy && !g->lazy && !has_reads(w->condition) && same_condition(w->condition, g->condition, path)) {
      compare(w->yes, g->yes, path);  // eager: the equation reads both sides too
      compare(w->no, g->no, path);
      return true;
    }
    const auto decide_wanted = [&](bool holds, const isl::set& p) { compare(holds ? w->yes : w->no, got, p); };
    const auto decide_got = [&](bool holds, const isl::set& p) { compare(want, holds ? g->yes : g->no, p); };
    if (w && !has_reads(w->condition) && decide(w->condition, path, decide_wanted)) return true;
    if (g && !has_reads(g->condition) && decide(g->condition, path, decide_got)) return true;
    if (w && g && w->lazy == g->lazy) {
      compare(w->condition, g->condition, path);
      const auto holds = w->lazy ? where(g->condition) : std::nullopt;
      compare(w->yes, g->yes, holds ? path.intersect(*holds) : path);
      compare(w->no, g->no, holds ? path.subtract(*holds) : path);
      return true;
    }
    return g && decide(g->condition, path, decide_got);
  }

  /// Sums of integers that are read, whose terms may have met and whose signs may have moved; false when they
  /// are not alike.
  bool compare_sums(const Expr& want, const Expr& got, const isl::set& path) {
    const ir::AffineSum a = ir::affine_sum(want), b = ir::affine_sum(got);
    const bool is_sum = a.terms.size() > 1 || a.constant != 0 || (a.terms.size() == 1 && a.terms[0].coefficient != 1);
    if (!is_sum || a.constant != b.constant || a.terms.size() != b.terms.size()) return false;
    std::vector<ir::Term> rest = b.terms;
    std::vector<std::pair<Expr, Expr>> pairs;
    for (const ir::Term& t : a.terms) {
      const auto it = std::find_if(rest.begin(), rest.end(), [&](const ir::Term& u) { return u.coefficient == t.coefficient && may_stand_for(u.atom, t.atom); });
      if (it == rest.end()) return false;
      pairs.emplace_back(t.atom, it->atom);
      rest.erase(it);
    }
    for (const auto& [x, y] : pairs) compare(x, y, path);
    return true;
  }

  /// Whether the term `got` is worth holding against `want`: not a read of another tensor.
  bool may_stand_for(const Expr& got, const Expr& want) const {
    const auto *g = got.as<ir::Load>(), *w = want.as<ir::Load>();
    return g == nullptr || w == nullptr || holds(g->buffer.get(), w->buffer.get());
  }

  bool holds(const ir::BufferNode* buffer, const ir::BufferNode* tensor) const {
    const auto held = holders_.find(buffer->id);
    return held != holders_.end() ? held->second.tensor() == tensor : buffer == tensor;
  }

  /// Expressions that differ, unless a choice further in is decided and what is left folds into what is there.
  void compare_decided(const Expr& want, const Expr& got, const isl::set& path) {
    Expr inner;
    ir::walk(want, [&](const Expr& e) {
      if (!inner.defined() && as_choice(e) && where(as_choice(e)->condition)) inner = e;
      return !inner.defined();
    });
    if (inner.defined()) {
      const Choice c = *as_choice(inner);
      const auto with = [&](const Expr& side) {
        const ir::ExprFn self = [&](const Expr& e) -> Expr { return ir::equal(e, inner) ? side : ir::map_children(e, self); };
        return self(want);
      };
      decide(c.condition, path, [&](bool holds, const isl::set& p) { compare(with(holds ? c.yes : c.no), got, p); });
      return;
    }
    if (want.type().is_integral() && has_reads(want)) {
      // Integers fold: a sum may have lost terms further out.
      const Expr canonical = met(want, path);
      if (!ir::equal(canonical, want)) return compare(canonical, got, path);
      out_.doubts.push_back({"arithmetic", "stage '" + leaf_.stage + "' has '" + ir::to_string(got) + "' for '" + ir::to_string(want) + "'"});
    }
    differs(path, "'" + ir::to_string(got) + "' stands where the equation has '" + ir::to_string(want) + "'");
  }

  /// Calls `f` for both outcomes of a condition of the loops; false when it is none.
  template <class F>
  bool decide(const Expr& condition, const isl::set& path, const F& f) {
    const auto holds = where(condition);
    if (!holds) return false;
    f(true, path.intersect(*holds));
    f(false, path.subtract(*holds));
    return true;
  }

  /// Integer arithmetic with the reads of one element written alike, so that equal terms meet and cancel.
  Expr met(const Expr& e, const isl::set& path) const {
    std::vector<Expr> reads;
    const auto same_element = [&](const Expr& a, const Expr& b) {
      const auto *x = a.as<ir::Load>(), *y = b.as<ir::Load>();
      if (x->buffer.get() != y->buffer.get()) return false;
      try {
        for (std::size_t d = 0; d < x->indices.size(); ++d) {
          if (!ir::equal(x->indices[d], y->indices[d]) && !path.is_subset(leaf_.space.value(x->indices[d]).eq_set(leaf_.space.value(y->indices[d])))) return false;
        }
        return true;
      } catch (const NotAffine&) {
        return false;
      }
    };
    const ir::ExprFn self = [&](const Expr& x) -> Expr {
      if (x.as<ir::Load>() != nullptr) {
        const auto known = std::find_if(reads.begin(), reads.end(), [&](const Expr& r) { return same_element(r, x); });
        if (known != reads.end()) return *known;
        reads.push_back(x);
        return x;
      }
      const Expr out = ir::map_children(x, self);
      const ir::Binary* n = ir::as_binary(out);
      const bool extremum = n != nullptr && (out->kind == ir::ExprKind::kMin || out->kind == ir::ExprKind::kMax);
      if (extremum && ir::equal(n->a, n->b)) return n->a;
      if (n == nullptr || !out.type().is_bool() || !ir::equal(n->a, n->b)) return out.type() == ir::i64 ? ir::affine_sum(out).expr() : out;
      const bool less = out->kind == ir::ExprKind::kLT, equals = out->kind == ir::ExprKind::kLE || out->kind == ir::ExprKind::kEQ;
      if (less || (n->a.type().is_integral() && (equals || out->kind == ir::ExprKind::kNE))) return ir::bool_imm(equals);  // NaN is not below itself
      return out;
    };
    return self(e);
  }

  bool same_condition(const Expr& want, const Expr& got, const isl::set& path) {
    if (ir::equal(want, got)) return true;
    const auto a = where(want), b = where(got);
    return a && b && a->intersect(path).is_equal(b->intersect(path));
  }

  /// Index arithmetic and conditions are compared by their values; true when that is what they are.
  bool compare_indices(const Expr& want, const Expr& got, const isl::set& path) {
    if (!(want.type() == got.type()) || has_reads(want) || has_reads(got)) return false;
    if (ir::equal(want, got)) return true;
    try {
      if (want.type().is_bool()) {
        const isl::set a = leaf_.space.where(want).intersect(path), b = leaf_.space.where(got).intersect(path);
        differs(a.subtract(b).unite(b.subtract(a)), "the condition '" + ir::to_string(got) + "' stands for '" + ir::to_string(want) + "'");
        return true;
      }
      if (!(want.type() == ir::i64)) return false;
      differs(leaf_.space.value(want).ne_set(leaf_.space.value(got)).intersect(path), "'" + ir::to_string(got) + "' stands for '" + ir::to_string(want) + "'");
      return true;
    } catch (const NotAffine&) {
      return false;
    }
  }

  /// Reads that choose: what the equation reads gets the dimension of what the leaf reads in its place.
  void bind(const Expr& want, const Expr& got, const isl::set& path) {
    const std::vector<Expr> a = integer_reads(want), b = integer_reads(got);
    if (a.size() != b.size()) return;
    for (std::size_t i = 0; i < a.size(); ++i) {
      const auto d = leaf_.space.find_data(b[i]);
      if (!d) continue;
      if (!leaf_.space.find_data(a[i])) leaf_.space.alias_data(a[i], *d);
      read(*a[i].as<ir::Load>(), *b[i].as<ir::Load>(), path);
    }
  }

  void read(const ir::Load& want, const ir::Load& got, const isl::set& path) {
    if (got.predicate.defined()) return differs(path, "a masked read");
    if (!holds(got.buffer.get(), want.buffer.get())) return differs(path, "'" + got.buffer->name + "' is read where the equation has '" + want.buffer->name + "'");
    for (std::size_t i = 0; i < want.indices.size() && i < got.indices.size(); ++i) bind(want.indices[i], got.indices[i], path);
    const bool stored = std::any_of(leaf_.stores.begin(), leaf_.stores.end(), [&](const StoredValue& s) { return s.buffer.get() == got.buffer.get(); });
    const bool accumulator = leaf_.phase == ir::Phase::kUpdate && program_.producer(want.buffer.get()) == leaf_.equation;
    if (accumulator && !stored) return differs(path, "terms are added to '" + got.buffer->name + "' and stored elsewhere");
    const bool known = std::any_of(out_.reads.begin(), out_.reads.end(), [&](const Access& a) {
      return a.buffer == got.buffer.get() && equal(a.index, got.indices) && equal(a.wanted, want.indices) && path.is_subset(a.where);
    });
    if (!known) out_.reads.push_back({got.buffer.get(), got.indices, want.buffer.get(), want.indices, path, accumulator});
  }

  static bool equal(const Exprs& a, const Exprs& b) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](const Expr& x, const Expr& y) { return ir::equal(x, y); });
  }

  /// Every read of `e` where it is executed: lazy choices guard theirs.
  void touch(const Expr& e, const isl::set& path) {
    if (path.is_empty()) return;
    if (const auto* load = e.as<ir::Load>()) {
      const bool known = std::any_of(out_.touches.begin(), out_.touches.end(), [&](const Touch& t) {
        return !t.store && t.buffer == load->buffer.get() && equal(t.index, load->indices) && path.is_subset(t.where);
      });
      if (!known) out_.touches.push_back({load->buffer.get(), load->indices, path, false});
    }
    const auto c = as_choice(e);
    if (c && c->lazy) {
      touch(c->condition, path);
      if (decide(c->condition, path, [&](bool holds, const isl::set& p) { touch(holds ? c->yes : c->no, p); })) return;
    }
    for (const Expr& child : children(e)) touch(child, path);
  }

  Leaf& leaf_;
  const Holders& holders_;
  const Equations& program_;
  isl::set wrong_;
  Match out_;
};

}  // namespace

Holders holders_of(const Nest& nest, const Equations& program, std::vector<Undecided>& unknown) {
  Holders out;
  for (const Equation& e : program.stages) {
    if (e.is_input()) out[e.outputs[0]->id] = {&e, 0};
  }
  for (const Leaf& leaf : nest.leaves) {
    for (const StoredValue& s : leaf.stores) {
      const auto& outputs = leaf.equation->outputs;
      const auto it = std::find_if(outputs.begin(), outputs.end(), [&](const ir::Buffer& b) { return b->name == s.buffer->name; });
      const Held held{leaf.equation, it == outputs.end() ? 0 : static_cast<int>(it - outputs.begin())};
      const auto [known, fresh] = out.emplace(s.buffer->id, held);
      if (!fresh && (known->second.equation != held.equation || known->second.output != held.output)) {
        unknown.push_back({"buffer", "buffer '" + s.buffer->name + "' is written by '" + known->second.equation->stage + "' and '" + leaf.stage + "'"});
      }
    }
  }
  return out;
}

Match match(Leaf& leaf, const Holders& holders, const Equations& program) { return Matcher(leaf, holders, program).run(); }

}  // namespace tessera::polyhedral::detail
