// Emits one program into an LLVM module. Split over emit_expr.cpp, emit_stmt.cpp, emit_memory.cpp,
// emit_function.cpp and vector_math.cpp by what is emitted.
//
// Every lowered function becomes an internal function that takes a pointer a buffer (noalias), an i64
// a scalar and the host; every launch an external entry of the kernel ABI that unpacks its arguments.
#pragma once

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "ir/program.h"
#include "ir/target.h"

namespace tessera::codegen {

/// Thrown inside code generation for what a target or a limit refuses; compile.cpp returns it.
struct CannotCompile {
  std::string reason;
};

class Emitter {
 public:
  Emitter(llvm::Module& module, const ir::Program& program, const ir::Target& target);
  void emit_program();
  std::int64_t workspace_bytes() const { return workspace_bytes_; }

 private:
  friend class VectorMath;
  using Value = llvm::Value;

  // ---- scopes: where values that depend on a loop variable are computed ---------------------------
  /// A level of nesting that defines variables. Index arithmetic is emitted once, before `marker` of
  /// the deepest scope whose variables it uses, and found again in `cache`.
  struct Scope {
    llvm::Instruction* marker = nullptr;
    std::vector<std::pair<ir::Expr, Value*>> cache;
    std::map<std::pair<std::uint64_t, std::string>, Value*> pointers;  // (buffer id, key of terms)
  };
  struct VarInfo {
    Value* value;
    int depth;
  };

  // ---- register tiles ----------------------------------------------------------------------------
  /// A piece of a register buffer that is always accessed as a whole (or lane by lane).
  struct SlotKey {
    std::uint64_t buffer;
    std::int64_t base;
    int lanes;
    auto operator<=>(const SlotKey&) const = default;
  };

  // ---- functions (emit_function.cpp) --------------------------------------------------------------
  struct FunctionState {
    llvm::Function* function = nullptr;
    Value* host = nullptr;
    Value* status = nullptr;  // alloca i32: first failure of a parallel loop
    std::int64_t stack_bytes = 0;
    bool parallel_body = false;
    bool streamed = false;  // a fence is due at the end
    std::set<std::uint64_t> stored;  // buffers this function writes
    std::map<ir::VarId, VarInfo> vars;
    std::map<std::uint64_t, Value*> buffers;
    std::map<std::uint64_t, Value*> places;  // of allocated buffers, by id
    std::vector<Scope> scopes;
    std::map<SlotKey, Value*> slots;
    std::set<std::uint64_t> register_buffers;
    std::unordered_multimap<std::uint64_t, std::pair<ir::Expr, Value*>> loads;  // by hash; reads of this straight-line piece
  };
  llvm::Function* define(const std::vector<ir::Buffer>& buffers, const std::vector<ir::Var>& scalars,
                         const ir::Stmt& body, bool parallel_body);
  void emit_entry(const ir::LaunchSite& site);
  void set_attributes(llvm::Function* f) const;
  void place_workspace();

  // ---- statements (emit_stmt.cpp) -----------------------------------------------------------------
  void stmt(const ir::Stmt& s);
  void loop(const ir::For& n);
  void parallel_loop(const ir::For& n);
  void branch(const ir::IfThenElse& n);
  void let(const ir::LetStmt& n);
  void allocate(const ir::Allocate& n);
  Value* make_place(const ir::Buffer& b);
  void call(const ir::CallFunction& n);
  void push_scope();
  void pop_scope();
  void define_var(const ir::Var& v, Value* value);
  void forget_var(const ir::Var& v);
  std::set<SlotKey> slots_written(const ir::Stmt& s) const;

  // ---- memory (emit_memory.cpp) -------------------------------------------------------------------
  void store(const ir::Store& n);
  Value* load(const ir::Load& n);
  Value* load_memory(const ir::Load& n);
  Value* strided_load(const ir::Load& n, const ir::Ramp& at);
  Value* gather(const ir::Load& n, Value* index);
  void strided_store(const ir::Store& n, Value* value);
  bool aligned_vector(const ir::Store& n) const;
  void stream(Value* value, Value* p);
  Value* address(const ir::Buffer& b, const ir::Expr& flat);
  Value* from_memory(Value* v, ir::Type t);
  Value* to_memory(Value* v, ir::Type t);
  bool promotable(const ir::Allocate& n) const;
  std::optional<SlotKey> slot_of(const ir::Buffer& b, const ir::Expr& index) const;
  Value* load_slot(const ir::Load& n, const SlotKey& key);
  void store_slot(const ir::Store& n, const SlotKey& key, Value* value, Value* mask);
  const SlotKey* containing_slot(const SlotKey& key) const;
  void forget_loads(std::uint64_t buffer);

  // ---- expressions (emit_expr.cpp) ----------------------------------------------------------------
  Value* expr(const ir::Expr& e);
  /// i64 scalars without reads: hoisted to the scope of their deepest variable.
  Value* index(const ir::Expr& e);
  int depth_of(const ir::Expr& e) const;  // -1 when it cannot be hoisted
  Value* compute(const ir::Expr& e);
  Value* binary(const ir::Binary& n);
  Value* divide(const ir::Binary& n, Value* a, Value* b);
  Value* cast(const ir::Cast& n);
  Value* convert_to_int(Value* v, ir::Type from, ir::Type to, ir::CastMode mode);
  Value* choice(const ir::IfThenElseExpr& n);
  Value* vector_reduce(const ir::VectorReduce& n);
  Value* intrinsic(const ir::Call& n);
  Value* rounded(Value* v, ir::Type t);  // keeps f16/bf16 values exact in f32
  Value* to_bf16_bits(Value* v);

  // ---- types --------------------------------------------------------------------------------------
  llvm::Type* scalar_type(ir::Type t) const;  // of SSA values: f16 and bf16 live in f32, bool in i1
  llvm::Type* type(ir::Type t) const;
  llvm::Type* memory_type(ir::Type t) const;  // of stored elements: bool in i8, bf16 in i16
  Value* number(ir::Type t, double v) const;
  Value* i64(std::int64_t v) const { return llvm::ConstantInt::getSigned(b_.getInt64Ty(), v); }

  llvm::Module& module_;
  llvm::LLVMContext& context_;
  const ir::Program& program_;
  const ir::Target& target_;
  mutable llvm::IRBuilder<> b_;
  FunctionState f_;
  std::map<std::string, llvm::Function*> functions_;
  std::map<std::uint64_t, std::int64_t> workspace_;  // buffer id -> offset
  std::int64_t workspace_bytes_ = 0;
  int parallel_count_ = 0;
};

}  // namespace tessera::codegen
