#include <map>

#include "dsl/detail/evaluate_code.h"
#include "ir/print.h"
#include "ir/rewrite.h"

namespace tessera::dsl::detail {

namespace {

using ir::ExprKind;

class Compiler {
 public:
  Code run(const std::vector<Var>& arguments, const Exprs& results) {
    for (const Var& v : arguments) {
      code_.arguments.push_back(fresh());
      vars_[v.id()] = code_.arguments.back();
    }
    for (const Expr& e : results) code_.results.push_back(expr(e));
    return std::move(code_);
  }

 private:
  Reg fresh() { return code_.registers++; }

  Inst& emit(Op op, Type operands, Type result, Reg a = kNoReg, Reg b = kNoReg, Reg c = kNoReg) {
    Inst i;
    i.op = op;
    i.type = operands;
    i.result = result;
    i.dst = fresh();
    i.a = a;
    i.b = b;
    i.c = c;
    i.mask = mask_;
    code_.insts.push_back(i);
    return code_.insts.back();
  }

  Reg constant(Type t, ir::Scalar v) {
    const auto [it, added] = constants_.try_emplace({t.is_float(), v.i}, kNoReg);
    if (added) {
      it->second = fresh();
      code_.constants.emplace_back(it->second, v);
    }
    return it->second;
  }

  /// Shared subtrees are computed once, but not across masks: a masked lane holds nothing.
  Reg expr(const Expr& e) {
    const std::pair key{e.get(), mask_};
    if (const auto it = done_.find(key); it != done_.end()) return it->second;
    const Reg r = node(e);
    done_[key] = r;
    return r;
  }

  Reg mask(Reg condition, bool side) {
    Inst& i = emit(Op::kMask, ir::boolean, ir::boolean, condition);
    i.sub = side ? 1 : 0;
    return i.dst;
  }

  Reg lazy(const Expr& condition, Type t, const Expr& yes, const Expr& no) {
    const Reg c = expr(condition), outer = mask_;
    Reg sides[2];
    for (const int side : {0, 1}) {
      mask_ = outer;
      mask_ = mask(c, side != 0);
      sides[side] = expr(side != 0 ? yes : no);
    }
    mask_ = outer;
    Inst& i = emit(Op::kSelect, t, t, c, sides[1], sides[0]);
    i.lazy = true;
    return i.dst;
  }

  Reg load(const ir::Load& n, const Expr& e) {
    if (n.predicate.defined()) {
      const Expr bare = Buffer(n.buffer).load(n.indices);
      return lazy(n.predicate, n.type, bare, ir::constant_of(n.type, 0));
    }
    Access a;
    a.buffer = n.buffer.get();
    a.extents = Buffer(n.buffer).extents();
    a.read = e;
    for (const Expr& i : n.indices) a.index.push_back(expr(i));
    Inst& i = emit(Op::kLoad, n.type, n.type);
    i.access = static_cast<std::uint32_t>(code_.accesses.size());
    code_.accesses.push_back(std::move(a));
    return i.dst;
  }

  Reg node(const Expr& e) {
    const Type t = e.type();
    TESSERA_USER_CHECK(t.is_scalar()) << "a compute body holds no vectors: " << to_string(e);
    if (const ir::Binary* n = ir::as_binary(e)) {
      const Reg a = expr(n->a), b = expr(n->b);
      const bool floats = n->a.type().is_float();
      Inst& i = emit(!floats ? Op::kInt : t.is_bool() ? Op::kCompareFloat : Op::kFloat, n->a.type(), t, a, b);
      i.sub = static_cast<std::uint8_t>(n->kind);
      return i.dst;
    }
    switch (e->kind) {
      case ExprKind::kIntImm: return constant(t, ir::Scalar{.i = e.as<ir::IntImm>()->value});
      case ExprKind::kFloatImm: return constant(t, ir::Scalar{.f = e.as<ir::FloatImm>()->value});
      case ExprKind::kVar: {
        const auto it = vars_.find(e.as<ir::VarNode>()->id);
        TESSERA_USER_CHECK(it != vars_.end()) << "'" << to_string(e) << "' has no value here";
        return it->second;
      }
      case ExprKind::kNot: {
        const Reg a = expr(e.as<ir::Not>()->a);
        return emit(Op::kNot, t, t, a).dst;
      }
      case ExprKind::kCast:
      case ExprKind::kReinterpret: {
        const auto* c = e.as<ir::Cast>();
        const Expr& v = c != nullptr ? c->value : e.as<ir::Reinterpret>()->value;
        const Reg a = expr(v);
        Inst& i = emit(c != nullptr ? Op::kCast : Op::kReinterpret, v.type(), t, a);
        if (c != nullptr) i.sub = static_cast<std::uint8_t>(c->mode);
        return i.dst;
      }
      case ExprKind::kSelect: {
        const auto* n = e.as<ir::Select>();
        const Reg c = expr(n->condition), yes = expr(n->yes), no = expr(n->no);
        return emit(Op::kSelect, t, t, c, yes, no).dst;
      }
      case ExprKind::kIfThenElseExpr: {
        const auto* n = e.as<ir::IfThenElseExpr>();
        return lazy(n->condition, t, n->yes, n->no);
      }
      case ExprKind::kLet: {
        const auto* n = e.as<ir::Let>();
        vars_[n->var.id()] = expr(n->value);
        return expr(n->body);
      }
      case ExprKind::kCall: {
        const auto* n = e.as<ir::Call>();
        Reg r[3] = {kNoReg, kNoReg, kNoReg};
        for (std::size_t i = 0; i < n->args.size(); ++i) r[i] = expr(n->args[i]);
        Inst& i = emit(Op::kCall, n->args[0].type(), t, r[0], r[1], r[2]);
        i.sub = static_cast<std::uint8_t>(n->intrinsic);
        return i.dst;
      }
      case ExprKind::kLoad: return load(*e.as<ir::Load>(), e);
      default: break;
    }
    TESSERA_USER_CHECK(false) << "a compute body cannot hold this: " << to_string(e);
    TESSERA_UNREACHABLE();
  }

  Code code_;
  std::map<ir::VarId, Reg> vars_;
  std::map<std::pair<bool, std::int64_t>, Reg> constants_;
  std::map<std::pair<const ir::ExprNode*, Reg>, Reg> done_;
  Reg mask_ = kNoReg;
};

bool is_choice(const Expr& e) {
  bool ok = true;
  ir::walk(e, [&](const Expr& x) {
    if (!x.type().is_float()) return ok;
    switch (x->kind) {
      case ExprKind::kVar:
      case ExprKind::kFloatImm:
      case ExprKind::kSelect:
      case ExprKind::kIfThenElseExpr:
      case ExprKind::kMin:
      case ExprKind::kMax: break;
      default: ok = false;
    }
    return ok;
  });
  return ok;
}

}  // namespace

Code compile(const std::vector<Var>& arguments, const Exprs& results) { return Compiler().run(arguments, results); }

std::vector<Combine> classify(const ir::CombinerNode& c) {
  std::vector<Combine> out;
  bool choices = true;
  for (std::size_t i = 0; i < c.result.size(); ++i) {
    const auto* add = c.result[i].as<ir::Add>();
    const auto is = [&](const Expr& e, const Var& v) {
      const auto* n = e.as<ir::VarNode>();
      return n != nullptr && n->id == v.id();
    };
    const bool adds = add != nullptr && ((is(add->a, c.lhs[i]) && is(add->b, c.rhs[i])) || (is(add->a, c.rhs[i]) && is(add->b, c.lhs[i])));
    out.push_back(adds && c.result[i].type().is_float() ? Combine::kAdd : is_choice(c.result[i]) ? Combine::kChoose : Combine::kOther);
    choices &= out.back() != Combine::kOther;
  }
  // A choice that looks at a value with rounding hangs on it; then nothing is promised.
  for (std::size_t i = 0; i < out.size() && choices; ++i) {
    if (out[i] != Combine::kAdd) continue;
    for (std::size_t k = 0; k < out.size(); ++k) {
      if (k != i && (ir::uses_var(c.result[k], c.lhs[i].id()) || ir::uses_var(c.result[k], c.rhs[i].id()))) choices = false;
    }
  }
  if (!choices) out.assign(out.size(), Combine::kOther);
  return out;
}

}  // namespace tessera::dsl::detail
