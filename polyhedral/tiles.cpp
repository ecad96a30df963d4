#include "polyhedral/tiles.h"

#include <isl/aff.h>
#include <isl/constraint.h>
#include <isl/map.h>
#include <isl/set.h>

#include <algorithm>
#include <optional>

#include "ir/rewrite.h"
#include "polyhedral/detail/affine.h"

namespace tessera::polyhedral {

namespace {

using detail::NotAffine;
using ir::Expr;

constexpr double kLineBytes = 64;

/// Accesses to one tensor that move alike: indices that differ by constants.
struct Moving {
  const ir::BufferNode* tensor = nullptr;
  bool write = false;
  std::vector<ir::Exprs> indices;
};

bool move_alike(const ir::Exprs& a, const ir::Exprs& b) {
  for (std::size_t d = 0; d < a.size(); ++d) {
    if (ir::equal(a[d], b[d])) continue;
    ir::AffineSum difference = ir::affine_sum(a[d]);
    difference.add(ir::affine_sum(b[d]), -1);
    if (!difference.is_constant()) return false;
  }
  return true;
}

void add(const ir::BufferNode* tensor, const ir::Exprs& index, bool write, std::vector<Moving>& out) {
  const auto known = std::find_if(out.begin(), out.end(), [&](const Moving& m) {
    return m.tensor == tensor && m.write == write && move_alike(m.indices[0], index);
  });
  if (known == out.end()) {
    out.push_back({tensor, write, {index}});
  } else {
    known->indices.push_back(index);
  }
}

/// The result, then what is read; the partial sums of a reduction are its result.
std::vector<Moving> accesses_of(const Equation& e) {
  std::vector<Moving> out;
  ir::Exprs element;
  for (const Coordinate& c : e.coordinates) {
    if (!c.reduce) element.push_back(c.var);
  }
  for (const ir::Buffer& b : e.outputs) add(b.get(), element, true, out);
  const auto reads = [&](const Expr& x) {
    ir::walk(x, [&](const Expr& n) {
      if (const auto* load = n.as<ir::Load>()) add(load->buffer.get(), load->indices, false, out);
      return true;
    });
  };
  if (e.reduce() != nullptr) {
    for (const Expr& s : e.reduce()->sources) reads(s);
  } else {
    for (const Expr& b : e.body) reads(b);
  }
  return out;
}

/// Extents along one dimension, with a parameter for the size of each axis that the index depends on.
class ExtentOf {
 public:
  ExtentOf(const detail::IslContext& isl, const std::vector<Coordinate>& axes) : isl_(isl), axes_(axes) {}

  /// Of indices that differ by constants; nothing where they are no single affine function.
  std::optional<TileExtent> operator()(const ir::Exprs& indices) const {
    std::vector<std::size_t> used;
    detail::Space space(isl_);
    for (std::size_t a = 0; a < axes_.size(); ++a) {
      if (!ir::uses_var(indices[0], axes_[a].var.id())) continue;
      used.push_back(a);
      space.add_variable(axes_[a].var, {0, axes_[a].extent - 1});
    }
    try {
      const isl::map tile = tiles(used.size());
      isl::map touched = tile.apply_range(space.value(indices[0]).as_map());
      for (std::size_t i = 1; i < indices.size(); ++i) touched = touched.unite(tile.apply_range(space.value(indices[i]).as_map()));
      // Elements of one tile lie at most this far apart, wherever the tile is.
      const isl::set apart = touched.reverse().apply_range(touched).deltas();
      isl_pw_aff* furthest = isl_pw_aff_coalesce(isl_set_dim_max(apart.copy(), 0));
      const isl::pw_aff most = isl::manage(isl_pw_aff_gist_params(furthest, isl_map_params(tile.copy())));
      if (isl_pw_aff_isa_aff(most.get()) != isl_bool_true) return std::nullopt;
      return extent(isl::manage(isl_pw_aff_as_aff(most.copy())), used);
    } catch (const NotAffine&) {
      return std::nullopt;
    }
  }

 private:
  /// origin -> points of the tile there.
  isl::map tiles(std::size_t count) const {
    const auto n = static_cast<unsigned>(count);
    isl_space* space = isl_space_alloc(isl_.get(), n, n, n);
    for (unsigned i = 0; i < n; ++i) space = isl_space_set_dim_name(space, isl_dim_param, i, parameter(i).c_str());
    isl::map out = isl::manage(isl_map_universe(space));
    for (unsigned i = 0; i < n; ++i) {
      out = constrained(out, i, 1, 0, 0);    // point >= origin
      out = constrained(out, i, -1, 1, -1);  // point < origin + size
      out = isl::manage(isl_map_lower_bound_si(out.release(), isl_dim_param, i, 1));
    }
    return out;
  }

  static std::string parameter(unsigned i) { return "t" + std::to_string(i); }

  /// sign * (point - origin) + size * has_size + constant >= 0
  static isl::map constrained(const isl::map& m, unsigned i, int sign, int has_size, int constant) {
    isl_constraint* c = isl_constraint_alloc_inequality(isl_local_space_from_space(isl_map_get_space(m.get())));
    c = isl_constraint_set_coefficient_si(c, isl_dim_out, static_cast<int>(i), sign);
    c = isl_constraint_set_coefficient_si(c, isl_dim_in, static_cast<int>(i), -sign);
    c = isl_constraint_set_coefficient_si(c, isl_dim_param, static_cast<int>(i), has_size);
    return isl::manage(isl_map_add_constraint(m.copy(), isl_constraint_set_constant_si(c, constant)));
  }

  /// The coefficients of the sizes, by axis; nothing when one is no integer.
  std::optional<std::vector<std::int64_t>> coefficients(const isl::aff& sum, const std::vector<std::size_t>& used) const {
    std::vector<std::int64_t> out(axes_.size(), 0);
    for (unsigned i = 0; i < used.size(); ++i) {
      const int at = isl_aff_find_dim_by_name(sum.get(), isl_dim_param, parameter(i).c_str());
      const isl::val c = isl::manage(isl_aff_get_coefficient_val(sum.get(), isl_dim_param, at));
      if (!c.is_int()) return std::nullopt;
      out[used[i]] = c.num_si();
    }
    return out;
  }

  std::optional<TileExtent> extent(const isl::aff& most, const std::vector<std::size_t>& used) const {
    const auto linear = coefficients(most, used);
    const isl::val constant = isl::manage(isl_aff_get_constant_val(most.get()));
    if (!linear || !constant.is_int()) return std::nullopt;
    TileExtent out{constant.num_si() + 1, *linear, {}};
    for (int k = 0; k < isl_aff_dim(most.get(), isl_dim_div); ++k) {
      const isl::val factor = isl::manage(isl_aff_get_coefficient_val(most.get(), isl_dim_div, k));
      if (factor.is_zero()) continue;
      const isl::aff fraction = isl::manage(isl_aff_get_div(most.get(), k));
      const isl::val divisor = isl::manage(isl_aff_get_denominator_val(fraction.get()));
      const isl::aff sum = isl::manage(isl_aff_scale_val(fraction.copy(), divisor.copy()));
      const auto inner = coefficients(sum, used);
      for (int inside = 0; inside < isl_aff_dim(sum.get(), isl_dim_div); ++inside) {
        if (!isl::manage(isl_aff_get_coefficient_val(sum.get(), isl_dim_div, inside)).is_zero()) return std::nullopt;
      }
      if (!inner || !factor.is_int()) return std::nullopt;
      out.divisions.push_back({factor.num_si(), divisor.num_si(), isl::manage(isl_aff_get_constant_val(sum.get())).num_si(), *inner});
    }
    return out;
  }

  const detail::IslContext& isl_;
  const std::vector<Coordinate>& axes_;
};

std::int64_t sum_of(std::int64_t constant, const std::vector<std::int64_t>& coefficients, const std::vector<std::int64_t>& sizes) {
  for (std::size_t a = 0; a < coefficients.size(); ++a) constant += coefficients[a] * sizes[a];
  return constant;
}

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace

std::int64_t TileExtent::of(const std::vector<std::int64_t>& sizes) const {
  std::int64_t out = sum_of(constant, coefficients, sizes);
  for (const Division& d : divisions) {
    const std::int64_t above = sum_of(d.constant, d.coefficients, sizes);
    out += d.factor * (above >= 0 ? above / d.divisor : -ceil_div(-above, d.divisor));
  }
  return out;
}

Result<TileFootprints> TileFootprints::of(const Equation& stage, std::chrono::milliseconds limit) {
  if (stage.is_input() || stage.code) return refuse("stage '", stage.stage, "' has no loops to tile");
  const detail::IslContext isl;
  return isl.within(limit, [&] {
    TileFootprints out;
    for (const Coordinate& c : stage.coordinates) out.axes_.push_back({c.var.name(), c.extent, c.reduce});
    const ExtentOf extent_of(isl, stage.coordinates);
    for (const Moving& m : accesses_of(stage)) {
      TileAccess a{m.tensor->name, m.write, std::max(1, m.tensor->dtype.bytes()), ir::Buffer(Ref<const ir::BufferNode>(m.tensor)).extents(), {}, {}};
      for (std::size_t d = 0; d < a.shape.size(); ++d) {
        ir::Exprs indices;
        for (const ir::Exprs& index : m.indices) {
          if (std::none_of(indices.begin(), indices.end(), [&](const Expr& e) { return ir::equal(e, index[d]); })) indices.push_back(index[d]);
        }
        const auto found = extent_of(indices);
        a.extents.push_back(found ? *found : TileExtent{a.shape[d], std::vector<std::int64_t>(out.axes_.size(), 0), {}});
      }
      for (const Coordinate& c : stage.coordinates) {
        a.moved.push_back(std::any_of(m.indices[0].begin(), m.indices[0].end(), [&](const Expr& i) { return ir::uses_var(i, c.var.id()); }));
      }
      out.accesses_.push_back(std::move(a));
    }
    return out;
  });
}

std::vector<std::vector<std::int64_t>> TileFootprints::extents(const std::vector<std::int64_t>& sizes) const {
  std::vector<std::vector<std::int64_t>> out;
  for (const TileAccess& a : accesses_) {
    out.emplace_back();
    for (std::size_t d = 0; d < a.shape.size(); ++d) out.back().push_back(std::min(a.extents[d].of(sizes), a.shape[d]));
  }
  return out;
}

double TileFootprints::bytes(const std::vector<std::int64_t>& sizes) const {
  double out = 0;
  for (const TileAccess& a : accesses_) {
    double box = a.element_bytes;
    for (std::size_t d = 0; d < a.shape.size(); ++d) box *= static_cast<double>(std::min(a.extents[d].of(sizes), a.shape[d]));
    out += box;
  }
  return out;
}

double TileFootprints::lines(const TileAccess& a, const std::vector<std::int64_t>& sizes) const {
  std::int64_t run = a.element_bytes;
  double rows = 1;
  bool contiguous = true;
  for (std::size_t d = a.shape.size(); d-- > 0;) {
    const std::int64_t extent = std::min(a.extents[d].of(sizes), a.shape[d]);
    if (contiguous) {
      run *= extent;
    } else {
      rows *= static_cast<double>(extent);
    }
    contiguous &= extent == a.shape[d];
  }
  return rows * static_cast<double>(ceil_div(run, static_cast<std::int64_t>(kLineBytes)));
}

double TileFootprints::lines(const std::vector<std::int64_t>& sizes) const {
  double out = 0;
  for (const TileAccess& a : accesses_) out += lines(a, sizes);
  return out;
}

double TileFootprints::visits(const TileAccess& a, const std::vector<std::int64_t>& sizes, const std::vector<std::size_t>& order) const {
  double all = 1, different = 1;
  bool stays = true;  // from one iteration of the loops so far to the next
  for (std::size_t at = axes_.size(); at-- > 0;) {
    const std::size_t i = order.empty() ? at : order[at];
    const auto tiles = static_cast<double>(ceil_div(axes_[i].extent, sizes[i]));
    if (a.moved[i]) different *= tiles;
    stays &= !a.moved[i] || tiles == 1;
    if (!stays) all *= tiles;
  }
  return a.write ? 2 * all - different : all;  // what comes back is read before it is stored
}

double TileFootprints::traffic(const std::vector<std::int64_t>& sizes, const std::vector<std::size_t>& order) const {
  double out = 0;
  for (const TileAccess& a : accesses_) out += lines(a, sizes) * visits(a, sizes, order);
  return out * kLineBytes;
}

}  // namespace tessera::polyhedral
