#include "polyhedral/detail/nest.h"

#include <isl/set.h>

#include <algorithm>

#include "ir/print.h"
#include "ir/rewrite.h"
#include "ir/simplify.h"

namespace tessera::polyhedral::detail {

using ir::Expr;
using ir::Exprs;
using ir::Stmt;

namespace {

/// What surrounds a statement.
struct Around {
  explicit Around(isl::ctx ctx) : space(ctx), domain(space.universe()) {}
  Space space;
  isl::set domain;
  std::vector<int> loops;
  std::vector<Branch> path;
  std::vector<std::pair<std::string, Expr>> iteration;
  ir::VarMap lets;
};

isl::set with_dimensions(const isl::set& s, int count) {
  return isl::manage(isl_set_add_dims(s.copy(), isl_dim_set, static_cast<unsigned>(count)));
}

Expr without_lets(const Expr& e) {
  return ir::rewrite(e, [](const ir::Let& n, const Expr&, const ir::ExprFn& self) -> Expr { return self(ir::substitute(n.body, n.var, n.value)); });
}

/// The divisors by which `body` takes the variable of a loop apart, each a divisor of the next.
std::vector<std::int64_t> divisors_of(const ir::Var& v, const Stmt& body) {
  std::vector<std::int64_t> found;
  const auto look = [&](const Expr& e) {
    const ir::Binary* n = ir::as_binary(e);
    std::int64_t c = 0, inner = 1;
    if (n == nullptr || (e->kind != ir::ExprKind::kFloorDiv && e->kind != ir::ExprKind::kFloorMod) || !ir::is_const_int(n->b, &c) || c < 2) return true;
    const auto* again = n->a.as<ir::FloorDiv>();
    if (again != nullptr && !ir::is_const_int(again->b, &inner)) return true;
    const ir::AffineSum s = ir::affine_sum(again != nullptr ? again->a : n->a);
    const auto* var = s.terms.size() == 1 && s.constant == 0 ? s.terms[0].atom.as<ir::VarNode>() : nullptr;
    if (var == nullptr || var->id != v.id() || s.terms[0].coefficient < 1) return true;
    for (const std::int64_t by : {inner, inner * c}) {
      if (by % s.terms[0].coefficient == 0 && by / s.terms[0].coefficient > 1) found.push_back(by / s.terms[0].coefficient);
    }
    return true;
  };
  ir::walk(body, [](const Stmt&) { return true; }, look);
  std::sort(found.begin(), found.end());
  std::vector<std::int64_t> out;
  for (const std::int64_t d : found) {
    if (out.empty() ? true : d > out.back() && d % out.back() == 0) out.push_back(d);
  }
  return out;
}

class Walker {
 public:
  Walker(isl::ctx ctx, const ir::Program& loops, const Equations& program) : ctx_(ctx), loops_(loops), program_(program), nest_{ctx, {}, {}, {}, {}, {}} {}

  Nest run() {
    int launch = 0;
    for (const ir::RunPhase phase : {ir::RunPhase::kPrepare, ir::RunPhase::kRun}) {
      for (const ir::LaunchSite& site : loops_.launches) {
        if (site.phase != phase) continue;
        const ir::Function* f = loops_.find(site.function);
        if (f == nullptr || !(f->buffers == site.arguments)) {
          unknown("a launch with other buffers than its function's");
          continue;
        }
        Around a(ctx_);
        a.path = {{Branch::Kind::kPosition, launch++}};
        top(f->body, a);
      }
    }
    return std::move(nest_);
  }

 private:
  void unknown(std::string what) { nest_.unknown.push_back(std::move(what)); }

  /// The statements of a function: nests of loops, and externs as they were written.
  void top(const Stmt& body, const Around& a) {
    const auto* block = body.as<ir::Block>();
    const ir::Stmts stmts = block != nullptr ? block->stmts : ir::Stmts{body};
    for (std::size_t i = 0; i < stmts.size();) {
      Around at = a;
      at.path.push_back({Branch::Kind::kPosition, static_cast<int>(i)});
      const std::size_t taken = extern_at(stmts, i, at);
      if (taken == 0) stmt(stmts[i], at);
      i += std::max<std::size_t>(taken, 1);
    }
  }

  /// How many statements from the i-th on are the code of an extern; its leaf is added.
  std::size_t extern_at(const ir::Stmts& stmts, std::size_t i, const Around& a) {
    for (const Equation& e : program_.stages) {
      if (!e.code) continue;
      const ir::Program& p = *e.code->code;
      std::map<std::uint64_t, ir::Buffer> with;
      const std::size_t inputs = e.code->reads.size();
      for (std::size_t b = 0; b < p.buffers.size(); ++b) {
        const ir::Buffer& tensor = b < inputs ? e.code->reads[b] : e.outputs[b - inputs];
        with[p.buffers[b].buffer->id] = buffer_named(tensor);
      }
      const Stmt code = ir::simplify(ir::replace_buffers(p.functions[0].body, with));
      const auto* block = code.as<ir::Block>();
      const std::size_t count = block != nullptr ? block->stmts.size() : 1;
      if (i + count > stmts.size()) continue;
      if (!ir::alpha_equal(ir::block({stmts.begin() + static_cast<std::ptrdiff_t>(i), stmts.begin() + static_cast<std::ptrdiff_t>(i + count)}), code)) continue;
      add_extern(e, with, a);
      return count;
    }
    return 0;
  }

  /// The buffer of the loops that stands for a tensor of the same name: a guess that later checks prove.
  ir::Buffer buffer_named(const ir::Buffer& tensor) const {
    for (const ir::ProgramBuffer& b : loops_.buffers) {
      if (b.buffer == tensor) return b.buffer;
    }
    for (const ir::ProgramBuffer& b : loops_.buffers) {
      if (b.buffer->name == tensor->name) return b.buffer;
    }
    return tensor;
  }

  /// Every element of every output in one go; its dimensions are the elements.
  void add_extern(const Equation& e, const std::map<std::uint64_t, ir::Buffer>& with, const Around& a) {
    Leaf leaf{e.stage, ir::Phase::kWhole, &e, true, {}, {}, {}, a.path, {}, Space(ctx_), a.domain, -1};
    for (const Coordinate& c : e.coordinates) {
      leaf.space.add_variable(c.var);
      leaf.coordinates.push_back(c.var);
    }
    leaf.domain = leaf.space.universe();
    for (const Coordinate& c : e.coordinates) leaf.domain = leaf.domain.intersect(leaf.space.within(c.var, 0, c.extent));
    const ir::Program& p = *e.code->code;
    for (std::size_t b = e.code->reads.size(); b < p.buffers.size(); ++b) {
      leaf.stores.push_back({with.at(p.buffers[b].buffer->id), leaf.coordinates, Expr()});
    }
    nest_.leaves.push_back(std::move(leaf));
  }

  void stmt(const Stmt& s, const Around& a) {
    if (const auto* n = s.as<ir::Block>()) return block(*n, a);
    if (const auto* n = s.as<ir::For>()) return loop(*n, a);
    if (const auto* n = s.as<ir::IfThenElse>()) return choice(*n, a);
    if (const auto* n = s.as<ir::Instance>()) return instance(*n, a);
    if (const auto* n = s.as<ir::Allocate>()) {
      // Allocated in a second place it is another buffer: copies of statements keep their names.
      const bool again = nest_.allocated.count(n->buffer->id) != 0;
      const ir::Buffer buffer = again ? n->buffer.with_name(n->buffer->name) : n->buffer;
      nest_.allocated[buffer->id] = static_cast<int>(a.loops.size());
      return stmt(again ? ir::replace_buffers(n->body, {{n->buffer->id, buffer}}) : n->body, a);
    }
    if (const auto* n = s.as<ir::LetStmt>()) {
      Around inside = a;
      inside.lets[n->var.id()] = ir::substitute(n->value, a.lets);
      return stmt(n->body, inside);
    }
    if (const auto* n = s.as<ir::Role>(); n != nullptr && n->name == ir::kLastBlock) return stmt(n->body, a);
    if (const auto* n = s.as<ir::Barrier>(); n != nullptr && n->scope == ir::BarrierScope::kBlock) {
      return event(Event::Kind::kBarrier, a);
    }
    if (const auto* n = s.as<ir::ChannelOp>(); n != nullptr && n->action != ir::ChannelAction::kRelease) return channel(*n, a);
    if (s.as<ir::Prefetch>() != nullptr || s.as<ir::Assert>() != nullptr) return;
    unknown(ir::kind_name(s->kind));
  }

  void block(const ir::Block& n, const Around& a) {
    std::size_t filled_from = nest_.leaves.size();
    for (std::size_t i = 0; i < n.stmts.size(); ++i) {
      Around at = a;
      at.path.push_back({Branch::Kind::kPosition, static_cast<int>(i)});
      stmt(n.stmts[i], at);
      const auto* c = n.stmts[i].as<ir::ChannelOp>();
      if (c == nullptr) continue;
      // What stands between acquire and commit fills the slot.
      for (std::size_t l = filled_from; l < nest_.leaves.size() && c->action == ir::ChannelAction::kCommit; ++l) {
        nest_.leaves[l].commit = static_cast<int>(nest_.events.size()) - 1;
      }
      filled_from = nest_.leaves.size();
    }
  }

  void event(Event::Kind kind, const Around& a, std::int64_t unfinished = 0) { nest_.events.push_back({kind, a.loops, a.path, a.space, a.domain, unfinished}); }

  void channel(const ir::ChannelOp& n, const Around& a) {
    std::int64_t unfinished = 0;
    if (n.action == ir::ChannelAction::kCommit) return event(Event::Kind::kCommit, a);
    if (n.action == ir::ChannelAction::kAcquire) return;
    if (!ir::is_const_int(n.slot, &unfinished)) return unknown("a wait for " + ir::to_string(n.slot));
    event(Event::Kind::kWait, a, unfinished);
  }

  void loop(const ir::For& n, const Around& a) {
    Around in = a;
    const Expr min = ir::substitute(n.min, a.lets), extent = ir::substitute(n.extent, a.lets);
    std::int64_t count = 0;
    const bool from_zero = ir::is_zero(n.min), constant = ir::is_const_int(n.extent, &count);
    std::vector<std::int64_t> units{1};  // of the digits, lowest first
    if (from_zero) {
      for (const std::int64_t d : divisors_of(n.var, n.body)) {
        if (!constant || d < count) units.push_back(d);
      }
    }
    Expr value = 0;
    for (std::size_t u = units.size(); u-- > 0;) {
      const bool top = u + 1 == units.size();
      const std::int64_t digits = top ? (constant && from_zero ? (count + units[u] - 1) / units[u] : ir::Interval::kInf) : units[u + 1] / units[u];
      enter(n, units, u, digits, in);
      value = value + Expr(digit_) * ir::int_imm(units[u]);
    }
    in.lets[n.var.id()] = value;
    in.iteration.emplace_back(n.var.name(), value);
    try {
      in.domain = in.domain.intersect(in.space.within(value, min, min + extent));
    } catch (const NotAffine& e) {
      return unknown("loop '" + n.var.name() + "' whose count is " + e.what);
    }
    stmt(n.body, in);
  }

  /// One digit of a loop, or the whole of it, as a loop: `digit_` is its variable.
  void enter(const ir::For& n, const std::vector<std::int64_t>& units, std::size_t u, std::int64_t digits, Around& in) {
    const bool top = u + 1 == units.size(), bounded = ir::is_zero(n.min) && (!top || digits < ir::Interval::kInf);
    std::string text;
    if (units.size() > 1) text = n.var.name() + (u > 0 ? " // " + std::to_string(units[u]) : "") + (top ? "" : " % " + std::to_string(digits));
    digit_ = ir::Var::fresh(n.var.name());
    in.space.add_variable(digit_, bounded ? ir::Interval{0, std::max<std::int64_t>(digits, 1) - 1} : ir::Interval{});
    const int id = static_cast<int>(nest_.loops.size()), depth = static_cast<int>(in.loops.size());
    nest_.loops.push_back({n.var.name(), text, n.loop, depth, n.notes.count("reduce") != 0});
    in.loops.push_back(id);
    in.path.push_back({Branch::Kind::kLoop, id});
    in.domain = with_dimensions(in.domain, 1);
    if (!top) in.domain = in.domain.intersect(in.space.within(digit_, 0, ir::int_imm(digits)));
  }

  void choice(const ir::IfThenElse& n, const Around& a) {
    const Expr condition = ir::substitute(n.condition, a.lets);
    try {
      const isl::set holds = a.space.where(condition);
      for (int branch = 0; branch < (n.no ? 2 : 1); ++branch) {
        Around in = a;
        in.domain = branch == 0 ? a.domain.intersect(holds) : a.domain.subtract(holds);
        in.path.push_back({Branch::Kind::kPosition, branch});
        stmt(branch == 0 ? n.yes : n.no, in);
      }
    } catch (const NotAffine& e) {
      unknown("a statement under the condition " + e.what);
    }
  }

  void instance(const ir::Instance& n, const Around& a) {
    const Equation* e = program_.find(n.stage);
    const std::size_t rank = e == nullptr ? 0 : n.phase == ir::Phase::kInit ? e->data_rank() : e->coordinates.size();
    if (e == nullptr || e->is_input() || n.coordinates.size() != rank) return unknown("an instance of '" + n.stage + "', which is no stage of that rank");
    if ((e->reduce() != nullptr) == (n.phase == ir::Phase::kWhole)) return unknown("a part of '" + n.stage + "' that it has not: " + ir::to_string(n.phase));
    Leaf leaf{n.stage, n.phase, e, false, {}, a.loops, a.iteration, a.path, {}, a.space, a.domain, -1};
    for (const Expr& c : n.coordinates) leaf.coordinates.push_back(ir::substitute(c, a.lets));
    if (!stores(n.body, a.lets, leaf)) return;
    add_data(leaf);
    nest_.leaves.push_back(std::move(leaf));
  }

  /// The stores of an instance, whose reads all come before any of them.
  bool stores(const Stmt& s, const ir::VarMap& lets, Leaf& leaf) {
    const auto reads_back = [&](const Expr& e) {
      bool found = false;
      ir::walk(e, [&](const Expr& x) {
        const auto* load = x.as<ir::Load>();
        found |= load != nullptr && std::any_of(leaf.stores.begin(), leaf.stores.end(), [&](const StoredValue& v) { return v.buffer.get() == load->buffer.get(); });
        return true;
      });
      return found;
    };
    if (const auto* n = s.as<ir::Block>()) return std::all_of(n->stmts.begin(), n->stmts.end(), [&](const Stmt& x) { return stores(x, lets, leaf); });
    const auto* let = s.as<ir::LetStmt>();
    const auto* store = s.as<ir::Store>();
    if ((let == nullptr && store == nullptr) || (store != nullptr && store->predicate.defined())) {
      unknown(std::string(ir::kind_name(s->kind)) + " in an instance");
      return false;
    }
    if (reads_back(let != nullptr ? let->value : store->value)) {
      unknown("an instance of '" + leaf.stage + "' that reads what it has stored");
      return false;
    }
    if (let != nullptr) {
      ir::VarMap inside = lets;
      inside[let->var.id()] = without_lets(ir::substitute(let->value, lets));
      return stores(let->body, inside, leaf);
    }
    StoredValue out{store->buffer, {}, without_lets(ir::substitute(store->value, lets))};
    for (const Expr& i : store->indices) out.index.push_back(ir::substitute(i, lets));
    leaf.stores.push_back(std::move(out));
    return true;
  }

  /// Integers that are read and then choose elements get dimensions, within what inputs promise.
  void add_data(Leaf& leaf) {
    std::vector<Expr> reads;
    for (const StoredValue& s : leaf.stores) {
      ir::walk(s.value, [&](const Expr& e) {
        const auto add = [&](const Expr& index) {
          for (const Expr& r : integer_reads(index)) reads.push_back(r);
        };
        if (const auto* load = e.as<ir::Load>()) std::for_each(load->indices.begin(), load->indices.end(), add);
        if (const auto* n = e.as<ir::IfThenElseExpr>()) add(n->condition);
        if (const auto* n = e.as<ir::Select>()) add(n->condition);
        return true;
      });
    }
    const int before = leaf.space.size();
    for (const Expr& r : reads) leaf.space.add_data(r);
    leaf.domain = with_dimensions(leaf.domain, leaf.space.size() - before);
    for (const Expr& r : reads) {
      const Equation* input = program_.producer(r.as<ir::Load>()->buffer.get());
      if (input == nullptr || !input->is_input()) continue;
      const isl::pw_aff v(leaf.space.dimension(*leaf.space.find_data(r)));
      const auto& rule = input->values;
      const bool ranged = rule.kind == dsl::ValueRule::Kind::kBelow || rule.kind == dsl::ValueRule::Kind::kOffsets;
      if (!ranged) continue;
      const std::int64_t last = rule.kind == dsl::ValueRule::Kind::kBelow ? rule.limit - 1 : rule.limit;
      leaf.domain = leaf.domain.intersect(v.ge_set(leaf.space.constant(0))).intersect(v.le_set(leaf.space.constant(last)));
    }
  }

  isl::ctx ctx_;
  const ir::Program& loops_;
  const Equations& program_;
  ir::Var digit_;
  Nest nest_;
};

}  // namespace

Nest nest_of(isl::ctx ctx, const ir::Program& loops, const Equations& program) { return Walker(ctx, loops, program).run(); }

Relation relation(const Leaf& a, const Leaf& b) {
  Relation out;
  for (std::size_t i = 0; i < a.path.size() && i < b.path.size(); ++i) {
    if (a.path[i] == b.path[i]) {
      out.common += a.path[i].kind == Branch::Kind::kLoop ? 1 : 0;
      continue;
    }
    out.order = a.path[i].index < b.path[i].index ? -1 : 1;
    break;
  }
  return out;
}

}  // namespace tessera::polyhedral::detail
