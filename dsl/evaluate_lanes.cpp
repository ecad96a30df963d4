// Evaluator, one block of lanes: runs straight-line code (detail/evaluate_code.h) on up to kLanes
// points at once, with every operation and read checked.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "dsl/detail/evaluator_state.h"
#include "ir/intrinsics.h"
#include "ir/print.h"

namespace tessera::dsl {

namespace {

using detail::Access;
using detail::digits_of;
using detail::Frame;
using detail::Inst;
using detail::kLanes;
using detail::kNoReg;
using detail::Op;
using detail::Reg;
using detail::Source;
using detail::Unit;
using detail::Values;
using ir::BoundedFloat;
using ir::ExprKind;
using ir::product_is_exact;
using ir::Scalar;
using ir::sum_is_exact;

}  // namespace

void Evaluator::State::run(Unit& u, Frame& f, int n) {
  for (const Inst& i : f.code.insts) {
    if (i.op == Op::kLoad) {
      load(u, f, i, n);
    } else if (i.op == Op::kMask) {
      for (int l = 0; l < n; ++l) {
        const auto x = static_cast<std::size_t>(l);
        f.values[i.dst][x].i = active(f, i, l) && (f.values[i.a][x].i != 0) == (i.sub != 0);
      }
      if (bounded()) f.errors[i.dst].fill(0);
    } else if (bounded() && i.op == Op::kInt && certain(f, i.a, n) && certain(f, i.b, n)) {
      step_int(u, f, i, n);
      std::fill_n(f.errors[i.dst].data(), n, 0.0);
    } else if (bounded()) {
      for (int l = 0; l < n; ++l) step_bounded(u, f, i, l);
    } else {
      step(u, f, i, n);
    }
  }
}

void Evaluator::State::step(Unit& u, Frame& f, const Inst& i, int n) {
  auto& d = f.values[i.dst];
  const auto* a = i.a != kNoReg ? f.values[i.a].data() : nullptr;
  const auto* b = i.b != kNoReg ? f.values[i.b].data() : nullptr;
  const auto* c = i.c != kNoReg ? f.values[i.c].data() : nullptr;
  const auto each = [&](const auto& g) {
    for (int l = 0; l < n; ++l) d[static_cast<std::size_t>(l)] = g(l);
  };
  switch (i.op) {
    case Op::kInt: return step_int(u, f, i, n);
    case Op::kFloat: return step_float(u, f, i, n);
    case Op::kCompareFloat:
      return each([&](int l) { return Scalar{.i = ir::compare_float(static_cast<ExprKind>(i.sub), a[l].f, b[l].f)}; });
    case Op::kNot: return each([&](int l) { return Scalar{.i = a[l].i == 0}; });
    case Op::kSelect: return each([&](int l) { return a[l].i != 0 ? b[l] : c[l]; });
    case Op::kReinterpret: return each([&](int l) { return ir::reinterpret_bits(a[l], i.type, i.result); });
    case Op::kCast:
      each([&](int l) { return ir::convert(a[l], i.type, i.result, static_cast<ir::CastMode>(i.sub)); });
      if (!i.result.is_float()) return;
      for (int l = 0; l < n; ++l) {
        const Scalar v = d[static_cast<std::size_t>(l)];
        const bool exact = i.type.is_float() ? v.f == a[l].f : std::fabs(v.f) < 0x1p63 ? static_cast<std::int64_t>(v.f) == a[l].i : i.type == ir::u64;
        if (!exact && active(f, i, l)) not_exact(u, f, l, "a cast", i.result);
      }
      return;
    case Op::kCall: {
      const auto fn = static_cast<ir::Intrinsic>(i.sub);
      each([&](int l) { return ir::apply_intrinsic(fn, i.type, a[l], b != nullptr ? b[l] : Scalar{}, c != nullptr ? c[l] : Scalar{}); });
      if (!i.type.is_float() || ir::is_exact_intrinsic(fn)) return;
      for (int l = 0; l < n; ++l) {
        const bool exact = fn == ir::Intrinsic::kFma && ir::is_exact_fma(i.type, a[l].f, b[l].f, c[l].f);
        if (!exact && active(f, i, l)) not_exact(u, f, l, ir::intrinsic_info(fn).name, i.result);
      }
      return;
    }
    case Op::kLoad:
    case Op::kMask: break;
  }
  TESSERA_UNREACHABLE();
}

void Evaluator::State::step_int(Unit& u, Frame& f, const Inst& i, int n) {
  auto* d = f.values[i.dst].data();
  const auto *a = f.values[i.a].data(), *b = f.values[i.b].data();
  const auto kind = static_cast<ExprKind>(i.sub);
  const auto each = [&](const auto& g) {
    for (int l = 0; l < n; ++l) d[l].i = g(static_cast<std::uint64_t>(a[l].i), static_cast<std::uint64_t>(b[l].i));
  };
  using U = std::uint64_t;
  const auto put = [](U v) { return static_cast<std::int64_t>(v); };
  if (i.type.bits == 64) {
    switch (kind) {
      case ExprKind::kAdd: return each([&](U x, U y) { return put(x + y); });
      case ExprKind::kSub: return each([&](U x, U y) { return put(x - y); });
      case ExprKind::kMul: return each([&](U x, U y) { return put(x * y); });
      default: break;
    }
  } else if (kind == ExprKind::kAdd || kind == ExprKind::kSub || kind == ExprKind::kMul) {
    const Type t = i.type;
    if (kind == ExprKind::kAdd) return each([&](U x, U y) { return ir::wrapped(put(x + y), t); });
    if (kind == ExprKind::kSub) return each([&](U x, U y) { return ir::wrapped(put(x - y), t); });
    return each([&](U x, U y) { return ir::wrapped(put(x * y), t); });
  }
  for (int l = 0; l < n; ++l) apply_int(u, f, i, l);
}

void Evaluator::State::apply_int(Unit& u, Frame& f, const Inst& i, int l) {
  const auto x = static_cast<std::size_t>(l);
  std::int64_t& d = f.values[i.dst][x].i;
  const std::int64_t b = f.values[i.b][x].i;
  if (ir::apply_int(static_cast<ExprKind>(i.sub), i.type, f.values[i.a][x].i, b, d)) return;
  d = 0;
  if (!active(f, i, l)) return;
  const bool shift = static_cast<ExprKind>(i.sub) == ExprKind::kShiftLeft || static_cast<ExprKind>(i.sub) == ExprKind::kShiftRight;
  fail(u, f, l, shift ? "shift by " + std::to_string(b) : "division by zero");
}

void Evaluator::State::step_float(Unit& u, Frame& f, const Inst& i, int n) {
  auto* d = f.values[i.dst].data();
  const auto *a = f.values[i.a].data(), *b = f.values[i.b].data();
  const auto kind = static_cast<ExprKind>(i.sub);
  const Type t = i.type;
  const auto each = [&](const auto& g) {
    for (int l = 0; l < n; ++l) d[l].f = g(a[l].f, b[l].f);
  };
  bool exact = true;
  const auto arithmetic = [&](const auto& rounds) {
    switch (kind) {
      case ExprKind::kAdd:
        return each([&](double x, double y) {
          const double s = x + y, r = rounds(s);
          exact &= r == s && sum_is_exact(x, y, s);
          return r;
        });
      case ExprKind::kSub:
        return each([&](double x, double y) {
          const double s = x - y, r = rounds(s);
          exact &= r == s && sum_is_exact(x, -y, s);
          return r;
        });
      case ExprKind::kMul:
        return each([&](double x, double y) {
          const double p = x * y, r = rounds(p);
          exact &= r == p && product_is_exact(x, y, p, t);
          return r;
        });
      default:
        return each([&](double x, double y) {
          const double q = x / y, r = rounds(q);
          exact &= r == q && std::fma(q, y, -x) == 0;
          return r;
        });
    }
  };
  if (kind == ExprKind::kMin) return each([](double x, double y) { return x < y ? x : y; });
  if (kind == ExprKind::kMax) return each([](double x, double y) { return y < x ? x : y; });
  if (t == ir::f32) {
    arithmetic([](double v) { return static_cast<double>(static_cast<float>(v)); });
  } else {
    arithmetic([&](double v) { return ir::rounded(v, t); });
  }
  if (exact) return;
  for (int l = 0; l < n; ++l) {  // one by one: a lane that is masked may be as inexact as it likes
    if (!active(f, i, l)) continue;
    const double x = a[l].f, y = b[l].f, r = d[l].f;
    const bool fine = ir::is_exact(kind, t, x, y, r);
    if (!fine) not_exact(u, f, l, ir::float_text(x) + " " + ir::kind_name(kind) + " " + ir::float_text(y), t);
  }
}

void Evaluator::State::step_bounded(Unit& u, Frame& f, const Inst& i, int lane) {
  const auto l = static_cast<std::size_t>(lane);
  Scalar& d = f.values[i.dst][l];
  double& e = f.errors[i.dst][l];
  const auto value = [&](Reg r) { return r == kNoReg ? Scalar{} : f.values[r][l]; };
  const auto error = [&](Reg r) { return r == kNoReg ? 0.0 : f.errors[r][l]; };
  const auto bound = [&](Reg r) { return BoundedFloat{value(r).f, error(r)}; };
  const auto put = [&](const BoundedFloat& x) {
    d.f = x.value;
    e = std::isnan(x.error) || std::isnan(x.value) ? HUGE_VAL : x.error;
  };
  const Scalar a = value(i.a), b = value(i.b), c = value(i.c);
  const double unknown = std::max({error(i.a), error(i.b), error(i.c)}) > 0 ? HUGE_VAL : 0;
  switch (i.op) {
    case Op::kInt: {
      apply_int(u, f, i, lane);
      e = unknown;
      const auto kind = static_cast<ExprKind>(i.sub);
      const bool a_known = error(i.a) == 0, b_known = error(i.b) == 0;
      if (kind == ExprKind::kAnd && ((a_known && a.i == 0) || (b_known && b.i == 0))) e = 0, d.i = 0;
      if (kind == ExprKind::kOr && ((a_known && a.i != 0) || (b_known && b.i != 0))) e = 0, d.i = 1;
      return;
    }
    case Op::kFloat: return put(ir::bounded_binary(static_cast<ExprKind>(i.sub), i.type, bound(i.a), bound(i.b)));
    case Op::kCompareFloat: {
      const auto kind = static_cast<ExprKind>(i.sub);
      d.i = ir::compare_float(kind, a.f, b.f);
      e = ir::bounded_compare(kind, bound(i.a), bound(i.b)) == ir::Truth::kEither ? HUGE_VAL : 0;
      return;
    }
    case Op::kNot:
      d.i = a.i == 0;
      e = unknown;
      return;
    case Op::kReinterpret:
      d = ir::reinterpret_bits(a, i.type, i.result);
      e = unknown;
      return;
    case Op::kSelect:
      d = a.i != 0 ? b : c;
      e = a.i != 0 ? error(i.b) : error(i.c);
      if (error(i.a) == 0) return;
      // The other side of a lazy choice was not computed.
      if (i.lazy) {
        e = HUGE_VAL;
      } else if (i.type.is_float()) {
        put(a.i != 0 ? ir::bounded_either(bound(i.b), bound(i.c)) : ir::bounded_either(bound(i.c), bound(i.b)));
      } else {
        e = b.i == c.i ? std::max(error(i.b), error(i.c)) : HUGE_VAL;
      }
      return;
    case Op::kCast: return cast_bounded(i, a, error(i.a), d, e);
    case Op::kCall: {
      const auto fn = static_cast<ir::Intrinsic>(i.sub);
      if (i.type.is_float() && !i.result.is_bool()) return put(ir::bounded_intrinsic(fn, i.type, bound(i.a), bound(i.b), bound(i.c)));
      d = ir::apply_intrinsic(fn, i.type, a, b, c);
      e = unknown;
      return;
    }
    case Op::kLoad:
    case Op::kMask: break;
  }
  TESSERA_UNREACHABLE();
}

void Evaluator::State::cast_bounded(const Inst& i, Scalar a, double error, Scalar& d, double& e) {
  const auto mode = static_cast<ir::CastMode>(i.sub);
  if (i.result.is_float()) {
    // The reference keeps its digits; a narrower type rounds once.
    const bool exact = i.type.is_float() && digits_of(i.type) <= digits_of(i.result) && ir::least_positive(i.type) >= ir::least_positive(i.result);
    d.f = i.type.is_float() ? a.f : ir::convert(a, i.type, ir::f64, mode).f;
    const bool small = !i.type.is_float() && std::fabs(d.f) <= std::ldexp(1.0, digits_of(i.result));
    if (exact || small) {
      e = error;
      return;
    }
    const BoundedFloat r = ir::bounded_round(i.result, {d.f, error});
    e = std::isnan(r.value) ? HUGE_VAL : r.error;
    return;
  }
  d = ir::convert(a, i.type, i.result, mode);
  if (error == 0 || !i.type.is_float()) {
    e = error > 0 ? HUGE_VAL : 0;
    return;
  }
  const auto at = [&](double x) { return ir::convert(Scalar{.f = x}, i.type, i.result, mode).i; };
  const bool settled = std::isfinite(error) && at(a.f - error) == d.i && at(a.f + error) == d.i && !(i.result.is_bool() && std::fabs(a.f) <= error);
  e = settled ? 0 : HUGE_VAL;
}

void Evaluator::State::load(Unit& u, Frame& f, const Inst& i, int n) {
  const Access& access = f.code.accesses[i.access];
  std::array<std::int64_t, kLanes> at;
  at.fill(0);
  bool outside = false;
  for (std::size_t d = 0; d < access.index.size(); ++d) {
    const auto& index = f.values[access.index[d]];
    const std::int64_t extent = access.extents[d];
    for (int l = 0; l < n; ++l) {
      const std::int64_t x = index[static_cast<std::size_t>(l)].i;
      outside |= static_cast<std::uint64_t>(x) >= static_cast<std::uint64_t>(extent);
      at[static_cast<std::size_t>(l)] = static_cast<std::int64_t>(static_cast<std::uint64_t>(at[static_cast<std::size_t>(l)]) * static_cast<std::uint64_t>(extent) + static_cast<std::uint64_t>(x));
    }
  }
  if (outside) {
    for (int l = 0; l < n; ++l) check_inside(u, f, i, access, l, at[static_cast<std::size_t>(l)]);
  }
  if (i.mask != kNoReg) {
    for (int l = 0; l < n; ++l) {
      if (!active(f, i, l)) at[static_cast<std::size_t>(l)] = -1;
    }
  }
  fetch(f.sources[i.access], f, i, at, n);
  if (!bounded()) return;
  // A place that is not known holds a value that is not known.
  for (const Reg r : access.index) {
    for (int l = 0; l < n; ++l) {
      if (f.errors[r][static_cast<std::size_t>(l)] > 0) f.errors[i.dst][static_cast<std::size_t>(l)] = HUGE_VAL;
    }
  }
}

void Evaluator::State::check_inside(const Unit& u, const Frame& f, const Inst& i, const Access& access, int l,
                                    std::int64_t& at) const {
  for (std::size_t d = 0; d < access.index.size(); ++d) {
    const std::int64_t x = f.values[access.index[d]][static_cast<std::size_t>(l)].i;
    if (x >= 0 && x < access.extents[d]) continue;
    at = 0;
    if (!active(f, i, l)) return;
    fail(u, f, l, "reads " + ir::to_string(access.read) + ", whose index " + std::to_string(d) + " is " + std::to_string(x) +
                      ", outside the extent " + std::to_string(access.extents[d]));
  }
}

void Evaluator::State::fetch(const Source& from, Frame& f, const Inst& i,
                             const std::array<std::int64_t, kLanes>& at, int n) {
  auto* d = f.values[i.dst].data();
  if (from.input != nullptr) {
    const ir::Tensor& t = *from.input;
    const auto each = [&](const auto& read) {
      for (int l = 0; l < n; ++l) {
        const std::int64_t p = at[static_cast<std::size_t>(l)];
        if (p >= 0) {
          read(d[l], p);
        } else {
          d[l].i = 0;
        }
      }
    };
    if (t.dtype == ir::f32) {
      each([data = t.bytes.data()](Scalar& out, std::int64_t p) {
        float x;
        std::memcpy(&x, data + p * 4, 4);
        out.f = static_cast<double>(x);
      });
    } else if (t.dtype == ir::i8) {
      each([data = t.bytes.data()](Scalar& out, std::int64_t p) { out.i = static_cast<std::int8_t>(data[p]); });
    } else {
      each([&](Scalar& out, std::int64_t p) { out = t.at(p); });
    }
    if (bounded()) std::fill_n(f.errors[i.dst].data(), n, 0.0);
    return;
  }
  Values& values = units[from.stage].values[from.value];
  std::vector<std::int64_t> missing;
  for (int l = 0; l < n; ++l) {
    const std::int64_t p = at[static_cast<std::size_t>(l)];
    if (p >= 0 && !values.known(p) && (missing.empty() || missing.back() != p)) missing.push_back(p);
  }
  if (!missing.empty()) {
    std::sort(missing.begin(), missing.end());
    missing.erase(std::unique(missing.begin(), missing.end()), missing.end());
    ensure(from.stage, missing);
  }
  for (int l = 0; l < n; ++l) {
    const std::int64_t p = at[static_cast<std::size_t>(l)];
    d[l] = p >= 0 ? values.get(p) : Scalar{.i = 0};
    if (bounded()) f.errors[i.dst][static_cast<std::size_t>(l)] = p >= 0 ? values.error(p) : 0;
  }
}

}  // namespace tessera::dsl
