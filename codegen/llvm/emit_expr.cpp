#include <cmath>

#include "codegen/llvm/detail/emitter.h"
#include "codegen/llvm/detail/vector_math.h"
#include "ir/rewrite.h"

namespace tessera::codegen {

// ---- types ----------------------------------------------------------------------------------------

llvm::Type* Emitter::scalar_type(ir::Type t) const {
  if (t.is_bool()) return b_.getInt1Ty();
  if (t.is_integral() && t.bits >= 8) return b_.getIntNTy(t.bits);
  if (t == ir::f64) return b_.getDoubleTy();
  if (t == ir::f32 || t == ir::f16 || t == ir::bf16) return b_.getFloatTy();
  throw CannotCompile{"unsupported_target: dtype " + ir::to_string(t) + " has no CPU form"};
}

llvm::Type* Emitter::type(ir::Type t) const {
  llvm::Type* s = scalar_type(t.element());
  return t.lanes == 1 ? s : llvm::FixedVectorType::get(s, t.lanes);
}

llvm::Type* Emitter::memory_type(ir::Type t) const {
  llvm::Type* s = scalar_type(t.element());
  if (t.is_bool()) s = b_.getInt8Ty();
  if (t.element() == ir::bf16) s = b_.getInt16Ty();
  if (t.element() == ir::f16) s = b_.getHalfTy();
  return t.lanes == 1 ? s : llvm::FixedVectorType::get(s, t.lanes);
}

Emitter::Value* Emitter::number(ir::Type t, double v) const { return llvm::ConstantFP::get(type(t), v); }

/// Values of f16 and bf16 are held in f32; after an operation they are rounded to what memory holds.
Emitter::Value* Emitter::rounded(Value* v, ir::Type t) {
  if (t.element() == ir::f16) return b_.CreateFPExt(b_.CreateFPTrunc(v, memory_type(t)), type(t));
  if (t.element() != ir::bf16) return v;
  llvm::Type* wide = type(ir::i32.with_lanes(t.lanes));
  return b_.CreateBitCast(b_.CreateShl(b_.CreateZExt(to_bf16_bits(v), wide), 16), type(t));
}

/// Round to nearest even on the bits; NaN stays a (quiet) NaN.
Emitter::Value* Emitter::to_bf16_bits(Value* v) {
  auto* vt = llvm::dyn_cast<llvm::FixedVectorType>(v->getType());
  const int lanes = vt != nullptr ? static_cast<int>(vt->getNumElements()) : 1;
  llvm::Type* wide = type(ir::i32.with_lanes(lanes));
  Value* bits = b_.CreateBitCast(v, wide);
  const auto word = [&](std::int64_t x) { return llvm::ConstantInt::get(wide, static_cast<std::uint64_t>(x)); };
  Value* odd = b_.CreateAnd(b_.CreateLShr(bits, 16), word(1));
  Value* up = b_.CreateLShr(b_.CreateAdd(bits, b_.CreateAdd(odd, word(0x7fff))), 16);
  Value* nan = b_.CreateOr(b_.CreateLShr(bits, 16), word(0x40));
  Value* r = b_.CreateSelect(b_.CreateFCmpUNO(v, v), nan, up);
  return b_.CreateTrunc(r, lanes == 1 ? b_.getInt16Ty() : static_cast<llvm::Type*>(llvm::FixedVectorType::get(b_.getInt16Ty(), static_cast<unsigned>(lanes))));
}

// ---- index arithmetic -----------------------------------------------------------------------------

int Emitter::depth_of(const ir::Expr& e) const {
  int depth = 0;
  ir::walk(e, [&](const ir::Expr& x) {
    if (const auto* v = x.as<ir::VarNode>()) {
      const auto it = f_.vars.find(v->id);
      TESSERA_CHECK(it != f_.vars.end()) << "variable " << v->name << " is not defined in " << f_.function->getName().str();
      depth = depth < 0 ? depth : std::max(depth, it->second.depth);
      return true;
    }
    const ir::Binary* n = ir::as_binary(x);
    std::int64_t c = 0;
    const bool divides = n != nullptr && (n->kind == ir::ExprKind::kFloorDiv || n->kind == ir::ExprKind::kFloorMod ||
                                          n->kind == ir::ExprKind::kDiv || n->kind == ir::ExprKind::kMod);
    const bool pure = x.type().is_scalar() && x.type() == ir::i64 && (n != nullptr || x->kind == ir::ExprKind::kIntImm);
    if (!pure || (divides && (!is_const_int(n->b, &c) || c <= 0))) depth = -1;
    return depth >= 0;
  });
  return depth;
}

Emitter::Value* Emitter::index(const ir::Expr& e) {
  if (const auto* i = e.as<ir::IntImm>()) return i64(i->value);
  if (const auto* v = e.as<ir::VarNode>()) return f_.vars.at(v->id).value;
  const int depth = depth_of(e);
  if (depth < 0) return compute(e);
  auto& cache = f_.scopes[static_cast<std::size_t>(depth)].cache;
  for (const auto& [known, value] : cache) {
    if (known.hash() == e.hash() && ir::equal(known, e)) return value;
  }
  llvm::IRBuilder<>::InsertPointGuard guard(b_);
  b_.SetInsertPoint(f_.scopes[static_cast<std::size_t>(depth)].marker);
  Value* v = compute(e);
  // compute() may itself have added to the cache of this scope.
  f_.scopes[static_cast<std::size_t>(depth)].cache.push_back({e, v});
  return v;
}

Emitter::Value* Emitter::expr(const ir::Expr& e) {
  if (e.type() == ir::i64) return index(e);
  // Reads and their splats are shared within a straight-line piece.
  const bool shared = e->kind == ir::ExprKind::kLoad ||
                      (e->kind == ir::ExprKind::kBroadcast && e.as<ir::Broadcast>()->value->kind == ir::ExprKind::kLoad);
  if (!shared) return compute(e);
  const auto [from, to] = f_.loads.equal_range(e.hash());
  for (auto it = from; it != to; ++it) {
    if (ir::equal(it->second.first, e)) return it->second.second;
  }
  Value* v = compute(e);
  f_.loads.emplace(e.hash(), std::pair{e, v});
  return v;
}

// ---- expressions ----------------------------------------------------------------------------------

Emitter::Value* Emitter::compute(const ir::Expr& e) {
  if (const ir::Binary* n = ir::as_binary(e)) return binary(*n);
  switch (e->kind) {
    case ir::ExprKind::kIntImm:
      return llvm::ConstantInt::get(type(e.type()), static_cast<std::uint64_t>(e.as<ir::IntImm>()->value), e.type().is_int());
    case ir::ExprKind::kFloatImm: return number(e.type(), e.as<ir::FloatImm>()->value);
    case ir::ExprKind::kVar: {
      const auto it = f_.vars.find(e.as<ir::VarNode>()->id);
      TESSERA_CHECK(it != f_.vars.end()) << "variable " << e.as<ir::VarNode>()->name << " is not defined";
      return it->second.value;
    }
    case ir::ExprKind::kCast: return cast(*e.as<ir::Cast>());
    case ir::ExprKind::kReinterpret: {
      const auto* n = e.as<ir::Reinterpret>();
      const ir::Type from = n->value.type(), to = n->type;
      Value* bits = to_memory(expr(n->value), from);
      return from_memory(b_.CreateBitCast(bits, memory_type(to)), to);
    }
    case ir::ExprKind::kNot: return b_.CreateNot(expr(e.as<ir::Not>()->a));
    case ir::ExprKind::kSelect: {
      const auto* n = e.as<ir::Select>();
      Value* c = expr(n->condition);
      Value* y = expr(n->yes);
      return b_.CreateSelect(c, y, expr(n->no));
    }
    case ir::ExprKind::kIfThenElseExpr: return choice(*e.as<ir::IfThenElseExpr>());
    case ir::ExprKind::kRamp: {
      const auto* n = e.as<ir::Ramp>();
      std::vector<llvm::Constant*> steps;
      for (int i = 0; i < e.type().lanes; ++i) steps.push_back(llvm::ConstantInt::get(scalar_type(e.type().element()), static_cast<std::uint64_t>(i)));
      Value* base = b_.CreateVectorSplat(e.type().lanes, expr(n->base));
      Value* stride = b_.CreateVectorSplat(e.type().lanes, expr(n->stride));
      return b_.CreateAdd(base, b_.CreateMul(llvm::ConstantVector::get(steps), stride));
    }
    case ir::ExprKind::kBroadcast: return b_.CreateVectorSplat(e.type().lanes, expr(e.as<ir::Broadcast>()->value));
    case ir::ExprKind::kShuffle: {
      const auto* n = e.as<ir::Shuffle>();
      Value* out = llvm::PoisonValue::get(type(e.type()));
      for (std::size_t i = 0; i < n->indices.size(); ++i) {
        int lane = n->indices[i];
        std::size_t v = 0;
        while (lane >= n->vectors[v].type().lanes) lane -= n->vectors[v++].type().lanes;
        Value* x = expr(n->vectors[v]);
        if (n->vectors[v].type().lanes > 1) x = b_.CreateExtractElement(x, b_.getInt32(static_cast<unsigned>(lane)));
        if (e.type().lanes == 1) return x;
        out = b_.CreateInsertElement(out, x, b_.getInt32(static_cast<unsigned>(i)));
      }
      return out;
    }
    case ir::ExprKind::kVectorReduce: return vector_reduce(*e.as<ir::VectorReduce>());
    case ir::ExprKind::kLet: {
      const auto* n = e.as<ir::Let>();
      Value* v = expr(n->value);
      push_scope();
      define_var(n->var, v);
      Value* out = expr(n->body);
      pop_scope();
      forget_var(n->var);
      return out;
    }
    case ir::ExprKind::kCall: return intrinsic(*e.as<ir::Call>());
    case ir::ExprKind::kLoad: return load(*e.as<ir::Load>());
    case ir::ExprKind::kReduce: throw CannotCompile{"a reduction is left in the lowered program"};
    default: TESSERA_UNREACHABLE();
  }
}

Emitter::Value* Emitter::binary(const ir::Binary& n) {
  Value* a = expr(n.a);
  Value* b = expr(n.b);
  const ir::Type t = n.a.type();
  const bool f = t.is_float(), u = t.is_uint();
  using K = ir::ExprKind;
  switch (n.kind) {
    case K::kAdd: return f ? rounded(b_.CreateFAdd(a, b), t) : b_.CreateAdd(a, b);
    case K::kSub: return f ? rounded(b_.CreateFSub(a, b), t) : b_.CreateSub(a, b);
    case K::kMul: return f ? rounded(b_.CreateFMul(a, b), t) : b_.CreateMul(a, b);
    case K::kDiv:
      if (f) return rounded(b_.CreateFDiv(a, b), t);
      return divide(n, a, b);
    case K::kMod:
    case K::kFloorDiv:
    case K::kFloorMod: return divide(n, a, b);
    // a < b ? a : b, which is one instruction; a NaN on either side gives b.
    case K::kMin: {
      Value* c = f ? b_.CreateFCmpOLT(a, b) : (u ? b_.CreateICmpULT(a, b) : b_.CreateICmpSLT(a, b));
      return b_.CreateSelect(c, a, b);
    }
    case K::kMax: {
      Value* c = f ? b_.CreateFCmpOGT(a, b) : (u ? b_.CreateICmpUGT(a, b) : b_.CreateICmpSGT(a, b));
      return b_.CreateSelect(c, a, b);
    }
    case K::kEQ: return f ? b_.CreateFCmpOEQ(a, b) : b_.CreateICmpEQ(a, b);
    case K::kNE: return f ? b_.CreateFCmpUNE(a, b) : b_.CreateICmpNE(a, b);
    case K::kLT: return f ? b_.CreateFCmpOLT(a, b) : (u ? b_.CreateICmpULT(a, b) : b_.CreateICmpSLT(a, b));
    case K::kLE: return f ? b_.CreateFCmpOLE(a, b) : (u ? b_.CreateICmpULE(a, b) : b_.CreateICmpSLE(a, b));
    case K::kAnd:
    case K::kBitAnd: return b_.CreateAnd(a, b);
    case K::kOr:
    case K::kBitOr: return b_.CreateOr(a, b);
    case K::kBitXor: return b_.CreateXor(a, b);
    case K::kShiftLeft: return b_.CreateShl(a, b);
    case K::kShiftRight: return u ? b_.CreateLShr(a, b) : b_.CreateAShr(a, b);
    default: TESSERA_UNREACHABLE();
  }
}

/// Integer division. Rounding down differs from truncation where the remainder's sign is not the
/// divisor's.
Emitter::Value* Emitter::divide(const ir::Binary& n, Value* a, Value* b) {
  using K = ir::ExprKind;
  const bool quotient = n.kind == K::kDiv || n.kind == K::kFloorDiv;
  if (n.a.type().is_uint()) return quotient ? b_.CreateUDiv(a, b) : b_.CreateURem(a, b);
  // INT_MIN / -1 traps; it is defined to wrap, which negation does.
  llvm::Constant* zero = llvm::Constant::getNullValue(a->getType());
  Value* divisor = b;
  Value* minus_one = nullptr;
  if (!llvm::isa<llvm::Constant>(b)) {
    minus_one = b_.CreateICmpEQ(b, llvm::Constant::getAllOnesValue(b->getType()));
    divisor = b_.CreateSelect(minus_one, llvm::ConstantInt::get(b->getType(), 1), b);
  }
  Value* r = b_.CreateSRem(a, divisor);
  Value* q = quotient ? b_.CreateSDiv(a, divisor) : nullptr;
  if (n.kind == K::kFloorDiv || n.kind == K::kFloorMod) {
    Value* differs = b_.CreateICmpSLT(b_.CreateXor(r, divisor), zero);
    Value* adjust = b_.CreateAnd(differs, b_.CreateICmpNE(r, zero));
    if (quotient) {
      q = b_.CreateAdd(q, b_.CreateSExt(adjust, q->getType()));
    } else {
      r = b_.CreateAdd(r, b_.CreateSelect(adjust, divisor, zero));
    }
  }
  Value* out = quotient ? q : r;
  if (minus_one == nullptr) return out;
  return b_.CreateSelect(minus_one, quotient ? b_.CreateNeg(a) : static_cast<Value*>(zero), out);
}

Emitter::Value* Emitter::convert_to_int(Value* v, ir::Type from, ir::Type to, ir::CastMode mode) {
  llvm::Type* t = type(to);
  if (from.is_float()) {
    if (to.is_bool()) return b_.CreateFCmpUNE(v, llvm::Constant::getNullValue(v->getType()));
    if (mode == ir::CastMode::kRound) v = b_.CreateUnaryIntrinsic(llvm::Intrinsic::roundeven, v);
    const auto id = to.is_uint() ? llvm::Intrinsic::fptoui_sat : llvm::Intrinsic::fptosi_sat;
    return b_.CreateIntrinsic(id, {t, v->getType()}, {v});
  }
  if (to.is_bool()) return b_.CreateICmpNE(v, llvm::Constant::getNullValue(v->getType()));
  if (mode == ir::CastMode::kWrap || from.is_bool()) return b_.CreateIntCast(v, t, from.is_int());
  // Clamp in the wider of the two types, then narrow.
  const bool from_signed = from.is_int(), to_signed = to.is_int();
  if (to.bits < from.bits || from_signed != to_signed) {
    const auto limit = [&](std::int64_t x) { return llvm::ConstantInt::get(v->getType(), static_cast<std::uint64_t>(x), true); };
    if (from_signed) {
      if (!to_signed || to.bits < from.bits) {
        const std::int64_t lo = to_signed ? ir::min_value(to) : 0;
        v = b_.CreateBinaryIntrinsic(llvm::Intrinsic::smax, v, limit(lo));
      }
      if (to.bits < from.bits) v = b_.CreateBinaryIntrinsic(llvm::Intrinsic::smin, v, limit(ir::max_value(to)));
    } else if (to.bits < from.bits || (to_signed && to.bits == from.bits)) {
      v = b_.CreateBinaryIntrinsic(llvm::Intrinsic::umin, v, limit(ir::max_value(to)));
    }
  }
  return b_.CreateIntCast(v, t, from_signed);
}

Emitter::Value* Emitter::cast(const ir::Cast& n) {
  Value* v = expr(n.value);
  const ir::Type from = n.value.type(), to = n.type;
  if (!to.is_float()) return convert_to_int(v, from, to, n.mode);
  if (from.is_bool() || from.is_uint()) return rounded(b_.CreateUIToFP(v, type(to)), to);
  if (from.is_int()) return rounded(b_.CreateSIToFP(v, type(to)), to);
  if (from == ir::f64.with_lanes(from.lanes) && to.bits < 64) return rounded(b_.CreateFPTrunc(v, type(to)), to);
  if (to == ir::f64.with_lanes(to.lanes)) return b_.CreateFPExt(v, type(to));
  return rounded(v, to);
}

/// Only the chosen side runs: a branch, since the other one may leave its buffer.
Emitter::Value* Emitter::choice(const ir::IfThenElseExpr& n) {
  Value* c = expr(n.condition);
  auto* yes = llvm::BasicBlock::Create(context_, "yes", f_.function);
  auto* no = llvm::BasicBlock::Create(context_, "no", f_.function);
  auto* join = llvm::BasicBlock::Create(context_, "chosen", f_.function);
  b_.CreateCondBr(c, yes, no);
  // Reads found before the branch stay known inside it, but none made inside may be used after it.
  const auto known = f_.loads;
  const auto arm = [&](llvm::BasicBlock* block, const ir::Expr& e) {
    b_.SetInsertPoint(block);
    f_.loads = known;
    push_scope();
    Value* v = expr(e);
    pop_scope();
    b_.CreateBr(join);
    return std::pair{v, b_.GetInsertBlock()};
  };
  const auto [a, a_end] = arm(yes, n.yes);
  const auto [b, b_end] = arm(no, n.no);
  f_.loads = known;
  b_.SetInsertPoint(join);
  auto* phi = b_.CreatePHI(a->getType(), 2);
  phi->addIncoming(a, a_end);
  phi->addIncoming(b, b_end);
  return phi;
}

Emitter::Value* Emitter::vector_reduce(const ir::VectorReduce& n) {
  Value* v = expr(n.value);
  const int from = n.value.type().lanes, to = n.type.lanes;
  const ir::Type t = n.value.type().element();
  const auto whole = [&](Value* x) -> Value* {
    const bool f = t.is_float(), u = t.is_uint();
    switch (n.op) {
      case ir::ReduceOp::kSum: return f ? b_.CreateFAddReduce(number(t, -0.0), x) : b_.CreateAddReduce(x);
      case ir::ReduceOp::kProd: return f ? b_.CreateFMulReduce(number(t, 1), x) : b_.CreateMulReduce(x);
      case ir::ReduceOp::kMin: return f ? b_.CreateFPMinReduce(x) : b_.CreateIntMinReduce(x, !u);
      case ir::ReduceOp::kMax: return f ? b_.CreateFPMaxReduce(x) : b_.CreateIntMaxReduce(x, !u);
      case ir::ReduceOp::kAny: return b_.CreateOrReduce(x);
      case ir::ReduceOp::kAll: return b_.CreateAndReduce(x);
      case ir::ReduceOp::kCustom: break;
    }
    throw CannotCompile{"a custom reduction over lanes has no CPU form"};
  };
  const auto sum = [&](Value* x) {
    Value* r = whole(x);
    if (auto* i = llvm::dyn_cast<llvm::Instruction>(r); i != nullptr && t.is_float() && n.op == ir::ReduceOp::kSum) i->setHasAllowReassoc(true);
    return r;
  };
  if (to == 1) return sum(v);
  Value* out = llvm::PoisonValue::get(type(n.type));
  const int group = from / to;
  for (int i = 0; i < to; ++i) {
    std::vector<int> lanes;
    for (int j = 0; j < group; ++j) lanes.push_back(i * group + j);
    out = b_.CreateInsertElement(out, sum(b_.CreateShuffleVector(v, lanes)), b_.getInt32(static_cast<unsigned>(i)));
  }
  return out;
}

Emitter::Value* Emitter::intrinsic(const ir::Call& n) {
  std::vector<Value*> args;
  for (const ir::Expr& a : n.args) args.push_back(expr(a));
  return rounded(VectorMath(*this).call(n.intrinsic, n.args[0].type(), args), n.type);
}

}  // namespace tessera::codegen
