#include "dsl/evaluate.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <optional>

#include "dsl/detail/evaluate_code.h"
#include "ir/intrinsics.h"
#include "ir/print.h"

namespace tessera::dsl {

namespace {

using detail::Access;
using detail::Code;
using detail::Combine;
using detail::Inst;
using detail::kLanes;
using detail::kNoReg;
using detail::Op;
using detail::Reg;
using ir::BoundedFloat;
using ir::ExprKind;
using ir::Scalar;

constexpr std::int64_t kMaxElements = std::int64_t{1} << 34;
constexpr std::int64_t kPage = 4096;

/// Unwinds to the public functions, which return it as a refusal.
struct Failure {
  std::string reason;
};

/// Numbers of `t` below 2^digits are exact.
int digits_of(Type t) { return t.is_float() ? -std::ilogb(ir::unit_roundoff(t)) : 63; }

/// Values that appear as they are computed: pages of them, each value known or not yet.
class Values {
 public:
  Values(std::int64_t size, bool bounded) : pages_(static_cast<std::size_t>((size + kPage - 1) / kPage)), bounded_(bounded) {}

  bool known(std::int64_t i) const {
    const auto& p = pages_[static_cast<std::size_t>(i / kPage)];
    return p != nullptr && p->known[i % kPage];
  }
  Scalar get(std::int64_t i) const { return pages_[static_cast<std::size_t>(i / kPage)]->values[i % kPage]; }
  double error(std::int64_t i) const { return pages_[static_cast<std::size_t>(i / kPage)]->errors[static_cast<std::size_t>(i % kPage)]; }
  void put(std::int64_t i, Scalar v, double error) {
    auto& p = pages_[static_cast<std::size_t>(i / kPage)];
    if (p == nullptr) {
      p = std::make_unique<Page>();
      if (bounded_) p->errors.resize(kPage);
    }
    p->values[i % kPage] = v;
    p->known[i % kPage] = true;
    if (bounded_) p->errors[static_cast<std::size_t>(i % kPage)] = error;
  }

 private:
  struct Page {
    Scalar values[kPage];
    bool known[kPage] = {};
    std::vector<double> errors;
  };
  std::vector<std::unique_ptr<Page>> pages_;
  bool bounded_;
};

/// Where a read goes: an input, or a value of a stage.
struct Source {
  const ir::Tensor* input = nullptr;
  std::size_t stage = 0;
  std::size_t value = 0;
};

/// What one reduction of one point has gathered so far.
struct Gathered {
  ir::BoundedSum bounded_sum;
  double sum = 0, magnitude = 0;
  double granule = 1;  // every term is a multiple of it
  std::uint64_t wrapped_sum = 0;
  Scalar value{};
  double error = 0;
  double above = 1, below = 1;  // products of the factors on either side of 1
};

/// Code with its registers.
struct Frame {
  Code code;
  std::vector<std::array<Scalar, kLanes>> values;
  std::vector<std::array<double, kLanes>> errors;  // 0 or infinite for integers: infinite is "unknown"
  std::vector<Source> sources;                     // one an access

  void start(Code c, bool bounded) {
    code = std::move(c);
    values.resize(code.registers);
    if (bounded) errors.resize(code.registers);
    for (const auto& [r, v] : code.constants) values[r].fill(v);
  }
};

struct Unit {  // a computed stage, ready to run
  const Stage* stage = nullptr;
  std::vector<std::int64_t> extents, reduce_extents;
  std::int64_t reduction = 1;  // points of the reduction
  Frame body;
  Frame combine;
  std::vector<Combine> kinds;
  std::vector<Values> values;
};

/// The lowest bit that is set in a double.
double lowest_bit(double v) {
  int e = 0;
  auto m = static_cast<std::int64_t>(std::ldexp(std::frexp(v, &e), 53));
  return std::ldexp(static_cast<double>(m & -m), e - 53);
}

bool sum_is_exact(double a, double b, double s) {  // Knuth's two-sum has no remainder
  if (!std::isfinite(s)) return !std::isnan(s);
  const double bb = s - a;
  return (a - (s - bb)) + (b - bb) == 0;
}

bool product_is_exact(double a, double b, double p, Type t) {
  if (t.bits <= 32) return true;  // in double; the rounding to t is checked apart
  return std::isfinite(p) ? std::fma(a, b, -p) == 0 && (p != 0 || a == 0 || b == 0) : !std::isnan(p);
}

bool rounding_function(ir::Intrinsic f) {
  switch (f) {
    case ir::Intrinsic::kAbs:
    case ir::Intrinsic::kCeil:
    case ir::Intrinsic::kFloor:
    case ir::Intrinsic::kTrunc:
    case ir::Intrinsic::kRound:
    case ir::Intrinsic::kIsFinite:
    case ir::Intrinsic::kIsInf:
    case ir::Intrinsic::kIsNan: return true;
    default: return false;
  }
}

}  // namespace

struct Evaluator::State {
  ComputeDag dag;
  std::map<std::string, ir::Tensor> inputs;
  EvaluateMode mode;
  std::vector<Unit> units;
  std::map<const ir::BufferNode*, Source> where;

  bool bounded() const { return mode == EvaluateMode::kBounded; }

  State(ComputeDag d, std::map<std::string, ir::Tensor> in, EvaluateMode m) : dag(std::move(d)), inputs(std::move(in)), mode(m) {
    TESSERA_USER_CHECK(!dag.is_symbolic()) << "program '" << dag.name() << "' has symbolic extents; give each symbol a number first";
    for (const auto& [name, t] : inputs) {
      const Stage* s = dag.find(name);
      TESSERA_USER_CHECK(s != nullptr && s->is_input()) << "'" << name << "' is no input of program '" << dag.name() << "'";
    }
    for (std::size_t i = 0; i < dag.stages().size(); ++i) {
      const Stage& s = dag.stages()[i];
      for (std::size_t v = 0; v < s.outputs.size(); ++v) where[s.outputs[v].get()] = Source{nullptr, i, v};
    }
    for (const Stage& s : dag.stages()) prepare(s);
  }

  void prepare(const Stage& s) {
    const auto extents = s.outputs[0].extents();
    units.emplace_back();
    Unit& u = units.back();
    u.stage = &s;
    u.extents = extents;
    if (s.is_input()) {
      const auto it = inputs.find(s.name);
      TESSERA_USER_CHECK(it != inputs.end()) << "input '" << s.name << "' of program '" << dag.name() << "' has no values";
      TESSERA_USER_CHECK(it->second.dtype == s.outputs[0]->dtype)
          << "input '" << s.name << "' is " << s.outputs[0]->dtype << ", its values are " << it->second.dtype;
      TESSERA_USER_CHECK(it->second.shape == extents) << "the values of input '" << s.name << "' have another shape than it";
      where[s.outputs[0].get()].input = &it->second;
      return;
    }
    std::int64_t size = 1;
    for (const std::int64_t n : extents) size *= n;  // dsl bounds it
    TESSERA_USER_CHECK(size <= kMaxElements) << "stage '" << s.name << "' is too large to evaluate";
    std::vector<Var> vars;
    for (const Axis& a : s.axes) vars.push_back(a.var);
    for (const Axis& a : s.reduce_axes) {
      std::int64_t n = 0;
      TESSERA_CHECK(is_const_int(a.extent, &n)) << "extent " << a.extent;
      u.reduce_extents.push_back(n);
      TESSERA_USER_CHECK(!__builtin_mul_overflow(u.reduction, n, &u.reduction)) << "the reduction of '" << s.name << "' is too long to evaluate";
      vars.push_back(a.var);
    }
    const ir::Reduce* r = s.reduce();
    u.body.start(detail::compile(vars, r != nullptr ? r->sources : s.body), bounded());
    if (r != nullptr && r->combiner->op == ir::ReduceOp::kCustom) {
      std::vector<Var> tuple = r->combiner->lhs;
      tuple.insert(tuple.end(), r->combiner->rhs.begin(), r->combiner->rhs.end());
      u.combine.start(detail::compile(tuple, r->combiner->result), bounded());
      u.kinds = detail::classify(*r->combiner);
    }
    for (std::size_t v = 0; v < s.outputs.size(); ++v) u.values.emplace_back(size, bounded());
    for (const Access& a : u.body.code.accesses) u.body.sources.push_back(where.at(a.buffer));
  }

  // ---- one block of lanes -----------------------------------------------------------------------

  [[noreturn]] void fail(const Unit& u, const Frame& f, int lane, const std::string& what) const {
    std::ostringstream out;
    out << "stage '" << u.stage->name << "'";
    if (&f == &u.body) {
      std::size_t i = 0;
      for (const auto* axes : {&u.stage->axes, &u.stage->reduce_axes}) {
        for (const Axis& a : *axes) {
          out << (i ? ", " : " at ") << a.name() << "=" << f.values[f.code.arguments[i]][static_cast<std::size_t>(lane)].i;
          ++i;
        }
      }
    }
    out << ": " << what;
    throw Failure{out.str()};
  }

  [[noreturn]] void not_exact(const Unit& u, const Frame& f, int lane, const std::string& what, Type t) const {
    fail(u, f, lane, what + " is not exact in " + ir::to_string(t) + "; use bounded mode or smaller integers");
  }

  static bool active(const Frame& f, const Inst& i, int lane) {
    return i.mask == kNoReg || f.values[i.mask][static_cast<std::size_t>(lane)].i != 0;
  }

  static bool certain(const Frame& f, Reg r, int n) {
    double worst = 0;
    for (int l = 0; l < n; ++l) worst += f.errors[r][static_cast<std::size_t>(l)];
    return worst == 0;
  }

  void run(Unit& u, Frame& f, int n) {
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

  void step(Unit& u, Frame& f, const Inst& i, int n) {
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
        if (!i.type.is_float() || rounding_function(fn)) return;
        for (int l = 0; l < n; ++l) {
          bool exact = false;
          if (fn == ir::Intrinsic::kFma) {
            const double p = a[l].f * b[l].f, s = p + c[l].f;
            exact = product_is_exact(a[l].f, b[l].f, p, i.type) && sum_is_exact(p, c[l].f, s) && ir::rounded(s, i.type) == s;
          }
          if (!exact && active(f, i, l)) not_exact(u, f, l, ir::intrinsic_info(fn).name, i.result);
        }
        return;
      }
      case Op::kLoad:
      case Op::kMask: break;
    }
    TESSERA_UNREACHABLE();
  }

  void step_int(Unit& u, Frame& f, const Inst& i, int n) {
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

  /// A fault in a lane that the condition leaves out is none.
  void apply_int(Unit& u, Frame& f, const Inst& i, int l) {
    const auto x = static_cast<std::size_t>(l);
    std::int64_t& d = f.values[i.dst][x].i;
    const std::int64_t b = f.values[i.b][x].i;
    if (ir::apply_int(static_cast<ExprKind>(i.sub), i.type, f.values[i.a][x].i, b, d)) return;
    d = 0;
    if (!active(f, i, l)) return;
    const bool shift = static_cast<ExprKind>(i.sub) == ExprKind::kShiftLeft || static_cast<ExprKind>(i.sub) == ExprKind::kShiftRight;
    fail(u, f, l, shift ? "shift by " + std::to_string(b) : "division by zero");
  }

  void step_float(Unit& u, Frame& f, const Inst& i, int n) {
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
      const bool fine = kind == ExprKind::kAdd   ? r == x + y && sum_is_exact(x, y, x + y)
                        : kind == ExprKind::kSub ? r == x - y && sum_is_exact(x, -y, x - y)
                        : kind == ExprKind::kMul ? r == x * y && product_is_exact(x, y, x * y, t)
                                                 : r == x / y && std::fma(x / y, y, -x) == 0;
      if (!fine) not_exact(u, f, l, ir::float_text(x) + " " + ir::kind_name(kind) + " " + ir::float_text(y), t);
    }
  }

  /// The same on values with bounds. An infinite error of an integer means: not known.
  void step_bounded(Unit& u, Frame& f, const Inst& i, int lane) {
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

  static void cast_bounded(const Inst& i, Scalar a, double error, Scalar& d, double& e) {
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

  void load(Unit& u, Frame& f, const Inst& i, int n) {
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

  void check_inside(const Unit& u, const Frame& f, const Inst& i, const Access& access, int l, std::int64_t& at) const {
    for (std::size_t d = 0; d < access.index.size(); ++d) {
      const std::int64_t x = f.values[access.index[d]][static_cast<std::size_t>(l)].i;
      if (x >= 0 && x < access.extents[d]) continue;
      at = 0;
      if (!active(f, i, l)) return;
      fail(u, f, l, "reads " + ir::to_string(access.read) + ", whose index " + std::to_string(d) + " is " + std::to_string(x) +
                        ", outside the extent " + std::to_string(access.extents[d]));
    }
  }

  void fetch(const Source& from, Frame& f, const Inst& i, const std::array<std::int64_t, kLanes>& at, int n) {
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

  // ---- points of a stage ------------------------------------------------------------------------

  /// Computes a stage at positions that are not known yet. Stages form no cycle, so its frame is free.
  void ensure(std::size_t stage, const std::vector<std::int64_t>& positions) {
    Unit& u = units[stage];
    if (u.stage->is_reduction()) {
      reduce(u, positions);
    } else {
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
  }

  /// Sets the axes of `count` lanes to one position.
  static void place(Unit& u, std::int64_t position, int lane, int count) {
    for (std::size_t d = u.extents.size(); d-- > 0;) {
      auto* r = u.body.values[u.body.code.arguments[d]].data();
      std::fill_n(r + lane, count, Scalar{.i = position % u.extents[d]});
      position /= u.extents[d];
    }
  }

  void reduce(Unit& u, const std::vector<std::int64_t>& positions) {
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

  static void begin(const Unit& u, std::vector<Gathered>& gathered) {
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

  /// A built-in reduction over `count` lanes of one point.
  void fold(Unit& u, Gathered& g, int from, int count) {
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

  void add_floats(Gathered& g, const Scalar* x, const double* e, int count) const {
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

  static void fold_bounded(ir::ReduceOp op, Type t, Gathered& g, const BoundedFloat& x) {
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

  /// One step of a user's combination, in the order of the loops.
  void fold_custom(Unit& u, std::vector<Gathered>& gathered, int lane) {
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

  void finish(Unit& u, const std::vector<Gathered>& gathered, std::int64_t position, int lane) {
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

  // ---- what callers ask -------------------------------------------------------------------------

  Result<Source> find(const std::string& buffer) const {
    std::string known;
    for (const Stage& s : dag.stages()) {
      for (const Buffer& b : s.outputs) {
        if (s.is_input()) continue;
        if (b->name == buffer) return where.at(b.get());
        known += (known.empty() ? "" : ", ") + b->name;
      }
    }
    return refuse("'", buffer, "' is not computed by program '", dag.name(), "'; computed are ", known);
  }

  Type dtype(const Source& s) const { return units[s.stage].stage->outputs[s.value]->dtype; }
  std::int64_t size(const Source& s) const {
    std::int64_t n = 1;
    for (const std::int64_t x : units[s.stage].extents) n *= x;
    return n;
  }

  /// Calls f(i, value, error) for the positions in order; all of them when `positions` is null.
  template <class F>
  void visit(const Source& s, const std::vector<std::int64_t>* positions, const F& f) {
    const std::int64_t n = positions != nullptr ? static_cast<std::int64_t>(positions->size()) : size(s);
    const std::int64_t limit = size(s);
    Values& values = units[s.stage].values[s.value];
    std::vector<std::int64_t> missing;
    for (std::int64_t from = 0; from < n; from += kPage) {
      const std::int64_t to = std::min(n, from + kPage);
      const auto position = [&](std::int64_t i) { return positions != nullptr ? (*positions)[static_cast<std::size_t>(i)] : i; };
      missing.clear();
      for (std::int64_t i = from; i < to; ++i) {
        const std::int64_t p = position(i);
        if (p < 0 || p >= limit) throw Failure{"position " + std::to_string(p) + " is outside a buffer of " + std::to_string(limit) + " elements"};
        if (!values.known(p)) missing.push_back(p);
      }
      std::sort(missing.begin(), missing.end());
      missing.erase(std::unique(missing.begin(), missing.end()), missing.end());
      if (!missing.empty()) ensure(s.stage, missing);
      for (std::int64_t i = from; i < to; ++i) f(i, position(i), values.get(position(i)), bounded() ? values.error(position(i)) : 0.0);
    }
  }

  Result<Evaluation> evaluate(const std::string& buffer, const std::vector<std::int64_t>* positions) {
    TESSERA_TRY(s, find(buffer));
    Evaluation out;
    out.dtype = dtype(s);
    try {
      visit(s, positions, [&](std::int64_t, std::int64_t, Scalar v, double e) {
        out.values.push_back(v);
        if (bounded()) out.errors.push_back(e);
      });
    } catch (const Failure& f) {
      return Refusal{f.reason};
    }
    return out;
  }

  Result<Comparison> compare(const std::string& buffer, const ir::Tensor& got, const std::vector<std::int64_t>* positions);
};

namespace {

std::string value_text(Scalar v, Type t) {
  if (t.is_float()) return ir::float_text(v.f);
  return t == ir::u64 ? std::to_string(static_cast<std::uint64_t>(v.i)) : std::to_string(v.i);
}

bool is_right(Type t, Scalar expected, double error, Scalar got) {
  if (std::isinf(error)) return true;
  if (!t.is_float()) return expected.i == got.i;
  if (std::isnan(expected.f)) return std::isnan(got.f);
  return BoundedFloat{expected.f, error}.contains(got.f);
}

}  // namespace

Result<Comparison> Evaluator::State::compare(const std::string& buffer, const ir::Tensor& got,
                                             const std::vector<std::int64_t>* positions) {
  TESSERA_TRY(s, find(buffer));
  const Type t = dtype(s);
  if (got.dtype != t) return refuse("'", buffer, "' is ", t, ", the result is ", got.dtype);
  if (got.shape != units[s.stage].extents) return refuse("the result has another shape than '", buffer, "'");
  Comparison out;
  try {
    visit(s, positions, [&](std::int64_t, std::int64_t p, Scalar v, double e) {
      ++out.checked;
      if (std::isinf(e)) ++out.do_not_care;
      const Scalar x = got.at(p);
      if (is_right(t, v, e, x)) return;
      if (out.wrong++ > 0) return;
      std::string index;
      for (std::size_t d = units[s.stage].extents.size(); d-- > 0;) {
        index = std::to_string(p % units[s.stage].extents[d]) + (index.empty() ? "" : ", ") + index;
        p /= units[s.stage].extents[d];
      }
      out.first = buffer + "[" + index + "] is " + value_text(x, t) + ", expected " + value_text(v, t) + (e > 0 ? " within " + ir::float_text(e) : "");
    });
  } catch (const Failure& f) {
    return Refusal{f.reason};
  }
  return out;
}

BoundedFloat Evaluation::bounded(std::size_t i) const {
  const double v = dtype.is_float() ? values[i].f : ir::convert(values[i], dtype, ir::f64, ir::CastMode::kWrap).f;
  return {v, errors.empty() ? 0 : errors[i]};
}

bool Evaluation::do_not_care(std::size_t i) const { return !errors.empty() && std::isinf(errors[i]); }

bool Evaluation::accepts(std::size_t i, Scalar got) const { return is_right(dtype, values[i], errors.empty() ? 0 : errors[i], got); }

Evaluator::Evaluator(ComputeDag dag, std::map<std::string, ir::Tensor> inputs, EvaluateMode mode)
    : state_(std::make_unique<State>(std::move(dag), std::move(inputs), mode)) {}
Evaluator::~Evaluator() = default;
Evaluator::Evaluator(Evaluator&&) noexcept = default;
Evaluator& Evaluator::operator=(Evaluator&&) noexcept = default;

const ComputeDag& Evaluator::dag() const { return state_->dag; }
EvaluateMode Evaluator::mode() const { return state_->mode; }

Result<Evaluation> Evaluator::all(const std::string& buffer) { return state_->evaluate(buffer, nullptr); }
Result<Evaluation> Evaluator::at(const std::string& buffer, const std::vector<std::int64_t>& positions) {
  return state_->evaluate(buffer, &positions);
}

Result<ir::Tensor> Evaluator::tensor(const std::string& buffer) {
  TESSERA_TRY(s, state_->find(buffer));
  ir::Tensor out(state_->dtype(s), state_->units[s.stage].extents);
  try {
    state_->visit(s, nullptr, [&](std::int64_t, std::int64_t p, Scalar v, double) {
      if (out.dtype.is_float()) v.f = ir::rounded(v.f, out.dtype);
      out.put(p, v);
    });
  } catch (const Failure& f) {
    return Refusal{f.reason};
  }
  return out;
}

Result<Comparison> Evaluator::compare(const std::string& buffer, const ir::Tensor& got) {
  return state_->compare(buffer, got, nullptr);
}
Result<Comparison> Evaluator::compare(const std::string& buffer, const ir::Tensor& got,
                                      const std::vector<std::int64_t>& positions) {
  return state_->compare(buffer, got, &positions);
}

}  // namespace tessera::dsl
