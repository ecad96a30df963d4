#include <algorithm>

#include "ir/detail/bytecode.h"
#include "ir/exact.h"
#include "ir/intrinsics.h"
#include "ir/print.h"

namespace tessera::ir::detail {

namespace {

constexpr std::int64_t kMaxElements = std::int64_t{1} << 28;

class Machine {
 public:
  Machine(Code& code, const InterpretOptions& options)
      : code_(code),
        options_(options),
        regs_(code.registers),
        counter_(code.levels, 0),
        start_(code.levels, 0) {}

  void run() {
    for (std::size_t b = 0; b < code_.program_storages; ++b) {
      Storage& s = code_.storages[b];
      if (s.values.empty()) allocate(s);
      touch_room(s);
    }
    const Inst* insts = code_.insts.data();
    const std::size_t n = code_.insts.size();
    for (std::size_t pc = 0; pc < n;) {
      if (++steps_ > options_.max_steps)
        fail(insts[pc],
             "the program takes more than " + std::to_string(options_.max_steps) + " steps");
      pc = step(insts[pc], pc);
    }
  }

 private:
  [[noreturn]] void fail(const Inst& i, const std::string& why) const {
    const Site& site = code_.sites.at(i.site);
    std::string text = to_string(site.stmt);
    text = text.substr(0, std::min<std::size_t>(text.find('\n'), 120));
    std::string where;
    for (const auto& [name, reg] : site.loops)
      where += (where.empty() ? "" : ", ") + name + "=" + std::to_string(regs_[reg].i);
    throw Fault{"function " + site.function + ": " + why + ", in `" + text + "`" +
                (where.empty() ? "" : " at " + where)};
  }

  [[noreturn]] void not_exact(const Inst& i, const std::string& what) const {
    fail(i, what + " is not exact in " + to_string(i.type));
  }

  void allocate(Storage& s) const {
    const std::int64_t size = s.buffer->layout.size();
    if (size > kMaxElements)
      throw Fault{"buffer " + s.buffer->name + " has " + std::to_string(size) +
                  " elements, too many for the interpreter"};
    s.values.assign(static_cast<std::size_t>(size), Scalar{.i = 0});
    s.written.assign(static_cast<std::size_t>(size), 0);
  }

  void touch_room(Storage& s) const { s.touches.assign(s.values.size() * code_.levels, {}); }

  bool off(const Inst& i, std::uint32_t lane) const {
    return i.mask != kNoReg && regs_[i.mask + lane].i == 0;
  }

  template <class F>
  void each(const Inst& i, F f) {
    for (std::uint32_t l = 0; l < i.lanes; ++l) regs_[i.dst + l] = f(l);
  }

  std::int64_t offset(const Inst& i, const Access& a, const Storage& s, std::uint32_t lane) {
    const auto at = [&](std::size_t d) {
      return regs_[a.indices[d].reg + (a.indices[d].vector ? lane : 0)].i;
    };
    if (a.flat) {
      const std::int64_t o = a.indices.empty() ? 0 : at(0);
      if (o < 0 || o >= static_cast<std::int64_t>(s.values.size())) outside(i, a, s, lane);
      return o;
    }
    std::int64_t o = 0;
    const std::size_t rank = a.indices.size();
    if (!s.strides.empty() || rank == 0) {
      for (std::size_t d = 0; d < rank; ++d) {
        const std::int64_t x = at(d);
        if (x < 0 || x >= s.extents[d]) outside(i, a, s, lane);
        o += x * s.strides[d];
      }
      return o;
    }
    index_.resize(rank);
    for (std::size_t d = 0; d < rank; ++d) {
      index_[d] = at(d);
      if (index_[d] < 0 || index_[d] >= s.extents[d]) outside(i, a, s, lane);
    }
    return s.buffer->layout.offset(index_);
  }

  std::string element(const Access& a, const Storage& s, std::uint32_t lane) const {
    std::string text = s.buffer->name + "[";
    for (std::size_t d = 0; d < a.indices.size(); ++d) {
      text += (d ? ", " : "") +
              std::to_string(regs_[a.indices[d].reg + (a.indices[d].vector ? lane : 0)].i);
    }
    return text + "]";
  }

  [[noreturn]] void outside(const Inst& i, const Access& a, const Storage& s,
                            std::uint32_t lane) const {
    std::string shape;
    for (const std::int64_t n : s.extents) shape += (shape.empty() ? "" : ", ") + std::to_string(n);
    if (a.flat) shape = std::to_string(s.values.size());
    fail(i,
         element(a, s, lane) + " is outside of " + s.buffer->name + ", which has [" + shape + "]");
  }

  /// Iterations of one run of a loop have consecutive numbers from start_ on, so an element touched
  /// by a number from there on that is not the current one was touched by another iteration of this
  /// run.
  void touch(const Inst& i, const Access& a, Storage& s, std::int64_t o, std::uint32_t lane,
             bool writes) {
    Storage::Touch* t = &s.touches[static_cast<std::size_t>(o) * code_.levels];
    for (std::uint32_t l = 0; l < active_; ++l, ++t) {
      const std::uint32_t now = counter_[l], start = start_[l];
      const auto other = [&](std::uint32_t who) { return who >= start && who != now; };
      if (other(t->writer) || (writes && (other(t->reader) || other(t->other_reader)))) {
        fail(i, "race: two iterations of a parallel loop touch " + element(a, s, lane) +
                    ", this one " + (writes ? "writing" : "reading"));
      }
      if (writes) {
        t->writer = now;
      } else if (t->reader != now) {
        t->other_reader = t->reader;
        t->reader = now;
      }
    }
  }

  void load(const Inst& i) {
    const Access& a = code_.accesses[i.aux];
    Storage& s = code_.storages[a.storage];
    for (std::uint32_t l = 0; l < i.lanes; ++l) {
      if (off(i, l) || (a.predicate != kNoReg && regs_[a.predicate + l].i == 0)) {
        regs_[i.dst + l] = zero(i.type);
        continue;
      }
      const std::int64_t o = offset(i, a, s, l);
      const auto p = static_cast<std::size_t>(o);
      if (s.written[p] == 0 && options_.check_initialised)
        fail(i, "reads " + element(a, s, l) + ", which nothing has written");
      if (active_ > 0) touch(i, a, s, o, l, false);
      regs_[i.dst + l] = s.values[p];
    }
  }

  void store(const Inst& i) {
    const Access& a = code_.accesses[i.aux];
    Storage& s = code_.storages[a.storage];
    for (std::uint32_t l = 0; l < i.lanes; ++l) {
      if (a.predicate != kNoReg && regs_[a.predicate + l].i == 0) continue;
      const std::int64_t o = offset(i, a, s, l);
      const auto p = static_cast<std::size_t>(o);
      if (active_ > 0) touch(i, a, s, o, l, true);
      s.values[p] = regs_[i.a + l];
      s.written[p] = 1;
    }
  }

  static Scalar zero(Type t) { return t.is_float() ? Scalar{.f = 0} : Scalar{.i = 0}; }

  void integers(const Inst& i) {
    const auto kind = static_cast<ExprKind>(i.sub);
    each(i, [&](std::uint32_t l) {
      Scalar r{.i = 0};
      if (!apply_int(kind, i.type, regs_[i.a + l].i, regs_[i.b + l].i, r.i) && !off(i, l)) {
        const bool shift = kind == ExprKind::kShiftLeft || kind == ExprKind::kShiftRight;
        fail(i, shift ? "a shift by " + std::to_string(regs_[i.b + l].i) : "a division by zero");
      }
      return r;
    });
  }

  void fold(const Inst& i) {
    static constexpr ExprKind kKinds[] = {ExprKind::kAdd, ExprKind::kMul, ExprKind::kMin,
                                          ExprKind::kMax, ExprKind::kOr,  ExprKind::kAnd};
    const ExprKind kind = kKinds[i.sub];
    each(i, [&](std::uint32_t l) {
      Scalar r = regs_[i.a + l * i.aux];
      for (std::uint32_t k = 1; k < i.aux; ++k) {
        const Scalar x = regs_[i.a + l * i.aux + k];
        if (i.type.is_float()) {
          const double folded = apply_float(kind, i.type, r.f, x.f);
          if (options_.exact && !is_exact(kind, i.type, r.f, x.f, folded)) not_exact(i, kind_name(kind));
          r.f = folded;
        } else {
          apply_int(kind, i.type, r.i, x.i, r.i);
        }
      }
      return r;
    });
  }

  std::size_t step(const Inst& i, std::size_t pc) {
    switch (i.op) {
      case Op::kInt:
        integers(i);
        break;
      case Op::kFloat: {
        const auto kind = static_cast<ExprKind>(i.sub);
        each(i, [&](std::uint32_t l) {
          const double a = regs_[i.a + l].f, b = regs_[i.b + l].f, r = apply_float(kind, i.type, a, b);
          if (options_.exact && !off(i, l) && !is_exact(kind, i.type, a, b, r)) not_exact(i, kind_name(kind));
          return Scalar{.f = r};
        });
        break;
      }
      case Op::kCompare: {
        const auto kind = static_cast<ExprKind>(i.sub);
        each(i, [&](std::uint32_t l) {
          return Scalar{.i = compare_float(kind, regs_[i.a + l].f, regs_[i.b + l].f)};
        });
        break;
      }
      case Op::kNot:
        each(i, [&](std::uint32_t l) { return Scalar{.i = regs_[i.a + l].i == 0}; });
        break;
      case Op::kMove:
        each(i, [&](std::uint32_t l) { return regs_[i.a + l]; });
        break;
      case Op::kCall: {
        const auto f = static_cast<Intrinsic>(i.sub);
        const auto arg = [&](Reg r, std::uint32_t l) {
          return r == kNoReg ? Scalar{.i = 0} : regs_[r + l];
        };
        each(i, [&](std::uint32_t l) {
          const Scalar a = arg(i.a, l), b = arg(i.b, l), c = arg(i.c, l);
          const bool exact = !i.type.is_float() || is_exact_intrinsic(f) ||
                             (f == Intrinsic::kFma && is_exact_fma(i.type, a.f, b.f, c.f));
          if (options_.exact && !exact && !off(i, l)) not_exact(i, intrinsic_info(f).name);
          return apply_intrinsic(f, i.type, a, b, c);
        });
        break;
      }
      case Op::kCast: {
        const auto mode = static_cast<CastMode>(i.sub);
        each(i, [&](std::uint32_t l) {
          const Scalar v = convert(regs_[i.a + l], i.from, i.type, mode);
          if (options_.exact && i.type.is_float() && !off(i, l)) {
            // There and back again: what was rounded is another number.
            const bool exact = i.from.is_float() ? v.f == regs_[i.a + l].f
                                                 : convert(v, i.type, i.from, mode).i == regs_[i.a + l].i;
            if (!exact) not_exact(i, "a cast");
          }
          return v;
        });
        break;
      }
      case Op::kReinterpret:
        each(i, [&](std::uint32_t l) { return reinterpret_bits(regs_[i.a + l], i.from, i.type); });
        break;
      case Op::kSelect:
        each(i, [&](std::uint32_t l) { return regs_[(regs_[i.a + l].i != 0 ? i.b : i.c) + l]; });
        break;
      case Op::kSplat:
        each(i, [&](std::uint32_t) { return regs_[i.a]; });
        break;
      case Op::kRamp:
        each(i, [&](std::uint32_t l) {
          const auto base = static_cast<std::uint64_t>(regs_[i.a].i),
                     stride = static_cast<std::uint64_t>(regs_[i.b].i);
          return Scalar{.i = wrapped(static_cast<std::int64_t>(base + stride * l), i.type)};
        });
        break;
      case Op::kLane:
        regs_[i.dst] = regs_[i.a + i.aux];
        break;
      case Op::kFold:
        fold(i);
        break;
      case Op::kMaskAnd:
        each(i, [&](std::uint32_t l) {
          return Scalar{.i = regs_[i.a + l].i == i.sub && (i.b == kNoReg || regs_[i.b + l].i != 0)};
        });
        break;
      case Op::kLoad:
        load(i);
        break;
      case Op::kStore:
        store(i);
        break;
      case Op::kJump:
        return i.aux;
      case Op::kJumpIfNot:
        return regs_[i.a].i != 0 ? pc + 1 : i.aux;
      case Op::kLoopEnter:
        regs_[i.dst] = regs_[i.a];
        if (__builtin_add_overflow(regs_[i.a].i, regs_[i.b].i, &regs_[i.c].i))
          fail(i, "the end of the loop overflows");
        return regs_[i.dst].i < regs_[i.c].i ? pc + 1 : i.aux;
      case Op::kLoopNext:
        return ++regs_[i.dst].i < regs_[i.c].i ? i.aux : pc + 1;
      case Op::kParallelEnter:
        start_[i.aux] = ++counter_[i.aux];
        active_ = i.aux + 1;
        break;
      case Op::kParallelNext:
        if (++counter_[i.aux] == UINT32_MAX)
          fail(i, "too many parallel iterations for the interpreter");
        break;
      case Op::kParallelLeave:
        active_ = i.aux;
        break;
      case Op::kAllocate:
        allocate(code_.storages[i.aux]);
        touch_room(code_.storages[i.aux]);
        break;
      case Op::kAssert:
        if (regs_[i.a].i == 0)
          fail(i, "assertion failed: " + code_.sites.at(i.site).stmt.as<Assert>()->message);
        break;
    }
    return pc + 1;
  }

  Code& code_;
  const InterpretOptions& options_;
  std::vector<Scalar>& regs_;
  std::vector<std::uint32_t> counter_,
      start_;                 // by nesting level: the current iteration, the run's first
  std::uint32_t active_ = 0;  // parallel loops around the current instruction
  std::int64_t steps_ = 0;
  std::vector<std::int64_t> index_;
};

}  // namespace

void run(Code& code, const InterpretOptions& options) { Machine(code, options).run(); }

}  // namespace tessera::ir::detail
