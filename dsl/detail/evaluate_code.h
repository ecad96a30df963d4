// Straight-line code of a stage's body, run on up to kLanes points of its iteration space at once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dsl/dag.h"
#include "ir/arith.h"

namespace tessera::dsl::detail {

constexpr int kLanes = 256;
using Reg = std::uint32_t;
constexpr Reg kNoReg = UINT32_MAX;

enum class Op : std::uint8_t { kInt, kFloat, kCompareFloat, kNot, kCast, kReinterpret, kSelect, kCall, kLoad, kMask };

struct Inst {
  Op op = Op::kInt;
  std::uint8_t sub = 0;   // ExprKind, CastMode, Intrinsic; kMask: which side of the condition
  bool lazy = false;      // kSelect: of if_then_else
  Type type = {};         // of the operands
  Type result = {};
  Reg dst = kNoReg, a = kNoReg, b = kNoReg, c = kNoReg;
  Reg mask = kNoReg;      // lanes of value 0 neither read nor fault
  std::uint32_t access = 0;
};

struct Access {
  const ir::BufferNode* buffer = nullptr;
  std::vector<Reg> index;
  std::vector<std::int64_t> extents;
  Expr read;  // for messages
};

struct Code {
  std::vector<Inst> insts;
  std::vector<Access> accesses;
  std::vector<std::pair<Reg, ir::Scalar>> constants;
  std::vector<Reg> arguments;  // one a variable given to `compile`, in its order
  std::vector<Reg> results;
  std::uint32_t registers = 0;
};

/// UserError for what a body cannot hold (vectors).
Code compile(const std::vector<Var>& arguments, const Exprs& results);

/// What a custom combination does to value i of its tuple.
enum class Combine : std::uint8_t {
  kAdd,     // lhs[i] + rhs[i]
  kChoose,  // no arithmetic on floats: comparisons, select, min, max; or no floats at all
  kOther,
};
std::vector<Combine> classify(const ir::CombinerNode& c);

}  // namespace tessera::dsl::detail
