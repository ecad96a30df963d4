// The one list of node kinds. Adding a line makes every `switch` without a default complain.
#pragma once

#include <cstdint>

// Nodes that share the shape {a, b}.
#define TESSERA_BINARY_KINDS(X)                                                                    \
  X(Add) X(Sub) X(Mul) X(Div) X(Mod) X(FloorDiv) X(FloorMod) X(Min) X(Max) X(EQ) X(NE) X(LT) X(LE) \
  X(And) X(Or) X(BitAnd) X(BitOr) X(BitXor) X(ShiftLeft) X(ShiftRight)

#define TESSERA_EXPR_KINDS(X)                                                                   \
  TESSERA_BINARY_KINDS(X)                                                                       \
  X(IntImm) X(FloatImm) X(Var) X(Cast) X(Reinterpret) X(Not) X(Select) X(IfThenElseExpr) X(Ramp) \
  X(Broadcast) X(Shuffle) X(VectorReduce) X(Let) X(Call) X(Load) X(Reduce)

// The last row prints, parses and checks from the first day; its lowering belongs to the CUDA path.
#define TESSERA_STMT_KINDS(X)                                                              \
  X(Block) X(For) X(Store) X(Allocate) X(IfThenElse) X(LetStmt) X(Evaluate) X(Assert)      \
  X(Instance) X(CallFunction) X(Prefetch)                                                  \
  X(Copy) X(TileOp) X(ChannelOp) X(Role) X(Barrier) X(Atomic)

namespace tessera::ir {

enum class ExprKind : std::uint8_t {
#define TESSERA_KIND(name) k##name,
  TESSERA_EXPR_KINDS(TESSERA_KIND)
};

enum class StmtKind : std::uint8_t { TESSERA_STMT_KINDS(TESSERA_KIND) };
#undef TESSERA_KIND

/// "Add", "For", ...
const char* kind_name(ExprKind k);
const char* kind_name(StmtKind k);

}  // namespace tessera::ir
