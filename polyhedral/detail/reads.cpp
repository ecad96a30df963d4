#include "polyhedral/detail/reads.h"

#include <algorithm>
#include <optional>

#include "ir/analysis/affine.h"
#include "ir/rewrite.h"

namespace tessera::polyhedral::detail {

namespace {

/// Elements that a read moves by in memory when `v` grows by one; nothing where that is not constant.
std::optional<std::int64_t> stride_along(const ir::Load& read, const ir::Var& v) {
  const std::vector<std::int64_t> shape = ir::Buffer(read.buffer).extents();
  std::int64_t out = 0, element = 1;
  for (std::size_t d = shape.size(); d-- > 0; element *= shape[d]) {
    for (const ir::Term& t : ir::affine_sum(read.indices[d]).terms) {
      const auto* variable = t.atom.as<ir::VarNode>();
      if (variable != nullptr && variable->id == v.id()) out += t.coefficient * element;
      if (variable == nullptr && ir::uses_var(t.atom, v.id())) return std::nullopt;
    }
  }
  return out;
}

template <class F>
void for_each_read(const schedule::Stage& s, F&& f) {
  for (const ir::Expr& body : s.body) {
    ir::walk(body, [&](const ir::Expr& e) {
      if (const auto* read = e.as<ir::Load>()) f(*read);
      return true;
    });
  }
}

}  // namespace

Contiguity contiguity(const schedule::Stage& s, const ir::Var& v) {
  Contiguity out;
  for_each_read(s, [&](const ir::Load& read) {
    const auto stride = stride_along(read, v);
    out.fits &= stride && (*stride == 0 || *stride == 1);
    out.moves |= stride == 1;
  });
  return out;
}

double bytes_along(const schedule::Stage& s, const ir::Var& v, const ir::Var& other) {
  double out = 0;
  for_each_read(s, [&](const ir::Load& read) {
    const auto uses = [&](const ir::Var& x) {
      return std::any_of(read.indices.begin(), read.indices.end(), [&](const ir::Expr& i) { return ir::uses_var(i, x.id()); });
    };
    if (!uses(v) || uses(other)) return;
    double bytes = read.buffer->dtype.bytes();
    for (const std::int64_t n : ir::Buffer(read.buffer).extents()) bytes *= static_cast<double>(n);
    out += bytes;
  });
  return out;
}

bool reads_in_place(const schedule::Stage& reader, const schedule::Stage& s) {
  bool same = true;
  for_each_read(reader, [&](const ir::Load& read) {
    if (read.buffer.get() != s.outputs[0].get()) return;
    same = same && read.indices.size() == reader.data_axes().size();
    for (std::size_t i = 0; same && i < read.indices.size(); ++i) same = ir::equal(read.indices[i], reader.roots[i].coordinate);
  });
  return same;
}

}  // namespace tessera::polyhedral::detail
