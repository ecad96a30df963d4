// Expressions: immutable, kind-tagged, shared. An `Expr` is a value handle; no node is edited after
// construction. Every node holds the hash of its whole subtree (unequal hashes: unequal trees).
//
//   Expr e = i * 4 + 1;
//   if (const auto* add = e.as<Add>()) use(add->a, add->b);
//
// Index arithmetic is i64. Integer division comes as FloorDiv/FloorMod (rounds down, the one that
// index rules hold for) and as Div/Mod (truncates, as C does); Div on floats is IEEE division.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ir/kinds.h"
#include "ir/type.h"
#include "support/hash.h"
#include "support/ref.h"

namespace tessera::ir {

struct ExprNode : RefCounted {
  const ExprKind kind;
  const Type type;
  const std::uint64_t hash;

 protected:
  ExprNode(ExprKind k, Type t, std::uint64_t h) : kind(k), type(t), hash(h) {}
};
void destroy(const ExprNode* node);

class Expr {
 public:
  Expr() = default;
  Expr(int v);           // NOLINT: implicit, so that `i * 2` reads like mathematics
  Expr(std::int64_t v);  // NOLINT: an index constant
  Expr(double v);        // NOLINT: an f32 constant until it meets another float type
  explicit Expr(const ExprNode* n) : node_(n) {}

  const ExprNode* get() const { return node_.get(); }
  const ExprNode* operator->() const { return node_.get(); }
  /// Not a conversion to bool: `!e` and `e && x` build expressions.
  bool defined() const { return static_cast<bool>(node_); }
  Type type() const { return node_->type; }
  std::uint64_t hash() const { return node_->hash; }
  /// nullptr when it is another kind.
  template <class N>
  const N* as() const {
    return node_ && node_->kind == N::kKind ? static_cast<const N*>(node_.get()) : nullptr;
  }
  bool same_as(const Expr& o) const { return node_ == o.node_; }

 private:
  Ref<const ExprNode> node_;
};

using Exprs = std::vector<Expr>;

struct Binary : ExprNode {
  const Expr a, b;

 protected:
  Binary(ExprKind k, Type t, Expr x, Expr y);
};

#define TESSERA_BINARY(name)                                                        \
  struct name : Binary {                                                            \
    static constexpr ExprKind kKind = ExprKind::k##name;                            \
    name(Type t, Expr x, Expr y) : Binary(kKind, t, std::move(x), std::move(y)) {}  \
  };
TESSERA_BINARY_KINDS(TESSERA_BINARY)
#undef TESSERA_BINARY

/// The node as a Binary when its kind is one of TESSERA_BINARY_KINDS, else nullptr.
const Binary* as_binary(const Expr& e);

struct IntImm : ExprNode {
  static constexpr ExprKind kKind = ExprKind::kIntImm;
  const std::int64_t value;  // two's complement for u64
  IntImm(Type t, std::int64_t v);
};

struct FloatImm : ExprNode {
  static constexpr ExprKind kKind = ExprKind::kFloatImm;
  const double value;  // already rounded to `type`
  FloatImm(Type t, double v);
};

using VarId = std::uint64_t;

/// A variable is its id; the name is a hint for printing.
struct VarNode : ExprNode {
  static constexpr ExprKind kKind = ExprKind::kVar;
  const VarId id;
  const std::string name;
  VarNode(Type t, VarId i, std::string n);
};

/// A handle that is known to hold a VarNode.
class Var : public Expr {
 public:
  Var() = default;
  explicit Var(const VarNode* n) : Expr(n) {}
  /// A fresh variable, different from every other one of this process.
  static Var fresh(std::string name, Type type = i64);
  const VarNode* node() const { return static_cast<const VarNode*>(get()); }
  VarId id() const { return node()->id; }
  const std::string& name() const { return node()->name; }
};

/// kWrap: C conversion (float to integer truncates; out of range saturates, NaN gives 0).
/// kSaturate: clamps to the range of the target. kRound: to nearest even, then saturates.
enum class CastMode : std::uint8_t { kWrap, kSaturate, kRound };

struct Cast : ExprNode {
  static constexpr ExprKind kKind = ExprKind::kCast;
  const Expr value;
  const CastMode mode;
  Cast(Type t, Expr v, CastMode m);
};

/// The same bits under another type of the same width.
struct Reinterpret : ExprNode {
  static constexpr ExprKind kKind = ExprKind::kReinterpret;
  const Expr value;
  Reinterpret(Type t, Expr v);
};

struct Not : ExprNode {
  static constexpr ExprKind kKind = ExprKind::kNot;
  const Expr a;
  explicit Not(Expr x);
};

/// Eager: both values are evaluated, so neither may fault.
struct Select : ExprNode {
  static constexpr ExprKind kKind = ExprKind::kSelect;
  const Expr condition, yes, no;
  Select(Expr c, Expr y, Expr n);
};

/// Lazy: only the chosen value is evaluated; the form for reads that may leave a buffer.
struct IfThenElseExpr : ExprNode {
  static constexpr ExprKind kKind = ExprKind::kIfThenElseExpr;
  const Expr condition, yes, no;
  IfThenElseExpr(Expr c, Expr y, Expr n);
};

/// base, base + stride, ..., `lanes` values.
struct Ramp : ExprNode {
  static constexpr ExprKind kKind = ExprKind::kRamp;
  const Expr base, stride;
  Ramp(Expr b, Expr s, int lanes);
};

struct Broadcast : ExprNode {
  static constexpr ExprKind kKind = ExprKind::kBroadcast;
  const Expr value;
  Broadcast(Expr v, int lanes);
};

/// Lane i of the result is lane indices[i] of the concatenated vectors.
struct Shuffle : ExprNode {
  static constexpr ExprKind kKind = ExprKind::kShuffle;
  const Exprs vectors;
  const std::vector<int> indices;
  Shuffle(Exprs v, std::vector<int> i);
};

enum class ReduceOp : std::uint8_t { kSum, kProd, kMin, kMax, kAny, kAll, kCustom };

/// Folds neighbouring lanes: `lanes` results, each of value.lanes / lanes inputs. Never kCustom.
struct VectorReduce : ExprNode {
  static constexpr ExprKind kKind = ExprKind::kVectorReduce;
  const ReduceOp op;
  const Expr value;
  VectorReduce(ReduceOp o, Expr v, int lanes);
};

struct Let : ExprNode {
  static constexpr ExprKind kKind = ExprKind::kLet;
  const Var var;
  const Expr value, body;
  Let(Var v, Expr x, Expr b);
};

/// Pure functions that code generators and the interpreter know (ir/intrinsics.h has the table).
enum class Intrinsic : std::uint8_t {
  kAbs, kCeil, kCos, kErf, kExp, kExp2, kFloor, kFma, kFmod, kIsFinite, kIsInf, kIsNan, kLog, kLog2,
  kPopcount, kPow, kRound, kRsqrt, kSigmoid, kSin, kSqrt, kTanh, kTrunc, kCount,
};

struct Call : ExprNode {
  static constexpr ExprKind kKind = ExprKind::kCall;
  const Intrinsic intrinsic;
  const Exprs args;
  Call(Type t, Intrinsic f, Exprs a);
};

struct BufferNode;
class Buffer;  // ir/buffer.h

/// A read of `buffer` at one index a logical dimension (one flat index after flattening). Lanes
/// whose predicate is false are not read and give zero; an absent predicate means all.
struct Load : ExprNode {
  static constexpr ExprKind kKind = ExprKind::kLoad;
  const Ref<const BufferNode> buffer;
  const Exprs indices;
  const Expr predicate;
  Load(const Buffer& b, Exprs i, Expr predicate, int lanes);
};

/// A commutative, associative combination of tuples: result[i] = f(lhs..., rhs...).
struct CombinerNode : RefCounted {
  ReduceOp op = ReduceOp::kCustom;
  std::string name;
  std::vector<Var> lhs, rhs;
  Exprs result;
  Exprs identity;
};
void destroy(const CombinerNode* node);
using Combiner = Ref<const CombinerNode>;

/// A built-in combiner over one value of `type`.
Combiner make_combiner(ReduceOp op, Type type);

struct ReduceAxis {
  Var var;
  Expr extent;  // the axis runs over [0, extent)
};

/// Value `index` of the tuple that combines `sources` over all `axes`. Only at the top of a compute
/// body; lowering turns it into loops.
struct Reduce : ExprNode {
  static constexpr ExprKind kKind = ExprKind::kReduce;
  const Combiner combiner;
  const Exprs sources;
  const std::vector<ReduceAxis> axes;
  const int index;
  Reduce(Combiner c, Exprs s, std::vector<ReduceAxis> a, int i);
};

template <class N, class... Args>
Expr make(Args&&... args) {
  return Expr(static_cast<const ExprNode*>(new N(std::forward<Args>(args)...)));
}

// ---- construction with type matching ------------------------------------------------------------
// Operands must have one type; an immediate takes the type of the other side, and a scalar is
// broadcast to the lanes of the other side. Anything else is a UserError that says to cast.
// Constants fold; x+0, x*1 and x*0 disappear. All deeper algebra is simplify's.

Expr int_imm(std::int64_t v, Type t = i64);
Expr float_imm(double v, Type t = f32);
/// A constant of any numeric type, broadcast to its lanes.
Expr constant_of(Type t, double v);
Expr bool_imm(bool v, int lanes = 1);

Expr operator+(const Expr& a, const Expr& b);
Expr operator-(const Expr& a, const Expr& b);
Expr operator-(const Expr& a);
Expr operator*(const Expr& a, const Expr& b);
Expr operator/(const Expr& a, const Expr& b);  // floats: IEEE; integers: truncating
Expr operator<(const Expr& a, const Expr& b);
Expr operator<=(const Expr& a, const Expr& b);
Expr operator>(const Expr& a, const Expr& b);
Expr operator>=(const Expr& a, const Expr& b);
Expr operator==(const Expr& a, const Expr& b);
Expr operator!=(const Expr& a, const Expr& b);
Expr operator&&(const Expr& a, const Expr& b);
Expr operator||(const Expr& a, const Expr& b);
Expr operator!(const Expr& a);
Expr truncmod(const Expr& a, const Expr& b);
Expr floordiv(const Expr& a, const Expr& b);
Expr floormod(const Expr& a, const Expr& b);
Expr ceildiv(const Expr& a, const Expr& b);
Expr min(const Expr& a, const Expr& b);
Expr max(const Expr& a, const Expr& b);
Expr select(const Expr& condition, const Expr& yes, const Expr& no);
Expr if_then_else(const Expr& condition, const Expr& yes, const Expr& no);
Expr cast(Type t, const Expr& e);
Expr saturating_cast(Type t, const Expr& e);
Expr rounding_cast(Type t, const Expr& e);
Expr reinterpret(Type t, const Expr& e);
Expr broadcast(const Expr& e, int lanes);
Expr ramp(const Expr& base, const Expr& stride, int lanes);
/// One of the binary kinds by tag, with the matching above.
Expr make_binary(ExprKind kind, const Expr& a, const Expr& b);

/// The integer an expression is, if it is an immediate (or a broadcast one).
bool is_const_int(const Expr& e, std::int64_t* value = nullptr);
bool is_zero(const Expr& e);
bool is_one(const Expr& e);
/// True for an IntImm of boolean type with value 1.
bool is_true(const Expr& e);
bool is_false(const Expr& e);

/// `v` as the type stores it: wrapped for integers, rounded for floats.
std::int64_t wrap_int(std::int64_t v, Type t);
double round_to(double v, Type t);

}  // namespace tessera::ir
