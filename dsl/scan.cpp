// Scans: the state while a step is written, and the checks of the step as a whole.
#include <functional>
#include <map>
#include <set>

#include "dsl/detail/make_operation.h"
#include "ir/print.h"
#include "ir/rewrite.h"

namespace tessera::dsl {

namespace {

const Operation* origin_of(const ir::Load& l) { return static_cast<const Operation*>(l.buffer->origin.get()); }

/// The step of one scan: which operations read its rows, and whether each does so as a recurrence may.
class StepCheck {
 public:
  StepCheck(const Operation& scan, std::int64_t length) : scan_(scan), axis_(static_cast<std::size_t>(scan.scan->axis)), length_(length) {}

  /// The first rows come from elsewhere: nothing they read may lead to the rows.
  void first(const Expr& e) {
    ir::walk(e, [&](const Expr& x) {
      const auto* l = x.as<ir::Load>();
      TESSERA_USER_CHECK(l == nullptr || (!is_state(*l) && !takes_part(*origin_of(*l))))
          << scan_.site << "the first rows of scan '" << scan_.name << "' read " << to_string(x) << ", which its step computes";
      return true;
    });
  }

  /// Every read of `e`, an expression of `op`, which is the scan or an operation of its step.
  void step(const Operation& op, const Expr& e) {
    ir::walk(e, [&](const Expr& x) {
      const auto* l = x.as<ir::Load>();
      if (l == nullptr) return true;
      const Expr behind = ir::simplify(Expr(op.axes[axis_].var) - (axis_ < l->indices.size() ? l->indices[axis_] : Expr(0)));
      std::int64_t distance = -1;
      const bool constant = axis_ < l->indices.size() && is_const_int(behind, &distance);
      if (is_state(*l)) {
        TESSERA_USER_CHECK(constant && distance >= 1 && distance <= scan_.scan->rows)
            << op.site << "'" << op.name << "' reads " << to_string(x) << "; the step of scan '" << scan_.name << "' reads rows 1 to "
            << scan_.scan->rows << " before its own" << (distance > scan_.scan->rows ? ", give it more first rows" : "");
      } else if (takes_part(*origin_of(*l))) {
        TESSERA_USER_CHECK(constant && distance == 0)
            << op.site << "'" << op.name << "' reads " << to_string(x) << "; what the step of scan '" << scan_.name
            << "' computes is read at the same step";
      }
      return true;
    });
    if (length_ == scan_.scan->rows) return;  // every row is given
    ir::Bounds bounds = detail::axis_bounds(op);
    if (length_ > 0) bounds[op.axes[axis_].var.id()] = {scan_.scan->rows, length_ - 1};
    detail::check_reads(op, e, bounds, true);
  }

 private:
  bool is_state(const ir::Load& l) const {
    for (const Buffer& s : scan_.states) {
      if (s.get() == l.buffer.get()) return true;
    }
    return false;
  }

  /// Whether `op` reads the rows, itself or through others; if so, it is checked.
  bool takes_part(const Operation& op) {
    const auto [it, fresh] = known_.emplace(&op, false);
    if (!fresh) return it->second;
    bool reads = false;
    const auto look = [&](const ir::Load& l) { reads |= is_state(l) || takes_part(*origin_of(l)); };
    for (const Expr& b : op.body) {
      ir::walk(b, [&](const Expr& x) {
        if (const auto* l = x.as<ir::Load>()) look(*l);
        return true;
      });
    }
    if (op.code) {
      for (const Buffer& b : op.code->reads) look(*b.load(Exprs(b.rank(), ir::int_imm(0))).as<ir::Load>());
    }
    known_[&op] = reads;
    if (reads) check_part(op);
    return reads;
  }

  void check_part(const Operation& op) {
    const char* what = op.kind == OperationKind::kScan ? "a scan of its own" : op.kind == OperationKind::kExtern ? "extern" : nullptr;
    TESSERA_USER_CHECK(what == nullptr) << op.site << "'" << op.name << "' takes part in the step of scan '" << scan_.name << "' and is "
                                        << what << "; a step is made of computes";
    TESSERA_USER_CHECK(axis_ < op.axes.size() && ir::equal(op.axes[axis_].extent, scan_.axes[axis_].extent))
        << op.site << "'" << op.name << "' takes part in the step of scan '" << scan_.name << "': its dimension " << axis_
        << " must count the same steps, " << to_string(scan_.axes[axis_].extent);
    for (const Expr& b : op.body) {
      const auto* r = b.as<ir::Reduce>();
      if (r == nullptr) {
        step(op, b);
      } else {
        for (const Expr& s : r->sources) step(op, s);
      }
    }
  }

  const Operation& scan_;
  std::size_t axis_;
  std::int64_t length_;  // 0: symbolic
  std::map<const Operation*, bool> known_;
};

void check_states(const std::vector<Tensor>& states, Recurrence how, CallSite site) {
  TESSERA_USER_CHECK(!states.empty()) << site << "a scan needs at least one state";
  const std::string& name = states[0].name();
  std::set<const ir::BufferNode*> seen;
  for (const Tensor& s : states) {
    TESSERA_USER_CHECK(static_cast<bool>(s.buffer()) && s.operation().kind == OperationKind::kState)
        << site << "scan '" << name << "' is given '" << (s.buffer() ? s.name() : "an undefined tensor") << "', which scan_state did not make";
    TESSERA_USER_CHECK(seen.insert(s.buffer().get()).second) << site << "scan '" << name << "' is given one state twice";
    bool same = s.shape().size() == states[0].shape().size();
    for (std::size_t d = 0; same && d < s.shape().size(); ++d) same = ir::equal(s.shape()[d], states[0].shape()[d]);
    TESSERA_USER_CHECK(same) << site << "the states of scan '" << name << "' have different shapes";
  }
  const int rank = static_cast<int>(states[0].shape().size());
  TESSERA_USER_CHECK(how.axis >= 0 && how.axis < rank)
      << site << "scan '" << name << "' steps along dimension " << how.axis << " of " << rank << "; 0 to " << rank - 1 << " works";
  std::int64_t n = 0;
  const bool known = is_const_int(states[0].shape()[static_cast<std::size_t>(how.axis)], &n);
  TESSERA_USER_CHECK(how.rows >= 1 && (!known || how.rows <= n))
      << site << "scan '" << name << "' is given " << how.rows << " first rows; 1 to " << (known ? std::to_string(n) : "its length") << " works";
}

}  // namespace

Tensor scan_state(Exprs shape, Type dtype, std::string name, CallSite site) {
  detail::check_shape(shape, dtype, name, site);
  TESSERA_USER_CHECK(!shape.empty()) << site << "scan state '" << name << "' has no dimension to step along";
  TESSERA_USER_CHECK(dtype.is_scalar() && dtype.code != ir::TypeCode::kHandle)
      << site << "'" << name << "' cannot have dtype " << dtype;
  const auto op = detail::new_operation(OperationKind::kState, shape, {}, name, site);
  return Tensor(Buffer::fresh(std::move(name), dtype, std::move(shape)).with_origin(op, 0));
}

namespace detail {

std::vector<Tensor> scan_tensors(const std::vector<Tensor>& states, Recurrence how, std::vector<std::string> axis_names,
                                 const BodyFn& first, const BodyFn& step, CallSite site) {
  check_states(states, how, site);
  const Exprs& shape = states[0].shape();
  static constexpr const char* kOthers[] = {"i", "j", "k", "l", "m", "n", "o"};
  for (std::size_t d = 0, other = 0; axis_names.size() < shape.size(); ++d) {
    axis_names.push_back(static_cast<int>(d) == how.axis ? "t" : kOthers[other++]);
  }
  const auto op = new_operation(OperationKind::kScan, shape, axis_names, states[0].name(), site);
  op->scan = how;
  std::vector<Type> types;
  for (const Tensor& s : states) {
    op->states.push_back(s.buffer());
    types.push_back(s.dtype());
  }
  const Exprs given = call_body(*op, first), later = call_body(*op, step);
  const Axis& along = op->axes[static_cast<std::size_t>(how.axis)];
  std::int64_t n = 0;
  is_const_int(along.extent, &n);
  StepCheck check(*op, n);
  for (const Exprs* part : {&given, &later}) {
    TESSERA_USER_CHECK(part->size() == states.size())
        << site << "scan '" << op->name << "' has " << states.size() << " states, and " << part->size() << " expressions for its "
        << (part == &given ? "first rows" : "step");
    for (std::size_t v = 0; v < part->size(); ++v) {
      const Expr& e = (*part)[v];
      TESSERA_USER_CHECK(e.type() == types[v]) << site << "state " << v << " of scan '" << op->name << "' is " << types[v] << ", its "
                                               << (part == &given ? "first rows are " : "step is ") << e.type();
      ir::walk(e, [&](const Expr& x) {
        TESSERA_USER_CHECK(x.as<ir::Reduce>() == nullptr)
            << site << "scan '" << op->name << "' reduces in its step: " << to_string(x) << "; give the reduction a compute of its own";
        return true;
      });
      check_known_axes(*op, e);
    }
  }
  for (const Expr& e : given) {
    check.first(e);
    ir::Bounds bounds = axis_bounds(*op);
    bounds[along.var.id()] = {0, how.rows - 1};
    check_reads(*op, e, bounds, true);
  }
  for (const Expr& e : later) check.step(*op, e);
  for (std::size_t v = 0; v < states.size(); ++v) {
    op->body.push_back(ir::if_then_else(Expr(along.var) < ir::int_imm(how.rows), given[v], later[v]));
  }
  return outputs_of(op, shape, types);
}

}  // namespace detail

}  // namespace tessera::dsl
