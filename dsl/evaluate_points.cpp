// Evaluator, points of a stage: which of them a block of lanes holds, and what a reduction gathers
// from the lanes.
#include <algorithm>
#include <cmath>

#include "dsl/detail/evaluator_state.h"
#include "ir/print.h"

namespace tessera::dsl {

namespace {

using detail::Combine;
using detail::digits_of;
using detail::Failure;
using detail::Frame;
using detail::Gathered;
using detail::kLanes;
using detail::product_is_exact;
using detail::Reg;
using detail::Unit;
using ir::BoundedFloat;
using ir::ExprKind;
using ir::Scalar;

/// The lowest bit that is set in a double.
double lowest_bit(double v) {
  int e = 0;
  auto m = static_cast<std::int64_t>(std::ldexp(std::frexp(v, &e), 53));
  return std::ldexp(static_cast<double>(m & -m), e - 53);
}

}  // namespace

void Evaluator::State::ensure(std::size_t stage, const std::vector<std::int64_t>& positions) {
  Unit& u = units[stage];
  if (u.stage->code) return run_extern(u);
  if (u.stage->scan && !u.stepping) return run_rows(u, positions);
  if (u.scan >= 0 && !units[static_cast<std::size_t>(u.scan)].stepping) run_rows_before(u, positions);
  if (u.stage->is_reduction()) return reduce(u, positions);
  run_points(u, positions);
}

void Evaluator::State::run_points(Unit& u, const std::vector<std::int64_t>& positions) {
  for (std::size_t from = 0; from < positions.size(); from += kLanes) {
    const int n = static_cast<int>(std::min<std::size_t>(kLanes, positions.size() - from));
    for (int l = 0; l < n; ++l) place(u, positions[from + static_cast<std::size_t>(l)], l, 1);
    run(u, u.body, n);
    for (std::size_t v = 0; v < u.values.size(); ++v) {
      const Reg r = u.body.code.results[v];
      for (int l = 0; l < n; ++l) {
        u.values[v].put(positions[from + static_cast<std::size_t>(l)], u.body.values[r][static_cast<std::size_t>(l)],
                        bounded() ? u.body.errors[r][static_cast<std::size_t>(l)] : 0);
      }
    }
  }
}

void Evaluator::State::place(Unit& u, std::int64_t position, int lane, int count) {
  for (std::size_t d = u.extents.size(); d-- > 0;) {
    auto* r = u.body.values[u.body.code.arguments[d]].data();
    std::fill_n(r + lane, count, Scalar{.i = position % u.extents[d]});
    position /= u.extents[d];
  }
}

void Evaluator::State::reduce(Unit& u, const std::vector<std::int64_t>& positions) {
  const std::size_t axes = u.extents.size(), inner = u.reduce_extents.size() - 1;
  std::vector<std::int64_t> at(u.reduce_extents.size(), 0);
  std::vector<Gathered> gathered(u.body.code.results.size());
  const bool custom = u.stage->reduce()->combiner->op == ir::ReduceOp::kCustom;
  std::size_t point = 0, folding = 0;  // of the lanes filled, and of those folded
  std::int64_t filled = 0, folded = 0;  // steps of their reductions
  while (folding < positions.size()) {
    int n = 0;
    while (n < kLanes && point < positions.size()) {
      const int count = static_cast<int>(std::min<std::int64_t>(kLanes - n, u.reduce_extents[inner] - at[inner]));
      place(u, positions[point], n, count);
      for (std::size_t r = 0; r <= inner; ++r) {
        auto* reg = u.body.values[u.body.code.arguments[axes + r]].data() + n;
        for (int l = 0; l < count; ++l) reg[l].i = at[r] + (r == inner ? l : 0);
      }
      n += count;
      filled += count;
      at[inner] += count;
      for (std::size_t r = inner; r > 0 && at[r] == u.reduce_extents[r]; --r) {
        at[r] = 0;
        ++at[r - 1];
      }
      if (filled == u.reduction) {
        filled = 0;
        std::fill(at.begin(), at.end(), 0);
        ++point;
      }
    }
    run(u, u.body, n);
    for (int l = 0; l < n;) {
      const int count = static_cast<int>(std::min<std::int64_t>(n - l, u.reduction - folded));
      if (folded == 0) begin(u, gathered);
      if (custom) {
        for (int k = l; k < l + count; ++k) fold_custom(u, gathered, k);
      } else {
        fold(u, gathered[0], l, count);
      }
      l += count;
      folded += count;
      if (folded < u.reduction) continue;
      finish(u, gathered, positions[folding], l - 1);
      folded = 0;
      ++folding;
    }
  }
}

void Evaluator::State::begin(const Unit& u, std::vector<Gathered>& gathered) {
  const ir::Reduce& r = *u.stage->reduce();
  for (std::size_t v = 0; v < gathered.size(); ++v) {
    gathered[v] = {};
    const Expr& identity = r.combiner->identity[v];
    if (const auto* i = identity.as<ir::IntImm>()) gathered[v].value.i = i->value;
    if (const auto* x = identity.as<ir::FloatImm>()) gathered[v].value.f = x->value;
    const bool literal = identity.as<ir::IntImm>() != nullptr || identity.as<ir::FloatImm>() != nullptr;
    if (!literal) throw Failure{"stage '" + u.stage->name + "': the identity " + ir::to_string(identity) + " is not a constant"};
  }
}

void Evaluator::State::fold(Unit& u, Gathered& g, int from, int count) {
  const ir::Reduce& r = *u.stage->reduce();
  const Type t = r.type;
  const Reg reg = u.body.code.results[0];
  const Scalar* x = u.body.values[reg].data() + from;
  const double* e = bounded() ? u.body.errors[reg].data() + from : nullptr;
  if (t.is_float() && r.combiner->op == ir::ReduceOp::kSum) return add_floats(g, x, e, count);
  if (t.is_float() && bounded()) {
    for (int l = 0; l < count; ++l) fold_bounded(r.combiner->op, t, g, {x[l].f, e[l]});
    return;
  }
  if (e != nullptr) g.error = std::max(g.error, *std::max_element(e, e + count));
  for (int l = 0; l < count; ++l) {
    switch (r.combiner->op) {
      case ir::ReduceOp::kSum: g.wrapped_sum += static_cast<std::uint64_t>(x[l].i); break;
      case ir::ReduceOp::kProd:
        if (t.is_float()) {
          const double p = g.value.f * x[l].f;
          if (ir::rounded(p, t) != p || !product_is_exact(g.value.f, x[l].f, p, t)) not_exact(u, u.body, from + l, "a partial product", t);
          g.value.f = p;
        } else {
          g.value.i = ir::wrapped(static_cast<std::int64_t>(static_cast<std::uint64_t>(g.value.i) * static_cast<std::uint64_t>(x[l].i)), t);
        }
        break;
      case ir::ReduceOp::kMin:
      case ir::ReduceOp::kMax: {
        const bool low = r.combiner->op == ir::ReduceOp::kMin;
        if (t.is_float()) {
          g.value.f = low ? std::min(g.value.f, x[l].f) : std::max(g.value.f, x[l].f);
        } else {
          const bool less = t == ir::u64 ? static_cast<std::uint64_t>(x[l].i) < static_cast<std::uint64_t>(g.value.i) : x[l].i < g.value.i;
          if (less == low) g.value.i = x[l].i;
        }
        break;
      }
      case ir::ReduceOp::kAny: g.value.i |= x[l].i; break;
      case ir::ReduceOp::kAll: g.value.i &= x[l].i; break;
      case ir::ReduceOp::kCustom: TESSERA_UNREACHABLE();
    }
  }
}

void Evaluator::State::add_floats(Gathered& g, const Scalar* x, const double* e, int count) const {
  if (e != nullptr) {
    for (int l = 0; l < count; ++l) g.bounded_sum.add({x[l].f, e[l]});
    return;
  }
  for (int l = 0; l < count; ++l) {
    g.sum += x[l].f;
    g.magnitude += std::fabs(x[l].f);
    if (std::trunc(x[l].f) != x[l].f) g.granule = std::min(g.granule, lowest_bit(x[l].f));
  }
}

void Evaluator::State::fold_bounded(ir::ReduceOp op, Type t, Gathered& g, const BoundedFloat& x) {
  const BoundedFloat so_far{g.value.f, g.error};
  BoundedFloat r;
  if (op == ir::ReduceOp::kProd) {
    r = ir::bounded_binary(ExprKind::kMul, t, so_far, x);
    // Another order multiplies all large factors first, or all small ones.
    const double size = std::fabs(x.value) + x.error;
    (size > 1 ? g.above : g.below) *= size;
    if (std::isinf(ir::round_to(g.above, t)) || (g.below > 0 && ir::round_to(g.below * 0x1p-24, t) == 0)) r.error = HUGE_VAL;
  } else {
    r = ir::bounded_binary(op == ir::ReduceOp::kMin ? ExprKind::kMin : ExprKind::kMax, t, so_far, x);
    if (std::isnan(x.value)) r.error = HUGE_VAL;
  }
  g.value.f = r.value;
  g.error = std::isnan(r.error) ? HUGE_VAL : r.error;
}

void Evaluator::State::fold_custom(Unit& u, std::vector<Gathered>& gathered, int lane) {
  Frame& f = u.combine;
  const std::size_t values = gathered.size();
  const auto x = static_cast<std::size_t>(lane);
  for (std::size_t v = 0; v < values; ++v) {
    const Reg from = u.body.code.results[v], left = f.code.arguments[v], right = f.code.arguments[values + v];
    f.values[left][0] = gathered[v].value;
    f.values[right][0] = u.body.values[from][x];
    if (bounded()) {
      f.errors[left][0] = gathered[v].error;
      f.errors[right][0] = u.body.errors[from][x];
    }
    if (u.kinds[v] == Combine::kAdd) {
      const double* e = bounded() ? &u.body.errors[from][x] : nullptr;
      add_floats(gathered[v], &u.body.values[from][x], e, 1);
      // What the code makes of it is not looked at: sums are settled in `finish`.
      f.values[left][0].f = f.values[right][0].f = 0;
    }
  }
  run(u, f, 1);
  for (std::size_t v = 0; v < values; ++v) {
    const Reg r = f.code.results[v];
    gathered[v].value = f.values[r][0];
    if (!bounded()) continue;
    const bool promised = u.kinds[v] != Combine::kOther || !u.stage->reduce()->sources[v].type().is_float();
    gathered[v].error = promised ? f.errors[r][0] : HUGE_VAL;
  }
}

void Evaluator::State::finish(Unit& u, const std::vector<Gathered>& gathered, std::int64_t position, int lane) {
  const ir::Reduce& r = *u.stage->reduce();
  for (std::size_t v = 0; v < u.values.size(); ++v) {
    // Outputs choose values of the tuple.
    const auto index = static_cast<std::size_t>(u.stage->body[v].as<ir::Reduce>()->index);
    const Gathered& g = gathered[index];
    const Type t = r.sources[index].type();
    Scalar value = g.value;
    double error = g.error;
    const bool sums = r.combiner->op == ir::ReduceOp::kSum || (!u.kinds.empty() && u.kinds[index] == Combine::kAdd);
    if (sums && t.is_float()) {
      if (bounded()) {
        const BoundedFloat b = g.bounded_sum.result(t);
        value.f = b.value;
        error = std::isnan(b.error) || std::isnan(b.value) ? HUGE_VAL : b.error;
      } else {
        // Every partial sum in any order is a multiple of the granule and below the magnitude.
        if (!(g.magnitude <= g.granule * std::ldexp(1.0, digits_of(t)))) not_exact(u, u.body, lane, "a partial sum", t);
        value.f = g.sum;
      }
    } else if (r.combiner->op == ir::ReduceOp::kSum) {
      value.i = ir::wrapped(static_cast<std::int64_t>(g.wrapped_sum), t);
    }
    u.values[v].put(position, value, error);
  }
}

}  // namespace tessera::dsl
