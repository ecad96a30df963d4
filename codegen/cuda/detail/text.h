// Expressions of thread programs as CUDA text, one lane at a time.
#pragma once

#include <map>
#include <set>
#include <string>

#include "ir/analysis/interval.h"
#include "ir/buffer.h"

namespace tessera::codegen::detail {

/// What has no form in the text; caught by print_cuda.
struct NoText {
  std::string reason;
};

/// "f32", "u8" for a bool in memory.
std::string memory_type(ir::Type t);
/// "f32", "bool".
std::string value_type(ir::Type t);

class ExprText {
 public:
  ir::Bounds bounds;                       // of the variables in scope
  std::map<ir::VarId, std::string> names;  // of variables
  std::map<ir::VarId, std::string> arrays;  // of vectors: an element a lane
  std::map<std::uint64_t, std::string> buffers;  // by id
  std::set<std::uint64_t> read_only;       // global buffers that the kernel does not write
  std::string index_type = "i32";
  /// Loads that stand in a temporary already: name of the vector or scalar.
  std::map<const ir::ExprNode*, std::string> loaded;

  /// Lane `lane` of `e`; scalars have the same text in every lane.
  std::string lane(const ir::Expr& e, int lane) const;
  /// Of an expression without lanes.
  std::string scalar(const ir::Expr& e) const;
  /// A load of `lanes` neighbours from `base`.
  std::string load(const ir::BufferNode* b, const ir::Expr& base, int lanes) const;
  std::string address(const ir::BufferNode* b, const ir::Expr& base) const;
  /// One lane of an index, whatever it is made of: what is read from memory has no form as an expression of one lane.
  std::string index(const ir::Expr& e, int lane) const;
  /// The address of the element at that index.
  std::string element(const ir::BufferNode* b, const ir::Expr& index, int lane) const;

 private:
  std::string load_from(const ir::BufferNode* b, const std::string& address, int lanes) const;
  std::string binary(const ir::Binary& n, int lane) const;
  std::string call(const ir::Call& n, int lane) const;
  std::string cast(const ir::Cast& n, int lane) const;
  std::string load_lane(const ir::Load& n, const ir::Expr& self, int lane) const;
};

/// Of an index: its first element when the lanes are neighbours; undefined when they are not.
ir::Expr contiguous_base(const ir::Expr& index);
/// `e` in one lane as an expression of variables and constants; undefined where it is more.
ir::Expr lane_of(const ir::Expr& e, int lane);

}  // namespace tessera::codegen::detail
