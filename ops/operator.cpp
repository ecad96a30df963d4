#include "ops/operator.h"

#include <algorithm>

namespace tessera::ops {

Parameter extent(std::string name, std::int64_t fallback, std::string doc) {
  return {std::move(name), fallback, 1, INT32_MAX, std::move(doc)};
}

Type accumulator(Type t) { return t == ir::i8 || t == ir::u8 ? ir::i32 : t; }

Tensor operand(const Operator& op, const char* name, ir::Exprs shape, Type t) {
  const auto it = std::find_if(op.operands.begin(), op.operands.end(), [&](const Operand& o) { return o.name == name; });
  TESSERA_CHECK(it != op.operands.end()) << op.name << " has no operand " << name;
  return it->constant ? dsl::constant(std::move(shape), t, name) : dsl::placeholder(std::move(shape), t, name);
}

}  // namespace tessera::ops
