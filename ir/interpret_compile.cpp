#include <algorithm>

#include "ir/detail/bytecode.h"
#include "ir/print.h"

namespace tessera::ir::detail {

namespace {

constexpr std::size_t kMaxInsts = 20'000'000;

bool runs_in_parallel(ForKind k) {
  return k != ForKind::kSerial && k != ForKind::kVector && k != ForKind::kUnroll &&
         k != ForKind::kVThread;
}

class Compiler {
 public:
  Compiler(const Program& p, const InterpretOptions& options) : program_(p), options_(options) {}

  Code run() {
    for (const ProgramBuffer& b : program_.buffers) global_[b.buffer->id] = storage(b.buffer);
    code_.program_storages = code_.storages.size();
    for (const RunPhase phase : {RunPhase::kPrepare, RunPhase::kRun}) {
      for (const LaunchSite& l : program_.launches) {
        if (l.phase == phase) call(l.function, l.arguments, {});
      }
    }
    return std::move(code_);
  }

 private:
  // ---- functions --------------------------------------------------------------------------------

  void call(const std::string& name, const std::vector<Buffer>& buffers,
            const std::vector<Reg>& scalars) {
    const Function* f = program_.find(name);
    if (f == nullptr) throw Fault{"no function " + name};
    if (f->buffers.size() != buffers.size() || f->scalars.size() != scalars.size())
      throw Fault{"call of " + name + " with other arguments than it takes"};
    if (++depth_ > 64) throw Fault{"calls of " + name + " nest more than 64 deep"};
    std::map<std::uint64_t, std::uint32_t> inside = global_;
    for (std::size_t i = 0; i < buffers.size(); ++i)
      inside[f->buffers[i]->id] = storage_of(buffers[i]);
    std::map<VarId, Reg> vars;
    for (std::size_t i = 0; i < scalars.size(); ++i) vars[f->scalars[i].id()] = scalars[i];
    std::swap(inside, buffers_);
    std::swap(vars, vars_);
    const std::string outer = std::exchange(function_, name);
    stmt(f->body);
    function_ = outer;
    vars_ = std::move(vars);
    buffers_ = std::move(inside);
    --depth_;
  }

  std::uint32_t storage(const Buffer& b) {
    if (b.is_symbolic()) throw Fault{"buffer " + b->name + " has a symbolic shape"};
    code_.storages.push_back(make_storage(b));
    return static_cast<std::uint32_t>(code_.storages.size() - 1);
  }

  std::uint32_t storage_of(const Buffer& b) const {
    for (const auto* scope : {&buffers_, &global_}) {
      const auto it = scope->find(b->id);
      if (it != scope->end()) return it->second;
    }
    throw Fault{"buffer " + b->name + " is used outside of its scope"};
  }

  // ---- emission ---------------------------------------------------------------------------------

  Reg fresh(int lanes) {
    const auto r = static_cast<Reg>(code_.registers.size());
    code_.registers.resize(code_.registers.size() + static_cast<std::size_t>(lanes),
                           Scalar{.i = 0});
    return r;
  }

  Inst& emit(Op op, Type t, Reg dst = kNoReg, Reg a = kNoReg, Reg b = kNoReg, Reg c = kNoReg) {
    if (code_.insts.size() > kMaxInsts) throw Fault{"the program is too large for the interpreter"};
    Inst i{op};
    i.type = t.element();
    i.lanes = t.lanes;
    i.dst = dst;
    i.a = a;
    i.b = b;
    i.c = c;
    i.mask = mask_;
    i.site = site_;
    code_.insts.push_back(i);
    return code_.insts.back();
  }

  std::uint32_t here() const { return static_cast<std::uint32_t>(code_.insts.size()); }
  std::uint32_t jump(Op op, Reg condition = kNoReg) {
    emit(op, boolean, kNoReg, condition);
    return here() - 1;
  }
  void land(std::uint32_t at) { code_.insts[at].aux = here(); }

  Reg value_of(VarId id, const Expr& e) const {
    const auto it = vars_.find(id);
    if (it == vars_.end())
      throw Fault{"variable " + to_string(e) + " is used outside of its scope"};
    return it->second;
  }

  std::uint32_t access(const BufferNode* b, const Exprs& indices, const Expr& predicate) {
    Access a;
    a.storage = storage_of(Buffer(Ref<const BufferNode>(b)));
    a.flat = options_.flat || (indices.size() == 1 && b->shape.size() != 1);
    if (!a.flat && indices.size() != b->shape.size())
      throw Fault{"access of " + b->name + " with " + std::to_string(indices.size()) + " indices"};
    if (options_.flat && indices.size() != 1) throw Fault{"access of " + b->name + " is not flat"};
    for (const Expr& i : indices) a.indices.push_back({expr(i), !i.type().is_scalar()});
    if (predicate.defined()) a.predicate = expr(predicate);
    code_.accesses.push_back(std::move(a));
    return static_cast<std::uint32_t>(code_.accesses.size() - 1);
  }

  // ---- expressions ------------------------------------------------------------------------------

  Reg constant(const Expr& e, Scalar v) {
    const auto [it, added] = constants_.try_emplace({e.type().hash(), v.i}, 0);
    if (added) {
      it->second = fresh(1);
      code_.registers[it->second] = v;
    }
    return it->second;
  }

  Reg binary(const Binary& n) {
    const Reg a = expr(n.a), b = expr(n.b), dst = fresh(n.type.lanes);
    const bool floats = n.a.type().is_float();
    const bool compares = floats && n.type.is_bool();
    Inst& i = emit(compares ? Op::kCompare : floats ? Op::kFloat : Op::kInt, n.a.type(), dst, a, b);
    i.sub = static_cast<std::uint8_t>(n.kind);
    return dst;
  }

  Reg lazy(const IfThenElseExpr& n) {
    const Reg condition = expr(n.condition), dst = fresh(n.type.lanes);
    if (n.condition.type().is_scalar()) {
      const std::uint32_t to_no = jump(Op::kJumpIfNot, condition);
      emit(Op::kMove, n.type, dst, expr(n.yes));
      const std::uint32_t to_end = jump(Op::kJump);
      land(to_no);
      emit(Op::kMove, n.type, dst, expr(n.no));
      land(to_end);
      return dst;
    }
    // Lanes choose apart: both sides run, each with the other's lanes switched off.
    Reg values[2];
    const Reg outer = mask_;
    for (const int side : {0, 1}) {
      const Reg m = fresh(n.type.lanes);
      emit(Op::kMaskAnd, n.condition.type(), m, condition, outer).sub =
          static_cast<std::uint8_t>(side);
      mask_ = m;
      values[side] = expr(side ? n.yes : n.no);
      mask_ = outer;
    }
    emit(Op::kSelect, n.type, dst, condition, values[1], values[0]);
    return dst;
  }

  Reg expr(const Expr& e) {
    if (!e.defined()) throw Fault{"an expression is undefined"};
    const Type t = e.type();
    if (const Binary* n = as_binary(e)) return binary(*n);
    switch (e->kind) {
      case ExprKind::kIntImm:
        return constant(e, Scalar{.i = e.as<IntImm>()->value});
      case ExprKind::kFloatImm:
        return constant(e, Scalar{.f = e.as<FloatImm>()->value});
      case ExprKind::kVar:
        return value_of(e.as<VarNode>()->id, e);
      case ExprKind::kIfThenElseExpr:
        return lazy(*e.as<IfThenElseExpr>());
      case ExprKind::kReduce:
        throw Fault{"a Reduce is left in the program"};
      case ExprKind::kLet: {
        const auto* n = e.as<Let>();
        vars_[n->var.id()] = expr(n->value);
        return expr(n->body);
      }
      case ExprKind::kCast:
      case ExprKind::kReinterpret: {
        const auto* c = e.as<Cast>();
        const Expr& v = c != nullptr ? c->value : e.as<Reinterpret>()->value;
        const Reg a = expr(v), dst = fresh(t.lanes);
        Inst& i = emit(c != nullptr ? Op::kCast : Op::kReinterpret, t, dst, a);
        i.from = v.type().element();
        if (c != nullptr) i.sub = static_cast<std::uint8_t>(c->mode);
        return dst;
      }
      case ExprKind::kNot: {
        const Reg a = expr(e.as<Not>()->a), dst = fresh(t.lanes);
        emit(Op::kNot, t, dst, a);
        return dst;
      }
      case ExprKind::kSelect: {
        const auto* n = e.as<Select>();
        const Reg c = expr(n->condition), y = expr(n->yes), no = expr(n->no), dst = fresh(t.lanes);
        emit(Op::kSelect, t, dst, c, y, no);
        return dst;
      }
      case ExprKind::kRamp: {
        const Reg a = expr(e.as<Ramp>()->base), b = expr(e.as<Ramp>()->stride),
                  dst = fresh(t.lanes);
        emit(Op::kRamp, t, dst, a, b);
        return dst;
      }
      case ExprKind::kBroadcast: {
        const Reg a = expr(e.as<Broadcast>()->value), dst = fresh(t.lanes);
        emit(Op::kSplat, t, dst, a);
        return dst;
      }
      case ExprKind::kShuffle:
        return shuffle(*e.as<Shuffle>());
      case ExprKind::kVectorReduce: {
        const auto* n = e.as<VectorReduce>();
        const Reg a = expr(n->value), dst = fresh(t.lanes);
        Inst& i = emit(Op::kFold, t, dst, a);
        i.sub = static_cast<std::uint8_t>(n->op);
        i.aux = static_cast<std::uint32_t>(n->value.type().lanes / t.lanes);
        return dst;
      }
      case ExprKind::kCall: {
        const auto* n = e.as<Call>();
        Reg args[3] = {kNoReg, kNoReg, kNoReg};
        for (std::size_t i = 0; i < n->args.size(); ++i) args[i] = expr(n->args[i]);
        const Reg dst = fresh(t.lanes);
        emit(Op::kCall, n->args[0].type(), dst, args[0], args[1], args[2]).sub =
            static_cast<std::uint8_t>(n->intrinsic);
        return dst;
      }
      case ExprKind::kLoad: {
        const auto* n = e.as<Load>();
        const std::uint32_t a = access(n->buffer.get(), n->indices, n->predicate);
        const Reg dst = fresh(t.lanes);
        emit(Op::kLoad, t, dst).aux = a;
        return dst;
      }
      default:
        TESSERA_UNREACHABLE();
    }
  }

  Reg shuffle(const Shuffle& n) {
    std::vector<std::pair<Reg, std::uint32_t>> lanes;
    for (const Expr& v : n.vectors) {
      const Reg r = expr(v);
      for (std::uint32_t i = 0; i < v.type().lanes; ++i) lanes.emplace_back(r, i);
    }
    const Reg dst = fresh(n.type.lanes);
    for (std::size_t i = 0; i < n.indices.size(); ++i) {
      const auto& [r, lane] = lanes.at(static_cast<std::size_t>(n.indices[i]));
      emit(Op::kLane, n.type.element(), dst + static_cast<Reg>(i), r).aux = lane;
    }
    return dst;
  }

  // ---- statements -------------------------------------------------------------------------------

  void stmt(const Stmt& s) {
    if (!s) return;
    if (const auto* n = s.as<Block>()) {
      for (const Stmt& x : n->stmts) stmt(x);
      return;
    }
    const std::uint32_t outer = site_;
    code_.sites.push_back({function_, s, loops_});
    site_ = static_cast<std::uint32_t>(code_.sites.size() - 1);
    visit(s);
    site_ = outer;
  }

  void loop(const For& n) {
    const Reg lo = expr(n.min), extent = expr(n.extent), var = fresh(1), end = fresh(1);
    // Threads that share a reduction meet; iteration after iteration gives the same.
    const bool parallel = options_.check_races && runs_in_parallel(n.loop) && n.notes.count("reduce") == 0;
    vars_[n.var.id()] = var;
    emit(Op::kLoopEnter, i64, var, lo, extent, end);
    const std::uint32_t enter = here() - 1;
    if (parallel) {
      emit(Op::kParallelEnter, i64).aux = level_++;
      code_.levels = std::max(code_.levels, level_);
    }
    const std::uint32_t first = here();
    loops_.emplace_back(n.var.name(), var);
    stmt(n.body);
    loops_.pop_back();
    if (parallel) emit(Op::kParallelNext, i64).aux = level_ - 1;
    emit(Op::kLoopNext, i64, var, kNoReg, kNoReg, end).aux = first;
    if (parallel) emit(Op::kParallelLeave, i64).aux = --level_;
    land(enter);
  }

  void visit(const Stmt& s) {
    switch (s->kind) {
      case StmtKind::kBlock:
        return;
      case StmtKind::kFor:
        return loop(*s.as<For>());
      case StmtKind::kStore: {
        const auto* n = s.as<Store>();
        const Reg v = expr(n->value);
        const std::uint32_t a = access(n->buffer.get(), n->indices, n->predicate);
        emit(Op::kStore, n->value.type(), kNoReg, v).aux = a;
        return;
      }
      case StmtKind::kAllocate: {
        const auto* n = s.as<Allocate>();
        const std::uint32_t slot = storage(n->buffer);
        buffers_[n->buffer->id] = slot;
        emit(Op::kAllocate, n->buffer->dtype).aux = slot;
        return stmt(n->body);
      }
      case StmtKind::kIfThenElse: {
        const auto* n = s.as<IfThenElse>();
        const std::uint32_t to_no = jump(Op::kJumpIfNot, expr(n->condition));
        stmt(n->yes);
        if (!n->no) return land(to_no);
        const std::uint32_t to_end = jump(Op::kJump);
        land(to_no);
        stmt(n->no);
        return land(to_end);
      }
      case StmtKind::kLetStmt: {
        const auto* n = s.as<LetStmt>();
        vars_[n->var.id()] = expr(n->value);
        return stmt(n->body);
      }
      case StmtKind::kEvaluate:
        expr(s.as<Evaluate>()->value);
        return;
      case StmtKind::kAssert:
        emit(Op::kAssert, boolean, kNoReg, expr(s.as<Assert>()->condition));
        return;
      case StmtKind::kInstance:
        return stmt(s.as<Instance>()->body);
      case StmtKind::kCallFunction: {
        const auto* n = s.as<CallFunction>();
        std::vector<Reg> scalars;
        for (const Expr& e : n->scalars) scalars.push_back(expr(e));
        return call(n->function, n->buffers, scalars);
      }
      case StmtKind::kRole:
        return stmt(s.as<Role>()->body);
      case StmtKind::kPrefetch:
      case StmtKind::kBarrier:
      case StmtKind::kChannelOp:
        return;
      case StmtKind::kCopy:
      case StmtKind::kTileOp:
      case StmtKind::kAtomic:
        throw Fault{std::string(kind_name(s->kind)) + " is not supported by the interpreter, in `" +
                    to_string(s).substr(0, 100) + "`"};
    }
  }

  const Program& program_;
  const InterpretOptions& options_;
  Code code_;
  std::map<std::uint64_t, std::uint32_t> global_, buffers_;
  std::map<VarId, Reg> vars_;
  std::map<std::pair<std::uint64_t, std::int64_t>, Reg> constants_;
  std::vector<std::pair<std::string, Reg>> loops_;
  std::string function_;
  std::uint32_t site_ = 0, level_ = 0;
  Reg mask_ = kNoReg;
  int depth_ = 0;
};

}  // namespace

Storage make_storage(const Buffer& b) {
  Storage s;
  s.buffer = b;
  s.extents = b.extents();
  if (b->layout.is_row_major()) {
    s.strides.assign(s.extents.size(), 1);
    for (std::size_t d = s.extents.size(); d-- > 1;) s.strides[d - 1] = s.strides[d] * s.extents[d];
  }
  return s;
}

Code compile(const Program& p, const InterpretOptions& options) {
  return Compiler(p, options).run();
}

}  // namespace tessera::ir::detail
