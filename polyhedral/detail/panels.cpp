#include "polyhedral/detail/panels.h"

#include <algorithm>

#include "polyhedral/detail/reads.h"
#include "polyhedral/detail/register_tile.h"

namespace tessera::polyhedral::detail {

namespace {

constexpr double kReuseOfPanels = 2, kReuseOfCopies = 64;  // times that a panel is read: to be worth preparing, and copying in every run
constexpr double kReuseOfTransposes = 16;                  // the same, where columns cannot be in vectors without it
constexpr std::int64_t kBytesFarApart = 1024;              // between rows that a copy brings together
constexpr double kBytesInPlace = 1 << 20;                  // of an operand that a second cache keeps: its copy would be no nearer

bool is_constant(const schedule::Stage& s) { return s.kind == dsl::OperationKind::kConstant; }

/// Whether panels of `source` as wide as `width` serve the product better than the tensor as it lies.
bool pays(Draft& d, const std::string& product, const Panel& panel, const schedule::Stage& source, std::int64_t width) {
  const std::int64_t columns = source.roots[panel.dimension].extent;
  const bool needed = needs_panel(d.state, d.stage(product)), far_apart = columns * source.outputs[0]->dtype.bytes() >= kBytesFarApart;
  if (!source.is_input() || panel.reuse < kReuseOfPanels || (columns <= width && !needed)) return false;
  double bytes = source.outputs[0]->dtype.bytes();
  for (const schedule::RootAxis& r : source.roots) bytes *= static_cast<double>(r.extent);
  const bool rule = needed || is_constant(source) || (far_apart && bytes > kBytesInPlace && panel.reuse >= kReuseOfCopies);
  return d.number(product + ".pack", rule ? 1 : 0) != 0;
}

}  // namespace

bool needs_panel(const schedule::State& state, const schedule::Stage& product) {
  const auto panel = panel_of(product);
  if (!panel || contiguity(product, product.roots[product.data_axes().size() - 1].coordinate).fits || !fits_with_panel(product, *panel)) return false;
  const schedule::Stage* source = state.producer(panel->tensor);
  return source->is_input() && panel->reuse >= (is_constant(*source) ? kReuseOfPanels : kReuseOfTransposes);
}

Status pack(Draft& d, const std::string& product, const PackOptions& options) {
  const auto panel = panel_of(d.stage(product));
  if (!panel) return Done{};
  const schedule::Stage source = *d.state.producer(panel->tensor);
  if (!pays(d, product, *panel, source, d.value(options.width))) return Done{};
  const std::string into = source.name + ".pack", column = source.data_axes()[panel->dimension];
  std::vector<schedule::LayoutPiece> order{{column, 0}};
  Names loops{column + ".0"};
  for (const std::string& a : source.data_axes()) {
    if (a == column) continue;
    order.push_back({a, 0});
    loops.push_back(a);
  }
  order.push_back({column, options.width});
  loops.push_back(column + ".1");
  TESSERA_TRY_DONE(d.step(schedule::Pack{source.name, {product}, into, order}));
  TESSERA_TRY_DONE(d.step(schedule::Split{into, column, {column + ".0", column + ".1"}, {options.lanes}, ir::Tail::kPartition}));
  TESSERA_TRY_DONE(d.step(schedule::Reorder{into, loops}));
  TESSERA_TRY_DONE(d.step(schedule::Vectorize{into, column + ".1"}));
  if (is_constant(source) || d.number(product + ".pack_in_parallel", options.parallel ? 1 : 0) == 0) return Done{};
  return d.step(schedule::Parallel{into, column + ".0"});
}

Result<std::string> keep_lines(Draft& d, const std::string& stage, int lanes) {
  const std::string across = axis_of_lines(d.stage(stage)), last = d.stage(stage).data_axes().back();
  if (across.empty() || d.stage(stage).leaf_index(across) < 0 || d.extent(stage, across) < 2) return std::string();
  const std::int64_t extent = d.extent(stage, across), line = 2 * lanes;
  const schedule::Param lines = d.size(stage + "." + across + ".line", std::min(line, extent), powers_up_to(std::min(4 * line, extent)));
  TESSERA_TRY_DONE(d.step(schedule::Split{stage, across, {across + ".0", across + ".l"}, {lines}, ir::Tail::kPartition}));
  Names order = d.stage(stage).leaves;
  std::erase(order, across + ".l");
  order.insert(std::find(order.begin(), order.end(), last + ".v"), across + ".l");
  TESSERA_TRY_DONE(d.step(schedule::Reorder{stage, order}));
  return across;
}

}  // namespace tessera::polyhedral::detail
