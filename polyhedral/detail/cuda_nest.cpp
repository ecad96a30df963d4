#include "polyhedral/detail/cuda_nest.h"

#include <algorithm>
#include <bit>

#include "ir/rewrite.h"
#include "polyhedral/detail/cuda_product.h"
#include "polyhedral/detail/cuda_threads.h"
#include "polyhedral/detail/reads.h"
#include "schedule/scan.h"

namespace tessera::polyhedral::detail {

namespace {

using schedule::AxisKind;
using schedule::Stage;

constexpr std::int64_t kThreads = 256;
constexpr double kLongRow = 32;      // terms from which on threads share a sum
constexpr double kFewRows = 65536;   // results that leave threads idle when each has one

bool joins_threads(const Stage& s) {
  return s.is_reduction() && !s.is_scan() && volume(s, AxisKind::kReduce) >= kLongRow && lies_along(s);
}

/// Threads for the elements of a stage, no more than there are, in whole warps where they are many.
std::int64_t threads_for(double elements) {
  return std::min<std::int64_t>(kThreads, static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(std::max(1.0, elements)))));
}

/// Moves what a reduction computes to a stage of its own, of which it becomes a copy. The name of that; of others none.
Result<std::string> sums_of(Draft& d, const std::string& name) {
  const Stage& s = d.stage(name);
  if (!s.is_reduction() || s.is_scan()) return std::string();
  if (s.outputs.size() > 1 || s.data_axes().empty()) return name;
  const std::string sums = name + ".acc";
  TESSERA_TRY_DONE(d.step(schedule::CacheWrite{name, sums, ir::Scope::kGlobal}));
  return sums;
}

/// `s` has been cut and is no product.
Status lie_on_threads(Draft& d, const BlockStage& s, const std::string& sums, bool joined) {
  return joined ? join_threads(d, s, sums, kThreads) : spread_elements(d, s, sums, threads_for(volume(d.stage(s.stage), AxisKind::kData)));
}

/// Neighbouring elements of a plain stage, a vector a thread.
Status vectors_kernel_of(Draft& d, const std::string& name) {
  const Stage& s = d.stage(name);
  const std::int64_t v = vector_length(s.roots.back().extent, s.outputs[0]->dtype.bytes());
  TESSERA_TRY(f, fused(d, name, s.data_axes(), "f"));
  TESSERA_TRY_DONE(d.step(schedule::Split{name, f, {f + ".b", f + ".x", f + ".v"}, {kThreads, v}, ir::Tail::kPartition}));
  TESSERA_TRY_DONE(d.step(schedule::Bind{name, f + ".b", ir::ForKind::kBlockX}));
  TESSERA_TRY_DONE(d.step(schedule::Bind{name, f + ".x", ir::ForKind::kThreadX}));
  return v > 1 ? d.step(schedule::Vectorize{name, f + ".v"}) : Status(Done{});
}

Status product_kernel_of(Draft& d, const std::string& name, const ir::CudaArch& arch) {
  TESSERA_TRY(sums, sums_of(d, name));
  const std::size_t rank = d.stage(name).data_axes().size();
  const ProductShape shape = *product_shape(d.stage(sums));
  const BlockTile tile = choose_tile(d.stage(sums), shape, arch, std::nullopt, std::vector<bool>(rank));
  const auto block = tile_product(d, {name, sums, std::vector<bool>(rank, true), {}}, shape, tile, arch);
  return block.ok() ? Status(Done{}) : Status(block.refusal());
}

/// `count` elements of the data axes beside each other a block.
Status elements_kernel_of(Draft& d, const std::string& name, std::int64_t count, bool joined) {
  TESSERA_TRY(sums, sums_of(d, name));
  const Names axes = schedule::axes_beside_steps(d.stage(name));
  BlockStage s{name, {}, {}};
  if (!axes.empty()) {
    TESSERA_TRY(f, fused(d, name, axes, "f"));
    TESSERA_TRY_DONE(d.step(schedule::Split{name, f, {f + ".b", f + ".t"}, {count}, ir::Tail::kPartition}));
    Names order{f + ".b", f + ".t"};
    for (const std::string& leaf : d.stage(name).leaves) {
      if (leaf != order[0] && leaf != order[1]) order.push_back(leaf);
    }
    TESSERA_TRY_DONE(d.step(schedule::Reorder{name, order}));
    s.grid = {order[0]};
    s.tile = {order[1]};
    TESSERA_TRY_DONE(d.step(schedule::Bind{name, order[0], ir::ForKind::kBlockX}));
  }
  return joined ? join_threads(d, s, sums, kThreads) : spread_elements(d, s, sums, count);
}

/// A long reduction of few results: chunks of it are a kernel of their own.
Status cut_reduction(Draft& d, const std::string& name, std::int64_t chunks) {
  Names reduce;
  for (const schedule::RootAxis& r : d.stage(name).roots) {
    if (r.kind == AxisKind::kReduce) reduce.push_back(r.axis);
  }
  TESSERA_TRY(k, fused(d, name, reduce, "k"));
  const std::int64_t chunk = (d.extent(name, k) + chunks - 1) / chunks;
  TESSERA_TRY_DONE(d.step(schedule::Split{name, k, {k + ".o", k + ".i"}, {chunk}, ir::Tail::kPartition}));
  return d.step(schedule::Rfactor{name, k + ".o", name + ".part"});
}

/// Chunks of a reduction that give all threads something to do; 1: it is not worth a kernel.
std::int64_t chunks_of(const Stage& s, const ir::CudaArch& arch) {
  constexpr double kLong = 4096, kShortest = 256;
  const double results = volume(s, AxisKind::kData), length = volume(s, AxisKind::kReduce);
  const double wanted = joins_threads(s) ? 2.0 * arch.sms / results : kFewRows / results;
  return length < kLong ? 1 : power_below(std::min(wanted, length / kShortest));
}

bool is_costly(const Stage& s) {
  bool found = false;
  for (const ir::Expr& body : s.body) {
    ir::walk(body, [&](const ir::Expr& e) {
      found |= e->kind == ir::ExprKind::kCall || (e->kind == ir::ExprKind::kDiv && e.type().is_float());
      return !found;
    });
  }
  return found;
}

/// What takes the results of a nest's product one by one, the product itself, and its sums.
struct NestProduct {
  std::string product, sums;
  ProductShape shape;
};

/// The product that the last stage is, or whose results it takes; nothing where there is none.
Result<std::optional<NestProduct>> last_product(Draft& d, const KernelNest& nest) {
  const std::string& last = nest.stages.back();
  if (product_shape(d.stage(last))) {
    TESSERA_TRY(sums, sums_of(d, last));
    return std::optional(NestProduct{last, sums, *product_shape(d.stage(sums))});
  }
  for (const std::string& q : nest.stages) {
    const Stage& s = d.stage(q);
    const auto readers = d.state.consumers(s);
    const auto shape = product_shape(s);
    const bool taken = shape && !s.is_output && readers.size() == 1 && readers[0]->name == last && !readers[0]->is_reduction() && !readers[0]->is_scan();
    if (taken && s.data_axes().size() == readers[0]->data_axes().size() && reads_in_place(*readers[0], s)) return std::optional(NestProduct{q, q, *shape});
  }
  return std::optional<NestProduct>();
}

/// Iterations of the shared loops of a block, by data axis of the last stage: innermost loops first, of a product those
/// of its rows.
BlockTile row_tile(const Draft& d, const KernelNest& nest, std::int64_t rows) {
  const Stage& last = d.stage(nest.stages.back());
  const std::size_t rank = last.data_axes().size();
  std::vector<bool> may = nest.shared;
  if (const auto shape = product_shape(last)) {
    for (std::size_t i = 0; i < rank; ++i) {
      may[i] = may[i] && std::any_of(shape->rows.begin(), shape->rows.end(), [&](const schedule::RootAxis& r) { return r.axis == last.roots[i].axis; });
    }
  }
  BlockTile out(rank, 1);
  for (std::size_t i = rank; i-- > 0;) {
    if (!may[i]) continue;
    out[i] = std::min<std::int64_t>(rows, static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(last.roots[i].extent))));
    rows /= out[i];
  }
  return out;
}

class BlockNest {
 public:
  BlockNest(Draft& d, const KernelNest& nest, std::int64_t rows, const ir::CudaArch& arch) : d_(d), nest_(nest), arch_(arch), last_(nest.stages.back()), rows_(row_tile(d, nest, rows)) {}

  Status run() {
    TESSERA_TRY(product, last_product(d_, nest_));
    if (product) {
      TESSERA_TRY_DONE(last_of_product(*product));
    } else {
      TESSERA_TRY_DONE(last_of_elements());
    }
    for (auto m = nest_.stages.rbegin(); m != nest_.stages.rend(); ++m) {
      const bool done = *m == last_ || d_.stage(*m).placement != schedule::Placement::kRoot;
      if (!done) TESSERA_TRY_DONE(put(*m));
    }
    return Done{};
  }

 private:
  /// Stages that a block keeps for a product: all but what is cheap to compute with the tile of an operand.
  Names near(const std::string& product) const {
    Names out;
    for (const std::string& q : nest_.stages) {
      if (q == last_ || q == product) continue;
      const Stage& s = d_.stage(q);
      if (s.is_reduction() || d_.state.consumers(s).size() > 1 || is_costly(s)) out.push_back(q);
    }
    return out;
  }

  Status last_of_product(const NestProduct& p) {
    std::vector<bool> whole;
    for (const bool shared : nest_.shared) whole.push_back(!shared);
    const BlockTile tile = choose_tile(d_.stage(p.sums), p.shape, arch_, rows_, whole);
    TESSERA_TRY(block, tile_product(d_, {last_, p.sums, nest_.shared, near(p.product)}, p.shape, tile, arch_));
    block_ = block;
    return Done{};
  }

  Status last_of_elements() {
    const bool joined = joins_threads(d_.stage(last_));
    TESSERA_TRY(sums, sums_of(d_, last_));
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
    return lie_on_threads(d_, s, sums, joined);
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
    const auto block = tile_product(d_, {name, sums, {}, near(name)}, own, tile_of(name, own), arch_);
    return block.ok() ? Status(Done{}) : Status(block.refusal());
  }

  /// All that the block computes of a product, up to 64 results a thread.
  BlockTile tile_of(const std::string& name, const ProductShape& shape) const {
    const Stage& s = d_.stage(name);
    const std::size_t rank = s.data_axes().size();
    BlockTile out(rank, 1);
    std::int64_t left = 64 * kThreads;
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

Status kernel_of(Draft& d, const std::string& stage, const ir::CudaArch& arch) {
  if (product_shape(d.stage(stage))) return product_kernel_of(d, stage, arch);
  const bool reduces = d.stage(stage).is_reduction() && !d.stage(stage).is_scan();
  if (!reduces && !d.stage(stage).is_scan() && d.stage(stage).outputs.size() == 1 && !d.stage(stage).data_axes().empty()) return vectors_kernel_of(d, stage);
  if (reduces) {
    if (const std::int64_t chunks = chunks_of(d.stage(stage), arch); chunks > 1) {
      TESSERA_TRY_DONE(cut_reduction(d, stage, chunks));
      TESSERA_TRY_DONE(kernel_of(d, stage + ".part", arch));
      return kernel_of(d, stage, arch);
    }
  }
  if (!reduces || !joins_threads(d.stage(stage))) return plain_kernel_of(d, stage);
  const double length = volume(d.stage(stage), AxisKind::kReduce);
  return elements_kernel_of(d, stage, std::max<std::int64_t>(1, kThreads / power_below(std::min(length, 256.0))), true);
}

Status plain_kernel_of(Draft& d, const std::string& stage) { return elements_kernel_of(d, stage, threads_for(volume(d.stage(stage), AxisKind::kData)), false); }

Status product_nest(Draft& d, const KernelNest& nest, const ir::CudaArch& arch) {
  TESSERA_TRY(product, last_product(d, nest));
  if (!product) return refuse("the last stage takes no product's results");
  std::vector<bool> grid = nest.shared;
  bool cheap = true;
  for (const std::string& q : nest.stages) {
    if (q == nest.stages.back() || q == product->product) continue;
    const Stage& s = d.stage(q);
    const auto readers = d.state.consumers(s);
    if (s.is_reduction() || s.outputs.size() > 1 || s.is_output || readers.size() != 1 || readers[0]->name != product->sums) return refuse("stage '", q, "' is no operand of the product alone");
    cheap &= !is_costly(s);
  }
  // What is fetched by every block may as well be computed by every block, where that is no work.
  if (cheap) grid.assign(grid.size(), true);
  std::vector<bool> whole;
  for (const bool g : grid) whole.push_back(!g);
  const BlockTile tile = choose_tile(d.stage(product->sums), product->shape, arch, std::nullopt, whole);
  const auto block = tile_product(d, {nest.stages.back(), product->sums, grid, {}}, product->shape, tile, arch);
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

std::vector<std::int64_t> rows_of_block(const Draft& d, const KernelNest& nest, const ir::CudaArch& arch) {
  std::vector<std::pair<std::int64_t, std::int64_t>> choices;
  for (std::int64_t rows = 64; rows >= 1; rows /= 2) {
    const std::int64_t blocks = blocks_of(d, nest, rows);
    choices.emplace_back((blocks + arch.sms - 1) / arch.sms * (rows + 16), rows);
  }
  std::stable_sort(choices.begin(), choices.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::int64_t> out;
  for (const auto& c : choices) out.push_back(c.second);
  return out;
}

}  // namespace tessera::polyhedral::detail
