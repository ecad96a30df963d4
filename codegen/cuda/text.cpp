#include "codegen/cuda/detail/text.h"

#include <cmath>
#include <cstdio>
#include <cstring>
#include <numeric>

#include "ir/analysis/affine.h"
#include "ir/intrinsics.h"
#include "ir/print.h"
#include "ir/rewrite.h"

namespace tessera::codegen::detail {

using ir::Expr;
using ir::ExprKind;
using ir::Type;

std::string memory_type(Type t) {
  if (t.is_bool()) return "u8";
  if (t.is_integral() && t.bits >= 8) return (t.is_int() ? "i" : "u") + std::to_string(t.bits);
  if (t == ir::f16 || t == ir::f32 || t == ir::f64 || t == ir::bf16) return ir::to_string(t);
  if (t == ir::tf32) return "f32";  // the values of f32 that it has
  throw NoText{"dtype " + ir::to_string(t) + " has no form in CUDA text"};
}

std::string value_type(Type t) { return t.is_bool() ? "bool" : memory_type(t); }

Expr contiguous_base(const Expr& index) {
  const auto* r = index.as<ir::Ramp>();
  return r != nullptr && ir::is_one(r->stride) ? r->base : Expr();
}

Expr lane_of(const Expr& e, int lane) {
  if (e.type().is_scalar()) return e;
  if (const auto* r = e.as<ir::Ramp>()) return r->base + r->stride * ir::int_imm(lane, r->stride.type());
  if (const auto* b = e.as<ir::Broadcast>()) return b->value;
  if (const ir::Binary* n = ir::as_binary(e)) {
    const Expr a = lane_of(n->a, lane), b = lane_of(n->b, lane);
    return a.defined() && b.defined() ? ir::make_binary(n->kind, a, b) : Expr();
  }
  if (const auto* i = e.as<ir::IntImm>()) return ir::int_imm(i->value, i->type.element());
  return {};
}

namespace {

std::string integer(std::int64_t v, Type t) {
  if (t.is_bool()) return v != 0 ? "true" : "false";
  const std::string digits = std::to_string(v);
  if (t.bits == 64) return t.is_uint() ? std::to_string(static_cast<std::uint64_t>(v)) + "ull" : v < INT64_MIN + 1 ? "(-9223372036854775807ll - 1)" : digits + "ll";
  if (t.bits < 32) return memory_type(t) + "(" + digits + ")";  // a plain literal is an int, and so is what it meets
  if (v == INT32_MIN) return "(-2147483647 - 1)";
  return t.is_uint() && t.bits == 32 ? digits + "u" : v < 0 ? "(" + digits + ")" : digits;
}

std::string floating(double v, Type t) {
  if (t.bits == 16) return "ts_cast<" + value_type(t) + ">(" + floating(v, ir::f32) + ")";
  char text[64];
  if (!std::isfinite(v)) {
    if (t.bits == 32) {
      const float f = static_cast<float>(v);
      std::uint32_t bits = 0;
      std::memcpy(&bits, &f, 4);
      std::snprintf(text, sizeof(text), "ts_bits<f32>(0x%08xu)", bits);
    } else {
      std::uint64_t bits = 0;
      std::memcpy(&bits, &v, 8);
      std::snprintf(text, sizeof(text), "ts_bits<f64>(u64(0x%016llxull))", static_cast<unsigned long long>(bits));
    }
    return text;
  }
  std::snprintf(text, sizeof(text), "%.*g", t.bits == 32 ? 9 : 17, v);
  std::string out = text;
  if (out.find_first_of(".e") == std::string::npos) out += ".0";
  if (t.bits == 32) out += "f";
  return v < 0 || std::signbit(v) ? "(" + out + ")" : out;
}

/// 64-bit index arithmetic of the IR runs in the index type of the text.
bool is_index(Type t) { return t == ir::i64; }

const char* infix(ExprKind k) {
  switch (k) {
    case ExprKind::kAdd: return "+";
    case ExprKind::kSub: return "-";
    case ExprKind::kMul: return "*";
    case ExprKind::kDiv: return "/";
    case ExprKind::kMod: return "%";
    case ExprKind::kEQ: return "==";
    case ExprKind::kNE: return "!=";
    case ExprKind::kLT: return "<";
    case ExprKind::kLE: return "<=";
    case ExprKind::kAnd: return "&&";
    case ExprKind::kOr: return "||";
    case ExprKind::kBitAnd: return "&";
    case ExprKind::kBitOr: return "|";
    case ExprKind::kBitXor: return "^";
    case ExprKind::kShiftLeft: return "<<";
    case ExprKind::kShiftRight: return ">>";
    default: return nullptr;
  }
}

}  // namespace

std::string ExprText::scalar(const Expr& e) const {
  TESSERA_CHECK(e.type().is_scalar()) << "`" << ir::to_string(e) << "` has lanes where one value is printed";
  return lane(e, 0);
}

std::string ExprText::address(const ir::BufferNode* b, const Expr& base) const {
  const std::string& name = buffers.at(b->id);
  return ir::is_zero(base) ? name : name + " + " + scalar(base);
}

std::string ExprText::index(const Expr& e, int lane) const {
  const Expr one = lane_of(e, lane);
  return one.defined() ? scalar(one) : this->lane(e, lane);
}

std::string ExprText::element(const ir::BufferNode* b, const Expr& index, int lane) const {
  const Expr one = lane_of(index, lane);
  return one.defined() ? address(b, one) : buffers.at(b->id) + " + " + this->lane(index, lane);
}

std::string ExprText::load(const ir::BufferNode* b, const Expr& base, int lanes) const {
  return load_from(b, address(b, base), lanes);
}

std::string ExprText::load_from(const ir::BufferNode* b, const std::string& address, int lanes) const {
  const std::string type = memory_type(b->dtype) + (lanes > 1 ? "x" + std::to_string(lanes) : "");
  if (b->scope == ir::Scope::kShared) return "ts_load_shared<" + type + ">(" + address + ")";
  const char* hint = read_only.count(b->id) != 0 ? "_nc" : "";
  return std::string("ts_load_global") + hint + "<" + type + ">(" + address + ")";
}

std::string ExprText::load_lane(const ir::Load& n, const Expr& self, int lane) const {
  const bool boolean = n.buffer->dtype.is_bool();
  const auto known = loaded.find(self.get());
  std::string out;
  if (known != loaded.end()) {
    out = n.type.lanes > 1 ? known->second + "[" + std::to_string(lane) + "]" : known->second;
  } else {
    const bool own = n.buffer->scope == ir::Scope::kRegister || n.buffer->scope == ir::Scope::kLocal;
    const Expr& at = n.indices[0];
    out = own ? buffers.at(n.buffer->id) + "[" + index(at, lane) + "]" : load_from(n.buffer.get(), element(n.buffer.get(), at, lane), 1);
    if (n.predicate.defined()) {
      const std::string zero = n.type.is_float() ? floating(0, n.type.element()) : integer(0, n.type.is_bool() ? ir::u8 : n.type.element());
      out = "(" + this->lane(n.predicate, lane) + " ? " + out + " : " + zero + ")";
    }
  }
  return boolean ? "(" + out + " != 0)" : out;
}

std::string ExprText::binary(const ir::Binary& n, int l) const {
  const std::string a = lane(n.a, l), b = lane(n.b, l);
  const Type t = n.a.type().element();
  if (n.kind == ExprKind::kMin || n.kind == ExprKind::kMax) {
    // Indices of 32 and 64 bits may meet: the type is named, as they would not agree on one.
    const auto narrow = [&](const Expr& e) {
      const ir::Interval r = ir::range_of(e, bounds);
      return r.lo >= INT32_MIN && r.hi <= INT32_MAX;
    };
    const std::string type = !is_index(t) ? "" : n.a.type().is_scalar() && narrow(n.a) && narrow(n.b) ? "<i32>" : "<i64>";
    return (n.kind == ExprKind::kMin ? "ts_min" : "ts_max") + type + "(" + a + ", " + b + ")";
  }
  if (n.kind == ExprKind::kFloorDiv || n.kind == ExprKind::kFloorMod) {
    const bool div = n.kind == ExprKind::kFloorDiv;
    const bool plain = t.is_uint() || (n.a.type().is_scalar() && ir::range_of(n.a, bounds).lo >= 0 && ir::range_of(n.b, bounds).lo > 0);
    if (plain) return "(" + a + (div ? " / " : " % ") + b + ")";
    const char* type = is_index(t) && index_type == "i64" ? "<i64>" : "";  // as above
    return std::string(div ? "ts_floor_div" : "ts_floor_mod") + type + "(" + a + ", " + b + ")";
  }
  const std::string plain = "(" + a + " " + infix(n.kind) + " " + b + ")";
  // C computes on small integers in int: the result goes back to its type.
  const bool small = n.type.is_integral() && !n.type.is_bool() && n.type.bits < 32;
  return small ? "ts_cast<" + value_type(n.type.element()) + ">(" + plain + ")" : plain;
}

std::string ExprText::call(const ir::Call& n, int l) const {
  const Type t = n.args[0].type().element();
  const bool half = t.is_float() && t.bits == 16;
  std::string args;
  for (const Expr& a : n.args) {
    const std::string x = lane(a, l);
    args += (args.empty() ? "" : ", ") + (half ? "ts_cast<f32>(" + x + ")" : x);
  }
  std::string out = std::string("ts_") + ir::intrinsic_info(n.intrinsic).name + "(" + args + ")";
  if (n.intrinsic == ir::Intrinsic::kPopcount && t != ir::i32) out = "ts_cast<" + value_type(t) + ">(" + out + ")";
  return half && !n.type.is_bool() ? "ts_cast<" + value_type(t) + ">(" + out + ")" : out;
}

std::string ExprText::cast(const ir::Cast& n, int l) const {
  const Type from = n.value.type().element(), to = n.type.element();
  std::string x = lane(n.value, l);
  if (to.is_bool()) return "(" + x + " != " + (from.is_float() ? floating(0, from) : integer(0, from)) + ")";
  if (from.is_bool()) x = "i32(" + x + ")";
  if (to == ir::tf32) return "ts_bits<f32>(ts_round_tf32(" + (from == ir::f32 ? x : "ts_cast<f32>(" + x + ")") + "))";
  const char* mode = n.mode == ir::CastMode::kWrap ? "" : n.mode == ir::CastMode::kSaturate ? "_saturate" : "_round";
  const std::string type = is_index(to) ? index_type : value_type(to);
  return std::string("ts_cast") + mode + "<" + type + ">(" + x + ")";
}

std::string ExprText::lane(const Expr& e, int l) const {
  if (const ir::Binary* n = ir::as_binary(e)) return binary(*n, l);
  switch (e->kind) {
    case ExprKind::kIntImm: {
      const auto* n = e.as<ir::IntImm>();
      return is_index(n->type.element()) && index_type == "i32" ? integer(n->value, ir::i32) : integer(n->value, n->type.element());
    }
    case ExprKind::kFloatImm: return floating(e.as<ir::FloatImm>()->value, e.type().element());
    case ExprKind::kVar: {
      const ir::VarId v = e.as<ir::VarNode>()->id;
      const auto array = arrays.find(v);
      return array == arrays.end() ? names.at(v) : array->second + "[" + std::to_string(l) + "]";
    }
    case ExprKind::kCast: return cast(*e.as<ir::Cast>(), l);
    case ExprKind::kReinterpret: return "ts_bits<" + value_type(e.type().element()) + ">(" + lane(e.as<ir::Reinterpret>()->value, l) + ")";
    case ExprKind::kNot: return "!" + lane(e.as<ir::Not>()->a, l);
    case ExprKind::kSelect: {
      const auto* n = e.as<ir::Select>();
      return "(" + lane(n->condition, l) + " ? " + lane(n->yes, l) + " : " + lane(n->no, l) + ")";
    }
    case ExprKind::kIfThenElseExpr: {
      const auto* n = e.as<ir::IfThenElseExpr>();
      return "(" + lane(n->condition, l) + " ? " + lane(n->yes, l) + " : " + lane(n->no, l) + ")";
    }
    case ExprKind::kRamp: return scalar(lane_of(e, l));
    case ExprKind::kBroadcast: return lane(e.as<ir::Broadcast>()->value, l);
    case ExprKind::kLet: {
      const auto* n = e.as<ir::Let>();
      ExprText inner = *this;
      inner.names[n->var.id()] = lane(n->value, l);
      if (n->value.type() == ir::i64) inner.bounds[n->var.id()] = ir::range_of(n->value, bounds);
      return inner.lane(n->body, l);
    }
    case ExprKind::kCall: return call(*e.as<ir::Call>(), l);
    case ExprKind::kLoad: return load_lane(*e.as<ir::Load>(), e, l);
    default: throw NoText{ir::to_string(e).substr(0, 80) + " has no form in CUDA text"};
  }
}

}  // namespace tessera::codegen::detail
