#include <algorithm>
#include <set>

#include "ir/analysis/affine.h"
#include "ir/mma.h"
#include "ir/print.h"
#include "ir/rewrite.h"
#include "ir/simplify.h"
#include "lower/detail/memory.h"
#include "lower/lower.h"
#include "lower/mutants.h"
#include "schedule/geometry.h"
#include "schedule/scan.h"
#include "schedule/storage.h"

namespace tessera::lower {

namespace {

using ir::Buffer;
using ir::Expr;
using ir::Exprs;
using ir::ForKind;
using ir::int_imm;
using ir::make_stmt;
using ir::Stmt;
using ir::Stmts;
using ir::Var;
using ir::VarMap;
using schedule::Attach;
using schedule::Axis;
using schedule::AxisKind;
using schedule::Placement;
using schedule::RootAxis;
using schedule::Stage;
using schedule::State;

class Builder {
 public:
  Builder(const State& state, const Options& options) : state_(state), options_(options), memory_(state) {
    bounds_ = schedule::loop_bounds(state);
  }

  Result<ir::Program> run() {
    program_.name = options_.name;
    TESSERA_TRY_DONE(place_storage());
    Stmts prepare, run;
    for (std::size_t i = 0; i < state_.size(); ++i) {
      const Stage& s = state_.stage(i);
      if (s.is_input() || s.placement != Placement::kRoot) continue;
      Stmt nest = ir::simplify(emit(s), {});
      Stmts& phase = prepared_.count(s.name) != 0 ? prepare : run;
      if (!s.in_last_block) {
        phase.push_back(std::move(nest));
        continue;
      }
      if (options_.target != ir::TargetKind::kCuda) {
        return refuse("stage '", s.name, "' is computed by the last block of a kernel, and the target has no blocks; leave finish_in_last_block out");
      }
      phase.back() = ir::block({phase.back(), make_stmt<ir::Role>(ir::kLastBlock, std::move(nest))});
    }
    if (options_.target == ir::TargetKind::kCuda) {  // a kernel each: blocks of one do not wait for each other
      for (std::size_t i = 0; i < prepare.size(); ++i) add_phase(ir::RunPhase::kPrepare, options_.name + "_prepare_" + std::to_string(i), {prepare[i]});
      for (std::size_t i = 0; i < run.size(); ++i) add_phase(ir::RunPhase::kRun, options_.name + "_" + std::to_string(i), {run[i]});
    } else {
      add_phase(ir::RunPhase::kPrepare, options_.name + "_prepare", std::move(prepare));
      add_phase(ir::RunPhase::kRun, options_.name, std::move(run));
    }
    return std::move(program_);
  }

 private:
  // ---- storage ------------------------------------------------------------------------------------

  Status place_storage() {
    for (const std::string& name : schedule::prepared_stages(state_)) prepared_.insert(name);
    for (const dsl::Stage* in : state_.dag().inputs()) {
      const bool constant = in->kind == dsl::OperationKind::kConstant;
      program_.buffers.push_back({in->outputs[0], constant ? ir::BufferRole::kConstant : ir::BufferRole::kInput});
    }
    std::vector<ir::ProgramBuffer> outputs, workspace, prepared;
    for (std::size_t i = 0; i < state_.size(); ++i) {
      const Stage& s = state_.stage(i);
      Storage& st = memory_.add(s.name);
      if (s.is_input() || s.placement == Placement::kInline) {
        st = {s.outputs, Memory::whole_box(s), true};
        continue;
      }
      if (s.is_output) {
        // All outputs of a multi-output stage exist; those that the program does not return are scratch.
        st = {s.outputs, Memory::whole_box(s), true};
        for (const Buffer& b : s.outputs) {
          const auto& wanted = state_.dag().outputs();
          const bool returned = std::find(wanted.begin(), wanted.end(), b) != wanted.end();
          (returned ? outputs : workspace).push_back({b, returned ? ir::BufferRole::kOutput : ir::BufferRole::kWorkspace});
        }
        continue;
      }
      TESSERA_TRY_DONE(place(s, st, workspace, prepared));
    }
    // Outputs in the order in which the program names them.
    for (const Buffer& b : state_.dag().outputs()) {
      for (const ir::ProgramBuffer& o : outputs) {
        if (o.buffer == b) program_.buffers.push_back(o);
      }
    }
    program_.buffers.insert(program_.buffers.end(), prepared.begin(), prepared.end());
    program_.buffers.insert(program_.buffers.end(), workspace.begin(), workspace.end());
    return Done{};
  }

  /// The first loop over threads that a stage is computed inside of; empty: none.
  std::string thread_loop_around(const Stage& s) const {
    for (const schedule::Attach& a : schedule::attach_chain(state_, s)) {
      const Stage& host = *state_.find(a.stage);
      for (const std::string& leaf : host.leaves) {
        if (ir::is_thread_level(host.find_axis(leaf)->loop)) return leaf;
        if (leaf == a.axis) break;
      }
    }
    return "";
  }

  Status place(const Stage& s, Storage& st, std::vector<ir::ProgramBuffer>& workspace,
               std::vector<ir::ProgramBuffer>& prepared) {
    TESSERA_TRY(box, schedule::stored_box(state_, s));
    Exprs shape;
    for (const std::int64_t n : box.extents) shape.push_back(int_imm(n));
    st.program = s.placement == Placement::kRoot;
    const bool of_a_kernel = s.scope != ir::Scope::kGlobal && options_.target == ir::TargetKind::kCuda;
    if (st.program && of_a_kernel) {
      return refuse("stage '", s.name, "' is in ", ir::to_string(s.scope), " memory, which ends with its kernel, and is computed in a kernel of its own; "
                    "compute it at a loop of its reader");
    }
    st.box = box;
    // Inside a kernel there is no memory for all: what is not shared is each thread's own.
    if (s.scope == ir::Scope::kShared) {
      if (const std::string loop = thread_loop_around(s); !loop.empty()) {
        return refuse("stage '", s.name, "' is in shared memory and computed inside of '", loop, "', where every thread would write it; compute it outside, "
                      "with loops over threads of its own, or keep it in registers");
      }
    }
    const bool own = options_.target == ir::TargetKind::kCuda && !st.program && s.scope == ir::Scope::kGlobal;
    for (const Buffer& b : s.outputs) {
      Buffer fresh = Buffer::fresh(b->name, b->dtype, shape, own ? ir::Scope::kLocal : s.scope).with_layout(box.layout);
      st.buffers.push_back(fresh);
      if (!st.program) continue;
      const bool once = prepared_.count(s.name) != 0;
      (once ? prepared : workspace)
          .push_back({fresh, once ? ir::BufferRole::kPrepared : ir::BufferRole::kWorkspace});
    }
    return Done{};
  }

  // ---- loops --------------------------------------------------------------------------------------

  struct Leaf {
    const Axis* axis;
    Expr extent;
  };

  std::vector<Leaf> leaves_of(const Stage& s) const {
    std::vector<Leaf> out;
    for (const std::string& name : s.leaves) {
      const Axis* a = s.find_axis(name);
      out.push_back({a, ir::simplify(schedule::axis_extent(s, name), bounds_)});
      const schedule::Relation* r = s.split_into(name);
      const bool skipped = options_.mutant == Mutant::kLastTileSkipped && r != nullptr && r->outer == name &&
                           r->factor > s.find_axis(r->whole)->extent;
      if (skipped) out.back().extent = int_imm(0);
    }
    return out;
  }

  using Notes = std::map<std::string, std::int64_t>;

  static Stmt loop(const Leaf& l, const Var& var, Stmt body, Notes notes = {}) {
    notes.insert(l.axis->notes.begin(), l.axis->notes.end());
    if (l.axis->outlined) notes["outline"] = 1;
    if (l.axis->kind == AxisKind::kReduce && ir::is_thread_level(l.axis->loop)) notes["reduce"] = 1;
    return make_stmt<ir::For>(var, int_imm(0), l.extent, l.axis->loop, std::move(body), std::move(notes));
  }

  /// Where the initialisation of a reduction goes: before this leaf.
  int init_position(const Stage& s) const {
    if (!s.init_axis.empty()) return s.leaf_index(s.init_axis);
    for (std::size_t i = 0; i < s.leaves.size(); ++i) {
      if (s.find_axis(s.leaves[i])->kind == AxisKind::kReduce) {
        const bool inside = options_.mutant == Mutant::kInitPerTile;
        return static_cast<int>(i) + (inside ? 1 : 0);
      }
    }
    return static_cast<int>(s.leaves.size());
  }

  /// Statements as they were written, on the buffers that lowering has chosen.
  Stmt code_of(const Stage& s) const {
    const ir::Program& p = *s.code->code;
    std::map<std::uint64_t, Buffer> with;
    for (std::size_t i = 0; i < p.buffers.size(); ++i) {
      const std::size_t inputs = s.code->reads.size();
      with[p.buffers[i].buffer->id] = i < inputs ? memory_.stored(s.code->reads[i]) : memory_.of(s.name).buffers[i - inputs];
    }
    return ir::replace_buffers(p.functions[0].body, with);
  }

  Stmt emit(const Stage& s) {
    if (s.is_extern()) return code_of(s);
    const std::vector<Leaf> leaves = leaves_of(s);
    const int init_at = s.is_reduction() ? init_position(s) : -1;
    Stmt inner = update(s);
    for (std::size_t l = leaves.size() + 1; l-- > 0;) {
      // `inner` stands inside leaf l-1; stages computed there, then the initialisation, come first.
      Stmts body;
      if (l > 0) {
        for (const schedule::PrefetchMark& p : s.prefetches) {
          if (p.axis == s.leaves[l - 1]) body.push_back(memory_.prefetch(s, p));
        }
        Stmts inside, step;
        for (const Stage* q : attached(s, s.leaves[l - 1])) (schedule::scan_around(state_, *q) == &s ? step : inside).push_back(in_slot(*q, q->padded ? guarded(emit(*q), guards_ahead(s, l)) : emit(*q)));
        // The first rows of a scan are given: no stage of its step runs for them.
        if (!step.empty()) inside.push_back(guarded(ir::block(std::move(step)), {step_value(s) >= int_imm(s.given_rows)}));
        // Iterations past the domain run nothing, so nothing is computed for them either: the box
        // they would ask for may lie outside of what is stored.
        if (!inside.empty()) body.push_back(guarded(ir::block(std::move(inside)), guards_at(s, l)));
      }
      if (static_cast<int>(l) == init_at) body.push_back(init(s, leaves, l));
      body.push_back(std::move(inner));
      inner = ir::block(std::move(body));
      if (l == 0) break;
      inner = allocate(s, s.leaves[l - 1], std::move(inner));
      inner = loop(leaves[l - 1], leaves[l - 1].axis->var, std::move(inner), marks_at(s, s.leaves[l - 1]));
      inner = allocate_windows(s, s.leaves[l - 1], std::move(inner));
    }
    return inner;
  }

  /// What passes are to make of a loop: slots of the tiles that are pipelined along it, a product of a warp.
  Notes marks_at(const Stage& s, const std::string& leaf) const {
    Notes out;
    const int slots = schedule::slots_at(state_, s, leaf);
    if (slots > 1) out["pipeline"] = slots;
    const bool product = s.tensorized && ir::find_mma(s.tensorized->intrinsic) != nullptr && s.tensorized->axes[0] == leaf;
    if (product) out[s.tensorized->intrinsic] = 1;
    return out;
  }

  /// What fills a slot of a channel says so.
  static Stmt in_slot(const Stage& s, Stmt fill) {
    if (s.slots <= 1) return fill;
    const auto channel = [&](ir::ChannelAction a) { return make_stmt<ir::ChannelOp>(s.name, a, int_imm(0)); };
    return ir::block({channel(ir::ChannelAction::kAcquire), std::move(fill), channel(ir::ChannelAction::kCommit)});
  }

  /// The row that an iteration of a scan computes.
  static Expr step_value(const Stage& s) {
    const auto root = std::find_if(s.roots.begin(), s.roots.end(), [&](const RootAxis& r) { return r.axis == s.step_axis; });
    return schedule::coordinate_values(s).at(root->coordinate.id());
  }

  /// The guards of `s` that its first `count` loops decide.
  static Exprs guards_at(const Stage& s, std::size_t count) {
    schedule::Guards all = schedule::guards(s);
    Exprs out = std::move(all.statement);
    out.insert(out.end(), all.value.begin(), all.value.end());
    std::erase_if(out, [&](const Expr& g) {
      for (std::size_t l = count; l < s.leaves.size(); ++l) {
        if (ir::uses_var(g, s.find_axis(s.leaves[l])->var.id())) return true;
      }
      return false;
    });
    return out;
  }

  /// What the guards that loops further in decide ask of the first `count`: where these fail, no iteration passes. A
  /// padded box runs whole even then, and what it reads there is not stored.
  static Exprs guards_ahead(const Stage& s, std::size_t count) {
    Exprs out;
    for (const Expr& g : schedule::guards(s).statement) {
      const auto* less = g.as<ir::LT>();
      Expr start = less != nullptr ? less->a : Expr();
      bool rises = less != nullptr, inside = false;
      for (std::size_t l = count; l < s.leaves.size() && rises; ++l) {
        const Var v = s.find_axis(s.leaves[l])->var;
        if (!ir::uses_var(g, v.id())) continue;
        std::int64_t k = 0;
        rises = !ir::uses_var(less->b, v.id()) && ir::split_linear(start, v.id(), k, start) && k >= 0;
        inside = true;
      }
      if (rises && inside) out.push_back(start < less->b);
    }
    return out;
  }

  std::vector<const Stage*> attached(const Stage& s, const std::string& leaf) const {
    std::vector<const Stage*> out;
    for (std::size_t i = 0; i < state_.size(); ++i) {
      const Stage& q = state_.stage(i);
      if (q.placement == Placement::kAt && q.at == Attach{s.name, leaf}) out.push_back(&q);
    }
    return out;
  }

  Stmt allocate(const Stage& s, const std::string& leaf, Stmt body) const {
    for (std::size_t i = state_.size(); i-- > 0;) {
      const Stage& q = state_.stage(i);
      if (q.placement != Placement::kAt || q.rolling) continue;
      const Attach where = q.store_at ? *q.store_at : q.at;
      if (!(where == Attach{s.name, leaf})) continue;
      for (const Buffer& b : memory_.of(q.name).buffers) body = make_stmt<ir::Allocate>(b, std::move(body));
    }
    return body;
  }

  /// Rolling windows live around the loop that they roll along.
  Stmt allocate_windows(const Stage& s, const std::string& leaf, Stmt loop) const {
    for (std::size_t i = state_.size(); i-- > 0;) {
      const Stage& q = state_.stage(i);
      if (q.placement != Placement::kAt || !q.rolling || !(q.at == Attach{s.name, leaf})) continue;
      for (const Buffer& b : memory_.of(q.name).buffers) loop = make_stmt<ir::Allocate>(b, std::move(loop));
    }
    return loop;
  }

  Exprs store_index(const Stage& s, const VarMap& values) const {
    return memory_.of(s.name).box.index(coordinates(s, values, false));
  }

  Exprs coordinates(const Stage& s, const VarMap& values, bool reduce) const {
    Exprs out;
    for (const RootAxis& r : s.roots) {
      if (r.kind == AxisKind::kData || reduce) out.push_back(values.at(r.coordinate.id()));
    }
    return out;
  }

  Stmt guarded(Stmt body, const Exprs& conditions) const {
    Expr all;
    for (const Expr& c : conditions) {
      const Expr s = ir::simplify(c, bounds_);
      if (is_true(s)) continue;
      all = all.defined() ? (all && s) : s;
    }
    return all.defined() ? make_stmt<ir::IfThenElse>(all, std::move(body)) : body;
  }

  Stmt init(const Stage& s, const std::vector<Leaf>& leaves, std::size_t from) {
    const ir::Reduce& r = *s.reduce();
    VarMap renamed;
    std::vector<std::pair<Leaf, Var>> inner;
    for (std::size_t l = from; l < leaves.size(); ++l) {
      if (leaves[l].axis->kind != AxisKind::kData) continue;
      const Var v = Var::fresh(leaves[l].axis->name, ir::i64);
      inner.push_back({leaves[l], v});
      renamed[leaves[l].axis->var.id()] = v;
      bounds_[v.id()] = bounds_.at(leaves[l].axis->var.id());
    }
    const VarMap values = schedule::coordinate_values(s);
    Stmts stores;
    const Storage& st = memory_.of(s.name);
    for (std::size_t v = 0; v < st.buffers.size(); ++v) {
      const int which = s.body[v].as<ir::Reduce>()->index;
      stores.push_back(make_stmt<ir::Store>(st.buffers[v], store_index(s, values), r.combiner->identity[static_cast<std::size_t>(which)]));
    }
    Stmt body = make_stmt<ir::Instance>(s.name, ir::Phase::kInit, coordinates(s, values, false), ir::block(std::move(stores)));
    Exprs conditions = schedule::guards(s).statement;
    // A condition on reduction loops does not concern the initialisation.
    std::erase_if(conditions, [&](const Expr& c) {
      for (const std::string& leaf : s.leaves) {
        const Axis* a = s.find_axis(leaf);
        if (a->kind == AxisKind::kReduce && ir::uses_var(c, a->var.id())) return true;
      }
      return false;
    });
    body = guarded(std::move(body), conditions);
    body = ir::substitute(body, renamed);
    for (auto it = inner.rbegin(); it != inner.rend(); ++it) {
      Leaf l = it->first;
      l.extent = ir::substitute(l.extent, renamed);
      body = loop(l, it->second, std::move(body));
    }
    return body;
  }

  Stmt update(const Stage& s) {
    const VarMap values = schedule::coordinate_values(s);
    auto [conditions, value_conditions] = schedule::guards(s);
    if (options_.mutant == Mutant::kTailLessEqual) {
      for (Expr& c : conditions) {
        if (const auto* lt = c.as<ir::LT>()) c = lt->a <= lt->b;
      }
    }
    Stmt body = s.reduce() != nullptr ? reduction(s, values) : plain(s, values, value_conditions);
    const ir::Phase phase = s.reduce() != nullptr ? ir::Phase::kUpdate : ir::Phase::kWhole;
    body = make_stmt<ir::Instance>(s.name, phase, coordinates(s, values, true), std::move(body));
    return guarded(std::move(body), conditions);
  }

  Stmt plain(const Stage& s, const VarMap& values, const Exprs& value_conditions) {
    const Storage& st = memory_.of(s.name);
    Stmts stores;
    for (std::size_t v = 0; v < st.buffers.size(); ++v) {
      Expr x = memory_.stored_reads(ir::substitute(s.body[v], values));
      for (const Expr& c : value_conditions) x = ir::if_then_else(c, x, ir::constant_of(x.type(), 0));
      x = inside_tensor(s, std::move(x));
      stores.push_back(make_stmt<ir::Store>(st.buffers[v], store_index(s, values), x, Expr(), s.streaming));
    }
    // A multi-output stage that reads nothing of its own needs no order between its stores.
    return ir::block(std::move(stores));
  }

  /// Zero where a padded stage computes past its tensor. What it reads of padded boxes is there.
  Expr inside_tensor(const Stage& s, Expr x) const {
    bool reads_tensor = s.reduce() == nullptr;
    for (const Expr& body : s.body) {
      ir::walk(body, [&](const Expr& e) {
        const auto* load = e.as<ir::Load>();
        if (load != nullptr) reads_tensor |= !state_.producer(load->buffer.get())->padded;
        return true;
      });
    }
    if (!reads_tensor) return x;
    for (const Expr& c : schedule::padding_guards(s)) {
      const Expr open = ir::simplify(c, bounds_);
      if (!is_true(open)) x = ir::if_then_else(open, x, ir::constant_of(x.type(), 0));
    }
    return x;
  }

  Stmt reduction(const Stage& s, const VarMap& values) {
    const ir::Reduce& r = *s.reduce();
    const Storage& st = memory_.of(s.name);
    const Exprs index = store_index(s, values);
    Exprs sources;
    for (const Expr& x : r.sources) sources.push_back(inside_tensor(s, memory_.stored_reads(ir::substitute(x, values))));
    VarMap with;
    if (sources.size() == 1 && !joins_threads(s)) {
      with[r.combiner->lhs[0].id()] = st.buffers[0].load(index);
      with[r.combiner->rhs[0].id()] = sources[0];
      return make_stmt<ir::Store>(st.buffers[0], index, ir::substitute(r.combiner->result[0], with));
    }
    // Tuples, and parts of threads that will meet: all old values and sources are read before any new value is written.
    std::vector<std::pair<Var, Expr>> lets;
    const auto bind = [&](const Var& v, Expr value, const std::string& name) {
      const Var fresh = Var::fresh(name, value.type());
      lets.push_back({fresh, std::move(value)});
      with[v.id()] = fresh;
    };
    for (std::size_t i = 0; i < sources.size(); ++i) {
      bind(r.combiner->lhs[i], st.buffers[output_of(s, i)].load(index), "old" + std::to_string(i));
      bind(r.combiner->rhs[i], sources[i], "new" + std::to_string(i));
    }
    Stmts stores;
    std::vector<std::pair<Var, Expr>> results;
    for (std::size_t i = 0; i < sources.size(); ++i) {
      const Var out = Var::fresh("out" + std::to_string(i), sources[i].type());
      results.push_back({out, ir::substitute(r.combiner->result[i], with)});
      stores.push_back(make_stmt<ir::Store>(st.buffers[output_of(s, i)], index, out));
    }
    Stmt body = ir::block(std::move(stores));
    for (auto it = results.rbegin(); it != results.rend(); ++it) body = make_stmt<ir::LetStmt>(it->first, it->second, std::move(body));
    for (auto it = lets.rbegin(); it != lets.rend(); ++it) body = make_stmt<ir::LetStmt>(it->first, it->second, std::move(body));
    return body;
  }

  /// Whether threads add up parts of one result.
  static bool joins_threads(const Stage& s) {
    return std::any_of(s.leaves.begin(), s.leaves.end(), [&](const std::string& l) {
      const Axis& a = *s.find_axis(l);
      return a.kind == AxisKind::kReduce && ir::is_thread_level(a.loop);
    });
  }

  /// The output that holds value `i` of the reduced tuple. A tuple needs all its values kept.
  std::size_t output_of(const Stage& s, std::size_t i) const {
    for (std::size_t v = 0; v < s.body.size(); ++v) {
      if (s.body[v].as<ir::Reduce>()->index == static_cast<int>(i)) return v;
    }
    TESSERA_CHECK(false) << "value " << i << " of the reduction of stage " << s.name << " is not stored";
    return 0;
  }

  // ---- program ------------------------------------------------------------------------------------

  void add_phase(ir::RunPhase phase, const std::string& name, Stmts nests) {
    if (nests.empty()) return;
    ir::Function f;
    f.name = name;
    f.body = ir::block(std::move(nests));
    std::set<std::uint64_t> used;
    ir::walk(
        f.body,
        [&](const Stmt& s) {
          if (const auto* n = s.as<ir::Store>()) used.insert(n->buffer->id);
          return true;
        },
        [&](const Expr& e) {
          if (const auto* n = e.as<ir::Load>()) used.insert(n->buffer->id);
          return true;
        });
    ir::LaunchSite site;
    site.phase = phase;
    site.function = name;
    for (const ir::ProgramBuffer& b : program_.buffers) {
      if (used.count(b.buffer->id) == 0) continue;
      f.buffers.push_back(b.buffer);
      site.arguments.push_back(b.buffer);
    }
    program_.functions.push_back(std::move(f));
    program_.launches.push_back(std::move(site));
  }

  const State& state_;
  const Options& options_;
  ir::Program program_;
  ir::Bounds bounds_;
  Memory memory_;
  std::set<std::string> prepared_;
};

}  // namespace

Result<ir::Program> build(const State& state, const Options& options) {
  if (options.mutant == Mutant::kNone) return Builder(state, options).run();
  TESSERA_TRY(wrong, mutated(state, options.mutant));
  return Builder(wrong, options).run();
}

}  // namespace tessera::lower
