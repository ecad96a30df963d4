#include "polyhedral/detail/reads.h"

#include <algorithm>

#include "ir/analysis/affine.h"
#include "ir/rewrite.h"

namespace tessera::polyhedral::detail {

std::vector<const ir::Load*> reads_of(const schedule::Stage& s) {
  std::vector<const ir::Load*> out;
  for (const ir::Expr& body : s.body) {
    ir::walk(body, [&](const ir::Expr& e) {
      if (const auto* read = e.as<ir::Load>()) out.push_back(read);
      return true;
    });
  }
  return out;
}

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

bool moves_with(const ir::Load& read, const ir::Var& v) {
  return std::any_of(read.indices.begin(), read.indices.end(), [&](const ir::Expr& i) { return ir::uses_var(i, v.id()); });
}

Contiguity contiguity(const schedule::Stage& s, const ir::Var& v) {
  Contiguity out;
  for (const ir::Load* read : reads_of(s)) {
    const auto stride = stride_along(*read, v);
    out.fits &= stride && (*stride == 0 || *stride == 1);
    out.moves |= stride == 1;
  }
  return out;
}

double bytes_along(const schedule::Stage& s, const ir::Var& v, const ir::Var& other) {
  double out = 0;
  for (const ir::Load* read : reads_of(s)) {
    if (!moves_with(*read, v) || moves_with(*read, other)) continue;
    double bytes = read->buffer->dtype.bytes();
    for (const std::int64_t n : ir::Buffer(read->buffer).extents()) bytes *= static_cast<double>(n);
    out += bytes;
  }
  return out;
}

bool reads_in_place(const schedule::Stage& reader, const schedule::Stage& s) {
  bool same = true;
  for (const ir::Load* read : reads_of(reader)) {
    if (read->buffer.get() != s.outputs[0].get()) continue;
    same = same && read->indices.size() == reader.data_axes().size();
    for (std::size_t i = 0; same && i < read->indices.size(); ++i) same = ir::equal(read->indices[i], reader.roots[i].coordinate);
  }
  return same;
}

}  // namespace tessera::polyhedral::detail
