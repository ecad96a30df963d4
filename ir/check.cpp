#include "ir/check.h"

#include <algorithm>
#include <set>

#include "ir/detail/check_expr.h"
#include "ir/print.h"

namespace tessera::ir {

namespace {

using detail::Broken;
using detail::require;

std::string brief(const Stmt& s) {
  std::string text = to_string(s);
  text = text.substr(0, text.find('\n'));
  return text.size() > 100 ? text.substr(0, 100) + "..." : text;
}

class FunctionChecker {
 public:
  FunctionChecker(const Program& p, std::size_t index, const CheckOptions& options,
                  std::map<std::string, std::set<std::size_t>>& written, std::set<VarId>& bound)
      : program_(p),
        function_(p.functions[index]),
        index_(index),
        written_(written),
        exprs_(options.flat, options.bound_once, bound) {}

  void run() {
    for (const ProgramBuffer& b : program_.buffers) exprs_.buffers.insert(b.buffer->id);
    std::set<std::uint64_t> parameters;
    for (const Buffer& b : function_.buffers) {
      require(parameters.insert(b->id).second, "parameter ", b->name, " stands twice");
      detail::check_buffer(b);
      exprs_.buffers.insert(b->id);
    }
    for (const Var& v : function_.scalars) exprs_.parameter(v);
    stmt(function_.body);
  }

 private:
  void stmt(const Stmt& s) {
    if (!s) return;
    try {
      visit(s);
    } catch (Broken& b) {
      if (b.statement.empty()) b.statement = brief(s);
      throw;
    }
  }

  void visit(const Stmt& s) {
    switch (s->kind) {
      case StmtKind::kBlock:
        for (const Stmt& x : s.as<Block>()->stmts) stmt(x);
        return;
      case StmtKind::kFor: {
        const auto* n = s.as<For>();
        index(n->min, "the start of the loop");
        index(n->extent, "the extent of the loop");
        require(n->var.type() == i64, "loop variable ", n->var, " is ", n->var.type(), ", not i64");
        const auto scope = exprs_.bind_scoped(n->var);
        return stmt(n->body);
      }
      case StmtKind::kStore: {
        const auto* n = s.as<Store>();
        const int lanes = exprs_.access(n->buffer, n->indices);
        value(n->buffer, n->value, lanes);
        exprs_.predicate(n->predicate, lanes);
        return write(n->buffer);
      }
      case StmtKind::kAllocate: {
        const Buffer& b = s.as<Allocate>()->buffer;
        detail::check_buffer(b);
        require(exprs_.buffers.insert(b->id).second, "buffer ", b->name,
                " is declared inside of its own scope");
        stmt(s.as<Allocate>()->body);
        exprs_.buffers.erase(b->id);
        return;
      }
      case StmtKind::kIfThenElse: {
        const auto* n = s.as<IfThenElse>();
        condition(n->condition);
        stmt(n->yes);
        return stmt(n->no);
      }
      case StmtKind::kLetStmt: {
        const auto* n = s.as<LetStmt>();
        exprs_.expr(n->value);
        require(n->var.type() == n->value.type(), "let ", n->var, " is ", n->var.type(),
                ", its value ", n->value.type());
        const auto scope = exprs_.bind_scoped(n->var);
        return stmt(n->body);
      }
      case StmtKind::kEvaluate:
        return exprs_.expr(s.as<Evaluate>()->value);
      case StmtKind::kAssert:
        return condition(s.as<Assert>()->condition);
      case StmtKind::kInstance:
        for (const Expr& c : s.as<Instance>()->coordinates) index(c, "a coordinate");
        return stmt(s.as<Instance>()->body);
      case StmtKind::kCallFunction:
        return call(*s.as<CallFunction>());
      case StmtKind::kPrefetch: {
        const auto* n = s.as<Prefetch>();
        require(exprs_.access(n->buffer, n->indices) == 1, "prefetch of a vector of addresses");
        return;
      }
      case StmtKind::kCopy: {
        const auto* n = s.as<Copy>();
        region(n->target);
        region(n->source);
        require(n->target.buffer->dtype == n->source.buffer->dtype, "copy from ",
                n->source.buffer->dtype, " to ", n->target.buffer->dtype);
        return write(n->target.buffer);
      }
      case StmtKind::kTileOp:
        for (const Region& r : s.as<TileOp>()->regions) region(r);
        return;
      case StmtKind::kChannelOp:
        return index(s.as<ChannelOp>()->slot, "the slot");
      case StmtKind::kRole:
        return stmt(s.as<Role>()->body);
      case StmtKind::kBarrier:
        return;
      case StmtKind::kAtomic: {
        const auto* n = s.as<Atomic>();
        require(n->op != ReduceOp::kCustom, "an atomic has a built-in operation");
        value(n->buffer, n->value, exprs_.access(n->buffer, n->indices));
        return write(n->buffer);
      }
    }
  }

  void index(const Expr& e, const char* what) {
    exprs_.expr(e);
    require(e.type() == i64, what, " ", e, " is ", e.type(), ", not i64");
  }

  void condition(const Expr& e) {
    exprs_.expr(e);
    require(e.type() == boolean, "condition ", e, " is ", e.type(), ", not bool");
  }

  void value(const Buffer& b, const Expr& v, int lanes) {
    exprs_.expr(v);
    require(v.type() == b->dtype.with_lanes(lanes), "buffer ", b->name, " takes ",
            b->dtype.with_lanes(lanes), ", the value is ", v.type());
  }

  void region(const Region& r) {
    exprs_.declared(r.buffer);
    const std::size_t expected = exprs_.indices_of(r.buffer);
    require(r.min.size() == expected && r.extent.size() == expected, "a region of ", r.buffer->name, " has ",
            r.min.size(), " ranges, the buffer ", expected);
    for (const Expr& e : r.min) index(e, "the start of a region");
    for (const Expr& e : r.extent) index(e, "the extent of a region");
  }

  void call(const CallFunction& n) {
    const auto end = program_.functions.begin() + static_cast<std::ptrdiff_t>(index_);
    const auto callee = std::find_if(program_.functions.begin(), end,
                                     [&](const Function& f) { return f.name == n.function; });
    require(callee != end, "no function ", n.function, " stands above ", function_.name);
    for (const Buffer& b : n.buffers) exprs_.declared(b);
    detail::check_arguments(*callee, n.buffers);
    require(n.scalars.size() == callee->scalars.size(), n.function, " takes ",
            callee->scalars.size(), " scalars, ", n.scalars.size(), " given");
    for (std::size_t i = 0; i < n.scalars.size(); ++i) {
      exprs_.expr(n.scalars[i]);
      require(n.scalars[i].type() == callee->scalars[i].type(), "scalar ", callee->scalars[i],
              " of ", n.function, " is ", callee->scalars[i].type(), ", ", n.scalars[i].type(),
              " given");
    }
    for (const std::size_t i : written_[n.function]) write(n.buffers[i]);
  }

  /// Stores into a parameter count for whoever passes it, into a program buffer right here.
  void write(const Buffer& b) {
    for (std::size_t i = 0; i < function_.buffers.size(); ++i) {
      if (function_.buffers[i] == b) written_[function_.name].insert(i);
    }
    for (const ProgramBuffer& p : program_.buffers) {
      if (p.buffer == b) detail::check_written(p, /*preparing=*/true);
    }
  }

  const Program& program_;
  const Function& function_;
  std::size_t index_;
  std::map<std::string, std::set<std::size_t>>& written_;
  detail::ExprChecker exprs_;
};

void check_launches(const Program& p, std::map<std::string, std::set<std::size_t>>& written) {
  bool running = false;
  for (const LaunchSite& l : p.launches) {
    const Function* f = p.find(l.function);
    require(f != nullptr, "launch of ", l.function, ", which is no function of the program");
    require(l.phase == RunPhase::kRun || !running, "prepare launch of ", l.function,
            " after a run launch");
    running = l.phase == RunPhase::kRun;
    require(f->scalars.empty(), "launch of ", l.function, ", which takes scalars");
    detail::check_arguments(*f, l.arguments);
    for (std::size_t i = 0; i < l.arguments.size(); ++i) {
      const auto own =
          std::find_if(p.buffers.begin(), p.buffers.end(),
                       [&](const ProgramBuffer& b) { return b.buffer == l.arguments[i]; });
      require(own != p.buffers.end(), "launch of ", l.function, " passes ", l.arguments[i]->name,
              ", which is no buffer of the program");
      if (written[l.function].count(i) != 0)
        detail::check_written(*own, l.phase == RunPhase::kPrepare);
    }
  }
}

Refusal report(const std::string& where, const Broken& b) {
  return refuse(where, b.why, b.statement.empty() ? "" : ", in `" + b.statement + "`");
}

}  // namespace

Status check_well_formed(const Program& p, const CheckOptions& options) {
  std::map<std::string, std::set<std::size_t>> written;
  std::set<VarId> bound;
  const std::string in_program = "program " + p.name + ": ";
  try {
    std::set<std::uint64_t> ids;
    for (const ProgramBuffer& b : p.buffers) {
      require(ids.insert(b.buffer->id).second, "buffer ", b.buffer->name, " stands twice");
      detail::check_buffer(b.buffer);
    }
  } catch (const Broken& b) {
    return report(in_program, b);
  }
  for (std::size_t i = 0; i < p.functions.size(); ++i) {
    const std::string& name = p.functions[i].name;
    try {
      require(p.find(name) == &p.functions[i], "a second function of this name");
      FunctionChecker(p, i, options, written, bound).run();
    } catch (const Broken& b) {
      return report("function " + name + ": ", b);
    }
  }
  try {
    check_launches(p, written);
  } catch (const Broken& b) {
    return report(in_program, b);
  }
  return Done{};
}

}  // namespace tessera::ir
