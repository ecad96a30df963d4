#include "polyhedral/detail/cuda_nest.h"

#include <algorithm>
#include <bit>

#include "polyhedral/detail/cuda_elements.h"
#include "polyhedral/detail/cuda_kernel.h"
#include "polyhedral/detail/cuda_product.h"
#include "polyhedral/detail/cuda_threads.h"
#include "polyhedral/detail/reads.h"
#include "schedule/costly.h"

namespace tessera::polyhedral::detail {

namespace {

using schedule::AxisKind;
using schedule::Stage;

constexpr double kLeastTile = 1024;  // results of a product inside of a block

/// A stage of a block that has been cut and is no product.
Status lie_on_threads(Draft& d, const BlockStage& s, const std::string& sums, bool joined) {
  double elements = 1;
  for (const std::string& l : s.tile) elements *= static_cast<double>(d.extent(s.stage, l));
  if (!joined) return spread_elements(d, s, sums, threads_for(elements));
  return join_threads(d, s, sums, std::clamp<std::int64_t>(power_below(kThreadsOfBlock / elements), ir::kWarp, kThreadsOfBlock), kThreadsOfBlock);
}

/// The reduction of a nest whose results the last stage takes one by one, or that it is, and its sums.
struct TakenSum {
  std::string reduction, sums;
};

/// The stage whose results the last one takes, a product rather than another reduction; empty: none.
std::string taken_stage(const Draft& d, const KernelNest& nest) {
  const std::string& last = nest.stages.back();
  std::string out;
  for (const std::string& q : nest.stages) {
    const Stage& s = d.stage(q);
    const auto readers = d.state.consumers(s);
    const bool taken = s.is_reduction() && !s.is_scan() && s.outputs.size() == 1 && !s.is_output && readers.size() == 1 && readers[0]->name == last && !readers[0]->is_scan();
    if (!taken || s.data_axes().size() != readers[0]->data_axes().size() || !reads_in_place(*readers[0], s)) continue;
    if (out.empty() || product_shape(s)) out = q;
  }
  return out;
}

/// Nothing where there is none.
Result<std::optional<TakenSum>> taken_sum(Draft& d, const KernelNest& nest) {
  const std::string& last = nest.stages.back();
  if (d.stage(last).is_reduction()) {
    TESSERA_TRY(sums, sums_of(d, last));
    return std::optional(TakenSum{last, sums});
  }
  const std::string taken = taken_stage(d, nest);
  return taken.empty() ? std::nullopt : std::optional(TakenSum{taken, taken});
}

/// Stages that a block keeps in shared memory for `reader`: all but what is computed with the tile of an operand, because it
/// is cheap or no tile computes it again.
Names stages_near(const Draft& d, const KernelNest& nest, const std::string& reader) {
  Names out;
  for (const std::string& q : nest.stages) {
    if (q == nest.stages.back() || q == reader) continue;
    const Stage& s = d.stage(q);
    const auto readers = d.state.consumers(s);
    const auto product = readers.size() == 1 ? product_shape(*readers[0]) : std::nullopt;
    const bool once = product && product->column.extent <= kMostColumns;
    if (s.is_reduction() || readers.size() > 1 || (schedule::is_costly(s, false) && !once)) out.push_back(q);
  }
  return out;
}

/// Iterations of the shared loops of a block, by data axis of the last stage: innermost loops first, of a product those of
/// its rows, and where a product is inside not so many columns that it has no rows.
BlockTile row_tile(const Draft& d, const KernelNest& nest, std::int64_t rows) {
  const Stage& last = d.stage(nest.stages.back());
  constexpr std::int64_t kFewColumns = 32;
  const std::size_t rank = last.data_axes().size();
  const bool has_product = std::any_of(nest.stages.begin(), nest.stages.end() - 1, [&](const std::string& q) { return product_shape(d.stage(q)).has_value(); });
  std::vector<bool> may = nest.shared;
  if (const auto shape = product_shape(last)) {
    for (std::size_t i = 0; i < rank; ++i) {
      may[i] = may[i] && std::any_of(shape->rows.begin(), shape->rows.end(), [&](const schedule::RootAxis& r) { return r.axis == last.roots[i].axis; });
    }
  }
  BlockTile out(rank, 1);
  for (std::size_t i = rank; i-- > 0;) {
    if (!may[i]) continue;
    const std::int64_t most = has_product && i + 1 == rank ? kFewColumns : rows;
    out[i] = std::min({rows, most, static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(last.roots[i].extent)))});
    rows /= out[i];
  }
  return out;
}

class BlockNest {
 public:
  BlockNest(Draft& d, const KernelNest& nest, std::int64_t rows, const ir::CudaArch& arch) : d_(d), nest_(nest), arch_(arch), last_(nest.stages.back()), rows_(row_tile(d, nest, rows)) {}

  Status run() {
    TESSERA_TRY(taken, taken_sum(d_, nest_));
    if (taken && product_shape(d_.stage(taken->sums))) {
      TESSERA_TRY_DONE(last_of_product(*taken));
    } else {
      TESSERA_TRY_DONE(last_of_elements(taken ? taken->sums : ""));
    }
    for (auto m = nest_.stages.rbegin(); m != nest_.stages.rend(); ++m) {
      const bool done = *m == last_ || d_.stage(*m).placement != schedule::Placement::kRoot;
      if (!done) TESSERA_TRY_DONE(put(*m));
    }
    return Done{};
  }

 private:
  Status last_of_product(const TakenSum& taken) {
    std::vector<bool> whole;
    for (const bool shared : nest_.shared) whole.push_back(!shared);
    const ProductShape shape = *product_shape(d_.stage(taken.sums));
    const BlockTile tile = choose_tile(d_.stage(taken.sums), shape, arch_, rows_, whole);
    TESSERA_TRY(block, tile_product(d_, {last_, taken.sums, nest_.shared, stages_near(d_, nest_, taken.reduction)}, shape, tile, arch_));
    block_ = block;
    return Done{};
  }

  Status last_of_elements(const std::string& sums) {
    BlockStage s{last_, {}, {}};
    Names whole;
    const Names axes = d_.stage(last_).data_axes();
    for (std::size_t i = 0; i < axes.size(); ++i) {
      const std::string& a = axes[i];
      if (!nest_.shared[i]) {
        whole.push_back(a);
      } else if (rows_[i] == 1) {
        s.grid.push_back(a);
      } else {
        TESSERA_TRY_DONE(d_.step(schedule::Split{last_, a, {a + ".b", a + ".t"}, {rows_[i]}, ir::Tail::kPartition}));
        s.grid.push_back(a + ".b");
        s.tile.push_back(a + ".t");
      }
    }
    s.tile.insert(s.tile.end(), whole.begin(), whole.end());
    if (s.grid.empty()) return refuse("no loop is shared");
    Names order = s.grid;
    order.insert(order.end(), s.tile.begin(), s.tile.end());
    if (order.size() > 1) TESSERA_TRY_DONE(d_.step(schedule::Reorder{last_, order}));
    TESSERA_TRY(block, bind_grid(d_, last_, s.grid));
    block_ = block;
    return lie_on_threads(d_, s, sums, !sums.empty() && joins_threads(d_.stage(sums)));
  }

  /// A stage inside of the block, in shared memory.
  Status put(const std::string& name) {
    const auto shape = product_shape(d_.stage(name));
    const bool joined = !shape && joins_threads(d_.stage(name));
    TESSERA_TRY(sums, sums_of(d_, name));
    TESSERA_TRY_DONE(d_.step(schedule::ComputeAt{name, last_, block_}));
    TESSERA_TRY_DONE(d_.step(schedule::PadBox{name}));
    TESSERA_TRY_DONE(d_.step(schedule::SetScope{name, ir::Scope::kShared}));
    if (!shape) return lie_on_threads(d_, {name, {}, d_.stage(name).data_axes()}, sums, joined);
    const ProductShape own = *product_shape(d_.stage(sums));
    const BlockTile tile = tile_of(name, own);
    double all = 1, results = 1;
    for (const schedule::RootAxis& r : d_.stage(name).roots) all *= static_cast<double>(r.extent);
    for (const std::int64_t t : tile) results *= static_cast<double>(t);
    // A small tile fetches more than it computes.
    if (results < kLeastTile && all > kLeastTile * arch_.sms / 4) return refuse("a tile of ", results, " results of product '", name, "' is too small");
    const auto block = tile_product(d_, {name, sums, {}, stages_near(d_, nest_, name)}, own, tile, arch_);
    return block.ok() ? Status(Done{}) : Status(block.refusal());
  }

  /// All that the block computes of a product, up to 64 results a thread.
  BlockTile tile_of(const std::string& name, const ProductShape& shape) const {
    const Stage& s = d_.stage(name);
    const std::size_t rank = s.data_axes().size();
    BlockTile out(rank, 1);
    std::int64_t left = 64 * kThreadsOfBlock;
    for (std::size_t i = rank; i-- > 0;) {
      const bool row = std::any_of(shape.rows.begin(), shape.rows.end(), [&](const schedule::RootAxis& r) { return r.axis == s.roots[i].axis; });
      if (i + 1 != rank && !row) continue;
      out[i] = std::min({static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(s.region.bound[i]))), std::int64_t{128}, left});
      left /= out[i];
    }
    return out;
  }

  Draft& d_;
  const KernelNest& nest_;
  const ir::CudaArch& arch_;
  const std::string last_;
  BlockTile rows_;
  std::string block_;
};

}  // namespace

Status reduction_nest(Draft& d, const KernelNest& nest, const ir::CudaArch& arch) {
  const std::string& last = nest.stages.back();
  const bool alone = nest.stages.size() == 2;
  TESSERA_TRY(taken, taken_sum(d, nest));
  if (!taken) return refuse("stage '", last, "' takes no reduction's results one by one");
  const auto shape = product_shape(d.stage(taken->sums));
  if (!shape && alone && taken->reduction != last) return reduction_kernel_of(d, last, taken->reduction, arch);
  if (!shape) return refuse("reduction '", taken->reduction, "' is no product");
  bool cheap = true;
  for (const std::string& q : nest.stages) {
    if (q == last || q == taken->reduction) continue;
    const Stage& s = d.stage(q);
    const auto readers = d.state.consumers(s);
    if (s.is_reduction() || s.outputs.size() > 1 || s.is_output || readers.size() != 1 || readers[0]->name != taken->sums) return refuse("stage '", q, "' is no operand of the product alone");
    cheap &= !schedule::is_costly(s, false);
  }
  // What is fetched by every block may as well be computed by every block, where that is no work.
  std::vector<bool> grid = nest.shared, whole;
  if (cheap) grid.assign(grid.size(), true);
  for (const bool g : grid) whole.push_back(!g);
  const BlockTile tile = choose_tile(d.stage(taken->sums), *shape, arch, std::nullopt, whole);
  const auto block = tile_product(d, {last, taken->sums, grid, {}}, *shape, tile, arch);
  return block.ok() ? Status(Done{}) : Status(block.refusal());
}

Status block_nest(Draft& d, const KernelNest& nest, std::int64_t rows, const ir::CudaArch& arch) { return BlockNest(d, nest, rows, arch).run(); }

std::int64_t blocks_of(const Draft& d, const KernelNest& nest, std::int64_t rows) {
  const BlockTile tile = row_tile(d, nest, rows);
  std::int64_t out = 1;
  for (std::size_t i = 0; i < tile.size(); ++i) {
    if (nest.shared[i]) out *= (d.stage(nest.stages.back()).roots[i].extent + tile[i] - 1) / tile[i];
  }
  return out;
}

double shared_bytes(const Draft& d, const KernelNest& nest, std::int64_t rows) {
  constexpr double kTiles = 2, kTerms = 16;
  const Stage& last = d.stage(nest.stages.back());
  const BlockTile tile = row_tile(d, nest, rows);
  double share = 1, all_rows = 1, out = 0;
  for (std::size_t i = 0; i < tile.size(); ++i) {
    all_rows *= static_cast<double>(tile[i]);
    if (nest.shared[i]) share *= static_cast<double>(std::min(tile[i], last.roots[i].extent)) / static_cast<double>(last.roots[i].extent);
  }
  for (const std::string& q : stages_near(d, nest, taken_stage(d, nest))) out += volume(d.stage(q), AxisKind::kData) * d.stage(q).outputs[0]->dtype.bytes() * share;
  for (const std::string& q : nest.stages) {
    const auto product = product_shape(d.stage(q));
    const double columns = product ? static_cast<double>(std::min(product->column.extent, kMostColumns)) : 0;
    if (product) out += kTiles * kTerms * (all_rows + columns) * d.stage(q).outputs[0]->dtype.bytes();
  }
  return out;
}

std::vector<std::int64_t> rows_of_block(const Draft& d, const KernelNest& nest, const ir::CudaArch& arch) {
  constexpr std::int64_t kMostRows = 64, kMostElements = 4096, kFixedRows = 16, kWait = 256;
  const Stage& last = d.stage(nest.stages.back());
  std::int64_t row = 1;
  for (std::size_t i = 0; i < nest.shared.size(); ++i) row *= nest.shared[i] ? 1 : last.roots[i].extent;
  std::vector<std::pair<std::int64_t, std::int64_t>> choices;
  for (std::int64_t rows = std::max(kMostRows, power_below(static_cast<double>(kMostElements / row))); rows >= 1; rows /= 2) {
    const std::int64_t blocks = blocks_of(d, nest, rows);
    choices.emplace_back((blocks + arch.sms - 1) / arch.sms * ((rows + kFixedRows) * row + kWait), rows);
  }
  std::stable_sort(choices.begin(), choices.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::int64_t> out;
  for (const auto& c : choices) out.push_back(c.second);
  return out;
}

}  // namespace tessera::polyhedral::detail
