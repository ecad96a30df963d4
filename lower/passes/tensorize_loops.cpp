#include "lower/passes/tensorize_loops.h"

#include <algorithm>

#include "ir/analysis/affine.h"
#include "ir/analysis/loops.h"
#include "ir/mma.h"
#include "ir/rewrite.h"
#include "ir/simplify.h"
#include "lower/pipeline.h"

namespace tessera::lower {

namespace {

using ir::Bounds;
using ir::Buffer;
using ir::Expr;
using ir::Exprs;
using ir::For;
using ir::ForKind;
using ir::int_imm;
using ir::make_stmt;
using ir::Region;
using ir::Stmt;
using ir::Stmts;
using ir::Var;
using ir::VarMap;

/// The mma that a loop over lanes stands for; nullptr when it is any other loop.
const ir::Mma* mma_at(const Stmt& s) {
  const auto* n = s.as<For>();
  if (n == nullptr || n->loop != ForKind::kLane) return nullptr;
  for (const auto& [note, value] : n->notes) {
    if (const ir::Mma* m = ir::find_mma(note)) return m;
  }
  return nullptr;
}

const For* unrolled(const Stmt& s) {
  const auto* n = s.as<For>();
  return n != nullptr && n->loop == ForKind::kUnroll && is_const_int(n->extent) ? n : nullptr;
}

/// The loops of one product: unrolled ones around, then lane, k, half, one, and the statement.
struct Product {
  const ir::Mma* mma = nullptr;
  std::vector<const For*> around;
  const For *lane = nullptr, *k = nullptr, *half = nullptr, *one = nullptr;
  const ir::Store* sum = nullptr;
  ir::MmaFactor a, b;
};

bool moves_with(const ir::Load& l, const Var& v) {
  return std::any_of(l.indices.begin(), l.indices.end(), [&](const Expr& i) { return ir::uses_var(i, v.id()); });
}

/// False where the loops are not those that the step made.
bool take_apart(Stmt s, Product& p) {
  while (const For* n = unrolled(s)) {
    p.around.push_back(n);
    s = n->body;
  }
  p.mma = mma_at(s);
  if (p.mma == nullptr) return false;
  p.lane = s.as<For>();
  s = p.lane->body;
  for (const For** loop : {&p.k, &p.half, &p.one}) {
    *loop = s.as<For>();
    if (*loop == nullptr) return false;
    s = (*loop)->body;
  }
  if (const auto* i = s.as<ir::Instance>()) s = i->body;
  p.sum = s.as<ir::Store>();
  const auto* add = p.sum != nullptr ? p.sum->value.as<ir::Add>() : nullptr;
  const auto* mul = add != nullptr ? add->b.as<ir::Mul>() : nullptr;
  if (mul == nullptr || p.sum->buffer->scope != ir::Scope::kRegister) return false;
  p.a = ir::mma_factor(mul->a);
  p.b = ir::mma_factor(mul->b);
  if (p.a.load == nullptr || p.b.load == nullptr) return false;
  if (!moves_with(*p.a.load, p.half->var)) std::swap(p.a, p.b);
  return moves_with(*p.a.load, p.half->var) && moves_with(*p.b.load, p.one->var);
}

/// The fragments that a warp needs of one operand for all of the loops around: loaded into `words`.
class Fragments {
 public:
  Fragments(const Product& p, bool first, const Bounds& bounds)
      : p_(p), factor_(first ? p.a : p.b), load_(*factor_.load), first_(first), bounds_(bounds), words_(first ? ir::kMmaWordsA : ir::kMmaWordsB) {
    for (const For* n : p.around) {
      if (moves_with(load_, n->var)) own_.push_back(n);
    }
    rows_ = rows();
    buffer = Buffer::fresh(load_.buffer->name + ".fragments", ir::u32, {int_imm(count() * words_)}, ir::Scope::kRegister);
  }

  Buffer buffer;

  /// Where the fragment begins that the loops around ask for.
  Expr at(const VarMap& values = {}) const {
    Expr out = int_imm(0);
    for (const For* n : own_) out = out * n->extent + ir::substitute(Expr(n->var), values);
    return ir::simplify(out * int_imm(words_), bounds_);
  }

  Stmt loaded() const {
    if (rows_ == Rows::kNone) return one_by_one();
    return factor_.rounded() ? ir::block({matrices(), rounded_words()}) : matrices();
  }

 private:
  std::int64_t count() const {
    std::int64_t out = 1;
    for (const For* n : own_) out *= extent_of(n);
    return out;
  }
  static std::int64_t extent_of(const For* n) {
    std::int64_t e = 0;
    is_const_int(n->extent, &e);
    return e;
  }

  /// The indices of the element of row or column `x` of the tile, depth `k`; `more` are values of the loops around.
  Exprs element(const Expr& x, const Expr& k, VarMap more = {}) const {
    if (first_) {
      more[p_.half->var.id()] = ir::floordiv(x, int_imm(8));
      more[p_.lane->var.id()] = ir::floormod(x, int_imm(8)) * int_imm(4);
    } else {
      more[p_.lane->var.id()] = ir::floordiv(x, int_imm(2));
      more[p_.one->var.id()] = ir::floormod(x, int_imm(2));
    }
    more[p_.k->var.id()] = k;
    Exprs out;
    for (const Expr& i : load_.indices) out.push_back(ir::simplify(ir::substitute(i, more), bounds_));
    return out;
  }

  /// Where rows of ldmatrix lie: nowhere, along k, or across it, from where only elements of two bytes can be
  /// transposed.
  enum class Rows { kNone, kAlong, kAcross };

  Rows rows() const {
    const Var x = Var::fresh("x"), k = Var::fresh("k");
    Bounds bounds = bounds_;
    bounds[x.id()] = {0, first_ ? p_.mma->m - 1 : p_.mma->n - 1};
    bounds[k.id()] = {0, p_.mma->k - 1};
    const int chunk = p_.mma->chunk();
    const auto offset = [&](const Expr& row, const Expr& depth) {
      return ir::simplify(load_.buffer->layout.offset(element(row, depth)), bounds);
    };
    const auto neighbours = [&](const Expr& from, const Expr& to) { return ir::is_one(ir::simplify(to - from, bounds)); };
    if (load_.buffer->scope != ir::Scope::kShared) return Rows::kNone;
    // Eight (four, sixteen) neighbours from an aligned place, for every row.
    const Expr start = ir::floordiv(k, int_imm(chunk)) * int_imm(chunk);
    bool along = ir::divisor_of(offset(x, start)) % chunk == 0;
    for (int i = 0; i + 1 < chunk && along; ++i) along = neighbours(offset(x, start + int_imm(i)), offset(x, start + int_imm(i + 1)));
    if (along) return Rows::kAlong;
    if (p_.mma->operand.bytes() != 2) return Rows::kNone;
    bool across = true;
    for (int part = 0; part < (first_ ? 2 : 1) && across; ++part) {
      across = ir::divisor_of(offset(int_imm(8 * part), k)) % chunk == 0;
      for (int i = 0; i + 1 < 8 && across; ++i) across = neighbours(offset(int_imm(8 * part + i), k), offset(int_imm(8 * part + i + 1), k));
    }
    return across ? Rows::kAcross : Rows::kNone;
  }

  /// Around loads: the loops that the operand moves with, each with a variable of its own.
  template <class F>
  Stmt nest(std::vector<const For*> loops, const F& body) const {
    VarMap values;
    std::vector<Var> vars;
    for (const For* n : loops) {
      vars.push_back(Var::fresh(n->var.name()));
      values[n->var.id()] = vars.back();
    }
    Stmt out = body(values);
    for (std::size_t i = loops.size(); i-- > 0;) out = make_stmt<For>(vars[i], loops[i]->min, loops[i]->extent, ForKind::kUnroll, out);
    return out;
  }

  /// ldmatrix: lane 8 q + r gives the address of row r of matrix q; word q of a lane comes from matrix q.
  Stmt matrices() const {
    const bool across = rows_ == Rows::kAcross;
    const Expr lane = p_.lane->var, row = ir::floormod(lane, int_imm(8)), matrix = ir::floordiv(lane, int_imm(8));
    const int chunk = p_.mma->chunk();
    // Two neighbours of B by one instruction.
    const bool pairs = !first_ && !own_.empty() && extent_of(own_.back()) % 2 == 0;
    std::vector<const For*> loops = own_;
    if (pairs) loops.pop_back();
    const auto place = [&](VarMap values) {
      const Expr part = first_ ? ir::floormod(matrix, int_imm(2)) : int_imm(0);
      const Expr depth = first_ ? ir::floordiv(matrix, int_imm(2)) : ir::floormod(matrix, int_imm(2));
      const Expr x = part * int_imm(8) + (across ? int_imm(0) : row), k = depth * int_imm(chunk) + (across ? row : int_imm(0));
      return element(x, k, std::move(values));
    };
    const std::string name = std::string("ldmatrix.") + (first_ || pairs ? "x4" : "x2") + (across ? ".trans" : "");
    const auto op = [&](const Expr& to, VarMap values) {
      return make_stmt<ir::TileOp>(name, std::vector<Region>{{buffer, {to}, {int_imm(first_ || pairs ? 4 : 2)}}, row_of(place(std::move(values)))});
    };
    if (!pairs) return nest(loops, [&](const VarMap& values) { return op(at(values), values); });
    const Var pair = Var::fresh(own_.back()->var.name());
    return nest(loops, [&](const VarMap& values) {
      VarMap first = values, mine = values;
      first[own_.back()->var.id()] = pair * int_imm(2);
      mine[own_.back()->var.id()] = pair * int_imm(2) + ir::floordiv(matrix, int_imm(2));
      return make_stmt<For>(pair, int_imm(0), int_imm(extent_of(own_.back()) / 2), ForKind::kUnroll, op(at(first), mine));
    });
  }

  /// What ldmatrix has loaded as it is, rounded to what is multiplied: a word is an element.
  Stmt rounded_words() const {
    const Var word = Var::fresh("word");
    const Expr value = ir::cast(factor_.type, ir::reinterpret(load_.type, buffer.load({word})));
    return make_stmt<For>(word, int_imm(0), int_imm(count() * words_), ForKind::kUnroll,
                          make_stmt<ir::Store>(buffer, Exprs{word}, ir::reinterpret(ir::u32, value)));
  }

  Region row_of(const Exprs& at) const { return {Buffer(load_.buffer), at, Exprs(at.size(), int_imm(1))}; }

  /// Each lane loads the elements of its words.
  Stmt one_by_one() const {
    const Expr lane = p_.lane->var, group = ir::floordiv(lane, int_imm(4)), quarter = ir::floormod(lane, int_imm(4));
    const int each = 4 / p_.mma->operand.bytes(), chunk = p_.mma->chunk();
    const ir::Type bits{ir::TypeCode::kUInt, p_.mma->operand.bits, 1};
    return nest(own_, [&](const VarMap& values) {
      Stmts out;
      for (int w = 0; w < words_; ++w) {
        const int part = first_ ? w % 2 : 0, depth = first_ ? w / 2 : w;
        Expr word;
        for (int e = 0; e < each; ++e) {
          const Exprs at = element(group + int_imm(8 * part), quarter * int_imm(each) + int_imm(depth * chunk + e), values);
          const Expr read = ir::cast(factor_.type, Buffer(load_.buffer).load(at));
          const Expr piece = ir::cast(ir::u32, ir::reinterpret(bits, read));
          const Expr there = e == 0 ? piece : ir::make_binary(ir::ExprKind::kShiftLeft, piece, int_imm(e * p_.mma->operand.bits, ir::u32));
          word = e == 0 ? there : ir::make_binary(ir::ExprKind::kBitOr, word, there);
        }
        out.push_back(make_stmt<ir::Store>(buffer, Exprs{ir::simplify(at(values) + int_imm(w), bounds_)}, word));
      }
      return ir::block(std::move(out));
    });
  }

  const Product& p_;
  const ir::MmaFactor& factor_;
  const ir::Load& load_;
  const bool first_;
  const Bounds& bounds_;
  const int words_;
  Rows rows_ = Rows::kNone;
  std::vector<const For*> own_;  // loops around that the operand moves with
};

class Tensorizer {
 public:
  std::string refusal;

  Stmt stmt(const Stmt& s, const Bounds& outer) {
    if (mma_at(s) != nullptr || unrolled(s) != nullptr) {
      Product p;
      if (take_apart(s, p)) return product(p, outer);
      if (mma_at(s) != nullptr) {
        if (refusal.empty()) refusal = "the loops that tensorize made hold more than one product; schedule nothing inside of them";
        return s;
      }
    }
    Bounds bounds = outer;
    ir::extend_bounds(s, bounds);
    return ir::map_children(
        s, [](const Expr& e) { return e; }, [&](const Stmt& x) { return x ? stmt(x, bounds) : x; });
  }

 private:
  static Stmt product(const Product& p, Bounds bounds) {
    for (const For* n : p.around) bounds[n->var.id()] = ir::loop_range(*n, bounds).values;
    bounds[p.lane->var.id()] = {0, 31};
    const Fragments a(p, true, bounds), b(p, false, bounds);
    Exprs sums, extents;
    const VarMap first{{p.half->var.id(), int_imm(0)}, {p.one->var.id(), int_imm(0)}};
    for (const Expr& i : p.sum->indices) {
      sums.push_back(ir::simplify(ir::substitute(i, first), bounds));
      const bool row = ir::uses_var(i, p.half->var.id()), column = ir::uses_var(i, p.one->var.id());
      extents.push_back(int_imm(row ? p.mma->m : column ? p.mma->n : 1));
    }
    Stmt mma = make_stmt<ir::TileOp>(p.mma->name, std::vector<Region>{{p.sum->buffer, sums, extents},
                                                                      {a.buffer, {a.at()}, {int_imm(ir::kMmaWordsA)}},
                                                                      {b.buffer, {b.at()}, {int_imm(ir::kMmaWordsB)}}});
    for (auto it = p.around.rbegin(); it != p.around.rend(); ++it) mma = make_stmt<For>((*it)->var, (*it)->min, (*it)->extent, ForKind::kUnroll, mma);
    const Stmt body = make_stmt<ir::Allocate>(a.buffer, make_stmt<ir::Allocate>(b.buffer, ir::block({a.loaded(), b.loaded(), mma})));
    return make_stmt<For>(p.lane->var, p.lane->min, p.lane->extent, ForKind::kLane, body);
  }
};

}  // namespace

Result<ir::Program> tensorize_loops(const ir::Program& program, const Options&) {
  return map_functions(program, [](const Stmt& s) -> Result<Stmt> {
    Tensorizer pass;
    const Stmt out = pass.stmt(s, {});
    if (!pass.refusal.empty()) return Refusal{pass.refusal};
    return out;
  });
}

}  // namespace tessera::lower
