#include "polyhedral/detail/cuda_product.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "polyhedral/detail/cuda_threads.h"
#include "polyhedral/detail/reads.h"

namespace tessera::polyhedral::detail {

namespace {

using schedule::RootAxis;
using schedule::Stage;

constexpr std::int64_t kMostOfThread = 64;   // results that a thread has in registers
constexpr std::int64_t kThreads = 128;       // that a tile should give work to
constexpr std::int64_t kMostThreads = 512;
constexpr std::int64_t kTerms = 16;          // of the reduction that are in shared memory together
constexpr double kFetch = 8;                 // multiply-adds in the time of an element from memory
constexpr double kRead = 4;                  // and of one from shared memory

std::int64_t power_above(std::int64_t n) { return static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(std::max<std::int64_t>(1, n)))); }

/// How a tile lies on threads: by its rows (outermost first) and its columns.
struct ThreadTile {
  std::vector<std::int64_t> rows;            // results of a thread along each row axis
  std::int64_t parts = 1, neighbours = 1;    // of a column: strided parts of neighbouring results
};

ThreadTile thread_tile(const std::vector<std::int64_t>& rows, std::int64_t columns) {
  std::int64_t all = columns;
  for (const std::int64_t r : rows) all *= r;
  const std::int64_t wanted = std::clamp<std::int64_t>(all / kThreads, 1, kMostOfThread);
  ThreadTile out{std::vector<std::int64_t>(rows.size(), 1), 1, std::min<std::int64_t>({4, columns, wanted})};
  if (wanted >= 4 * kTerms && columns >= 64) out.parts = 2;
  std::int64_t left = wanted / out.neighbours / out.parts;
  for (std::size_t i = rows.size(); i-- > 0;) {
    out.rows[i] = std::min(rows[i], left);
    left /= out.rows[i];
  }
  return out;
}

class Product {
 public:
  Product(Draft& d, const ProductPlace& place, const ProductShape& shape, const BlockTile& tile, const ir::CudaArch& arch)
      : d_(d), place_(place), shape_(shape), arch_(arch) {
    const Names data = d_.stage(place.sums).data_axes();
    std::vector<std::int64_t> rows;
    for (std::size_t i = 0; i < data.size(); ++i) {
      const auto is = [&](const RootAxis& r) { return r.axis == data[i]; };
      const bool row = std::any_of(shape.rows.begin(), shape.rows.end(), is);
      if (!row && !is(shape.column)) continue;
      tiled_.push_back({i, !row, tile[i]});
      if (row) rows.push_back(tile[i]);
    }
    const ThreadTile threads = thread_tile(rows, tile[tiled_.back().at]);
    for (std::size_t i = 0; i < tiled_.size(); ++i) {
      Tiled& t = tiled_[i];
      t.parts = t.column ? threads.parts : 1;
      t.own = t.column ? threads.neighbours : threads.rows[i];
      t.threads = t.tile / t.parts / t.own;
    }
  }

  Result<std::string> run() {
    std::int64_t threads = 1;
    for (const Tiled& t : tiled_) threads *= t.threads;
    if (threads > kMostThreads) return refuse("a tile of ", threads, " threads");
    TESSERA_TRY(block, host());
    TESSERA_TRY_DONE(sums());
    TESSERA_TRY_DONE(operands());
    return block;
  }

 private:
  struct Tiled {
    std::size_t at = 0;  // position among the data axes
    bool column = false;
    std::int64_t tile = 1, parts = 1, threads = 1, own = 1;
  };

  std::string axis_of(const std::string& stage, std::size_t at) const { return d_.stage(stage).roots[at].axis; }
  bool is_tiled(std::size_t at) const {
    return std::any_of(tiled_.begin(), tiled_.end(), [&](const Tiled& t) { return t.at == at; });
  }

  Status cut(const std::string& stage, const Tiled& t, ir::Tail tail) {
    const std::string a = axis_of(stage, t.at);
    return d_.step(schedule::Split{stage, a, {a + ".t", a + ".v", a + ".x", a + ".r"}, {t.parts, t.threads, t.own}, tail});
  }

  /// Binds the loops over threads: rows together on thread.y, the column on thread.x.
  Status bind(const std::string& stage) {
    Names rows;
    for (const Tiled& t : tiled_) {
      if (!t.column) rows.push_back(axis_of(stage, t.at) + ".x");
    }
    TESSERA_TRY(y, fused(d_, stage, rows, "ty"));
    TESSERA_TRY_DONE(d_.step(schedule::Bind{stage, y, ir::ForKind::kThreadY}));
    return d_.step(schedule::Bind{stage, axis_of(stage, tiled_.back().at) + ".x", ir::ForKind::kThreadX});
  }

  Names loops(const std::string& stage, const char* level) const {
    Names out;
    for (const Tiled& t : tiled_) out.push_back(axis_of(stage, t.at) + level);
    return out;
  }

  /// The loop over blocks.
  Result<std::string> host() {
    const std::string& name = place_.host;
    Names grid, tiles, order;
    for (std::size_t i = 0; i < d_.stage(name).data_axes().size(); ++i) {
      const bool over_blocks = !place_.grid.empty() && place_.grid[i];
      (over_blocks ? grid : tiles).push_back(axis_of(name, i) + (is_tiled(i) ? ".t" : ""));
    }
    for (const Tiled& t : tiled_) TESSERA_TRY_DONE(cut(name, t, ir::Tail::kPartition));
    order = grid;
    order.insert(order.end(), tiles.begin(), tiles.end());
    for (const char* level : {".x", ".v", ".r"}) {
      const Names more = loops(name, level);
      order.insert(order.end(), more.begin(), more.end());
    }
    TESSERA_TRY_DONE(d_.step(schedule::Reorder{name, order}));
    TESSERA_TRY(block, bind_grid(d_, name, grid));
    around_ = tiles.empty() ? block : tiles.back();
    TESSERA_TRY_DONE(bind(name));
    TESSERA_TRY_DONE(d_.step(schedule::Vectorize{name, axis_of(name, tiled_.back().at) + ".r"}));
    return block;
  }

  Status sums() {
    const std::string& name = place_.sums;
    TESSERA_TRY_DONE(d_.step(schedule::ComputeAt{name, place_.host, around_}));
    TESSERA_TRY_DONE(d_.step(schedule::PadBox{name}));
    for (const Tiled& t : tiled_) TESSERA_TRY_DONE(cut(name, t, ir::Tail::kPad));
    RootAxis k = shape_.reduce.back();
    for (const RootAxis& r : shape_.reduce) {
      if (r.extent > k.extent) k = r;
    }
    chunks_ = (k.extent + kTerms - 1) / kTerms;
    outer_ = k.axis + ".0";
    TESSERA_TRY_DONE(d_.step(schedule::Split{name, k.axis, {outer_, k.axis + ".1"}, {std::min(k.extent, kTerms)}, ir::Tail::kPartition}));
    Names order;
    for (std::size_t i = 0; i < d_.stage(name).data_axes().size(); ++i) {
      if (!is_tiled(i)) order.push_back(axis_of(name, i));
    }
    for (const RootAxis& r : shape_.reduce) {
      if (r.axis != k.axis) order.push_back(r.axis);
    }
    const auto add = [&](const char* level) {
      const Names more = loops(name, level);
      order.insert(order.end(), more.begin(), more.end());
    };
    add(".t");
    order.push_back(outer_);
    add(".x");
    order.push_back(k.axis + ".1");
    add(".v");
    add(".r");
    TESSERA_TRY_DONE(d_.step(schedule::Reorder{name, order}));
    TESSERA_TRY_DONE(bind(name));
    return d_.step(schedule::SetScope{name, ir::Scope::kRegister});
  }

  Status operands() {
    Names tensors;
    for (const ir::Load* l : reads_of(d_.stage(place_.sums))) {
      const std::string p = d_.state.producer(l->buffer.get())->name;
      if (std::find(tensors.begin(), tensors.end(), p) == tensors.end()) tensors.push_back(p);
    }
    // A tile ahead, where copies run by themselves.
    const std::int64_t slots = arch_.capability >= 80 && chunks_ > 1 ? 2 : 1;
    for (const std::string& t : tensors) TESSERA_TRY_DONE(operand(t, slots));
    return Done{};
  }

  /// The tile of an operand in shared memory, fetched or, where only the product needs what it is computed from,
  /// computed there. Tiles that the block has already, and single elements, are read as they are.
  Status operand(const std::string& tensor, std::int64_t slots) {
    const Stage& s = d_.stage(tensor);
    if (s.outputs[0].rank() == 0) return Done{};
    if (std::find(place_.near.begin(), place_.near.end(), tensor) != place_.near.end()) return moves_with_column(tensor) ? vectors_of(tensor) : Status(Done{});
    const bool computed = !s.is_input() && !s.is_output && !s.is_reduction() && s.outputs.size() == 1 && d_.state.consumers(s).size() == 1 && d_.stage(tensor).leaves == s.data_axes();
    const std::string tile = computed ? tensor : tensor + ".s." + place_.sums;
    if (!computed) TESSERA_TRY_DONE(d_.step(schedule::CacheRead{tensor, {place_.sums}, tile, ir::Scope::kShared}));
    if (moves_with_column(tile)) TESSERA_TRY_DONE(vectors_of(tile));
    TESSERA_TRY_DONE(d_.step(schedule::ComputeAt{tile, place_.sums, outer_}));
    if (computed) TESSERA_TRY_DONE(d_.step(schedule::SetScope{tile, ir::Scope::kShared}));
    TESSERA_TRY_DONE(d_.step(schedule::PadBox{tile}));
    const Names own = d_.stage(tile).data_axes();
    const std::int64_t v = std::min(vector_length(d_.extent(tile, own.back()), d_.stage(tile).outputs[0]->dtype.bytes()),
                                    vector_length(d_.stage(tile).roots[own.size() - 1].extent, d_.stage(tile).outputs[0]->dtype.bytes()));
    TESSERA_TRY(t, fused(d_, tile, own, "t"));
    TESSERA_TRY_DONE(d_.step(schedule::Split{tile, t, {t + ".w", t + ".v"}, {v}, ir::Tail::kPartition}));
    TESSERA_TRY_DONE(d_.step(schedule::Spread{tile, t + ".w", {t + ".0", t + ".x"}, place_.sums}));
    TESSERA_TRY_DONE(d_.step(schedule::Vectorize{tile, t + ".v"}));
    return slots > 1 ? d_.step(schedule::Pipeline{tile, slots}) : Status(Done{});
  }

  ir::Var coordinate(std::size_t at) const { return d_.stage(place_.sums).roots[at].coordinate; }

  /// Whether neighbours of the column are neighbours in the tile.
  bool moves_with_column(const std::string& tile) const {
    const std::vector<const ir::Load*> reads = reads_of(d_.stage(place_.sums));
    return tiled_.back().own > 1 && std::any_of(reads.begin(), reads.end(), [&](const ir::Load* l) {
      const auto* v = l->indices.empty() ? nullptr : l->indices.back().as<ir::VarNode>();
      return d_.state.producer(l->buffer.get())->name == tile && v != nullptr && v->id == coordinate(tiled_.back().at).id();
    });
  }

  bool moves_with_rows(const std::string& tile) const {
    const std::vector<const ir::Load*> reads = reads_of(d_.stage(place_.sums));
    return std::any_of(reads.begin(), reads.end(), [&](const ir::Load* l) {
      return d_.state.producer(l->buffer.get())->name == tile &&
             std::any_of(tiled_.begin(), tiled_.end(), [&](const Tiled& t) { return !t.column && moves_with(*l, coordinate(t.at)); });
    });
  }

  /// The elements that a thread's neighbouring columns read, in one vector: into registers, for all rows where they
  /// share it, else for a row at a time.
  Status vectors_of(const std::string& tile) {
    const std::string part = tile + ".r." + place_.sums;
    const std::string at = moves_with_rows(tile) ? axis_of(place_.sums, tiled_[tiled_.size() - 2].at) + ".r" : axis_of(place_.sums, tiled_.back().at) + ".v";
    TESSERA_TRY_DONE(d_.step(schedule::CacheRead{tile, {place_.sums}, part, ir::Scope::kGlobal}));
    TESSERA_TRY_DONE(d_.step(schedule::ComputeAt{part, place_.sums, at}));
    TESSERA_TRY_DONE(d_.step(schedule::PadBox{part}));
    TESSERA_TRY_DONE(d_.step(schedule::SetScope{part, ir::Scope::kRegister}));
    return d_.step(schedule::Vectorize{part, d_.stage(part).data_axes().back()});
  }

  Draft& d_;
  const ProductPlace& place_;
  const ProductShape& shape_;
  const ir::CudaArch& arch_;
  std::vector<Tiled> tiled_;
  std::string around_, outer_;  // loop of the host around a tile, of the reduction around chunks
  std::int64_t chunks_ = 1;
};

}  // namespace

std::optional<ProductShape> product_shape(const Stage& s) {
  constexpr double kLeastTerms = 8;
  const bool single = s.is_reduction() && !s.is_scan() && s.outputs.size() == 1 && s.reduce() != nullptr && s.reduce()->sources.size() == 1;
  if (!single || s.data_axes().size() < 2 || volume(s, schedule::AxisKind::kReduce) < kLeastTerms) return std::nullopt;
  ProductShape out;
  std::vector<RootAxis> data;
  for (const RootAxis& r : s.roots) (r.kind == schedule::AxisKind::kData ? data : out.reduce).push_back(r);
  out.column = data.back();
  const std::vector<const ir::Load*> reads = reads_of(s);
  const bool shared_by_columns = std::any_of(reads.begin(), reads.end(), [&](const ir::Load* l) { return !moves_with(*l, out.column.coordinate); });
  if (out.column.extent < 2 || !shared_by_columns) return std::nullopt;
  for (std::size_t i = data.size() - 1; i-- > 0;) {
    const bool reused = std::any_of(reads.begin(), reads.end(), [&](const ir::Load* l) { return moves_with(*l, out.column.coordinate) && !moves_with(*l, data[i].coordinate); });
    std::vector<RootAxis>& to = reused && data[i].extent > 1 && out.rows.size() < 2 ? out.rows : out.others;
    to.insert(to.begin(), data[i]);
  }
  return out.rows.empty() ? std::nullopt : std::optional(out);
}

BlockTile choose_tile(const Stage& product, const ProductShape& shape, const ir::CudaArch& arch, const std::optional<BlockTile>& rows, const std::vector<bool>& whole) {
  constexpr std::int64_t kMostRows = 128;
  const std::size_t rank = product.data_axes().size();
  double others = 1;
  for (const RootAxis& r : shape.others) others *= static_cast<double>(r.extent);
  const auto position = [&](const RootAxis& r) {
    const auto at = std::find_if(product.roots.begin(), product.roots.end(), [&](const RootAxis& x) { return x.axis == r.axis; });
    return static_cast<std::size_t>(at - product.roots.begin());
  };
  const std::size_t inner = position(shape.rows.back()), outer = position(shape.rows.front());
  const auto tiles = [&](std::size_t at, std::int64_t tile) { return static_cast<double>((product.roots[at].extent + tile - 1) / tile); };
  BlockTile best(rank, 1);
  double least = std::numeric_limits<double>::infinity();
  const auto consider = [&](std::int64_t o, std::int64_t i, std::int64_t c) {
    const auto all_rows = static_cast<double>(o * i), columns = static_cast<double>(c);
    double blocks = others, again = 1;
    std::vector<std::pair<std::size_t, std::int64_t>> cuts{{inner, i}, {rank - 1, c}};
    if (outer != inner) cuts.emplace_back(outer, o);
    for (const auto& [at, tile] : cuts) (whole[at] ? again : blocks) *= tiles(at, tile);
    const ThreadTile own = thread_tile({o, i}, c);
    const auto own_rows = static_cast<double>(own.rows[0] * own.rows[1]), own_columns = static_cast<double>(own.parts * own.neighbours);
    const double reads = std::max(1.0, kRead * (own_rows + own_columns) / (own_rows * own_columns));
    const double cost = std::ceil(blocks / arch.sms) * again * (all_rows * columns * reads + kFetch * (all_rows + columns));
    if (cost >= least) return;
    least = cost;
    best.assign(rank, 1);
    best[outer] = o;
    best[inner] = i;
    best[rank - 1] = c;
  };
  for (std::int64_t c = std::min(kMostColumns, power_above(shape.column.extent)); c >= 1; c /= 2) {
    for (std::int64_t i = std::min(kMostRows, power_above(product.roots[inner].extent)); i >= 1; i /= 2) {
      const std::int64_t most = inner == outer ? 1 : std::min(kMostRows / i, power_above(product.roots[outer].extent));
      for (std::int64_t o = most; o >= 1; o /= 2) {
        if (rows && ((*rows)[inner] != i || (inner != outer && (*rows)[outer] != o))) continue;
        if (o * i * c > kMostOfThread * 256) continue;
        consider(o, i, c);
      }
    }
  }
  return best;
}

Result<std::string> tile_product(Draft& d, const ProductPlace& place, const ProductShape& shape, const BlockTile& tile, const ir::CudaArch& arch) {
  return Product(d, place, shape, tile, arch).run();
}

}  // namespace tessera::polyhedral::detail
