#include "ir/buffer.h"

#include <atomic>

#include "ir/print.h"

namespace tessera::ir {

namespace {

std::uint64_t next_id() {
  static std::atomic<std::uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

Buffer copy_of(const BufferNode& n, BufferNode*& edit) {
  edit = new BufferNode(n);
  edit->id = next_id();
  return Buffer(Ref<const BufferNode>(edit));
}

}  // namespace

const char* to_string(Scope s) { return enum_names(s)[static_cast<std::size_t>(s)]; }

void destroy(const BufferNode* n) { delete n; }

Buffer Buffer::fresh(std::string name, Type dtype, Exprs shape, Scope scope) {
  auto* n = new BufferNode;
  n->id = next_id();
  n->name = std::move(name);
  n->dtype = dtype;
  n->shape = std::move(shape);
  n->scope = scope;
  Buffer b{Ref<const BufferNode>(n)};
  if (!b.is_symbolic()) n->layout = Layout::row_major(b.extents());
  return b;
}

Buffer Buffer::with_name(std::string name) const {
  BufferNode* edit = nullptr;
  Buffer b = copy_of(*node_, edit);
  edit->name = std::move(name);
  return b;
}

Buffer Buffer::with_layout(Layout layout) const {
  BufferNode* edit = nullptr;
  Buffer b = copy_of(*node_, edit);
  edit->layout = std::move(layout);
  return b;
}

Buffer Buffer::with_scope(Scope scope) const {
  BufferNode* edit = nullptr;
  Buffer b = copy_of(*node_, edit);
  edit->scope = scope;
  return b;
}

Buffer Buffer::detached() const { return with_origin(nullptr, 0); }

Buffer Buffer::with_origin(std::shared_ptr<const void> origin, int index) const {
  BufferNode* edit = nullptr;
  Buffer b = copy_of(*node_, edit);
  edit->origin = std::move(origin);
  edit->origin_index = index;
  return b;
}

bool Buffer::is_symbolic() const {
  for (const Expr& e : node_->shape) {
    if (!is_const_int(e)) return true;
  }
  return false;
}

std::vector<std::int64_t> Buffer::extents() const {
  std::vector<std::int64_t> out;
  for (const Expr& e : node_->shape) {
    std::int64_t v = 0;
    TESSERA_CHECK(is_const_int(e, &v)) << "extent " << to_string(e) << " of buffer " << node_->name << " is symbolic";
    out.push_back(v);
  }
  return out;
}

Expr Buffer::load(Exprs indices) const {
  int lanes = 1;
  for (const Expr& i : indices) lanes = std::max<int>(lanes, i.type().lanes);
  return make<Load>(*this, std::move(indices), Expr(), lanes);
}

}  // namespace tessera::ir
