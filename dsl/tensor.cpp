#include "dsl/tensor.h"

#include <cmath>
#include <set>

#include "dsl/detail/check_combiner.h"
#include "dsl/detail/make_operation.h"
#include "ir/print.h"
#include "ir/rewrite.h"
#include "ir/simplify.h"

namespace tessera::dsl {

namespace detail {

namespace {

constexpr std::int64_t kMaxBytes = std::int64_t{1} << 46;  // 64 TiB: index products stay far from 2^63

}  // namespace

void check_shape(const Exprs& shape, Type dtype, const std::string& name, CallSite site) {
  std::int64_t bytes = dtype.bytes();
  for (std::size_t d = 0; d < shape.size(); ++d) {
    TESSERA_USER_CHECK(shape[d].defined() && shape[d].type() == ir::i64)
        << site << "extent " << d << " of '" << name << "' is not an integer";
    std::int64_t n = 0;
    if (!is_const_int(shape[d], &n)) {
      TESSERA_USER_CHECK(!ir::free_vars(shape[d]).empty())
          << site << "extent " << d << " of '" << name << "' has no value: " << to_string(shape[d]);
      continue;
    }
    TESSERA_USER_CHECK(n >= 1) << site << "extent " << d << " of '" << name << "' is " << n << "; it must be at least 1";
    TESSERA_USER_CHECK(!__builtin_mul_overflow(bytes, n, &bytes) && bytes <= kMaxBytes)
        << site << "'" << name << "' is too large: its extents multiply to more than 2^46 bytes";
  }
}

void check_name(const std::string& name, CallSite site) {
  TESSERA_USER_CHECK(!name.empty() && name.size() <= 64) << site << "a name has 1 to 64 characters, not " << name.size();
  for (const char c : name) {
    TESSERA_USER_CHECK(std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.')
        << site << "name '" << name << "' holds '" << c << "'; letters, digits, '_' and '.' are allowed";
  }
  TESSERA_USER_CHECK(name.back() != '.' && name.find("..") == std::string::npos)
      << site << "name '" << name << "' has a '.' with nothing after it";
  TESSERA_USER_CHECK(std::isalpha(static_cast<unsigned char>(name[0])) != 0 || name[0] == '_')
      << site << "name '" << name << "' must start with a letter or '_'";
}

namespace {

std::set<ir::VarId> symbols_of(const Operation& op) {
  std::set<ir::VarId> out;
  for (const auto* axes : {&op.axes, &op.reduce_axes}) {
    for (const Axis& a : *axes) {
      for (const Var& v : ir::free_vars(a.extent)) out.insert(v.id());
    }
  }
  return out;
}

bool is_state(const ir::Load& l) {
  const auto* op = static_cast<const Operation*>(l.buffer->origin.get());
  return op != nullptr && op->kind == OperationKind::kState;
}

}  // namespace

void check_known_axes(const Operation& op, const Expr& body) {
  std::set<ir::VarId> known = symbols_of(op);
  for (const Axis& a : op.axes) known.insert(a.var.id());
  for (const Axis& a : op.reduce_axes) known.insert(a.var.id());
  ir::walk(body, [&](const Expr& e) {
    if (const auto* let = e.as<ir::Let>()) known.insert(let->var.id());
    return true;
  });
  const auto check = [&](const Expr& part) {
    for (const Var& v : ir::free_vars(part)) {
      TESSERA_USER_CHECK(known.count(v.id()) != 0)
          << op.site << "'" << op.name << "' uses axis '" << v.name() << "', which is neither one of its indices nor "
          << "reduced over: " << to_string(body);
    }
  };
  if (const auto* r = body.as<ir::Reduce>()) {
    for (const Expr& s : r->sources) check(s);
  } else {
    check(body);
  }
}

/// Each index must be able to stay inside its dimension: one that always leaves is a mistake.
void check_reads(const Operation& op, const Expr& body, const ir::Bounds& bounds, bool states) {
  // A read under if_then_else or select may be guarded by its condition; only bare reads are decided here.
  const std::function<void(const Expr&, bool)> visit = [&](const Expr& e, bool guarded) {
    if (const auto* l = e.as<ir::Load>()) {
      for (std::size_t d = 0; d < l->indices.size() && !guarded && (states || !is_state(*l)); ++d) {
        std::int64_t n = 0;
        if (!is_const_int(l->buffer->shape[d], &n)) continue;
        const ir::Interval r = ir::range_of(ir::simplify(l->indices[d], bounds), bounds);
        TESSERA_USER_CHECK(!r.is_bounded() || (r.lo >= 0 && r.hi < n))
            << op.site << "'" << op.name << "' reads " << to_string(e) << ", whose index " << d << " runs over ["
            << r.lo << ", " << r.hi << "] outside the extent " << n << "; guard it with if_then_else";
      }
    }
    const auto* i = e.as<ir::IfThenElseExpr>();
    if (i != nullptr) {
      visit(i->condition, guarded);
      visit(i->yes, true);
      visit(i->no, true);
      return;
    }
    ir::for_each_child(e, [&](const Expr& c) { visit(c, guarded); });
  };
  visit(body, false);
}

ir::Bounds axis_bounds(const Operation& op) {
  ir::Bounds bounds;
  for (const auto* axes : {&op.axes, &op.reduce_axes}) {
    for (const Axis& a : *axes) {
      std::int64_t n = 0;
      if (is_const_int(a.extent, &n)) bounds[a.var.id()] = {0, n - 1};
    }
  }
  return bounds;
}

std::shared_ptr<Operation> new_operation(OperationKind kind, const Exprs& shape, const std::vector<std::string>& axis_names,
                                         const std::string& name, CallSite site) {
  check_name(name, site);
  check_shape(shape, ir::i8, name, site);
  TESSERA_USER_CHECK(shape.size() <= kMostDimensions)
      << site << "'" << name << "' has " << shape.size() << " dimensions; at most 8 are supported";
  auto op = std::make_shared<Operation>();
  op->kind = kind;
  op->name = name;
  op->site = site;
  static constexpr const char* kDefaultNames[] = {"i", "j", "k", "l", "m", "n", "o", "p"};
  for (std::size_t d = 0; d < shape.size(); ++d) {
    op->axes.push_back({Var::fresh(axis_names.empty() ? kDefaultNames[d] : axis_names[d]), shape[d]});
  }
  return op;
}

std::vector<Var> axis_vars(const Operation& op) {
  std::vector<Var> out;
  for (const Axis& a : op.axes) out.push_back(a.var);
  return out;
}

Exprs call_body(const Operation& op, const BodyFn& body) {
  Exprs out;
  try {
    out = body(axis_vars(op));
  } catch (const UserError& e) {
    std::ostringstream text;
    text << op.site << "in '" << op.name << "': " << e.what();
    throw UserError(text.str(), e.exit_code());
  }
  TESSERA_USER_CHECK(!out.empty()) << op.site << "the body of '" << op.name << "' is empty";
  for (const Expr& b : out) {
    TESSERA_USER_CHECK(b.defined() && b.type().is_scalar()) << op.site << "the body of '" << op.name << "' is undefined";
  }
  return out;
}

std::vector<Tensor> outputs_of(const std::shared_ptr<Operation>& op, const Exprs& shape, const std::vector<Type>& types) {
  std::vector<Tensor> out;
  for (std::size_t i = 0; i < types.size(); ++i) {
    const std::string output = types.size() == 1 ? op->name : op->name + ".v" + std::to_string(i);
    check_shape(shape, types[i], output, op->site);
    out.emplace_back(Buffer::fresh(output, types[i], shape).with_origin(op, static_cast<int>(i)));
  }
  return out;
}

}  // namespace detail

namespace {

using detail::check_name;
using detail::check_shape;
using detail::kMostDimensions;

Tensor input(Exprs shape, Type dtype, std::string name, OperationKind kind, CallSite site) {
  std::vector<std::string> axis_names;
  for (std::size_t d = 0; d < shape.size(); ++d) axis_names.push_back("d" + std::to_string(d));
  const auto op = detail::new_operation(kind, shape, axis_names, name, site);
  check_shape(shape, dtype, name, site);
  TESSERA_USER_CHECK(dtype.is_scalar() && dtype.code != ir::TypeCode::kHandle)
      << site << "'" << name << "' cannot have dtype " << dtype;
  return Tensor(Buffer::fresh(std::move(name), dtype, std::move(shape)).with_origin(op, 0));
}

/// The reduction at the top of a body, if there is one.
const ir::Reduce* top_reduce(const Expr& e) { return e.as<ir::Reduce>(); }

void check_no_nested_reduce(const Expr& body, const std::string& name, CallSite site) {
  const auto inside = [&](const Expr& part) {
    ir::walk(part, [&](const Expr& x) {
      TESSERA_USER_CHECK(x.as<ir::Reduce>() == nullptr)
          << site << "'" << name << "' reduces inside an expression: " << to_string(x)
          << "; a reduction stands only at the top of a body, so give it a compute of its own";
      return true;
    });
  };
  if (const ir::Reduce* r = top_reduce(body)) {
    for (const Expr& s : r->sources) inside(s);
  } else {
    inside(body);
  }
}

void collect_reduction(Operation& op, CallSite site) {
  const ir::Reduce* first = top_reduce(op.body[0]);
  for (const Expr& b : op.body) {
    const ir::Reduce* r = top_reduce(b);
    TESSERA_USER_CHECK((r == nullptr) == (first == nullptr))
        << site << "'" << op.name << "' mixes a reduction and a plain expression in one multi-output compute";
    if (r == nullptr || r == first) continue;
    bool same = r->combiner == first->combiner && r->axes.size() == first->axes.size() &&
                r->sources.size() == first->sources.size();
    for (std::size_t i = 0; same && i < r->sources.size(); ++i) same = ir::equal(r->sources[i], first->sources[i]);
    TESSERA_USER_CHECK(same) << site << "the outputs of '" << op.name
                             << "' must be values of one and the same reduction";
  }
  if (first == nullptr) return;
  std::set<ir::VarId> seen;
  for (const ir::ReduceAxis& a : first->axes) {
    TESSERA_USER_CHECK(seen.insert(a.var.id()).second)
        << site << "'" << op.name << "' reduces twice over '" << a.var.name() << "'";
    op.reduce_axes.push_back({a.var, a.extent});
  }
  TESSERA_USER_CHECK(static_cast<int>(op.body.size()) <= static_cast<int>(first->sources.size()))
      << site << "'" << op.name << "' has more outputs than its reduction has values";
}

Expr reduce_builtin(ir::ReduceOp op, const char* word, const Expr& e, const ReduceVars& axes) {
  TESSERA_USER_CHECK(!axes.empty()) << word << " needs at least one reduction axis";
  TESSERA_USER_CHECK(e.defined()) << word << " of an undefined expression";
  const bool logical = op == ir::ReduceOp::kAny || op == ir::ReduceOp::kAll;
  TESSERA_USER_CHECK(e.type().is_bool() == logical)
      << word << (logical ? " needs a bool expression, " : " does not take bool, ") << to_string(e) << " is " << e.type();
  return reduce(ir::make_combiner(op, e.type()), {e}, axes)[0];
}

}  // namespace

Expr Tensor::at(Exprs index) const {
  TESSERA_USER_CHECK(static_cast<bool>(buffer_)) << "read of an undefined tensor";
  TESSERA_USER_CHECK(index.size() == buffer_.rank())
      << "'" << name() << "' has " << buffer_.rank() << " dimensions, " << index.size() << " indices given";
  for (Expr& i : index) {
    TESSERA_USER_CHECK(i.defined() && i.type().is_integral() && i.type().is_scalar())
        << "an index of '" << name() << "' is not an integer: " << (i.defined() ? to_string(i) : "undefined");
    i = ir::cast(ir::i64, i);
  }
  return buffer_.load(std::move(index));
}

Var symbol(std::string name) {
  check_name(name, {});
  return Var::fresh(std::move(name));
}

Tensor placeholder(Exprs shape, Type dtype, std::string name, CallSite site) {
  return input(std::move(shape), dtype, std::move(name), OperationKind::kPlaceholder, site);
}

Tensor constant(Exprs shape, Type dtype, std::string name, CallSite site) {
  return input(std::move(shape), dtype, std::move(name), OperationKind::kConstant, site);
}

Tensor with_values(const Tensor& input, ValueRule rule, CallSite site) {
  TESSERA_USER_CHECK(static_cast<bool>(input.buffer())) << site << "an undefined tensor has no values";
  const Operation& op = input.operation();
  const Type t = input.dtype();
  TESSERA_USER_CHECK(op.kind == OperationKind::kPlaceholder || op.kind == OperationKind::kConstant)
      << site << "'" << op.name << "' is computed; only inputs have promised values";
  const bool whole = rule.kind == ValueRule::Kind::kBelow || rule.kind == ValueRule::Kind::kOffsets;
  TESSERA_USER_CHECK(!whole || (t.is_integral() && !t.is_bool()))
      << site << "'" << op.name << "' is " << t << "; indices and offsets are integers";
  const std::int64_t least = rule.kind == ValueRule::Kind::kBelow ? 1 : 0;
  TESSERA_USER_CHECK(!whole || (rule.limit >= least && rule.limit <= ir::max_value(t)))
      << site << "the values of '" << op.name << "' are promised up to " << rule.limit << "; " << least << " to "
      << ir::max_value(t) << " works for " << t;
  TESSERA_USER_CHECK(rule.kind != ValueRule::Kind::kOffsets || input.shape().size() == 1)
      << site << "'" << op.name << "' has " << input.shape().size() << " dimensions; offsets have one";
  TESSERA_USER_CHECK(rule.kind != ValueRule::Kind::kWithin || (t.is_float() && rule.size > 0 && std::isfinite(rule.size)))
      << site << "'" << op.name << "' is " << t << "; values within a positive size are floats";
  auto promised = std::make_shared<Operation>(op);
  promised->values = rule;
  return Tensor(Buffer::fresh(input.name(), t, input.shape()).with_origin(promised, 0));
}

ValueRule below(std::int64_t limit) { return {ValueRule::Kind::kBelow, limit, 0}; }
ValueRule offsets(std::int64_t last) { return {ValueRule::Kind::kOffsets, last, 0}; }
ValueRule within(double size) { return {ValueRule::Kind::kWithin, 0, size}; }

ReduceVar reduce_axis(Expr extent, std::string name, CallSite site) {
  check_name(name, site);
  check_shape({extent}, ir::i8, name, site);
  return ReduceVar(Var::fresh(std::move(name)), std::move(extent));
}

Expr sum(const Expr& e, const ReduceVars& axes) { return reduce_builtin(ir::ReduceOp::kSum, "sum", e, axes); }
Expr prod(const Expr& e, const ReduceVars& axes) { return reduce_builtin(ir::ReduceOp::kProd, "prod", e, axes); }
Expr min(const Expr& e, const ReduceVars& axes) { return reduce_builtin(ir::ReduceOp::kMin, "min", e, axes); }
Expr max(const Expr& e, const ReduceVars& axes) { return reduce_builtin(ir::ReduceOp::kMax, "max", e, axes); }
Expr any(const Expr& e, const ReduceVars& axes) { return reduce_builtin(ir::ReduceOp::kAny, "any", e, axes); }
Expr all(const Expr& e, const ReduceVars& axes) { return reduce_builtin(ir::ReduceOp::kAll, "all", e, axes); }

Expr lowest(Type t) { return ir::make_combiner(ir::ReduceOp::kMax, t)->identity[0]; }
Expr highest(Type t) { return ir::make_combiner(ir::ReduceOp::kMin, t)->identity[0]; }

ir::Combiner reducer(std::string name, const std::vector<Type>& types, const CombineFn& combine, Exprs identity,
                     CallSite site) {
  TESSERA_USER_CHECK(!types.empty() && identity.size() == types.size())
      << site << "reducer '" << name << "' has " << types.size() << " values and " << identity.size() << " identities";
  auto* c = new ir::CombinerNode;
  const ir::Combiner out(c);
  c->name = std::move(name);
  Exprs l, r;
  for (std::size_t i = 0; i < types.size(); ++i) {
    c->lhs.push_back(Var::fresh("a" + std::to_string(i), types[i]));
    c->rhs.push_back(Var::fresh("b" + std::to_string(i), types[i]));
    l.push_back(c->lhs.back());
    r.push_back(c->rhs.back());
    if (identity[i].type() != types[i]) identity[i] = ir::cast(types[i], identity[i]);
  }
  c->result = combine(l, r);
  c->identity = std::move(identity);
  TESSERA_USER_CHECK(c->result.size() == types.size())
      << site << "reducer '" << c->name << "' combines " << types.size() << " values into " << c->result.size();
  for (std::size_t i = 0; i < types.size(); ++i) {
    TESSERA_USER_CHECK(c->result[i].type() == types[i])
        << site << "value " << i << " of reducer '" << c->name << "' is " << c->result[i].type() << ", expected " << types[i];
  }
  const Status sound = detail::check_combiner(out);
  TESSERA_USER_CHECK(sound.ok()) << site << sound.reason();
  return out;
}

Exprs reduce(const ir::Combiner& combiner, const Exprs& sources, const ReduceVars& axes) {
  TESSERA_USER_CHECK(!axes.empty()) << "reduction '" << combiner->name << "' needs at least one axis";
  TESSERA_USER_CHECK(sources.size() == combiner->lhs.size())
      << "reduction '" << combiner->name << "' combines " << combiner->lhs.size() << " values, " << sources.size() << " given";
  for (std::size_t i = 0; i < sources.size(); ++i) {
    TESSERA_USER_CHECK(sources[i].type() == combiner->lhs[i].type())
        << "value " << i << " of reduction '" << combiner->name << "' is " << sources[i].type() << ", expected "
        << combiner->lhs[i].type() << ": " << to_string(sources[i]);
  }
  std::vector<ir::ReduceAxis> over;
  for (const ReduceVar& a : axes) over.push_back({a, a.extent()});
  Exprs out;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    out.push_back(ir::make<ir::Reduce>(combiner, sources, over, static_cast<int>(i)));
  }
  return out;
}

namespace detail {

std::vector<Tensor> compute_tensors(Exprs shape, std::vector<std::string> axis_names, const BodyFn& body,
                                    std::string name, CallSite site) {
  const auto op = new_operation(OperationKind::kCompute, shape, axis_names, name, site);
  op->body = call_body(*op, body);
  for (const Expr& b : op->body) check_no_nested_reduce(b, name, site);
  collect_reduction(*op, site);
  std::vector<Type> types;
  for (const Expr& b : op->body) {
    check_known_axes(*op, b);
    check_reads(*op, b, axis_bounds(*op), false);
    types.push_back(b.type());
  }
  return outputs_of(op, shape, types);
}

}  // namespace detail

Tensor compute_named(Exprs shape, std::vector<std::string> axis_names, const detail::BodyFn& body, std::string name,
                     CallSite site) {
  return detail::compute_tensors(std::move(shape), std::move(axis_names), body, std::move(name), site).front();
}

}  // namespace tessera::dsl
