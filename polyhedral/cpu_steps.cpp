#include "polyhedral/cpu_steps.h"

#include <algorithm>
#include <memory>

#include "polyhedral/detail/panels.h"
#include "polyhedral/detail/partial_sums.h"
#include "polyhedral/detail/product_tile.h"
#include "polyhedral/detail/reads.h"
#include "polyhedral/detail/register_tile.h"
#include "polyhedral/detail/scratch.h"
#include "support/nearest.h"

namespace tessera::polyhedral {

namespace {

using detail::contiguity;
using detail::Contiguity;
using detail::Draft;
using detail::kScratchBytes;
using detail::Names;
using detail::powers_up_to;
using detail::scratch_bytes;
using detail::up_to;
using schedule::Stage;

constexpr std::int64_t kMostSize = 1 << 20;  // of any number of a plan
constexpr double kReadsOfABorder = 64;       // of each element: above that a copy with a border is cheaper than loops that are cut
constexpr double kBytesOfRows = 32 << 10;  // that stages of a nest work on together
constexpr std::int64_t kRowsOfSums = 4, kSumsAtATime = 8;  // of partial sums in registers
constexpr double kBlocksOfThreads = 16;    // of a product, where there are several threads

/// Loops of the last stage of a nest.
struct Loops {
  Names outer;            // those that others are computed inside of, outermost first
  std::string tile;       // the one around a tile of registers
  detail::ProductTile registers;  // of it
  std::string place() const { return outer.empty() ? "" : outer.back(); }
};

/// One nest after the other.
class Writer {
 public:
  Writer(Draft draft, const ir::Target& target, const CpuStepsOptions& options) : d_(std::move(draft)), target_(target), options_(options) {}

  /// With tiles half as large as long as what is computed in them does not fit the memory of a thread.
  void add(const AlignedNest& nest) {
    const Draft draft = d_;
    const std::vector<std::string> refused = refused_;
    const std::vector<SizeBound> bounds = bounds_;
    for (tile_ = options_.tile;; tile_ /= 2) {
      out_of_scratch_ = false;
      plan(nest);
      if (!out_of_scratch_ || tile_ < 2) return;
      d_ = draft;
      refused_ = refused;
      bounds_ = bounds;
    }
  }

  Result<PlannedSteps> done() && {
    std::vector<std::string> known;
    for (const auto& [name, value] : asked_) known.push_back(name);
    for (const auto& [name, value] : d_.decided) {
      if (asked_.count(name) == 0) return refuse("nothing in the plan is called '", name, "'", nearest_text(name, known));
    }
    PlannedSteps out{{}, std::move(refused_), d_.numbers, d_.steps, d_.open, std::move(bounds_)};
    TESSERA_TRY(steps, schedule::fill_holes(d_.steps, d_.numbers));
    out.steps = std::move(steps);
    TESSERA_TRY(initial, schedule::State::initial(d_.state.dag_ptr()));
    TESSERA_TRY_DONE(detail::bound_tiles(out, initial));
    return out;
  }

 private:
  void plan(const AlignedNest& nest) {
    const std::string last = nest.members.back().stage;
    last_ = last;
    loops_ = {};
    if (d_.stage(last).is_extern()) return;
    if (d_.stage(last).is_scan()) return keep_steps(nest);
    inline_members(nest);
    const std::string product = choose_product(nest);
    attempt("loops of " + last, [&] { return make_loops(nest, product); });
    // Readers before what they read: a stage is computed inside of loops that all its readers run in.
    if (product.empty()) {
      finish(last);
    } else if (!attempt("registers for " + product, [&] { return accumulate(product, last, loops_.tile, loops_.registers); })) {
      put(product);
    }
    for (auto m = nest.members.rbegin(); m != nest.members.rend(); ++m) {
      if (m->stage != last && m->stage != product && is_root(m->stage)) put(m->stage);
    }
    attempt("threads for " + last, [&] { return run_in_parallel(); });
  }

  /// All steps of `f`, or none of them.
  template <class F>
  bool attempt(const std::string& what, F&& f) {
    Draft before = d_;
    Loops loops = loops_;
    const std::size_t bounds = bounds_.size();
    const Status s = f();
    asked_.insert(d_.numbers.begin(), d_.numbers.end());
    if (s.ok()) return true;
    d_ = std::move(before);
    loops_ = std::move(loops);
    bounds_.resize(bounds);
    refused_.push_back(what + ": " + s.reason());
    return false;
  }

  bool is_inlined(const std::string& s) const { return d_.stage(s).placement == schedule::Placement::kInline; }
  bool is_root(const std::string& s) const { return d_.stage(s).placement == schedule::Placement::kRoot; }
  int lanes(const Stage& s) const { return detail::lanes_of(target_, s); }

  /// The stages of a scan stay where its step has them.
  void keep_steps(const AlignedNest& nest) {
    for (const Member& m : nest.members) {
      if (!suits_registers(d_.stage(m.stage)) || !attempt("registers for " + m.stage, [&] { return put_product(m.stage); })) vectorize(m.stage);
    }
  }

  /// Stages that one stage reads: views, and elementwise ones of which it reads an element for each of its own.
  void inline_members(const AlignedNest& nest) {
    for (const Member& m : nest.members) {
      if (m.stage == nest.members.back().stage) continue;
      const Stage& s = d_.stage(m.stage);
      const auto readers = d_.state.consumers(s);
      if (s.is_output || s.is_reduction() || s.outputs.size() != 1 || readers.size() != 1) continue;
      // A view costs its reader little: loops are cut where borders begin, and panels bring together what lies apart.
      const bool much_read = readers[0]->is_reduction() && detail::has_border(s) && points(*readers[0]) > kReadsOfABorder * static_cast<double>(elements(s));
      const std::int64_t rule = (detail::is_view(s) && !much_read) || (!readers[0]->is_reduction() && elements(s) == elements(*readers[0])) ? 1 : 0;
      attempt("inlining " + m.stage, [&] { return d_.number(m.stage + ".inline", rule) == 0 ? Status(Done{}) : d_.step(schedule::ComputeInline{m.stage}); });
    }
  }

  static double points(const Stage& s) {
    double out = 1;
    for (const schedule::RootAxis& r : s.roots) out *= static_cast<double>(r.extent);
    return out;
  }

  static std::int64_t elements(const Stage& s) {
    std::int64_t out = 1;
    for (const schedule::RootAxis& r : s.roots) out *= r.kind == schedule::AxisKind::kData ? r.extent : 1;
    return out;
  }

  /// A reduction in vectors along its last axis.
  bool suits_registers(const Stage& s) const {
    if (!s.is_reduction() || s.outputs.size() != 1 || s.data_axes().empty()) return false;
    const schedule::RootAxis& r = s.roots[s.data_axes().size() - 1];
    return r.extent >= 2 && (contiguity(s, r.coordinate).fits || detail::needs_panel(d_.state, s));
  }

  /// The reduction that is summed up in registers, one tile of the last stage at a time; empty: none. Where the
  /// last stage is one itself, it becomes a copy of it.
  std::string choose_product(const AlignedNest& nest) {
    if (suits_registers(d_.stage(last_))) {
      const std::string sums = last_ + ".acc";
      return attempt("registers for " + last_, [&] { return d_.step(schedule::CacheWrite{last_, sums, ir::Scope::kGlobal}); }) ? sums : "";
    }
    for (const Member& m : nest.members) {
      if (m.stage != last_ && is_root(m.stage) && suits_registers(d_.stage(m.stage)) && is_read_in_place(d_.stage(m.stage))) return m.stage;
    }
    return "";
  }

  /// Whether the last stage alone reads `s`, at its own coordinates.
  bool is_read_in_place(const Stage& s) const {
    const Stage& last = d_.stage(last_);
    return d_.state.consumers(s).size() == 1 && d_.state.consumers(s)[0]->name == last_ && !last.is_reduction() && detail::reads_in_place(last, s);
  }

  /// Loops of the last stage: the shared ones, with tiles where the others compute a tile, and inside of them the
  /// tile of registers.
  Status make_loops(const AlignedNest& nest, const std::string& product) {
    const std::size_t rank = d_.stage(last_).data_axes().size();
    if (rank == 0) return Done{};
    blocks_.clear();
    if (!product.empty()) {
      loops_.registers = detail::choose_product_tile(d_, product, last_, target_, bounds_);
      attempt("panels for " + product, [&] { return detail::pack(d_, product, {loops_.registers.width, lanes(d_.stage(product)), options_.parallelism > 1}); });
    }
    const bool alone = !product.empty() && stands_alone(nest, product);
    const bool columns_outside = alone && choose_blocks(product);
    Pieces pieces;
    for (std::size_t i = 0; i < rank; ++i) TESSERA_TRY_DONE(cut(nest, !product.empty(), i, pieces));
    if (pieces.outer.empty() && !pieces.middle.empty() && !nest.shared.empty() && nest.shared[0].coordinate == 0) {
      pieces.outer.push_back(pieces.middle[0]);
      pieces.middle.erase(pieces.middle.begin());
    }
    if (columns_outside && !pieces.outer.empty() && pieces.outer.back() == d_.stage(last_).data_axes().back() + ".0") std::rotate(pieces.outer.begin(), pieces.outer.end() - 1, pieces.outer.end());
    Names order = pieces.outer;
    order.insert(order.end(), pieces.middle.begin(), pieces.middle.end());
    loops_.outer = pieces.outer;
    if (!product.empty()) {
      columns_first(product, alone && blocks_.empty() ? 0 : pieces.outer.size(), order, alone ? 1 : static_cast<double>(pieces.iterations));
      if (alone) loops_.outer = order;
      if (!order.empty()) loops_.tile = order.back();
    }
    order.insert(order.end(), pieces.inner.begin(), pieces.inner.end());
    for (const std::string& leaf : d_.stage(last_).leaves) {
      if (std::find(order.begin(), order.end(), leaf) == order.end()) order.push_back(leaf);
    }
    return order.size() > 1 ? d_.step(schedule::Reorder{last_, order}) : Status(Done{});
  }

  /// Of the last stage; whether their loop over columns goes outside.
  bool choose_blocks(const std::string& product) {
    const auto best = detail::choose_product_blocks(d_, product, last_, loops_.registers, options_.parallelism > 1 ? kBlocksOfThreads : 1);
    const Names axes = d_.stage(last_).data_axes();
    for (std::size_t i = 0; i < axes.size(); ++i) {
      const std::int64_t n = d_.extent(last_, axes[i]), unit = i + 1 == axes.size() ? d_.value(loops_.registers.width) : loops_.registers.is_row(axes[i]) ? d_.value(loops_.registers.size_of(axes[i])) : 1;
      blocks_.push_back(d_.number(last_ + "." + axes[i] + ".tile", best && best->sizes[i] < n ? best->sizes[i] / unit : 0));
    }
    if (std::all_of(blocks_.begin(), blocks_.end(), [](std::int64_t b) { return b == 0; })) blocks_.clear();
    return !blocks_.empty() && d_.number(last_ + ".column_blocks_outside", best && best->columns_outside ? 1 : 0) != 0;
  }

  struct Pieces {
    Names outer, middle, inner;  // around what others compute, inside of it, and of a tile of registers
    std::int64_t iterations = 1;  // of `outer`
  };
  /// Splits data axis `i` of the last stage.
  Status cut(const AlignedNest& nest, bool has_product, std::size_t i, Pieces& pieces) {
    const Stage& last = d_.stage(last_);
    const Names axes = last.data_axes();
    const std::string& a = axes[i];
    const bool is_last = i + 1 == axes.size(), is_row = has_product && loops_.registers.is_row(a);
    const auto k = std::find_if(nest.shared.begin(), nest.shared.end(), [&](const SharedAxis& s) { return s.coordinate == static_cast<int>(i); });
    const bool again = k != nest.shared.end() && computed_again(nest, static_cast<std::size_t>(k - nest.shared.begin()));
    const bool is_outer = k != nest.shared.end() && !again;
    const std::int64_t n = last.find_axis(a)->extent, vector = lanes(last);
    const std::int64_t step = is_last ? (has_product ? d_.value(loops_.registers.width) : vector) : is_row ? d_.value(loops_.registers.size_of(a)) : 1;
    const bool moves = is_last && !has_product && vector > 1 && contiguity(last, last.roots[i].coordinate).moves;
    const bool registers = n >= 2 && (moves || is_row || (is_last && has_product));
    Names into;
    std::vector<schedule::Param> factors;
    const auto piece = [&](const std::string& suffix, Names& to) {
      into.push_back(a + suffix);
      to.push_back(a + suffix);
    };
    const bool is_chain = is_outer && !is_last && !has_product && a == nest.shared.back().name && nest.members.size() > 1;
    const std::int64_t together = is_chain ? d_.number(last_ + ".rows_together", rows_that_fit(nest)) : 1;
    const bool rows_together = together > 1;
    // In units of the vectors or registers inside; 0: not cut.
    const std::int64_t unit = registers ? step : 1;
    const auto units = [&](std::int64_t block) { return d_.number(last_ + "." + a + ".tile", block < n ? block / unit : 0); };
    const std::int64_t tile = again ? units(block_of(nest, i, step, pieces.iterations)) : rows_together ? together / unit : blocks_.empty() ? 0 : blocks_[i];
    if (tile > 0 && tile * unit < n) {
      piece(".0", pieces.outer);
      factors.push_back(d_.size(last_ + "." + a + ".tile", tile, powers_up_to((n + unit - 1) / unit)));
      pieces.iterations *= (n + tile * unit - 1) / (tile * unit);
    }
    if (registers) {
      piece(".1", is_row && is_outer && blocks_.empty() ? pieces.outer : pieces.middle);
      factors.push_back(is_row ? loops_.registers.size_of(a) : has_product ? loops_.registers.width : schedule::Param(vector));
      Names columns;
      piece(is_row ? ".r" : has_product ? ".t" : ".v", has_product && is_last ? columns : pieces.inner);
      if (!columns.empty()) pieces.inner.insert(pieces.inner.end(), {a + ".u", a + ".v"});
    } else {
      Names& to = is_outer && !is_last && !rows_together && blocks_.empty() ? pieces.outer : pieces.middle;
      factors.empty() ? to.push_back(a) : piece(".1", to);
    }
    if (is_outer && !is_last) pieces.iterations *= is_row && registers ? (n + step - 1) / step : n;
    if (!factors.empty()) TESSERA_TRY_DONE(d_.step(schedule::Split{last_, a, into, factors, ir::Tail::kPartition}));
    return registers && is_last && has_product ? d_.step(schedule::Split{last_, a + ".t", {a + ".u", a + ".v"}, {vector}, ir::Tail::kPartition}) : Status(Done{});
  }

  /// Elements of axis `i` of the last stage for which what they need is computed once; a multiple of `step`. The
  /// first such axis is cut finer where nothing else gives the threads something to do, and the columns are not
  /// cut for a single thread where what is computed again has none.
  std::int64_t block_of(const AlignedNest& nest, std::size_t i, std::int64_t step, std::int64_t iterations) const {
    const Stage& last = d_.stage(last_);
    const std::int64_t n = last.roots[i].extent;
    const bool serial = options_.parallelism == 1, is_last = i + 1 == last.data_axes().size();
    if (serial && is_last && !is_computed_along(nest, static_cast<int>(i))) return (n + step - 1) / step * step;
    const std::int64_t least = is_last ? std::max(tile_, 4 * step) : serial || iterations > 1 ? tile_ : std::clamp<std::int64_t>((n + 7) / 8, std::min<std::int64_t>(4, tile_), tile_);
    return (least + step - 1) / step * step;
  }

  /// Whether a stage in the nest, besides those that are part of the last one, has a coordinate of its own along axis `i` of the last.
  bool is_computed_along(const AlignedNest& nest, int i) const {
    const auto k = std::find_if(nest.shared.begin(), nest.shared.end(), [&](const SharedAxis& s) { return s.coordinate == i; });
    return std::any_of(nest.members.begin(), nest.members.end(), [&](const Member& m) {
      const bool apart = m.stage != last_ && !is_inlined(m.stage) && !is_read_in_place(d_.stage(m.stage));
      return apart && (k == nest.shared.end() || m.coordinates[static_cast<std::size_t>(k - nest.shared.begin())] >= 0);
    });
  }

  /// Rows that the stages of a chain work on together: they stay near, stages with one element a row have vectors of
  /// them, and the rows do not wait for each other.
  std::int64_t rows_that_fit(const AlignedNest& nest) const {
    const Stage& last = d_.stage(last_);
    double row = last.outputs[0]->dtype.bytes();
    for (std::size_t d = nest.shared.size(); d < last.data_axes().size(); ++d) row *= static_cast<double>(last.roots[d].extent);
    std::int64_t rows = lanes(last);
    while (rows > 1 && static_cast<double>(rows) * row > kBytesOfRows) rows /= 2;
    return rows;
  }

  /// Whether nothing but the product is computed inside of the last stage, all of whose axes are shared.
  bool stands_alone(const AlignedNest& nest, const std::string& product) const {
    return nest.shared.size() == d_.stage(last_).data_axes().size() &&
           std::all_of(nest.members.begin(), nest.members.end(), [&](const Member& m) { return m.stage == last_ || m.stage == product || is_inlined(m.stage); });
  }

  /// The loop over tiles of columns goes outside of the loops over rows, those from `first` on, where tiles read less from memory
  /// so. `parts` of the rows are done at once.
  void columns_first(const std::string& product, std::size_t first, Names& order, double parts) {
    const Names axes = d_.stage(last_).data_axes(), rows = detail::rows_of(d_, product, last_);
    const auto loop = std::find(order.begin(), order.end(), axes.back() + ".1");
    if (loop == order.end() || rows.empty()) return;
    const bool rule = !blocks_.empty() || detail::reads_less_by_columns(d_, product, last_, loops_.registers, parts);
    if (d_.number(last_ + ".columns_outside", rule ? 1 : 0) == 0) return;
    const std::string name = *loop;
    order.erase(loop);
    const auto is_row = [&](const std::string& l) { return std::any_of(rows.begin(), rows.end(), [&](const std::string& r) { return l == r || l == r + ".1"; }); };
    order.insert(std::find_if(order.begin() + static_cast<std::ptrdiff_t>(std::min(first, order.size())), order.end(), is_row), name);
  }

  bool computed_again(const AlignedNest& nest, std::size_t k) const {
    return std::any_of(nest.members.begin(), nest.members.end(), [&](const Member& m) { return m.coordinates[k] < 0 && !is_inlined(m.stage); });
  }

  /// A stage inside of the loops of the last one, in vectors.
  void put(const std::string& name) {
    if (const std::string axis = summed_in_vectors(name); !axis.empty()) {
      if (attempt("partial sums for " + name, [&] { return sum(name, axis); })) return;
    } else if (suits_registers(d_.stage(name))) {
      if (attempt("registers for " + name, [&] { return put_product(name); })) return;
    }
    if (loops_.outer.empty()) return finish(name);
    if (!attempt("placing " + name, [&] { return place(name); })) return;
    vectorize(name);
  }

  /// Inside of the loops of the last stage.
  Status place(const std::string& name) {
    TESSERA_TRY_DONE(d_.step(schedule::ComputeAt{name, last_, loops_.place()}));
    const std::int64_t bytes = scratch_bytes(d_.state);
    out_of_scratch_ = out_of_scratch_ || bytes > kScratchBytes;
    return bytes <= kScratchBytes ? Status(Done{}) : refuse("its tile takes more scratch memory than the ", kScratchBytes, " bytes of a thread: ", bytes);
  }

  /// A reduction of a nest that is no copy of its last stage: a copy of it, and its sums in registers.
  Status put_product(const std::string& name) {
    const std::string sums = name + ".acc";
    TESSERA_TRY_DONE(d_.step(schedule::CacheWrite{name, sums, ir::Scope::kGlobal}));
    if (!loops_.outer.empty()) TESSERA_TRY_DONE(place(name));
    Names order = d_.stage(name).data_axes(), inner;
    const std::string column = order.back();
    if (d_.extent(name, column) < 2) return refuse("its last axis has a single element");
    const detail::ProductTile tile = detail::choose_product_tile(d_, sums, name, target_, bounds_);
    attempt("panels for " + name, [&] { return detail::pack(d_, sums, {tile.width, lanes(d_.stage(sums)), options_.parallelism > 1}); });
    for (std::string& row : order) {
      if (!tile.is_row(row)) continue;
      TESSERA_TRY_DONE(d_.step(schedule::Split{name, row, {row + ".1", row + ".r"}, {tile.size_of(row)}, ir::Tail::kPartition}));
      inner.push_back(row + ".r");
      row += ".1";
    }
    TESSERA_TRY_DONE(d_.step(schedule::Split{name, column, {column + ".1", column + ".t"}, {tile.width}, ir::Tail::kPartition}));
    TESSERA_TRY_DONE(d_.step(schedule::Split{name, column + ".t", {column + ".u", column + ".v"}, {lanes(d_.stage(name))}, ir::Tail::kPartition}));
    order.back() = column + ".1";
    inner.insert(inner.end(), {column + ".u", column + ".v"});
    order.insert(order.end(), inner.begin(), inner.end());
    TESSERA_TRY_DONE(d_.step(schedule::Reorder{name, order}));
    return accumulate(sums, name, column + ".1", tile);
  }

  Status accumulate(const std::string& product, const std::string& host, const std::string& at, const detail::ProductTile& tile) {
    if (d_.extent(host, d_.stage(host).data_axes().back()) < 2) return refuse("its last axis has a single element");
    return detail::accumulate(d_, product, host, at, tile, lanes(d_.stage(product)));
  }

  /// Vectors of a stage that is where it belongs.
  void finish(const std::string& name) {
    const std::string axis = summed_in_vectors(name);
    if (axis.empty() || !attempt("partial sums for " + name, [&] { return sum(name, axis); })) vectorize(name);
  }

  /// The axis of a reduction that runs along contiguous memory, where the last data axis does not; else empty.
  std::string summed_in_vectors(const std::string& name) const {
    const Stage& s = d_.stage(name);
    if (!s.is_reduction() || s.outputs.size() != 1) return "";
    if (suits_registers(s) || (!s.data_axes().empty() && contiguity(s, s.roots[s.data_axes().size() - 1].coordinate).fits)) return "";
    for (const schedule::RootAxis& r : s.roots) {
      const Contiguity along = contiguity(s, r.coordinate);
      if (r.kind == schedule::AxisKind::kReduce && along.fits && along.moves && r.extent >= 2 * lanes(s)) return r.axis;
    }
    return "";
  }

  /// The last data axis in vectors, unless a scan steps along it.
  void vectorize(const std::string& name) {
    const Stage& s = d_.stage(name);
    if (s.data_axes().empty()) return;
    const std::string a = s.data_axes().back(), ready = a + ".v";
    if (a == s.step_axis) return;
    attempt("lines for " + name, [&]() -> Status {
      TESSERA_TRY(cut, detail::keep_lines(d_, name, lanes(d_.stage(name))));
      if (name == last_ && !cut.empty()) std::replace(loops_.outer.begin(), loops_.outer.end(), cut, cut + ".0");
      return Done{};
    });
    attempt("vectors for " + name, [&]() -> Status {
      if (d_.stage(name).find_axis(ready) == nullptr) {
        if (d_.stage(name).leaf_index(a) < 0 || d_.extent(name, a) < 2) return Done{};
        TESSERA_TRY_DONE(d_.step(schedule::Split{name, a, {a + ".o", ready}, {lanes(d_.stage(name))}, ir::Tail::kPartition}));
        if (name == last_) std::replace(loops_.outer.begin(), loops_.outer.end(), a, a + ".o");
      }
      Names order;
      for (const std::string& leaf : d_.stage(name).leaves) {
        if (leaf != ready) order.push_back(leaf);
      }
      order.push_back(ready);
      TESSERA_TRY_DONE(d_.step(schedule::Reorder{name, order}));
      return d_.step(schedule::Vectorize{name, ready});
    });
  }

  /// A reduction along contiguous memory, inside of the loops of the last stage.
  Status sum(const std::string& name, const std::string& axis) {
    const Stage& s = d_.stage(name);
    const int vector = lanes(s);
    const std::int64_t vectors = (d_.extent(name, axis) + vector - 1) / vector;
    detail::PartialSums sums{name, axis, vector, 1, 1, 1, 1, std::nullopt};
    // Sums beside each other share what they read; where there is nothing to share, a sum has several vectors.
    const bool shares = !s.data_axes().empty() && detail::rereads(s, s.roots[s.data_axes().size() - 1].coordinate);
    sums.rows = shares ? kRowsOfSums : 1;
    sums.columns = d_.number(name + ".sums", shares ? (target_.vector_registers >= 32 ? 4 : 2) : std::max<std::int64_t>(1, kSumsAtATime / vectors / 2));
    if (!shares && vectors > 1) {
      std::vector<std::int64_t> counts = up_to(std::min<std::int64_t>(16, vectors));
      counts.erase(counts.begin());
      sums.groups = d_.size(name + ".groups", std::min(kSumsAtATime, vectors), std::move(counts));
    }
    if (name == last_) return detail::sum_in_vectors(d_, sums, loops_.outer);
    if (!loops_.outer.empty()) sums.place = {last_, loops_.place()};
    Names own;
    return detail::sum_in_vectors(d_, sums, own);
  }

  /// As many of the outer loops as give enough iterations, as one parallel loop.
  Status run_in_parallel() {
    std::int64_t iterations = 1, enough = 0;
    for (const std::string& a : loops_.outer) {
      if (iterations >= options_.parallelism) break;
      ++enough;
      iterations *= d_.extent(last_, a);
    }
    const std::int64_t count = d_.number(last_ + ".parallel", iterations < 2 ? 0 : enough);
    if (count > static_cast<std::int64_t>(loops_.outer.size())) return refuse(count, " loops were to run in parallel, and there are ", loops_.outer.size(), " outside");
    if (count == 0) return Done{};
    const Names loops(loops_.outer.begin(), loops_.outer.begin() + count);
    std::string all = loops[0];
    if (loops.size() > 1) {
      all = "parallel";
      TESSERA_TRY_DONE(d_.step(schedule::Fuse{last_, loops, all}));
    }
    return d_.step(schedule::Parallel{last_, all});
  }

  Draft d_;
  const ir::Target& target_;
  const CpuStepsOptions& options_;
  std::vector<std::string> refused_;
  std::vector<SizeBound> bounds_;
  std::map<std::string, std::int64_t> asked_;  // numbers, also of attempts that were refused
  std::int64_t tile_ = 16;       // of the nest at hand: points of an axis that share what they need
  bool out_of_scratch_ = false;  // in that nest
  std::string last_;             // stage of it
  Loops loops_;
  std::vector<std::int64_t> blocks_;  // of a last stage that is a product alone: tiles along each data axis, 0: all; empty: one block
};

}  // namespace

Result<PlannedSteps> cpu_steps(const dsl::ComputeDag& dag, const Alignment& alignment, const ir::Target& target, const CpuStepsOptions& options,
                           const std::map<std::string, std::int64_t>& decided) {
  for (const auto& [name, value] : decided) {
    if (value < 0 || value > kMostSize) return refuse("'", name, "' is from 0 to ", kMostSize, ", not ", value);
  }
  TESSERA_TRY(initial, schedule::State::initial(std::make_shared<const dsl::ComputeDag>(dag)));
  for (const AlignedNest& n : alignment.nests) {
    for (const Member& m : n.members) {
      if (initial.find(m.stage) == nullptr) return refuse("the program has no stage '", m.stage, "'");
    }
  }
  Writer writer({std::move(initial), {}, decided}, target, options);
  for (const AlignedNest& n : alignment.nests) writer.add(n);
  return std::move(writer).done();
}

}  // namespace tessera::polyhedral
