#include "driver/fuzz/random_program.h"

#include <algorithm>

#include "dsl/dsl.h"
#include "dsl/inputs.h"
#include "support/error.h"

namespace tessera::driver {

namespace {

using dsl::compute;
using dsl::Tensor;
using ir::Expr;
using ir::Exprs;
using ir::Type;
using ir::Var;

constexpr std::int64_t kMostPoints = 1 << 12;
constexpr std::int64_t kMostSteps = 1 << 16;  // multiply-adds of a stage

/// An axis in scope, as an index expression.
struct AxisRef {
  Expr var;
  std::int64_t extent;
};
using Axes = std::vector<AxisRef>;

class Maker {
 public:
  explicit Maker(Rng& rng) : rng_(rng) {
    const std::int64_t t = rng_.below(100);
    dtype_ = t < 45 ? ir::f32 : t < 80 ? ir::i32 : t < 90 ? ir::i64 : ir::f64;
    if (t >= 65 && t < 80) narrow_ = rng_.chance(0.7) ? ir::i8 : ir::u8;
  }

  dsl::ComputeDag make() {
    const std::int64_t stages = rng_.between(1, 5);
    while (made_ < stages) stage();
    std::vector<Tensor> outputs;
    for (const Known& k : known_) {
      if (k.computed && (!k.read || rng_.chance(0.05))) outputs.push_back(k.tensor);
    }
    return dsl::ComputeDag::from_outputs(outputs, "fuzz");
  }

 private:
  struct Known {
    Tensor tensor;
    bool computed = false;
    bool read = false;
  };

  // ---- numbers ------------------------------------------------------------------------------------

  std::int64_t extent() {
    static const std::vector<std::int64_t> kPrimes{2, 3, 5, 7, 11, 13, 17, 31, 61, 67, 127};
    static const std::vector<std::int64_t> kNear{3, 5, 7, 9, 15, 17, 31, 33, 63, 65};
    static const std::vector<std::int64_t> kPowers{2, 4, 8, 16, 32, 64};
    const std::int64_t r = rng_.below(100);
    if (r < 13) return 1;
    if (r < 55) return kPrimes[static_cast<std::size_t>(std::min(rng_.below(11), rng_.below(11)))];
    if (r < 75) return rng_.pick(kNear);
    return r < 90 ? rng_.pick(kPowers) : rng_.between(1, 40);
  }

  std::vector<std::int64_t> shape(std::int64_t rank, std::int64_t most) {
    std::vector<std::int64_t> out(static_cast<std::size_t>(rank));
    for (std::int64_t& n : out) n = extent();
    while (volume(out) > most) {
      std::int64_t& largest = *std::max_element(out.begin(), out.end());
      largest = rng_.between(1, std::max<std::int64_t>(1, largest - 1));
    }
    return out;
  }

  std::int64_t rank() {
    static const std::vector<std::int64_t> kRanks{0, 1, 1, 2, 2, 2, 2, 3, 3, 4};
    return rng_.pick(kRanks);
  }

  static std::int64_t volume(const std::vector<std::int64_t>& s) {
    std::int64_t n = 1;
    for (const std::int64_t x : s) n *= x;
    return n;
  }

  static Exprs exprs(const std::vector<std::int64_t>& s) { return Exprs(s.begin(), s.end()); }
  static std::vector<std::int64_t> extents(const Tensor& t) { return t.buffer().extents(); }

  static Axes axes_of(const std::vector<Var>& vars, const std::vector<std::int64_t>& s) {
    Axes out;
    for (std::size_t d = 0; d < vars.size(); ++d) out.push_back({vars[d], s[d]});
    return out;
  }

  // ---- reads --------------------------------------------------------------------------------------

  /// An index into a dimension of `n` elements. `conditions` gets what must hold for it to be inside.
  Expr index_into(std::int64_t n, const Axes& axes, Exprs& conditions) {
    if (axes.empty() || (n == 1 && rng_.chance(0.7))) return Expr(rng_.below(n));
    const AxisRef a = fitting(n, axes);
    const std::int64_t e = a.extent;
    if (rng_.chance(0.1)) {  // shifted past the border, guarded
      const std::int64_t shift = rng_.between(-2, 2);
      const Expr at = a.var + Expr(shift);
      if (shift < 0) conditions.push_back(at >= Expr(0));
      if (e - 1 + shift >= n) conditions.push_back(at < Expr(n));
      return at;
    }
    if (e == n) {
      if (rng_.chance(0.15)) return Expr(n - 1) - a.var;
      if (rng_.chance(0.05)) return ir::floormod(a.var + Expr(rng_.between(-n, n)), Expr(n));
      // A product that needs more than 32 bits; the index itself stays inside.
      if (rng_.chance(0.04)) return ir::floordiv(a.var * Expr(std::int64_t{2147483659}), Expr(std::int64_t{2148000017}));
      return a.var;
    }
    if (e < n) {
      const AxisRef b = rng_.pick(axes);
      if (!b.var.same_as(a.var) && e + b.extent - 1 <= n && rng_.chance(0.5)) return a.var + b.var;
      const std::int64_t step = e == 1 ? 1 : rng_.between(1, std::min<std::int64_t>(3, (n - 1) / (e - 1)));
      return a.var * Expr(step) + Expr(rng_.between(0, n - 1 - (e - 1) * step));
    }
    switch (rng_.below(5)) {
      case 0: return ir::floormod(a.var, Expr(n));
      case 1: return ir::min(a.var, Expr(n - 1));
      case 2: return ir::max(a.var - Expr(e - n), Expr(0));
      case 3: {
        const std::int64_t half = rng_.between(0, e);
        return ir::floormod(ir::floordiv(a.var - Expr(half), Expr(rng_.between(1, 3))), Expr(n));
      }
      default: return ir::floordiv(a.var, Expr((e + n - 1) / n));
    }
  }

  /// An axis, of the same extent as the dimension if there is one.
  AxisRef fitting(std::int64_t n, const Axes& axes) {
    std::vector<AxisRef> same;
    for (const AxisRef& a : axes) {
      if (a.extent == n) same.push_back(a);
    }
    return !same.empty() && rng_.chance(0.8) ? rng_.pick(same) : rng_.pick(axes);
  }

  /// An index form for a dimension that is made to fit it; `n` gets the dimension's extent.
  Expr fresh_index(const AxisRef& a, const Axes& axes, std::int64_t& n, Exprs& conditions) {
    n = a.extent;
    switch (rng_.below(14)) {
      case 0: return Expr(n - 1) - a.var;
      case 7: {  // mixed division: rounds down below zero too
        const std::int64_t shift = rng_.between(1, 9);
        return ir::max(ir::floordiv(a.var - Expr(shift), Expr(2)) + Expr(shift / 2), Expr(0));
      }
      case 1: {
        const std::int64_t step = rng_.between(2, 3), shift = rng_.between(0, 2);
        n = (a.extent - 1) * step + shift + 1;
        return a.var * Expr(step) + Expr(shift);
      }
      case 2: {
        const std::int64_t c = rng_.between(2, 5);
        n = (a.extent - 1) / c + 1;
        return ir::floordiv(a.var, Expr(c));
      }
      case 3: {
        n = std::min<std::int64_t>(a.extent, rng_.between(1, 7));
        return ir::floormod(a.var, Expr(n));
      }
      case 4:
      case 5:
      case 6: {  // a window: stride, dilation, padding
        const AxisRef b = rng_.pick(axes);
        if (b.var.same_as(a.var) || a.extent + b.extent > 80) return a.var;
        const std::int64_t stride = rng_.chance(0.7) ? 1 : 2, dilation = rng_.chance(0.7) ? 1 : 2;
        const std::int64_t span = (a.extent - 1) * stride + (b.extent - 1) * dilation + 1;
        const std::int64_t pad = rng_.chance(0.5) ? 0 : rng_.between(0, std::min<std::int64_t>(3, (span - 1) / 2));
        n = std::max<std::int64_t>(1, span - 2 * pad);
        const Expr at = a.var * Expr(stride) + b.var * Expr(dilation) - Expr(pad);
        if (pad > 0) {
          conditions.push_back(at >= Expr(0));
          conditions.push_back(at < Expr(n));
        }
        return at;
      }
      default: return a.var;
    }
  }

  Expr guarded(const Expr& value, const Exprs& conditions) {
    if (conditions.empty()) return value;
    Expr all = conditions[0];
    for (std::size_t i = 1; i < conditions.size(); ++i) all = all && conditions[i];
    return ir::if_then_else(all, value, ir::constant_of(value.type(), static_cast<double>(rng_.below(2))));
  }

  Expr read(Known& k, const Axes& axes) {
    Exprs index, conditions;
    for (const std::int64_t n : extents(k.tensor)) index.push_back(index_into(n, axes, conditions));
    k.read = true;
    return guarded(k.tensor.at(index), conditions);
  }

  Expr read_fresh(Type t, const Axes& axes) {
    Exprs index, conditions, dims;
    std::int64_t points = 1;
    Axes rest = axes;
    const std::int64_t wanted = std::min<std::int64_t>(static_cast<std::int64_t>(axes.size()), rng_.between(1, 3));
    for (std::int64_t d = 0; d < wanted; ++d) {
      const std::size_t which = static_cast<std::size_t>(rng_.below(static_cast<std::int64_t>(rest.size())));
      const AxisRef a = rest[which];
      rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(which));
      std::int64_t n = 1;
      Exprs extra;
      Expr at = fresh_index(a, axes, n, extra);
      if (points * n > 4 * kMostPoints) {
        n = a.extent;
        at = a.var;
        extra.clear();
      }
      points *= n;
      index.push_back(at);
      dims.push_back(Expr(n));
      conditions.insert(conditions.end(), extra.begin(), extra.end());
    }
    const std::string name = "A" + std::to_string(inputs_++);
    const Tensor x = rng_.chance(0.25) ? dsl::constant(dims, t, name) : dsl::placeholder(dims, t, name);
    known_.push_back({x, false, true});
    return guarded(x.at(index), conditions);
  }

  /// A value of the program's dtype, from a tensor that exists or a new input.
  Expr value(const Axes& axes) {
    std::vector<std::size_t> fits, unread;
    for (std::size_t i = 0; i < known_.size(); ++i) {
      if (known_[i].tensor.dtype() != dtype_) continue;
      fits.push_back(i);
      if (!known_[i].read) unread.push_back(i);
    }
    if (!unread.empty() && rng_.chance(0.75)) return read(known_[rng_.pick(unread)], axes);
    if (!fits.empty() && (inputs_ >= 6 || rng_.chance(0.35))) return read(known_[rng_.pick(fits)], axes);
    if (narrow_ && rng_.chance(0.7)) return ir::cast(dtype_, read_fresh(*narrow_, axes));
    return read_fresh(dtype_, axes);
  }

  Expr constant() { return ir::constant_of(dtype_, static_cast<double>(rng_.between(-3, 3))); }

  Expr term(const Axes& axes) {
    const Expr x = value(axes);
    switch (rng_.below(dtype_.is_integral() ? 9 : 7)) {
      case 0: return x + value(axes);
      case 1: return x - value(axes);
      case 2: return x * value(axes);
      case 3: return ir::max(x, rng_.chance(0.5) ? constant() : value(axes));
      case 4: return ir::min(x, value(axes));
      case 5: return ir::select(x < value(axes), x + constant(), value(axes));
      case 6: return x * constant() + constant();
      case 7: return ir::floordiv(x, ir::constant_of(dtype_, static_cast<double>(rng_.between(2, 5))));
      default: return ir::floormod(x, ir::constant_of(dtype_, static_cast<double>(rng_.between(2, 5))));
    }
  }

  /// A condition on indices: mixes axes, reduction axes among them.
  Expr index_condition(const Axes& axes) {
    if (axes.empty()) return ir::bool_imm(true);
    const AxisRef a = rng_.pick(axes), b = rng_.pick(axes);
    switch (rng_.below(4)) {
      case 0: return a.var + b.var < Expr(rng_.between(0, a.extent + b.extent));
      case 1: return a.var <= b.var;
      case 2: return ir::floormod(a.var, Expr(rng_.between(2, 3))) == Expr(0);
      default: return a.var >= Expr(rng_.between(0, a.extent));
    }
  }

  // ---- stages -------------------------------------------------------------------------------------

  std::string name() { return "T" + std::to_string(made_++); }

  void keep(const Tensor& t) { known_.push_back({t, true, false}); }

  void stage() {
    const std::int64_t r = rng_.below(100);
    if (r < 22) return elementwise();
    if (r < 51) return reduction();
    if (r < 57) return product();
    if (r < 63) return argmax();
    if (r < 69) return several();
    if (r < 75) return two_pass();
    if (r < 83) return stencil();
    if (r < 90) return compare();
    if (r < 95) return join();
    convert();
  }

  void elementwise() {
    const auto s = output_shape();
    keep(compute(exprs(s), [&](const std::vector<Var>& v) {
      const Axes axes = axes_of(v, s);
      const Expr x = term(axes);
      return rng_.chance(0.2) ? ir::if_then_else(index_condition(axes), x, constant()) : x;
    }, name()));
  }

  /// A shape of its own, or that of a tensor that exists.
  std::vector<std::int64_t> output_shape() {
    if (rng_.chance(0.6)) {
      for (int i = 0; i < 4 && !known_.empty(); ++i) {
        const auto s = extents(rng_.pick(known_).tensor);
        if (volume(s) <= kMostPoints) return s;
      }
    }
    return shape(rank(), kMostPoints);
  }

  void reduction() {
    const auto s = shape(std::min<std::int64_t>(rank(), 3), 1 << 10);
    const auto ks = shape(rng_.between(1, 3), std::min<std::int64_t>(128, kMostSteps / volume(s)));
    dsl::ReduceVars reduced;
    for (std::size_t i = 0; i < ks.size(); ++i) reduced.push_back(dsl::reduce_axis(Expr(ks[i]), "k" + std::to_string(i)));
    const std::int64_t kind = rng_.below(10);
    keep(compute(exprs(s), [&](const std::vector<Var>& v) {
      Axes axes = axes_of(v, s);
      for (std::size_t i = 0; i < ks.size(); ++i) axes.push_back({reduced[i], ks[i]});
      Expr e = rng_.chance(0.25) ? term(axes) : rng_.chance(0.7) ? value(axes) * value(axes) : value(axes);
      if (rng_.chance(0.1)) e = ir::if_then_else(index_condition(axes), e, ir::constant_of(dtype_, 0));
      if (kind == 0) return dsl::min(e, reduced);
      if (kind == 1) return dsl::max(e, reduced);
      if (kind == 2 && dtype_.is_integral()) return dsl::prod(e, reduced);
      return dsl::sum(e, reduced);
    }, name()));
  }

  /// A product of two new matrices, in batches now and then: what register tiles are made for.
  void product() {
    const bool batched = rng_.chance(0.2);
    const auto s = shape(batched ? 3 : 2, 1 << 10);
    const std::int64_t depth = std::min(extent(), kMostSteps / volume(s));
    const std::size_t d = batched ? 1 : 0;
    const std::string a = "A" + std::to_string(inputs_++), b = "A" + std::to_string(inputs_++);
    Exprs left{Expr(s[d]), Expr(depth)}, right{Expr(depth), Expr(s[d + 1])};
    if (batched) left.insert(left.begin(), Expr(s[0]));
    const Tensor x = dsl::placeholder(left, dtype_, a);
    const Tensor y = rng_.chance(0.5) ? dsl::constant(right, dtype_, b) : dsl::placeholder(right, dtype_, b);
    const auto k = dsl::reduce_axis(Expr(depth), "k0");
    keep(compute(exprs(s), [&](const std::vector<Var>& v) {
      const Expr p = batched ? x(v[0], v[1], k) * y(k, v[2]) : x(v[0], k) * y(k, v[1]);
      return dsl::sum(p, k);
    }, name()));
  }

  void argmax() {
    const auto s = shape(std::min<std::int64_t>(rank(), 2), 256);
    const std::int64_t n = extent();
    const auto k = dsl::reduce_axis(Expr(n), "k");
    const auto combiner = dsl::reducer("argmax", {dtype_, ir::i64}, [](const Exprs& a, const Exprs& b) -> Exprs {
      const Expr first = a[0] > b[0] || (a[0] == b[0] && a[1] <= b[1]);
      return {ir::select(first, a[0], b[0]), ir::select(first, a[1], b[1])};
    }, {dsl::lowest(dtype_), Expr(std::int64_t{1} << 40)});
    const auto tuple = [&](const std::vector<Var>& v) {
      Axes axes = axes_of(v, s);
      axes.push_back({k, n});
      return dsl::reduce(combiner, {value(axes), k}, {k});
    };
    if (rng_.chance(0.3)) {  // one value of the two
      const std::size_t which = rng_.chance(0.5) ? 1 : 0;
      return keep(compute(exprs(s), [&](const std::vector<Var>& v) { return tuple(v)[which]; }, name()));
    }
    for (const Tensor& t : dsl::compute_many(exprs(s), tuple, name())) keep(t);
  }

  void several() {
    const auto s = output_shape();
    const auto both = dsl::compute_many(exprs(s), [&](const std::vector<Var>& v) {
      const Axes axes = axes_of(v, s);
      return Exprs{term(axes), value(axes)};
    }, name());
    for (const Tensor& t : both) keep(t);
  }

  /// A row's maximum, what is left after it, and the sum of that.
  void two_pass() {
    const auto s = shape(2, 1 << 10);
    const Expr rows(s[0]), columns(s[1]);
    Known x{compute(Exprs{rows, columns}, [&](const std::vector<Var>& v) { return value(axes_of(v, s)); }, name()), true, true};
    const auto k = dsl::reduce_axis(columns, "k"), l = dsl::reduce_axis(columns, "l");
    const Tensor top = compute(Exprs{rows}, [&](Var i) { return dsl::max(x.tensor(i, k), k); }, name());
    const Tensor below = compute(Exprs{rows, columns}, [&](Var i, Var j) { return x.tensor(i, j) - top(i); }, name());
    known_.push_back(x);
    keep(below);
    if (rng_.chance(0.6)) {
      known_.back().read = true;
      const Tensor total = compute(Exprs{rows}, [&](Var i) { return dsl::sum(below(i, l), l); }, name());
      keep(compute(Exprs{rows, columns}, [&](Var i, Var j) { return below(i, j) + total(i); }, name()));
    }
  }

  /// Several neighbours of one tensor, inside it or guarded at the border.
  void stencil() {
    std::vector<std::size_t> fits;
    for (std::size_t i = 0; i < known_.size(); ++i) {
      if (known_[i].tensor.dtype() == dtype_ && !known_[i].tensor.shape().empty() && known_[i].computed) fits.push_back(i);
    }
    if (fits.empty()) return elementwise();
    Known& source = known_[rng_.pick(fits)];
    source.read = true;
    const Tensor t = source.tensor;
    auto s = extents(t);
    const auto d = static_cast<std::size_t>(rng_.below(static_cast<std::int64_t>(s.size())));
    const std::int64_t n = s[d], reach = std::min<std::int64_t>(n - 1, rng_.between(1, 3));
    const bool pad = rng_.chance(0.4);
    if (!pad) s[d] = n - reach;
    keep(compute(exprs(s), [&](const std::vector<Var>& v) {
      Expr all;
      for (std::int64_t o = 0; o <= reach; ++o) {
        Exprs index(v.begin(), v.end());
        const std::int64_t shift = pad ? o - reach / 2 : o;
        index[d] = v[d] + Expr(shift);
        Expr x = t.at(index);
        if (shift < 0) x = ir::if_then_else(index[d] >= Expr(0), x, ir::constant_of(dtype_, 0));
        if (pad && shift > 0) x = ir::if_then_else(index[d] < Expr(n), x, ir::constant_of(dtype_, 0));
        all = all.defined() ? all + x : x;
      }
      return all;
    }, name()));
  }

  void compare() {
    const auto s = output_shape();
    const Tensor mask = compute(exprs(s), [&](const std::vector<Var>& v) {
      const Axes axes = axes_of(v, s);
      return value(axes) < value(axes);
    }, name());
    keep(mask);
    if (!rng_.chance(0.7)) return;
    known_.back().read = true;
    keep(compute(exprs(s), [&](const std::vector<Var>& v) {
      const Axes axes = axes_of(v, s);
      return ir::select(mask.at(Exprs(v.begin(), v.end())), value(axes), constant());
    }, name()));
  }

  /// Two tensors behind one another along a dimension.
  void join() {
    auto s = shape(rng_.between(1, 3), 1 << 10);
    const std::int64_t first = rng_.between(0, s[0]);
    keep(compute(exprs(s), [&](const std::vector<Var>& v) {
      const Axes axes = axes_of(v, s);
      return ir::if_then_else(v[0] < Expr(first), value(axes), value(axes));
    }, name()));
  }

  void convert() {
    static const std::vector<Type> kTypes{ir::i32, ir::f32, ir::i64, ir::i16, ir::f64};
    const auto s = output_shape();
    const Type to = rng_.pick(kTypes);
    keep(compute(exprs(s), [&](const std::vector<Var>& v) { return ir::cast(to, value(axes_of(v, s))); }, name()));
  }

  Rng& rng_;
  Type dtype_;
  std::optional<Type> narrow_;
  std::vector<Known> known_;
  std::int64_t made_ = 0, inputs_ = 0;
};

}  // namespace

dsl::ComputeDag random_program(Rng& rng) {
  for (int attempt = 0; attempt < 200; ++attempt) {
    Maker maker(rng);
    dsl::ComputeDag dag = maker.make();
    const auto magnitude = dsl::exact_input_magnitude(dag);
    if (magnitude.ok() && *magnitude >= 2) return dag;
  }
  throw InternalError("no exact program in 200 draws");
}

}  // namespace tessera::driver
