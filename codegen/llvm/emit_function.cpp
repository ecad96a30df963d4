#include <algorithm>

#include <llvm/IR/IntrinsicsX86.h>
#include <llvm/IR/Verifier.h>
#include <llvm/TargetParser/Triple.h>

#include "codegen/llvm/detail/emitter.h"
#include "ir/analysis/captures.h"
#include "ir/rewrite.h"

namespace tessera::codegen {

namespace {

constexpr std::int64_t kLine = 64;  // workspace pieces start on a cache line

std::int64_t round_up(std::int64_t n) { return (n + kLine - 1) / kLine * kLine; }

}  // namespace

Emitter::Emitter(llvm::Module& module, const ir::Program& program, const ir::Target& target)
    : module_(module), context_(module.getContext()), program_(program), target_(target), b_(context_) {}

void Emitter::place_workspace() {
  for (const ir::ProgramBuffer& p : program_.buffers) {
    if (p.role != ir::BufferRole::kWorkspace) continue;
    workspace_[p.buffer->id] = workspace_bytes_;
    workspace_bytes_ += round_up(p.buffer->layout.size() * p.buffer->dtype.bytes());
  }
}

void Emitter::set_attributes(llvm::Function* f) const {
  f->addFnAttr(llvm::Attribute::NoUnwind);
  f->addFnAttr("target-cpu", target_.cpu);
  f->addFnAttr("target-features", target_.features);
  // Keeps 512-bit values whole on CPUs whose tuning prefers 256 bits.
  const std::string bits = std::to_string(target_.vector_bytes * 8);
  f->addFnAttr("prefer-vector-width", bits);
  f->addFnAttr("min-legal-vector-width", bits);
}

void Emitter::emit_program() {
  place_workspace();
  for (const ir::Function& fn : program_.functions) {
    // An outlined function may be called from the threads of a parallel loop.
    const bool launched = std::any_of(program_.launches.begin(), program_.launches.end(),
                                      [&](const ir::LaunchSite& l) { return l.function == fn.name; });
    llvm::Function* f = define(fn.buffers, fn.scalars, fn.body, !launched);
    f->setName(fn.name + ".impl");
    functions_[fn.name] = f;
  }
  for (const ir::LaunchSite& site : program_.launches) emit_entry(site);
}

llvm::Function* Emitter::define(const std::vector<ir::Buffer>& buffers, const std::vector<ir::Var>& scalars,
                               const ir::Stmt& body, bool parallel_body) {
  std::vector<llvm::Type*> params(buffers.size(), b_.getPtrTy());
  for (const ir::Var& v : scalars) params.push_back(type(v.type()));
  params.push_back(b_.getPtrTy());
  llvm::Function* f = llvm::Function::Create(llvm::FunctionType::get(b_.getInt32Ty(), params, false),
                                             llvm::Function::InternalLinkage, "body", module_);
  set_attributes(f);
  f->addFnAttr(llvm::Attribute::NoInline);
  f_ = FunctionState{};
  f_.function = f;
  f_.parallel_body = parallel_body;
  ir::walk(body, [&](const ir::Stmt& s) {
    if (const auto* n = s.as<ir::Store>()) f_.stored.insert(n->buffer->id);
    if (const auto* n = s.as<ir::CallFunction>()) {
      for (const ir::Buffer& b : n->buffers) f_.stored.insert(b->id);
    }
    return true;
  });
  b_.SetInsertPoint(llvm::BasicBlock::Create(context_, "entry", f));
  auto arg = f->arg_begin();
  for (const ir::Buffer& b : buffers) {
    arg->setName(b->name);
    arg->addAttr(llvm::Attribute::NoAlias);
    f_.buffers[b->id] = &*arg++;
  }
  std::vector<Value*> scalar_values;
  for (std::size_t i = 0; i < scalars.size(); ++i) scalar_values.push_back(&*arg++);
  f_.host = &*arg;
  f_.status = b_.CreateAlloca(b_.getInt32Ty(), nullptr, "status");
  b_.CreateStore(b_.getInt32(0), f_.status);
  push_scope();
  for (std::size_t i = 0; i < scalars.size(); ++i) define_var(scalars[i], scalar_values[i]);
  stmt(body);
  pop_scope();
  // Streaming stores are not ordered with what the caller does next.
  if (f_.streamed && llvm::Triple(module_.getTargetTriple()).isX86()) b_.CreateIntrinsic(llvm::Intrinsic::x86_sse_sfence, {}, {});
  b_.CreateRet(b_.CreateLoad(b_.getInt32Ty(), f_.status));
  return f;
}

void Emitter::emit_entry(const ir::LaunchSite& site) {
  llvm::Function* impl = functions_.at(site.function);
  auto* type = llvm::FunctionType::get(b_.getInt32Ty(), {b_.getPtrTy(), b_.getPtrTy()}, false);
  llvm::Function* f = llvm::Function::Create(type, llvm::Function::ExternalLinkage, site.function, module_);
  set_attributes(f);
  Value* args = f->getArg(0);
  Value* host = f->getArg(1);
  b_.SetInsertPoint(llvm::BasicBlock::Create(context_, "entry", f));
  // args[i] follow the contract: every buffer of the program but the workspace, in order.
  std::map<std::uint64_t, int> slot;
  int next = 0;
  for (const ir::ProgramBuffer& p : program_.buffers) {
    if (p.role != ir::BufferRole::kWorkspace) slot[p.buffer->id] = next++;
  }
  std::vector<Value*> values;
  Value* workspace = nullptr;
  for (const ir::Buffer& b : site.arguments) {
    if (const auto it = workspace_.find(b->id); it != workspace_.end()) {
      if (workspace == nullptr) workspace = b_.CreateLoad(b_.getPtrTy(), host, "workspace");
      values.push_back(b_.CreateGEP(b_.getInt8Ty(), workspace, i64(it->second), b->name));
    } else {
      Value* at = b_.CreateGEP(b_.getPtrTy(), args, i64(slot.at(b->id)));
      values.push_back(b_.CreateLoad(b_.getPtrTy(), at, b->name));
    }
  }
  values.push_back(host);
  b_.CreateRet(b_.CreateCall(impl, values));
}

void Emitter::parallel_loop(const ir::For& n) {
  // The loop becomes a function over [begin, end); what it uses from outside travels in a closure.
  const ir::Var begin = ir::Var::fresh("begin"), end = ir::Var::fresh("end");
  const ir::Stmt body = ir::make_stmt<ir::For>(n.var, ir::Expr(begin), ir::Expr(end) - ir::Expr(begin),
                                               ir::ForKind::kSerial, n.body);
  ir::Captures c = ir::captures_of(n.body);
  std::erase_if(c.vars, [&](const ir::Var& v) { return v.id() == n.var.id(); });
  std::vector<ir::Var> scalars{begin, end};
  scalars.insert(scalars.end(), c.vars.begin(), c.vars.end());

  FunctionState outer = std::move(f_);
  const auto point = b_.saveIP();
  llvm::Function* inner = define(c.buffers, scalars, body, true);
  const std::string name = outer.function->getName().str() + ".parallel" + std::to_string(parallel_count_++);
  inner->setName(name + ".body");

  std::vector<llvm::Type*> fields{b_.getPtrTy()};
  for (std::size_t i = 0; i < c.buffers.size(); ++i) fields.push_back(b_.getPtrTy());
  for (const ir::Var& v : c.vars) fields.push_back(type(v.type()));
  auto* closure_type = llvm::StructType::get(context_, fields);
  auto* piece_type = llvm::FunctionType::get(b_.getInt32Ty(), {b_.getInt64Ty(), b_.getInt64Ty(), b_.getPtrTy()}, false);
  llvm::Function* piece = llvm::Function::Create(piece_type, llvm::Function::InternalLinkage, name, module_);
  set_attributes(piece);
  b_.SetInsertPoint(llvm::BasicBlock::Create(context_, "entry", piece));
  const auto field = [&](Value* closure, std::size_t i) { return b_.CreateStructGEP(closure_type, closure, static_cast<unsigned>(i)); };
  std::vector<Value*> args;
  for (std::size_t i = 0; i < c.buffers.size(); ++i) args.push_back(b_.CreateLoad(fields[i + 1], field(piece->getArg(2), i + 1)));
  args.push_back(piece->getArg(0));
  args.push_back(piece->getArg(1));
  for (std::size_t i = 0; i < c.vars.size(); ++i) {
    const std::size_t at = 1 + c.buffers.size() + i;
    args.push_back(b_.CreateLoad(fields[at], field(piece->getArg(2), at)));
  }
  args.push_back(b_.CreateLoad(b_.getPtrTy(), field(piece->getArg(2), 0)));
  b_.CreateRet(b_.CreateCall(inner, args));

  f_ = std::move(outer);
  b_.restoreIP(point);
  llvm::IRBuilder<> entry(&f_.function->getEntryBlock(), f_.function->getEntryBlock().begin());
  Value* closure = entry.CreateAlloca(closure_type, nullptr, "closure");
  b_.CreateStore(f_.host, field(closure, 0));
  for (std::size_t i = 0; i < c.buffers.size(); ++i) b_.CreateStore(f_.buffers.at(c.buffers[i]->id), field(closure, i + 1));
  for (std::size_t i = 0; i < c.vars.size(); ++i) {
    b_.CreateStore(f_.vars.at(c.vars[i].id()).value, field(closure, 1 + c.buffers.size() + i));
  }
  Value* lo = index(n.min);
  Value* hi = b_.CreateAdd(lo, index(n.extent));
  // host: {workspace, context, parallel_for}; without parallel_for the piece runs here.
  Value* run = b_.CreateLoad(b_.getPtrTy(), b_.CreateGEP(b_.getPtrTy(), f_.host, i64(2)), "parallel_for");
  Value* context = b_.CreateLoad(b_.getPtrTy(), b_.CreateGEP(b_.getPtrTy(), f_.host, i64(1)), "context");
  auto* have = llvm::BasicBlock::Create(context_, "have", f_.function);
  auto* none = llvm::BasicBlock::Create(context_, "none", f_.function);
  auto* done = llvm::BasicBlock::Create(context_, "done", f_.function);
  b_.CreateCondBr(b_.CreateIsNull(run), none, have);
  b_.SetInsertPoint(have);
  auto* run_type = llvm::FunctionType::get(b_.getInt32Ty(), {b_.getPtrTy(), b_.getInt64Ty(), b_.getInt64Ty(), b_.getPtrTy(), b_.getPtrTy()}, false);
  Value* r1 = b_.CreateCall(run_type, run, {context, lo, hi, piece, closure});
  b_.CreateBr(done);
  b_.SetInsertPoint(none);
  Value* r2 = b_.CreateCall(piece, {lo, hi, closure});
  b_.CreateBr(done);
  b_.SetInsertPoint(done);
  auto* result = b_.CreatePHI(b_.getInt32Ty(), 2);
  result->addIncoming(r1, have);
  result->addIncoming(r2, none);
  b_.CreateStore(b_.CreateOr(b_.CreateLoad(b_.getInt32Ty(), f_.status), result), f_.status);
  f_.loads.clear();
}

void Emitter::call(const ir::CallFunction& n) {
  std::vector<Value*> args;
  for (const ir::Buffer& b : n.buffers) args.push_back(f_.buffers.at(b->id));
  for (const ir::Expr& e : n.scalars) args.push_back(expr(e));
  args.push_back(f_.host);
  Value* r = b_.CreateCall(functions_.at(n.function), args);
  b_.CreateStore(b_.CreateOr(b_.CreateLoad(b_.getInt32Ty(), f_.status), r), f_.status);
  f_.loads.clear();
}

llvm::Value* Emitter::make_place(const ir::Buffer& b) {
  constexpr std::int64_t kStackPiece = 64 << 10, kStackTotal = 512 << 10;
  const std::int64_t bytes = round_up(b->layout.size() * b->dtype.bytes());
  llvm::BasicBlock& entry = f_.function->getEntryBlock();
  llvm::IRBuilder<> at(&entry, entry.begin());
  if (!f_.parallel_body && bytes > kStackPiece) {
    Value* workspace = at.CreateLoad(at.getPtrTy(), f_.host, "workspace");
    Value* place = at.CreateGEP(at.getInt8Ty(), workspace, i64(workspace_bytes_), b->name);
    workspace_bytes_ += bytes;
    return place;
  }
  f_.stack_bytes += bytes;
  if (f_.stack_bytes > kStackTotal) {
    throw CannotCompile{"resource: buffers inside a parallel loop take " + std::to_string(f_.stack_bytes) +
                        " bytes of stack ('" + b->name + "' " + std::to_string(bytes) + "); at most " +
                        std::to_string(kStackTotal) + " are allowed"};
  }
  auto* slot = at.CreateAlloca(llvm::ArrayType::get(b_.getInt8Ty(), static_cast<std::uint64_t>(std::max<std::int64_t>(bytes, kLine))), nullptr, b->name);
  slot->setAlignment(llvm::Align(kLine));
  return slot;
}

void Emitter::allocate(const ir::Allocate& n) {
  const ir::Buffer& b = n.buffer;
  if (b->scope == ir::Scope::kRegister && promotable(n)) {
    f_.register_buffers.insert(b->id);
    stmt(n.body);
    std::erase_if(f_.slots, [&](const auto& s) { return s.first.buffer == b->id; });
    f_.register_buffers.erase(b->id);
    return;
  }
  // Partitioning and unrolling copy allocations: the copies live one after the other and share a
  // place. It is made at the entry, where it dominates addresses hoisted out of any loop.
  Value*& place = f_.places[b->id];
  if (place == nullptr) place = make_place(b);
  f_.buffers[b->id] = place;
  stmt(n.body);
  f_.buffers.erase(b->id);
}

}  // namespace tessera::codegen
