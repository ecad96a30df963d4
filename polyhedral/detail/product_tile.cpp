#include "polyhedral/detail/product_tile.h"

#include <numeric>

#include "polyhedral/detail/reads.h"
#include "polyhedral/detail/register_tile.h"
#include "polyhedral/tiles.h"

namespace tessera::polyhedral::detail {

namespace {

constexpr double kCachedBytes = 256 << 10;     // what a core is taken to keep of an operand
constexpr double kBlockBytes = 384 << 10;      // of second caches of a megabyte or more, which other things pass through
constexpr std::int64_t kTermsOfALoop = 40;  // multiply-adds of vectors beside which a loop's own instructions are few

/// Iterations of the innermost reduction that are written out.
std::int64_t unrolled(std::int64_t sums) { return 2 * sums >= kTermsOfALoop ? 2 : 4; }

/// Whether something that is read for the columns of `product`, its last data axis, is the same all along data axis `i`.
bool columns_stay(const schedule::Stage& product, std::size_t i) {
  const ir::Var &v = product.roots[i].coordinate, &column = product.roots[product.data_axes().size() - 1].coordinate;
  const auto reads = reads_of(product);
  return std::any_of(reads.begin(), reads.end(), [&](const ir::Load* l) { return moves_with(*l, column) && !moves_with(*l, v); });
}

}  // namespace

bool ProductTile::is_row(const std::string& axis) const { return std::find(rows.begin(), rows.end(), axis) != rows.end(); }

const schedule::Param& ProductTile::size_of(const std::string& row) const {
  return row_sizes[static_cast<std::size_t>(std::find(rows.begin(), rows.end(), row) - rows.begin())];
}

int lanes_of(const ir::Target& target, const schedule::Stage& s) { return std::clamp(target.lanes(std::max(1, s.outputs[0]->dtype.bytes())), 1, 64); }

ProductTile choose_product_tile(Draft& d, const std::string& product, const std::string& host, const ir::Target& target, std::vector<SizeBound>& bounds) {
  const Names axes = d.stage(host).data_axes();
  const int vector = lanes_of(target, d.stage(host));
  ProductTile out;
  std::vector<std::int64_t> extents;
  // The axis before the last one always; the one before that where it is a row, too.
  for (std::size_t back = std::min<std::size_t>(axes.size(), 3); back >= 2; --back) {
    const std::size_t i = axes.size() - back;
    if (d.extent(host, axes[i]) < 2 || (back == 3 && !columns_stay(d.stage(product), i))) continue;
    out.rows.push_back(axes[i]);
    extents.push_back(d.extent(host, axes[i]));
  }
  const std::int64_t columns = d.extent(host, axes.back()), vectors = (columns + vector - 1) / vector;
  const RegisterTile rule = register_tile(extents, columns, vector, target.vector_registers);
  std::vector<std::int64_t> widths;
  for (std::int64_t v = 1; v <= std::min(out.rows.empty() ? kMostVectorsOfARow : kMostVectors, vectors); ++v) widths.push_back(v * vector);
  out.width = d.size(host + ".width", rule.vectors * vector, widths);
  for (std::size_t i = 0; i < out.rows.size(); ++i) {
    out.row_sizes.push_back(d.size(host + "." + out.rows[i] + ".rows", rule.rows[i], up_to(std::min(kMostRows, extents[i]))));
  }
  if (out.rows.empty()) return out;
  std::int64_t chosen = d.value(out.width);
  for (const schedule::Param& p : out.row_sizes) chosen *= d.value(p);
  const std::int64_t room = std::max(1, target.vector_registers - static_cast<int>(kMostVectors) - 1) * vector;
  SizeBound bound{"register file", 1, {}, std::max(room, chosen)};
  if (out.width.is_open()) bound.sizes.push_back(out.width.hole);
  for (const schedule::Param& p : out.row_sizes) {
    if (p.is_open()) bound.sizes.push_back(p.hole);
  }
  if (!bound.sizes.empty()) bounds.push_back(std::move(bound));
  return out;
}

Names rows_of(const Draft& d, const std::string& product, const std::string& host) {
  const Names axes = d.stage(host).data_axes();
  Names out;
  for (std::size_t i = 0; i + 1 < axes.size(); ++i) {
    if (columns_stay(d.stage(product), i)) out.push_back(axes[i]);
  }
  return out;
}

bool reads_less_by_columns(const Draft& d, const std::string& product, const std::string& host, const ProductTile& tile, double parts) {
  const schedule::Stage& s = d.stage(product);
  const schedule::RootAxis& column = s.roots[s.data_axes().size() - 1];
  double of_rows = 0, of_columns = 0, row_tiles = 1;
  for (const ir::Load* read : reads_of(s)) {
    double bytes = read->buffer->dtype.bytes();
    for (const std::int64_t n : ir::Buffer(read->buffer).extents()) bytes *= static_cast<double>(n);
    (moves_with(*read, column.coordinate) ? of_columns : of_rows) += bytes;
  }
  for (const std::string& r : rows_of(d, product, host)) {
    const std::int64_t rows = tile.is_row(r) ? d.value(tile.size_of(r)) : 1;
    row_tiles *= static_cast<double>((d.extent(host, r) + rows - 1) / rows);
  }
  const auto traffic = [](double bytes, double times) { return bytes > kCachedBytes ? bytes * times : bytes; };
  const double column_tiles = static_cast<double>(column.extent) / static_cast<double>(d.value(tile.width));
  return traffic(of_rows / parts, column_tiles) + of_columns < traffic(of_columns, row_tiles / parts) + of_rows / parts;
}

std::optional<ProductBlocks> choose_product_blocks(const Draft& d, const std::string& product, const std::string& host, const ProductTile& tile, double least) {
  const auto equations = equations_of(d.state);
  if (!equations.ok()) return std::nullopt;
  const auto footprints = TileFootprints::of(*equations->find(product));
  if (!footprints.ok()) return std::nullopt;
  const Names axes = d.stage(host).data_axes();
  TileLimits limits{.capacity = kBlockBytes, .steps = {}, .least_tiles = least, .order = {}};
  for (std::size_t i = 0; i < footprints->axes().size(); ++i) {
    const bool data = i < axes.size(), is_column = i + 1 == axes.size();
    limits.steps.push_back(!data ? footprints->axes()[i].extent : is_column ? d.value(tile.width) : tile.is_row(axes[i]) ? d.value(tile.size_of(axes[i])) : 1);
  }
  const auto rows_outside = choose_tiles(*footprints, limits);
  limits.order.resize(footprints->axes().size());
  std::iota(limits.order.begin(), limits.order.end(), 0);
  std::rotate(limits.order.begin(), limits.order.begin() + static_cast<std::ptrdiff_t>(axes.size()) - 1, limits.order.begin() + static_cast<std::ptrdiff_t>(axes.size()));
  const auto columns_outside = choose_tiles(*footprints, limits);
  if (!rows_outside.ok() || !columns_outside.ok()) return std::nullopt;
  const bool columns = columns_outside->traffic < rows_outside->traffic;
  ProductBlocks out{(columns ? columns_outside : rows_outside)->sizes, columns};
  out.sizes.resize(axes.size());
  bool whole = true;
  for (std::size_t i = 0; i < axes.size(); ++i) whole &= out.sizes[i] >= d.extent(host, axes[i]);
  if (whole) return std::nullopt;
  return out;
}

Status accumulate(Draft& d, const std::string& product, const std::string& host, const std::string& at, const ProductTile& tile, int lanes) {
  TESSERA_TRY_DONE(d.step(schedule::ComputeAt{product, host, at}));
  TESSERA_TRY_DONE(d.step(schedule::SetScope{product, ir::Scope::kRegister}));
  const Names axes = d.stage(host).data_axes();
  std::int64_t sums = d.value(tile.width) / lanes;
  for (const schedule::Param& p : tile.row_sizes) sums *= d.value(p);
  Names data, reduce, rows;
  for (const schedule::RootAxis& r : d.stage(product).roots) (r.kind == schedule::AxisKind::kData ? data : reduce).push_back(r.axis);
  const std::string column = data.back(), vectors = column + ".u", vector = column + ".v";
  Names order;
  for (std::size_t i = 0; i + 1 < data.size(); ++i) (tile.is_row(axes[i]) ? rows : order).push_back(data[i]);
  order.insert(order.end(), reduce.begin(), reduce.end());
  order.insert(order.end(), rows.begin(), rows.end());
  order.insert(order.end(), {vectors, vector});
  TESSERA_TRY_DONE(d.step(schedule::Split{product, column, {vectors, vector}, {lanes}, ir::Tail::kPartition}));
  TESSERA_TRY_DONE(d.step(schedule::Reorder{product, order}));
  for (const std::string& r : rows) TESSERA_TRY_DONE(d.step(schedule::Unroll{product, r}));
  TESSERA_TRY_DONE(d.step(schedule::Unroll{product, vectors}));
  if (const std::int64_t n = d.extent(product, reduce.back()); n > 1) {
    TESSERA_TRY_DONE(d.step(schedule::Annotate{product, reduce.back(), "unroll", d.size(product + ".unroll", std::min(n, unrolled(sums)), powers_up_to(std::min<std::int64_t>(4, n)))}));
  }
  TESSERA_TRY_DONE(d.step(schedule::Vectorize{product, vector}));
  for (const std::string& r : tile.rows) TESSERA_TRY_DONE(d.step(schedule::Unroll{host, r + ".r"}));
  TESSERA_TRY_DONE(d.step(schedule::Unroll{host, axes.back() + ".u"}));
  return d.step(schedule::Vectorize{host, axes.back() + ".v"});
}

}  // namespace tessera::polyhedral::detail
