#include "ops/operator.h"

#include <algorithm>

namespace tessera::ops {

Parameter extent(std::string name, std::int64_t fallback, std::string doc) {
  return {std::move(name), fallback, 1, INT32_MAX, std::move(doc)};
}

Type compute_type(Type t) { return t == ir::f16 || t == ir::bf16 ? ir::f32 : t; }

Type accumulator(Type t) { return t == ir::i8 || t == ir::u8 ? ir::i32 : compute_type(t); }

Type weight_type(Type t) { return t == ir::u8 ? ir::i8 : t; }

std::vector<Type> float_types() { return {ir::f32, ir::f64, ir::f16, ir::bf16}; }

std::vector<Type> product_types() { return {ir::f32, ir::f64, ir::f16, ir::bf16, ir::i8, ir::u8, ir::i32}; }

Tensor operand(const Operator& op, const char* name, ir::Exprs shape, Type t) {
  const auto it = std::find_if(op.operands.begin(), op.operands.end(), [&](const Operand& o) { return o.name == name; });
  TESSERA_CHECK(it != op.operands.end()) << op.name << " has no operand " << name;
  return it->constant ? dsl::constant(std::move(shape), t, name) : dsl::placeholder(std::move(shape), t, name);
}

}  // namespace tessera::ops
