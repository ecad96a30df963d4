// How large integer operands may be for a program to stay exact: ranges of all its values.
#include <algorithm>
#include <cmath>

#include "dsl/detail/evaluate_code.h"
#include "dsl/inputs.h"
#include "ir/bounded.h"
#include "ir/intrinsics.h"
#include "ir/print.h"
#include "ir/rewrite.h"

namespace tessera::dsl {

namespace {

using ir::ExprKind;

constexpr std::int64_t kLargest = 100;

/// Multiples of 2^-fraction of size at most `size`; infinities of literals (identities of min and max)
/// apart, which no arithmetic may meet.
struct Range {
  double size = 0;
  int fraction = 0;
  bool infinite = false;
};

/// Unwinds to exact_input_magnitude.
struct NotExact {
  std::string why;
  bool magnitude_helps = false;  // smaller inputs may help
};

int fraction_of(double v) {
  int n = 0;
  for (; n < 1100 && std::trunc(v) != v; ++n) v *= 2;
  return n;
}

class Analysis {
 public:
  Analysis(const ComputeDag& dag, std::int64_t magnitude) : magnitude_(magnitude) {
    for (const Stage& s : dag.stages()) {
      if (s.is_input()) {
        buffers_[s.outputs[0]->id] = input(s);
      } else if (s.scan) {
        scan(dag, s);
      } else if (s.code) {
        extern_code(s);
      } else if (!in_step(dag, s)) {
        stage(s);
      }
    }
  }

 private:
  Range input(const Stage& s) const {
    const Type t = s.outputs[0]->dtype;
    switch (s.values.kind) {
      case ValueRule::Kind::kBelow: return {static_cast<double>(s.values.limit - 1), 0, false};
      case ValueRule::Kind::kOffsets: return {static_cast<double>(s.values.limit), 0, false};
      case ValueRule::Kind::kWithin:
        if (s.values.size < 1) throw NotExact{"the values of '" + s.name + "' are smaller than 1"};
        break;
      case ValueRule::Kind::kAny: break;
    }
    const double most = s.values.kind == ValueRule::Kind::kWithin ? std::min(static_cast<double>(magnitude_), std::floor(s.values.size))
                                                                  : static_cast<double>(magnitude_);
    return {t.is_integral() ? std::min(most, static_cast<double>(ir::max_value(t))) : most, 0, false};
  }

  Range settled(Range r, Type t, const Expr& e) const {
    if (t.is_integral()) {  // wraps: exact whatever its size
      const double most = std::ldexp(1.0, t.is_int() ? t.bits - 1 : t.bits);
      return {std::min(r.size, most), 0, false};
    }
    if (r.infinite || r.size * std::ldexp(1.0, r.fraction) > 1 / ir::unit_roundoff(t)) {
      throw NotExact{"'" + to_string(e).substr(0, 120) + "' may not be exact in " + ir::to_string(t), true};
    }
    return r;
  }

  static Range hull(const Range& a, const Range& b) {
    return {std::max(a.size, b.size), std::max(a.fraction, b.fraction), a.infinite || b.infinite};
  }
  static Range sum(const Range& a, const Range& b) {
    return {a.size + b.size, std::max(a.fraction, b.fraction), a.infinite || b.infinite};
  }
  static Range product(const Range& a, const Range& b) {
    return {a.size * b.size, a.fraction + b.fraction, a.infinite || b.infinite};
  }
  /// A minimum or maximum with an infinite identity leaves finite values.
  static Range chosen(const Range& a, const Range& b) {
    Range r = hull(a, b);
    r.infinite = a.infinite && b.infinite;
    return r;
  }

  static bool in_step(const ComputeDag& dag, const Stage& s) {
    for (const Stage& scan : dag.stages()) {
      if (!scan.scan) continue;
      const std::vector<const Stage*> step = dag.step_of(scan);
      if (std::find(step.begin(), step.end(), &s) != step.end()) return true;
    }
    return false;
  }

  /// Row after row, until the ranges stay or grow by the same amount every time.
  void scan(const ComputeDag& dag, const Stage& s) {
    constexpr std::int64_t kMostRows = 4096;
    std::int64_t rows = 0;
    if (!is_const_int(s.axes[static_cast<std::size_t>(s.scan->axis)].extent, &rows)) throw NotExact{"program has symbolic extents"};
    const std::vector<const Stage*> step = dag.step_of(s);
    for (const Buffer& b : s.outputs) buffers_[b->id] = {};
    std::vector<Range> now(s.outputs.size()), before;
    std::vector<double> grown(now.size(), 0);
    for (std::int64_t t = 0; t < rows; ++t) {
      done_.clear();  // the same expressions over other rows
      for (const Stage* part : step) stage(*part);
      before = now;
      bool same = true, steady = true;
      for (std::size_t v = 0; v < now.size(); ++v) {
        now[v] = buffers_.at(s.outputs[v]->id);
        same &= now[v].size == before[v].size && now[v].fraction == before[v].fraction && now[v].infinite == before[v].infinite;
        steady &= now[v].size - before[v].size == grown[v] && now[v].fraction == before[v].fraction;
        grown[v] = now[v].size - before[v].size;
      }
      if (same) return;
      if (t < kMostRows) continue;
      if (!steady) throw NotExact{"the rows of scan '" + s.name + "' keep growing", true};
      for (std::size_t v = 0; v < now.size(); ++v) {
        now[v].size += grown[v] * static_cast<double>(rows - 1 - t);
        buffers_[s.outputs[v]->id] = settled(now[v], s.outputs[v]->dtype, s.body[v]);
      }
      return;
    }
  }

  /// Statements are not followed: products of two values, summed a good many times more often than the
  /// operations that are counted spread over the results. Where that is wrong, the evaluator notices.
  void extern_code(const Stage& s) {
    constexpr double kUneven = 64;
    double elements = 1;
    for (const Axis& a : s.axes) {
      std::int64_t n = 1;
      is_const_int(a.extent, &n);
      elements *= static_cast<double>(n);
    }
    check_exact_code(s);
    Range read{1, 0, false};
    for (const Buffer& b : s.code->reads) {
      if (b->dtype.is_float()) read = hull(read, buffers_.at(b->id));
    }
    const double terms = kUneven * std::max(1.0, s.code->operations / elements);
    for (const Buffer& b : s.outputs) {
      buffers_[b->id] = settled({read.size * read.size * terms, 2 * read.fraction, read.infinite}, b->dtype, b.load(Exprs(b.rank(), ir::int_imm(0))));
    }
  }

  static void check_exact_code(const Stage& s) {
    const auto look = [&](const Expr& e) {
      const auto* call = e.as<ir::Call>();
      const auto* divide = e.as<ir::Div>();
      const bool rounds = (call != nullptr && e.type().is_float() && call->intrinsic != ir::Intrinsic::kFma && call->intrinsic != ir::Intrinsic::kAbs) ||
                          (divide != nullptr && divide->a.type().is_float());
      if (rounds) throw NotExact{"the statements of '" + s.name + "' compute " + to_string(e).substr(0, 120)};
      return true;
    };
    ir::walk(s.code->code->functions[0].body, [](const ir::Stmt&) { return true; }, look);
  }

  void stage(const Stage& s) {
    vars_.clear();
    double points = 1;
    const auto axis = [&](const Axis& a) {
      std::int64_t n = 0;
      if (!is_const_int(a.extent, &n)) throw NotExact{"program has symbolic extents"};
      vars_[a.var.id()] = {static_cast<double>(n), 0, false};
      return static_cast<double>(n);
    };
    for (const Axis& a : s.axes) axis(a);
    for (const Axis& a : s.reduce_axes) points *= axis(a);
    const ir::Reduce* r = s.reduce();
    if (r == nullptr) {
      for (std::size_t v = 0; v < s.body.size(); ++v) buffers_[s.outputs[v]->id] = range(s.body[v]);
      return;
    }
    std::vector<Range> sources;
    for (const Expr& e : r->sources) sources.push_back(range(e));
    for (std::size_t v = 0; v < s.outputs.size(); ++v) {
      const auto i = static_cast<std::size_t>(s.body[v].as<ir::Reduce>()->index);
      buffers_[s.outputs[v]->id] = reduced(*r, i, sources, points, s.body[v]);
    }
  }

  Range reduced(const ir::Reduce& r, std::size_t i, const std::vector<Range>& sources, double points, const Expr& e) {
    const Type t = r.sources[i].type();
    Range total = sources[i];
    switch (r.combiner->op) {
      case ir::ReduceOp::kSum:
        total.size *= points;
        return settled(total, t, e);
      case ir::ReduceOp::kProd:
        total.size = std::pow(std::max(1.0, total.size), points);
        total.fraction = static_cast<int>(std::min(1e6, total.fraction * points));
        return settled(total, t, e);
      case ir::ReduceOp::kCustom: break;
      default: return total;
    }
    const auto kinds = detail::classify(*r.combiner);
    if (kinds[i] == detail::Combine::kAdd) {
      total.size *= points;
      return settled(total, t, e);
    }
    if (kinds[i] == detail::Combine::kOther && t.is_float()) throw NotExact{"the reduction of '" + to_string(e).substr(0, 120) + "' does arithmetic"};
    if (t.is_integral()) return settled({HUGE_VAL, 0, false}, t, e);
    for (const Range& s : sources) total = hull(total, s);
    for (const Expr& id : r.combiner->identity) {
      if (id.type().is_float()) total = hull(total, range(id));
    }
    total.infinite = false;
    return total;
  }

  Range literal(double v) const {
    if (std::isinf(v)) return {0, 0, true};
    if (std::isnan(v)) throw NotExact{"the program holds a NaN"};
    return {std::fabs(v), fraction_of(v), false};
  }

  Range range(const Expr& e) {
    const auto it = done_.find(e.get());
    if (it != done_.end()) return it->second;
    return done_[e.get()] = node(e);
  }

  Range node(const Expr& e) {
    const Type t = e.type();
    if (const ir::Binary* n = ir::as_binary(e)) return binary(*n, e);
    switch (e->kind) {
      case ExprKind::kIntImm: return {std::fabs(static_cast<double>(e.as<ir::IntImm>()->value)), 0, false};
      case ExprKind::kFloatImm: return literal(e.as<ir::FloatImm>()->value);
      case ExprKind::kVar: {
        const auto it = vars_.find(e.as<ir::VarNode>()->id);
        return it != vars_.end() ? it->second : settled({HUGE_VAL, 0, false}, t, e);
      }
      case ExprKind::kNot: return {1, 0, false};
      case ExprKind::kSelect: {
        const auto* n = e.as<ir::Select>();
        range(n->condition);
        return hull(range(n->yes), range(n->no));
      }
      case ExprKind::kIfThenElseExpr: {
        const auto* n = e.as<ir::IfThenElseExpr>();
        range(n->condition);
        return hull(range(n->yes), range(n->no));
      }
      case ExprKind::kLet: {
        const auto* n = e.as<ir::Let>();
        vars_[n->var.id()] = range(n->value);
        return range(n->body);
      }
      case ExprKind::kLoad: {
        for (const Expr& i : e.as<ir::Load>()->indices) range(i);
        return buffers_.at(e.as<ir::Load>()->buffer->id);
      }
      case ExprKind::kCast: {
        const Range v = range(e.as<ir::Cast>()->value);
        if (t.is_bool()) return {1, 0, false};
        if (t.is_integral()) return settled({v.infinite ? HUGE_VAL : v.size, 0, false}, t, e);
        return v.infinite && e.as<ir::Cast>()->value.type().is_float() ? v : settled(v, t, e);
      }
      case ExprKind::kCall: return call(*e.as<ir::Call>(), e);
      case ExprKind::kReinterpret:
        range(e.as<ir::Reinterpret>()->value);
        if (t.is_integral()) return settled({HUGE_VAL, 0, false}, t, e);
        break;
      default: break;
    }
    throw NotExact{"'" + to_string(e).substr(0, 120) + "' is not exact"};
  }

  Range binary(const ir::Binary& n, const Expr& e) {
    const Type t = e.type();
    const Range a = range(n.a), b = range(n.b);
    if (t.is_bool()) return {1, 0, false};
    switch (e->kind) {
      case ExprKind::kAdd:
      case ExprKind::kSub: return settled(sum(a, b), t, e);
      case ExprKind::kMul: return settled(product(a, b), t, e);
      case ExprKind::kMin:
      case ExprKind::kMax: return chosen(a, b);
      case ExprKind::kDiv: {
        if (t.is_integral()) return a;
        const auto* c = n.b.as<ir::FloatImm>();
        int power = 0;
        if (c != nullptr && std::isfinite(c->value) && std::fabs(std::frexp(c->value, &power)) == 0.5) {
          return settled({a.size / std::fabs(c->value), std::max(0, a.fraction + power - 1), a.infinite}, t, e);
        }
        throw NotExact{"the division '" + to_string(e).substr(0, 120) + "' is not exact"};
      }
      case ExprKind::kFloorDiv: return settled({a.size + 1, 0, false}, t, e);
      default: return settled({HUGE_VAL, 0, false}, t, e);  // integers
    }
  }

  Range call(const ir::Call& n, const Expr& e) {
    const Type t = e.type();
    std::vector<Range> r;
    for (const Expr& a : n.args) r.push_back(range(a));
    if (t.is_bool()) return {1, 0, false};
    switch (n.intrinsic) {
      case ir::Intrinsic::kAbs: return t.is_integral() ? settled({r[0].size + 1, 0, false}, t, e) : r[0];
      case ir::Intrinsic::kFloor:
      case ir::Intrinsic::kCeil:
      case ir::Intrinsic::kTrunc:
      case ir::Intrinsic::kRound: return settled({r[0].size + 1, 0, r[0].infinite}, t, e);
      case ir::Intrinsic::kFma: return settled(sum(settled(product(r[0], r[1]), t, e), r[2]), t, e);
      case ir::Intrinsic::kPopcount: return {64, 0, false};
      default: throw NotExact{std::string(ir::intrinsic_info(n.intrinsic).name) + " is not exact"};
    }
  }

  std::int64_t magnitude_;
  std::map<std::uint64_t, Range> buffers_;
  std::map<ir::VarId, Range> vars_;
  std::map<const ir::ExprNode*, Range> done_;
};

}  // namespace

Result<std::int64_t> exact_input_magnitude(const ComputeDag& dag) {
  std::string why;
  std::int64_t lo = 0, hi = kLargest + 1;  // lo is exact, hi is not: exactness falls with the magnitude
  for (std::int64_t m = 1; hi - lo > 1; m = (lo + hi) / 2) {
    try {
      Analysis(dag, m);
      lo = m;
    } catch (const NotExact& e) {
      why = e.why;
      hi = m;
      if (!e.magnitude_helps) break;
    }
    if (lo == 0) break;
  }
  if (lo == 0) return refuse("program '", dag.name(), "' has no exact mode: ", why);
  return lo;
}

bool supports_exact(const ComputeDag& dag) { return exact_input_magnitude(dag).ok(); }

}  // namespace tessera::dsl
