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

std::optional<Panel> panel_of(const schedule::Stage& product) {
  const std::size_t rank = product.data_axes().size();
  if (rank < 2) return std::nullopt;
  const schedule::RootAxis &row = product.roots[rank - 2], &column = product.roots[rank - 1];
  std::optional<Panel> out;
  double largest = 0;
  for (const ir::Load* l : reads_of(product)) {
    const ir::Load& read = *l;
    const auto uses = [&](const schedule::RootAxis& a) {
      return std::any_of(read.indices.begin(), read.indices.end(), [&](const ir::Expr& i) { return ir::uses_var(i, a.coordinate.id()); });
    };
    if (!uses(column) || uses(row) || read.indices.size() < 2) continue;
    Panel p{read.buffer.get(), 0, 1};
    double elements = 1;
    std::size_t columns = 0;
    for (std::size_t d = 0; d < read.indices.size(); ++d) {
      elements *= static_cast<double>(ir::Buffer(read.buffer).extents()[d]);
      if (ir::equal(read.indices[d], column.coordinate)) p.dimension = d;
      columns += ir::uses_var(read.indices[d], column.coordinate.id());
    }
    if (columns != 1 || !ir::equal(read.indices[p.dimension], column.coordinate) || elements <= largest) continue;
    for (std::size_t a = 0; a < rank; ++a) p.reuse *= uses(product.roots[a]) ? 1 : static_cast<double>(product.roots[a].extent);
    largest = elements;
    out = p;
  }
  return out;
}

bool fits_with_panel(const schedule::Stage& product, const Panel& panel) {
  const ir::Var& column = product.roots[product.data_axes().size() - 1].coordinate;
  bool fits = true;
  for (const ir::Load* l : reads_of(product)) {
    const ir::Load& read = *l;
    const auto stride = stride_along(read, column);
    fits &= read.buffer.get() == panel.tensor || (stride && (*stride == 0 || *stride == 1));
  }
  return fits;
}

bool rereads(const schedule::Stage& s, const ir::Var& v) {
  bool found = false;
  for (const ir::Load* l : reads_of(s)) {
    const ir::Load& read = *l;
    found |= std::none_of(read.indices.begin(), read.indices.end(), [&](const ir::Expr& i) { return ir::uses_var(i, v.id()); });
  }
  return found;
}

bool is_view(const schedule::Stage& s) {
  if (s.is_reduction() || s.body.size() != 1) return false;
  ir::Expr condition, value = s.body[0], border;
  if (const auto* n = s.body[0].as<ir::Select>()) {
    condition = n->condition, value = n->yes, border = n->no;
  } else if (const auto* n = s.body[0].as<ir::IfThenElseExpr>()) {
    condition = n->condition, value = n->yes, border = n->no;
  }
  const auto* read = value.as<ir::Load>();
  bool plain = read != nullptr && (border.get() == nullptr || border.as<ir::FloatImm>() != nullptr || border.as<ir::IntImm>() != nullptr);
  if (condition.get() != nullptr) {
    ir::walk(condition, [&](const ir::Expr& e) {
      plain = plain && e.as<ir::Load>() == nullptr;
      return true;
    });
  }
  for (std::size_t i = 0; plain && i < read->indices.size(); ++i) {
    for (const ir::Term& t : ir::affine_sum(read->indices[i]).terms) plain = plain && t.atom.as<ir::VarNode>() != nullptr;
  }
  return plain;
}

bool has_border(const schedule::Stage& s) { return s.body[0].as<ir::Load>() == nullptr; }

std::string axis_of_lines(const schedule::Stage& s) {
  const std::size_t rank = s.data_axes().size();
  if (rank < 2 || s.is_reduction()) return "";
  std::string out;
  for (const ir::Load* l : reads_of(s)) {
    const ir::Load& read = *l;
    const auto across = stride_along(read, s.roots[rank - 1].coordinate);
    if (!across || *across == 0 || *across == 1) continue;
    for (std::size_t a = 0; a + 1 < rank; ++a) {
      if (stride_along(read, s.roots[a].coordinate) == 1) out = s.roots[a].axis;
    }
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
