#include "codegen/llvm/detail/emitter.h"
#include "ir/analysis/captures.h"
#include "ir/rewrite.h"

namespace tessera::codegen {

void Emitter::push_scope() {
  Scope s;
  // A harmless instruction as a bookmark: code for this scope is inserted before it later on.
  s.marker = llvm::BinaryOperator::Create(llvm::Instruction::Add, i64(0), i64(0), "scope");
  b_.Insert(s.marker);
  f_.scopes.push_back(std::move(s));
}

void Emitter::pop_scope() {
  f_.scopes.back().marker->eraseFromParent();
  f_.scopes.pop_back();
}

void Emitter::define_var(const ir::Var& v, Value* value) {
  f_.vars[v.id()] = {value, static_cast<int>(f_.scopes.size()) - 1};
}

void Emitter::stmt(const ir::Stmt& s) {
  if (!s) return;
  switch (s->kind) {
    case ir::StmtKind::kBlock:
      for (const ir::Stmt& x : s.as<ir::Block>()->stmts) stmt(x);
      return;
    case ir::StmtKind::kFor: return loop(*s.as<ir::For>());
    case ir::StmtKind::kStore: return store(*s.as<ir::Store>());
    case ir::StmtKind::kAllocate: return allocate(*s.as<ir::Allocate>());
    case ir::StmtKind::kIfThenElse: return branch(*s.as<ir::IfThenElse>());
    case ir::StmtKind::kLetStmt: return let(*s.as<ir::LetStmt>());
    case ir::StmtKind::kEvaluate: expr(s.as<ir::Evaluate>()->value); return;
    case ir::StmtKind::kInstance: return stmt(s.as<ir::Instance>()->body);
    case ir::StmtKind::kCallFunction: return call(*s.as<ir::CallFunction>());
    case ir::StmtKind::kPrefetch: {
      const auto* n = s.as<ir::Prefetch>();
      Value* p = address(n->buffer, n->indices[0]);
      b_.CreateIntrinsic(llvm::Intrinsic::prefetch, {p->getType()}, {p, b_.getInt32(n->write ? 1 : 0), b_.getInt32(static_cast<unsigned>(n->locality)), b_.getInt32(1)});
      return;
    }
    case ir::StmtKind::kAssert:
    case ir::StmtKind::kCopy:
    case ir::StmtKind::kTileOp:
    case ir::StmtKind::kChannelOp:
    case ir::StmtKind::kRole:
    case ir::StmtKind::kBarrier:
    case ir::StmtKind::kAtomic:
      throw CannotCompile{std::string("statement ") + ir::kind_name(s->kind) + " has no CPU form"};
  }
}

std::set<Emitter::SlotKey> Emitter::slots_written(const ir::Stmt& s) const {
  std::set<SlotKey> out;
  if (f_.register_buffers.empty()) return out;
  ir::walk(s, [&](const ir::Stmt& x) {
    const auto* n = x.as<ir::Store>();
    if (n == nullptr || f_.register_buffers.count(n->buffer->id) == 0) return true;
    const auto key = slot_of(n->buffer, n->indices[0]);
    const SlotKey* whole = containing_slot(*key);
    out.insert(whole != nullptr ? *whole : *key);
    return true;
  });
  return out;
}

void Emitter::loop(const ir::For& n) {
  if (n.loop == ir::ForKind::kParallel) return parallel_loop(n);
  if (n.loop != ir::ForKind::kSerial) throw CannotCompile{std::string("loop kind ") + ir::to_string(n.loop) + " has no CPU form"};
  std::int64_t count = 0;
  const bool known = is_const_int(n.extent, &count);
  if (known && count <= 0) return;
  Value* lo = index(n.min);
  Value* end = b_.CreateAdd(lo, index(n.extent));
  llvm::BasicBlock* before = b_.GetInsertBlock();
  auto* body = llvm::BasicBlock::Create(context_, n.var.name(), f_.function);
  auto* after = llvm::BasicBlock::Create(context_, n.var.name() + ".end", f_.function);
  if (known) {
    b_.CreateBr(body);
  } else {
    b_.CreateCondBr(b_.CreateICmpSLT(lo, end), body, after);
  }
  b_.SetInsertPoint(body);
  auto* iv = b_.CreatePHI(b_.getInt64Ty(), 2, n.var.name());
  iv->addIncoming(lo, before);
  // Register tiles written in the loop travel through it as SSA values.
  std::vector<std::pair<SlotKey, llvm::PHINode*>> carried;
  std::map<SlotKey, Value*> entering;
  std::vector<SlotKey> born;  // in the loop; each iteration writes them before it reads them
  for (const SlotKey& key : slots_written(n.body)) {
    const auto it = f_.slots.find(key);
    if (it == f_.slots.end()) {
      born.push_back(key);
      continue;
    }
    auto* phi = b_.CreatePHI(it->second->getType(), 2);
    phi->addIncoming(it->second, before);
    carried.push_back({key, phi});
    entering[key] = it->second;
    it->second = phi;
  }
  f_.loads.clear();
  push_scope();
  define_var(n.var, iv);
  stmt(n.body);
  pop_scope();
  f_.loads.clear();
  Value* next = b_.CreateAdd(iv, i64(1), "", true, true);
  b_.CreateCondBr(b_.CreateICmpSLT(next, end), body, after);
  llvm::BasicBlock* latch = b_.GetInsertBlock();
  iv->addIncoming(next, latch);
  b_.SetInsertPoint(after);
  for (const auto& [key, phi] : carried) {
    Value* out = f_.slots.at(key);
    phi->addIncoming(out, latch);
    if (known) continue;
    auto* join = b_.CreatePHI(out->getType(), 2);
    join->addIncoming(entering.at(key), before);
    join->addIncoming(out, latch);
    f_.slots[key] = join;
  }
  for (const SlotKey& key : born) {
    // Read after the loop only where it ran; it must have a value there on the way around as well.
    const auto it = f_.slots.find(key);
    if (known || it == f_.slots.end()) continue;
    auto* join = b_.CreatePHI(it->second->getType(), 2);
    join->addIncoming(llvm::PoisonValue::get(it->second->getType()), before);
    join->addIncoming(it->second, latch);
    it->second = join;
  }
}

void Emitter::branch(const ir::IfThenElse& n) {
  Value* condition = expr(n.condition);
  auto* yes = llvm::BasicBlock::Create(context_, "then", f_.function);
  auto* no = n.no ? llvm::BasicBlock::Create(context_, "else", f_.function) : nullptr;
  auto* join = llvm::BasicBlock::Create(context_, "join", f_.function);
  llvm::BasicBlock* before = b_.GetInsertBlock();
  b_.CreateCondBr(condition, yes, no != nullptr ? no : join);
  const std::map<SlotKey, Value*> entering = f_.slots;
  const auto arm = [&](llvm::BasicBlock* block, const ir::Stmt& s) {
    b_.SetInsertPoint(block);
    f_.slots = entering;
    f_.loads.clear();
    push_scope();
    stmt(s);
    pop_scope();
    b_.CreateBr(join);
    return std::pair{b_.GetInsertBlock(), f_.slots};
  };
  const auto [yes_end, yes_slots] = arm(yes, n.yes);
  auto [no_end, no_slots] = no != nullptr ? arm(no, n.no) : std::pair{before, entering};
  b_.SetInsertPoint(join);
  f_.loads.clear();
  f_.slots.clear();
  for (const auto& [key, a] : yes_slots) {
    const auto it = no_slots.find(key);
    Value* b = it != no_slots.end() ? it->second : llvm::PoisonValue::get(a->getType());
    if (a == b) {
      f_.slots[key] = a;
      continue;
    }
    auto* phi = b_.CreatePHI(a->getType(), 2);
    phi->addIncoming(a, yes_end);
    phi->addIncoming(b, no_end);
    f_.slots[key] = phi;
  }
  for (const auto& [key, b] : no_slots) {
    if (f_.slots.count(key) != 0) continue;
    auto* phi = b_.CreatePHI(b->getType(), 2);
    phi->addIncoming(llvm::PoisonValue::get(b->getType()), yes_end);
    phi->addIncoming(b, no_end);
    f_.slots[key] = phi;
  }
}

void Emitter::let(const ir::LetStmt& n) {
  Value* v = expr(n.value);
  push_scope();
  define_var(n.var, v);
  stmt(n.body);
  pop_scope();
  forget_var(n.var);
}

// Copies of a statement bind the same variable again, to another value.
void Emitter::forget_var(const ir::Var& v) {
  std::erase_if(f_.loads, [&](const auto& known) { return ir::uses_var(known.second.first, v.id()); });
}

}  // namespace tessera::codegen
