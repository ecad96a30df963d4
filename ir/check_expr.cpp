#include <algorithm>

#include "ir/detail/check_expr.h"
#include "ir/intrinsics.h"
#include "ir/print.h"
#include "ir/rewrite.h"

namespace tessera::ir::detail {

void ExprChecker::parameter(const Var& v) {
  require(vars_.insert(v.id()).second, "variable ", v, " is bound inside of its own scope");
  require(ever_bound_.insert(v.id()).second || !bound_once_, "variable ", v, " is bound twice");
}

void ExprChecker::declared(const Buffer& b) const {
  require(buffers.count(b->id) != 0, "buffer ", b->name, " is used outside of its scope");
}

int ExprChecker::access(const Buffer& b, const Exprs& indices) {
  declared(b);
  const std::size_t expected = indices_of(b);
  require(indices.size() == expected, "buffer ", b->name, " takes ", expected,
          expected == 1 ? " index, " : " indices, ", indices.size(), " given");
  int lanes = 1;
  for (const Expr& i : indices) {
    expr(i);
    require(i.type().is_integral() && !i.type().is_bool(), "index ", i, " of ", b->name, " is ",
            i.type());
    require(i.type().lanes == 1 || lanes == 1 || i.type().lanes == lanes, "indices of ", b->name,
            " have ", lanes, " and ", i.type().lanes, " lanes");
    lanes = std::max<int>(lanes, i.type().lanes);
  }
  return lanes;
}

void ExprChecker::predicate(const Expr& p, int lanes) {
  if (!p.defined()) return;
  expr(p);
  require(p.type() == boolean.with_lanes(lanes), "predicate ", p, " is ", p.type(), ", not ",
          boolean.with_lanes(lanes));
}

void ExprChecker::binary(const Binary& n) {
  expr(n.a);
  expr(n.b);
  require(n.a.type() == n.b.type(), kind_name(n.kind), " of ", n.a.type(), " and ", n.b.type());
  switch (n.kind) {
    case ExprKind::kEQ:
    case ExprKind::kNE:
    case ExprKind::kLT:
    case ExprKind::kLE:
      require(n.type == boolean.with_lanes(n.a.type().lanes), kind_name(n.kind), " gives ", n.type);
      return;
    case ExprKind::kAnd:
    case ExprKind::kOr:
      require(n.a.type().is_bool(), kind_name(n.kind), " of ", n.a.type());
      break;
    case ExprKind::kFloorDiv:
    case ExprKind::kFloorMod:
    case ExprKind::kMod:
    case ExprKind::kBitAnd:
    case ExprKind::kBitOr:
    case ExprKind::kBitXor:
    case ExprKind::kShiftLeft:
    case ExprKind::kShiftRight:
      require(n.a.type().is_integral(), kind_name(n.kind), " of ", n.a.type());
      break;
    default:
      break;
  }
  require(n.type == n.a.type(), kind_name(n.kind), " of ", n.a.type(), " gives ", n.type);
}

void ExprChecker::choice(const Expr& c, const Expr& yes, const Expr& no, bool scalar_condition) {
  expr(c);
  expr(yes);
  expr(no);
  require(yes.type() == no.type(), "a choice between ", yes.type(), " and ", no.type());
  const bool lanes =
      c.type().lanes == yes.type().lanes || (scalar_condition && c.type().is_scalar());
  require(c.type().is_bool() && lanes, "condition ", c, " is ", c.type(), ", the values are ",
          yes.type());
}

void ExprChecker::expr(const Expr& e) {
  require(e.defined(), "an expression is undefined");
  if (const Binary* n = as_binary(e)) return binary(*n);
  const int lanes = e.type().lanes;
  switch (e->kind) {
    case ExprKind::kIntImm:
    case ExprKind::kFloatImm:
      return;
    case ExprKind::kVar:
      require(vars_.count(e.as<VarNode>()->id) != 0, "variable ", e,
              " is used outside of its scope");
      return;
    case ExprKind::kNot:
      expr(e.as<Not>()->a);
      require(e.type().is_bool(), "! of ", e.type());
      return;
    case ExprKind::kCast:
    case ExprKind::kReinterpret: {
      const auto* c = e.as<Cast>();
      const Expr& v = c != nullptr ? c->value : e.as<Reinterpret>()->value;
      expr(v);
      require(v.type().lanes == lanes && (c != nullptr || v.type().bits == e.type().bits),
              "conversion of ", v.type(), " to ", e.type());
      return;
    }
    case ExprKind::kSelect:
      return choice(e.as<Select>()->condition, e.as<Select>()->yes, e.as<Select>()->no, false);
    case ExprKind::kIfThenElseExpr: {
      const auto* n = e.as<IfThenElseExpr>();
      return choice(n->condition, n->yes, n->no, true);
    }
    case ExprKind::kRamp: {
      const auto* n = e.as<Ramp>();
      expr(n->base);
      expr(n->stride);
      const Type t = e.type().element();
      require(n->base.type() == t && n->stride.type() == t && t.is_integral(), "ramp of ",
              n->base.type(), " and ", n->stride.type());
      return;
    }
    case ExprKind::kBroadcast:
      expr(e.as<Broadcast>()->value);
      require(e.as<Broadcast>()->value.type() == e.type().element(), "broadcast of ",
              e.as<Broadcast>()->value.type());
      return;
    case ExprKind::kShuffle: {
      int total = 0;
      for (const Expr& v : e.as<Shuffle>()->vectors) {
        expr(v);
        require(v.type().element() == e.type().element(), "shuffle of ", v.type(), " gives ",
                e.type());
        total += v.type().lanes;
      }
      for (const int i : e.as<Shuffle>()->indices)
        require(i >= 0 && i < total, "shuffle takes lane ", i, " of ", total);
      return;
    }
    case ExprKind::kVectorReduce: {
      const auto* n = e.as<VectorReduce>();
      expr(n->value);
      require(n->op != ReduceOp::kCustom && n->value.type().element() == e.type().element() &&
                  n->value.type().lanes % lanes == 0,
              "fold of ", n->value.type(), " into ", e.type());
      return;
    }
    case ExprKind::kLet: {
      const auto* n = e.as<Let>();
      expr(n->value);
      require(n->var.type() == n->value.type() && n->type == n->body.type(), "let ", n->var, " is ",
              n->var.type(), ", its value ", n->value.type());
      const auto scope = bind_scoped(n->var);
      return expr(n->body);
    }
    case ExprKind::kCall: {
      const auto* n = e.as<Call>();
      const IntrinsicInfo& info = intrinsic_info(n->intrinsic);
      require(static_cast<int>(n->args.size()) == info.arity, info.name, " of ", n->args.size(),
              " arguments");
      for (const Expr& a : n->args) {
        expr(a);
        require(a.type() == n->args[0].type(), "arguments of ", info.name, " are ",
                n->args[0].type(), " and ", a.type());
      }
      const Type t = info.gives_bool ? boolean.with_lanes(lanes) : n->args[0].type();
      require(e.type() == t && n->args[0].type().lanes == lanes, info.name, " of ",
              n->args[0].type(), " gives ", e.type());
      return;
    }
    case ExprKind::kLoad: {
      const auto* n = e.as<Load>();
      const int read = access(Buffer(n->buffer), n->indices);
      require(e.type() == n->buffer->dtype.with_lanes(read), "a read of ", read, " lanes of ",
              n->buffer->dtype, " gives ", e.type());
      return predicate(n->predicate, lanes);
    }
    case ExprKind::kReduce:
      require(false, "a Reduce is left: ", e);
      return;
    default:
      TESSERA_UNREACHABLE();
  }
}

void check_buffer(const Buffer& b) {
  require(b->dtype.is_scalar(), "buffer ", b->name, " has elements of ", b->dtype);
  if (b.is_symbolic()) {
    require(b->scope != Scope::kRegister, "register buffer ", b->name, " has a symbolic shape");
    return;
  }
  const std::vector<std::int64_t> extents = b.extents();
  for (const std::int64_t n : extents) require(n >= 0, "buffer ", b->name, " has extent ", n);
  require(b->layout.shape() == extents, "the layout of buffer ", b->name, " is of another shape");
}

void check_arguments(const Function& f, const std::vector<Buffer>& arguments) {
  require(arguments.size() == f.buffers.size(), f.name, " takes ", f.buffers.size(), " buffers, ",
          arguments.size(), " given");
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const Buffer &want = f.buffers[i], &given = arguments[i];
    require(want->dtype == given->dtype, "parameter ", want->name, " of ", f.name, " is ",
            want->dtype, ", ", given->name, " is ", given->dtype);
    const bool same = want.rank() == given.rank() && want->layout == given->layout &&
                      std::equal(want->shape.begin(), want->shape.end(), given->shape.begin(),
                                 [](const Expr& a, const Expr& b) { return alpha_equal(a, b); });
    require(same, "parameter ", want->name, " of ", f.name, " and ", given->name,
            " differ in shape or layout");
  }
}

void check_written(const ProgramBuffer& b, bool preparing) {
  const bool input = b.role == BufferRole::kInput || b.role == BufferRole::kConstant;
  require(!input && (preparing || b.role != BufferRole::kPrepared), "stores into ",
          to_string(b.role), " buffer ", b.buffer->name,
          b.role == BufferRole::kPrepared ? " outside of the prepare phase" : "");
}

}  // namespace tessera::ir::detail
