// What is put into every buffer, and sets of places and elements that the checks of values are made of.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "polyhedral/detail/flow.h"

namespace tessera::polyhedral::detail {

/// A store of a leaf.
struct Store {
  int leaf = 0;
  const StoredValue* value = nullptr;
};

/// All that is put into one buffer.
struct Producer {
  Held held;
  const ir::BufferNode* buffer = nullptr;
  std::vector<Store> stores;
  int depth = 0;        // loops around all stores of a reduction
  bool is_reduction = false;
  bool dense = true;    // every element lies at its own index
  int allocated = 0;    // loops around the allocation
  bool undecided = false;
  mutable std::map<int, bool> keeps;  // by the innermost of the loops: whether no place gets two elements there
};

/// Loops of a leaf that count as a key: the first `loops`, the place, the element.
struct Key {
  int loops = 0;
  ir::Exprs place, element;
  std::optional<int> flag;
};

isl::multi_pw_aff key_of(const Space& space, const Key& key);
isl::set image(const isl::set& domain, const isl::multi_pw_aff& f);
/// The points of `s`, their first `keys` dimensions -> the others.
isl::map by_key(const isl::set& s, int keys);
bool same(const ir::Exprs& a, const ir::Exprs& b);
/// The data coordinates of a leaf.
ir::Exprs element_of(const Leaf& l);
/// Where a store puts its element; nothing for buffers in which every element lies at its own index.
inline ir::Exprs place_of(const Producer& p, const Store& s) { return p.dense ? ir::Exprs{} : s.value->index; }

std::string coordinate_text(const isl::point& x, int d);
/// "C[0, 5]" from `count` coordinates of a point.
std::string key_text(const Producer& p, const isl::point& x, int from, int count);

/// The producers of all buffers that are stored to, by id.
using Producers = std::map<std::uint64_t, Producer>;
Producers producers_of(const Judged& judged);

}  // namespace tessera::polyhedral::detail
