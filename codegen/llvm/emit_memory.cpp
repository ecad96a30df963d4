#include <algorithm>

#include "codegen/llvm/detail/emitter.h"
#include "ir/analysis/affine.h"
#include "ir/rewrite.h"

namespace tessera::codegen {

namespace {

/// The scalar start and lane count of a constant contiguous index; false otherwise.
bool constant_run(const ir::Expr& e, std::int64_t& base, int& lanes) {
  lanes = e.type().lanes;
  if (lanes == 1) return is_const_int(e, &base);
  const auto* r = e.as<ir::Ramp>();
  return r != nullptr && is_one(r->stride) && is_const_int(r->base, &base);
}

bool all_true(const ir::Expr& mask) {
  if (!mask.defined()) return true;
  if (is_true(mask)) return true;
  const auto* b = mask.as<ir::Broadcast>();
  return b != nullptr && is_true(b->value);
}

}  // namespace

// ---- register tiles -------------------------------------------------------------------------------

std::optional<Emitter::SlotKey> Emitter::slot_of(const ir::Buffer& b, const ir::Expr& index) const {
  std::int64_t base = 0;
  int lanes = 1;
  if (constant_run(index, base, lanes)) return SlotKey{b->id, base, lanes};
  // One element read into all lanes.
  const auto* splat = index.as<ir::Broadcast>();
  if (splat != nullptr && is_const_int(splat->value, &base)) return SlotKey{b->id, base, 1};
  return std::nullopt;
}

/// Every access is at a constant place, pieces do not overlap (single lanes inside a piece may), and
/// no parallel loop or call takes the buffer elsewhere.
bool Emitter::promotable(const ir::Allocate& n) const {
  std::set<SlotKey> pieces, lanes;
  std::vector<std::int64_t> written;  // single elements
  bool ok = true;
  const auto see = [&](const ir::Expr& index, bool writes) {
    const auto key = slot_of(n.buffer, index);
    if (!key) {
      ok = false;
    } else {
      (key->lanes == 1 ? lanes : pieces).insert(*key);
      if (writes && key->lanes == 1) written.push_back(key->base);
    }
  };
  ir::walk(
      n.body,
      [&](const ir::Stmt& s) {
        if (const auto* x = s.as<ir::Store>(); x != nullptr && x->buffer == n.buffer) {
          see(x->indices[0], true);
          ok &= !(x->indices[0].type().lanes > 1 && x->indices[0].as<ir::Ramp>() == nullptr);
        }
        const auto* loop = s.as<ir::For>();
        if (s.as<ir::CallFunction>() != nullptr || (loop != nullptr && loop->loop == ir::ForKind::kParallel)) ok = false;
        return ok;
      },
      [&](const ir::Expr& e) {
        const auto* x = e.as<ir::Load>();
        if (x != nullptr && x->buffer->id == n.buffer->id) see(x->indices[0], false);
        return ok;
      });
  std::int64_t end = INT64_MIN;
  for (const SlotKey& p : pieces) {
    if (p.base < end) return false;
    end = p.base + p.lanes;
    // A vector that is put together from single elements is no value of its own.
    for (const std::int64_t w : written) ok &= w < p.base || w >= end;
  }
  return ok && pieces.size() + lanes.size() <= 512;
}

const Emitter::SlotKey* Emitter::containing_slot(const SlotKey& key) const {
  auto it = f_.slots.upper_bound(SlotKey{key.buffer, key.base, INT32_MAX});
  while (it != f_.slots.begin()) {
    --it;
    if (it->first.buffer != key.buffer) return nullptr;
    if (it->first.base <= key.base && key.base + key.lanes <= it->first.base + it->first.lanes) return &it->first;
  }
  return nullptr;
}

Emitter::Value* Emitter::load_slot(const ir::Load& n, const SlotKey& key) {
  const int lanes = n.type.lanes;
  const SlotKey* whole = containing_slot(key);
  Value* v = nullptr;
  if (whole == nullptr) {
    v = llvm::PoisonValue::get(type(n.type.element().with_lanes(key.lanes)));
  } else {
    v = f_.slots.at(*whole);
    if (whole->lanes != key.lanes) {
      if (key.lanes != 1) throw CannotCompile{"a register tile is read across its pieces"};
      v = b_.CreateExtractElement(v, b_.getInt32(static_cast<unsigned>(key.base - whole->base)));
    }
  }
  return key.lanes == 1 && lanes > 1 ? b_.CreateVectorSplat(static_cast<unsigned>(lanes), v) : v;
}

void Emitter::store_slot(const ir::Store&, const SlotKey& key, Value* value, Value* mask) {
  const SlotKey* found = containing_slot(key);
  if (found == nullptr) {
    f_.slots[key] = value;  // masked lanes hold whatever: nobody may read them before they are written
    return;
  }
  const SlotKey whole = *found;
  Value* old = f_.slots.at(whole);
  if (whole.lanes != key.lanes) {
    f_.slots[whole] = b_.CreateInsertElement(old, value, b_.getInt32(static_cast<unsigned>(key.base - whole.base)));
    return;
  }
  f_.slots[whole] = mask != nullptr ? b_.CreateSelect(mask, value, old) : value;
}

// ---- addresses ------------------------------------------------------------------------------------

/// Builds the pointer level by level: the terms of outer loops are added outside of inner loops and
/// shared by every access with the same ones; the constant comes last, as a displacement.
Emitter::Value* Emitter::address(const ir::Buffer& b, const ir::Expr& flat) {
  llvm::Type* element = memory_type(b->dtype);
  const ir::AffineSum sum = ir::affine_sum(flat);
  std::map<int, std::vector<const ir::Term*>> by_depth;
  const int here = static_cast<int>(f_.scopes.size());
  for (const ir::Term& t : sum.terms) {
    const int d = depth_of(t.atom);
    by_depth[d < 0 ? here : d].push_back(&t);
  }
  Value* p = f_.buffers.at(b->id);
  std::string key;
  for (const auto& [depth, terms] : by_depth) {
    for (const ir::Term* t : terms) key += std::to_string(t->atom.hash()) + "*" + std::to_string(t->coefficient) + " ";
    const bool hoisted = depth < here;
    if (hoisted) {
      const auto& known = f_.scopes[static_cast<std::size_t>(depth)].pointers;
      if (const auto it = known.find({b->id, key}); it != known.end()) {
        p = it->second;
        continue;
      }
    }
    llvm::IRBuilder<>::InsertPointGuard guard(b_);
    std::vector<Value*> atoms;
    for (const ir::Term* t : terms) atoms.push_back(expr(t->atom));
    if (hoisted) b_.SetInsertPoint(f_.scopes[static_cast<std::size_t>(depth)].marker);
    Value* offset = nullptr;
    for (std::size_t i = 0; i < terms.size(); ++i) {
      Value* x = b_.CreateMul(atoms[i], i64(terms[i]->coefficient), "", false, true);
      offset = offset == nullptr ? x : b_.CreateAdd(offset, x, "", false, true);
    }
    p = b_.CreateGEP(element, p, offset);
    if (hoisted) f_.scopes[static_cast<std::size_t>(depth)].pointers[{b->id, key}] = p;
  }
  return sum.constant == 0 ? p : b_.CreateGEP(element, p, i64(sum.constant));
}

// ---- memory ---------------------------------------------------------------------------------------

Emitter::Value* Emitter::from_memory(Value* v, ir::Type t) {
  if (t.is_bool()) return b_.CreateICmpNE(v, llvm::Constant::getNullValue(v->getType()));
  if (t.element() == ir::bf16) {
    llvm::Type* wide = type(ir::i32.with_lanes(t.lanes));
    return b_.CreateBitCast(b_.CreateShl(b_.CreateZExt(v, wide), 16), type(t));
  }
  if (t.element() == ir::f16) return b_.CreateFPExt(v, type(t));
  return v;
}

Emitter::Value* Emitter::to_memory(Value* v, ir::Type t) {
  if (t.is_bool()) return b_.CreateZExt(v, memory_type(t));
  if (t.element() == ir::bf16) return to_bf16_bits(v);
  if (t.element() == ir::f16) return b_.CreateFPTrunc(v, memory_type(t));
  return v;
}

void Emitter::forget_loads(std::uint64_t buffer) {
  std::erase_if(f_.loads, [&](const auto& entry) {
    bool reads = false;
    ir::walk(entry.second.first, [&](const ir::Expr& e) {
      const auto* l = e.as<ir::Load>();
      reads |= l != nullptr && l->buffer->id == buffer;
      return !reads;
    });
    return reads;
  });
}

Emitter::Value* Emitter::load(const ir::Load& n) {
  const ir::Buffer b(n.buffer);
  if (f_.register_buffers.count(b->id) != 0) return load_slot(n, *slot_of(b, n.indices[0]));
  return load_memory(n);
}

Emitter::Value* Emitter::load_memory(const ir::Load& n) {
  const ir::Buffer b(n.buffer);
  const ir::Expr& at = n.indices[0];
  const llvm::Align align(static_cast<std::uint64_t>(b->dtype.bytes()));
  const auto invariant = [&](Value* v) {
    auto* load = llvm::dyn_cast<llvm::LoadInst>(v);
    if (load != nullptr && f_.stored.count(b->id) == 0) load->setMetadata(llvm::LLVMContext::MD_invariant_load, llvm::MDNode::get(context_, {}));
    return v;
  };
  if (at.type().is_scalar()) {
    Value* v = b_.CreateAlignedLoad(memory_type(b->dtype), address(b, at), align);
    return from_memory(invariant(v), b->dtype);
  }
  const auto* run = at.as<ir::Ramp>();
  if (run != nullptr && is_one(run->stride)) {
    Value* p = address(b, run->base);
    llvm::Type* t = memory_type(n.type);
    if (all_true(n.predicate)) return from_memory(invariant(b_.CreateAlignedLoad(t, p, align)), n.type);
    Value* mask = expr(n.predicate);
    return from_memory(b_.CreateMaskedLoad(t, p, align, mask, llvm::Constant::getNullValue(t)), n.type);
  }
  const auto* splat = at.as<ir::Broadcast>();
  if (all_true(n.predicate) && splat != nullptr) {
    Value* v = from_memory(invariant(b_.CreateAlignedLoad(memory_type(b->dtype), address(b, splat->value), align)), b->dtype);
    return b_.CreateVectorSplat(n.type.lanes, v);
  }
  if (all_true(n.predicate) && run != nullptr) return strided_load(n, *run);
  return gather(n, expr(at));
}

Emitter::Value* Emitter::strided_load(const ir::Load& n, const ir::Ramp& at) {
  const ir::Buffer b(n.buffer);
  Value* v = llvm::PoisonValue::get(memory_type(n.type));
  for (int lane = 0; lane < n.type.lanes; ++lane) {
    const ir::Expr one = at.base + at.stride * ir::int_imm(lane);
    Value* x = b_.CreateAlignedLoad(memory_type(b->dtype), address(b, one), llvm::Align(static_cast<std::uint64_t>(b->dtype.bytes())));
    v = b_.CreateInsertElement(v, x, b_.getInt32(static_cast<unsigned>(lane)));
  }
  return from_memory(v, n.type);
}

Emitter::Value* Emitter::gather(const ir::Load& n, Value* index) {
  const ir::Buffer b(n.buffer);
  llvm::Type* t = memory_type(n.type);
  Value* pointers = b_.CreateGEP(memory_type(b->dtype), f_.buffers.at(b->id), index);
  Value* mask = all_true(n.predicate) ? b_.CreateVectorSplat(n.type.lanes, b_.getTrue()) : expr(n.predicate);
  const llvm::Align align(static_cast<std::uint64_t>(b->dtype.bytes()));
  return from_memory(b_.CreateMaskedGather(t, pointers, align, mask, llvm::Constant::getNullValue(t)), n.type);
}

void Emitter::store(const ir::Store& n) {
  Value* value = expr(n.value);
  const ir::Expr& at = n.indices[0];
  const bool masked = !all_true(n.predicate);
  Value* mask = masked && n.predicate.type().lanes > 1 ? expr(n.predicate) : nullptr;
  if (f_.register_buffers.count(n.buffer->id) != 0) {
    store_slot(n, *slot_of(n.buffer, at), value, mask);
    forget_loads(n.buffer->id);
    return;
  }
  if (masked && mask == nullptr) {  // a scalar condition is a branch
    return branch(*ir::make_stmt<ir::IfThenElse>(n.predicate, ir::make_stmt<ir::Store>(n.buffer, n.indices, n.value)).as<ir::IfThenElse>());
  }
  const ir::Type t = n.value.type();
  value = to_memory(value, t);
  const llvm::Align align(static_cast<std::uint64_t>(n.buffer->dtype.bytes()));
  const auto* run = at.as<ir::Ramp>();
  if (at.type().is_scalar()) {
    b_.CreateAlignedStore(value, address(n.buffer, at), align);
  } else if (run != nullptr && is_one(run->stride)) {
    Value* p = address(n.buffer, run->base);
    if (mask != nullptr) {
      b_.CreateMaskedStore(value, p, align, mask);
    } else if (n.streaming && aligned_vector(n)) {
      stream(value, p);
    } else {
      b_.CreateAlignedStore(value, p, align);
    }
  } else if (run != nullptr && mask == nullptr) {
    strided_store(n, value);
  } else {
    Value* pointers = b_.CreateGEP(memory_type(n.buffer->dtype), f_.buffers.at(n.buffer->id), expr(at));
    if (mask == nullptr) mask = b_.CreateVectorSplat(t.lanes, b_.getTrue());
    b_.CreateMaskedScatter(value, pointers, align, mask);
  }
  forget_loads(n.buffer->id);
}

/// A whole register at a multiple of its size. What is streamed to is a buffer of the program, which
/// begins on a cache line.
bool Emitter::aligned_vector(const ir::Store& n) const {
  const ir::Type t = n.value.type();
  const std::int64_t lanes = t.lanes, bytes = lanes * t.element().bytes();
  if (t.is_bool() || bytes < 16 || bytes > target_.vector_bytes || (bytes & (bytes - 1)) != 0) return false;
  const ir::AffineSum at = ir::affine_sum(n.indices[0].as<ir::Ramp>()->base);
  return at.constant % lanes == 0 &&
         std::all_of(at.terms.begin(), at.terms.end(), [&](const ir::Term& term) { return term.coefficient % lanes == 0; });
}

void Emitter::stream(Value* value, Value* p) {
  const auto bytes = module_.getDataLayout().getTypeStoreSize(value->getType()).getFixedValue();
  llvm::StoreInst* store = b_.CreateAlignedStore(value, p, llvm::Align(bytes));
  llvm::Metadata* one = llvm::ConstantAsMetadata::get(b_.getInt32(1));
  store->setMetadata(llvm::LLVMContext::MD_nontemporal, llvm::MDNode::get(context_, {one}));
  f_.streamed = true;
}

void Emitter::strided_store(const ir::Store& n, Value* value) {
  const auto* at = n.indices[0].as<ir::Ramp>();
  for (int lane = 0; lane < n.value.type().lanes; ++lane) {
    const ir::Expr one = at->base + at->stride * ir::int_imm(lane);
    Value* x = b_.CreateExtractElement(value, b_.getInt32(static_cast<unsigned>(lane)));
    b_.CreateAlignedStore(x, address(n.buffer, one), llvm::Align(static_cast<std::uint64_t>(n.buffer->dtype.bytes())));
  }
}

}  // namespace tessera::codegen
