// What ir/interpret_compile.cpp makes of a program and ir/interpret_run.cpp executes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ir/interpret.h"

namespace tessera::ir::detail {

/// A refusal on its way out of the compiler or the machine. Never leaves ir/interpret*.cpp.
struct Fault {
  std::string why;
};

using Reg = std::uint32_t;  // index of the first lane in the register file
inline constexpr Reg kNoReg = UINT32_MAX;

enum class Op : std::uint8_t {
  kInt,      // dst = a <sub> b, integers
  kFloat,    // dst = a <sub> b, floats
  kCompare,  // dst = a <sub> b, floats to bool
  kNot,
  kMove,
  kCall,  // dst = <sub>(a, b, c)
  kCast,  // dst = a, from type `from`, mode sub
  kReinterpret,
  kSelect,   // dst = a ? b : c
  kSplat,    // every lane = a
  kRamp,     // dst = a + lane * b
  kLane,     // dst[0] = a[aux]
  kFold,     // groups of aux lanes of a by reduce op sub
  kMaskAnd,  // dst = b && (a == sub), b may be absent
  kLoad,
  kStore,      // aux: access
  kJump,       // to aux
  kJumpIfNot,  // to aux when a is 0
  kLoopEnter,  // dst = a; c = a + b; to aux when empty
  kLoopNext,   // ++dst; to aux while dst < c
  kParallelEnter,
  kParallelNext,
  kParallelLeave,  // aux: nesting level
  kAllocate,       // aux: storage
  kAssert,         // aux: site
};

struct Inst {
  Op op;
  std::uint8_t sub = 0;
  std::uint16_t lanes = 1;
  Type type{};  // element type of the result, of the operands for comparisons
  Type from{};
  Reg dst = kNoReg, a = kNoReg, b = kNoReg, c = kNoReg;
  Reg mask = kNoReg;  // lanes that are switched off by a vector if_then_else
  std::uint32_t aux = 0;
  std::uint32_t site = 0;
};

/// Where an instruction comes from, for messages.
struct Site {
  std::string function;
  Stmt stmt;
  std::vector<std::pair<std::string, Reg>> loops;
};

struct Index {
  Reg reg;
  bool vector;
};

struct Access {
  std::uint32_t storage;
  std::vector<Index> indices;
  bool flat;
  Reg predicate = kNoReg;
};

/// One buffer in its physical layout.
struct Storage {
  Buffer buffer;
  std::vector<std::int64_t> extents, strides;  // strides: of a plain row-major layout, else empty
  std::vector<Scalar> values;
  std::vector<std::uint8_t> written;
  struct Touch {
    std::uint32_t writer = 0, reader = 0, other_reader = 0;
  };
  std::vector<Touch> touches;  // levels of parallel nesting for each element
};

struct Code {
  std::vector<Inst> insts;
  std::vector<Access> accesses;
  std::vector<Storage> storages;  // the program's buffers first
  std::size_t program_storages = 0;
  std::vector<Site> sites;
  std::vector<Scalar> registers;  // initial contents: the constants
  std::uint32_t levels = 0;       // deepest nesting of parallel loops
};

/// Code of all launches one after the other, calls expanded in place.
Code compile(const Program& p, const InterpretOptions& options);

void run(Code& code, const InterpretOptions& options);

Storage make_storage(const Buffer& b);

}  // namespace tessera::ir::detail
