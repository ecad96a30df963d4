// Buffers: named storage with a dtype, a logical shape, a scope and a layout.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ir/expr.h"
#include "ir/layout.h"

namespace tessera::ir {

/// Where a buffer lives. kRegister is a constant-size tile whose indices are constant after
/// unrolling; on the CPU it becomes SSA values.
enum class Scope : std::uint8_t { kGlobal, kShared, kLocal, kRegister, kFragment };
const char* to_string(Scope s);
inline std::vector<const char*> enum_names(Scope) { return {"global", "shared", "local", "register", "fragment"}; }

struct BufferNode : RefCounted {
  std::uint64_t id = 0;
  std::string name;
  Type dtype;
  Exprs shape;  // constants, or expressions of shape variables (symbolic extents)
  Scope scope = Scope::kGlobal;
  Layout layout;       // of constant shapes; empty when the shape is symbolic
  int alignment = 64;  // bytes, of the first element
  // What defines the contents, owned by the layer that made the buffer (dsl: its operation), and
  // which of its outputs this is. Empty for buffers that lowering makes.
  std::shared_ptr<const void> origin;
  int origin_index = 0;
};
void destroy(const BufferNode* node);

class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(Ref<const BufferNode> n) : node_(std::move(n)) {}
  /// A fresh buffer, dense row-major.
  static Buffer fresh(std::string name, Type dtype, Exprs shape, Scope scope = Scope::kGlobal);
  /// The same storage description under a fresh identity.
  Buffer with_name(std::string name) const;
  Buffer with_layout(Layout layout) const;
  Buffer with_scope(Scope scope) const;
  /// The same description without `origin`, under a fresh identity.
  Buffer detached() const;
  Buffer with_origin(std::shared_ptr<const void> origin, int index) const;

  const BufferNode* operator->() const { return node_.get(); }
  const BufferNode* get() const { return node_.get(); }
  const Ref<const BufferNode>& ref() const { return node_; }
  explicit operator bool() const { return static_cast<bool>(node_); }
  bool operator==(const Buffer& o) const { return node_ == o.node_; }
  bool operator<(const Buffer& o) const { return node_->id < o.node_->id; }

  std::size_t rank() const { return node_->shape.size(); }
  /// Logical extents; InternalError when one is symbolic.
  std::vector<std::int64_t> extents() const;
  bool is_symbolic() const;
  /// A read at one index a dimension.
  Expr load(Exprs indices) const;

 private:
  Ref<const BufferNode> node_;
};

}  // namespace tessera::ir
