#include "polyhedral/cpu_steps.h"

#include <algorithm>
#include <memory>

#include "polyhedral/detail/partial_sums.h"
#include "polyhedral/detail/reads.h"

namespace tessera::polyhedral {

namespace {

using detail::contiguity;
using detail::Contiguity;
using detail::Draft;
using detail::kRowsOfTile;
using detail::Names;
using schedule::Stage;

constexpr int kVectorsOfTile = 2;           // vectors of columns of a product that registers hold together
constexpr double kCachedBytes = 256 << 10;  // what a core is taken to keep of an operand

/// Loops of the last stage of a nest.
struct Loops {
  Names outer;            // those that others are computed inside of, outermost first
  std::string tile;       // the one around a tile of registers
  Names tiled;            // axes that have such a tile
  std::string place() const { return outer.empty() ? "" : outer.back(); }
};

/// One nest after the other.
class Writer {
 public:
  Writer(Draft draft, const ir::Target& target, const CpuStepsOptions& options) : d_(std::move(draft)), target_(target), options_(options) {}

  void add(const AlignedNest& nest) {
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
    } else if (!attempt("registers for " + product, [&] { return accumulate(product, last, loops_.tile, loops_.tiled); })) {
      put(product);
    }
    for (auto m = nest.members.rbegin(); m != nest.members.rend(); ++m) {
      if (m->stage != last && m->stage != product && is_root(m->stage)) put(m->stage);
    }
    attempt("threads for " + last, [&] { return run_in_parallel(); });
  }

  CpuSteps done() && { return {std::move(d_.steps), std::move(refused_)}; }

 private:
  /// All steps of `f`, or none of them.
  template <class F>
  bool attempt(const std::string& what, F&& f) {
    Draft before = d_;
    Loops loops = loops_;
    const Status s = f();
    if (s.ok()) return true;
    d_ = std::move(before);
    loops_ = std::move(loops);
    refused_.push_back(what + ": " + s.reason());
    return false;
  }

  bool is_inlined(const std::string& s) const { return d_.stage(s).placement == schedule::Placement::kInline; }
  bool is_root(const std::string& s) const { return d_.stage(s).placement == schedule::Placement::kRoot; }
  int lanes(const Stage& s) const { return std::clamp(target_.lanes(std::max(1, s.outputs[0]->dtype.bytes())), 1, 64); }

  /// The stages of a scan stay where its step has them.
  void keep_steps(const AlignedNest& nest) {
    for (const Member& m : nest.members) {
      if (!suits_registers(d_.stage(m.stage)) || !attempt("registers for " + m.stage, [&] { return put_product(m.stage); })) vectorize(m.stage);
    }
  }

  /// Elementwise stages that one stage reads, an element of theirs for an element of its.
  void inline_members(const AlignedNest& nest) {
    for (const Member& m : nest.members) {
      if (m.stage == nest.members.back().stage) continue;
      const Stage& s = d_.stage(m.stage);
      const auto readers = d_.state.consumers(s);
      if (s.is_output || s.is_reduction() || s.outputs.size() != 1 || readers.size() != 1) continue;
      if (readers[0]->is_reduction() || elements(s) != elements(*readers[0])) continue;
      attempt("inlining " + m.stage, [&] { return d_.step(schedule::ComputeInline{m.stage}); });
    }
  }

  static std::int64_t elements(const Stage& s) {
    std::int64_t out = 1;
    for (const schedule::RootAxis& r : s.roots) out *= r.kind == schedule::AxisKind::kData ? r.extent : 1;
    return out;
  }

  /// A reduction in vectors along its last axis.
  static bool suits_registers(const Stage& s) {
    if (!s.is_reduction() || s.outputs.size() != 1 || s.data_axes().empty()) return false;
    const schedule::RootAxis& r = s.roots[s.data_axes().size() - 1];
    return r.extent >= 2 && contiguity(s, r.coordinate).fits;
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
    Pieces pieces;
    for (std::size_t i = 0; i < rank; ++i) TESSERA_TRY_DONE(cut(nest, !product.empty(), i, pieces));
    Names order = pieces.outer;
    order.insert(order.end(), pieces.middle.begin(), pieces.middle.end());
    loops_.outer = pieces.outer;
    if (!product.empty() && loops_.tiled.size() == 2 && stands_alone(nest, product) && columns_outside(product)) {
      std::swap(order[order.size() - 2], order.back());
      loops_.outer = order;
    }
    if (!order.empty() && !product.empty()) loops_.tile = order.back();
    if (loops_.outer.empty() && !pieces.middle.empty() && !nest.shared.empty() && nest.shared[0].coordinate == 0) loops_.outer.push_back(pieces.middle[0]);
    order.insert(order.end(), pieces.inner.begin(), pieces.inner.end());
    for (const std::string& leaf : d_.stage(last_).leaves) {
      if (std::find(order.begin(), order.end(), leaf) == order.end()) order.push_back(leaf);
    }
    return order.size() > 1 ? d_.step(schedule::Reorder{last_, order}) : Status(Done{});
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
    const bool is_last = i + 1 == axes.size(), is_row = has_product && i + 2 == axes.size();
    const auto k = std::find_if(nest.shared.begin(), nest.shared.end(), [&](const SharedAxis& s) { return s.coordinate == static_cast<int>(i); });
    const bool again = k != nest.shared.end() && computed_again(nest, static_cast<std::size_t>(k - nest.shared.begin()));
    const bool is_outer = k != nest.shared.end() && !again;
    const std::int64_t n = last.find_axis(a)->extent, vector = lanes(last), width = has_product ? vector * kVectorsOfTile : vector;
    const std::int64_t step = is_last ? width : is_row ? std::int64_t{kRowsOfTile} : 1;
    const bool registers = n >= 2 && step > 1 && (!is_last || has_product || contiguity(last, last.roots[i].coordinate).moves);
    Names into;
    std::vector<schedule::Param> factors;
    const auto piece = [&](const std::string& suffix, Names& to) {
      into.push_back(a + suffix);
      to.push_back(a + suffix);
    };
    if (const std::int64_t block = again ? block_of(n, step, is_last, pieces.iterations) : n; block < n) {
      piece(".0", pieces.outer);
      pieces.iterations *= (n + block - 1) / block;
      factors.push_back(registers ? block / step : block);
    }
    if (registers) {
      piece(".1", is_row && is_outer ? pieces.outer : pieces.middle);
      if (is_last && has_product) {
        factors.push_back(kVectorsOfTile);
        piece(".u", pieces.inner);
      }
      factors.push_back(is_last ? vector : step);
      piece(is_last ? ".v" : ".r", pieces.inner);
      loops_.tiled.push_back(a);
    } else {
      Names& to = is_outer && !is_last ? pieces.outer : pieces.middle;
      factors.empty() ? to.push_back(a) : piece(".1", to);
    }
    if (is_outer && !is_last) pieces.iterations *= is_row && registers ? (n + step - 1) / step : n;
    return factors.empty() ? Status(Done{}) : d_.step(schedule::Split{last_, a, into, factors, ir::Tail::kPartition});
  }

  /// Elements of an axis of extent `n` for which what they need is computed once; a multiple of `step`. The
  /// first such axis is cut finer where nothing else gives the threads something to do.
  std::int64_t block_of(std::int64_t n, std::int64_t step, bool is_last, std::int64_t iterations) const {
    const std::int64_t least = is_last ? std::max(options_.tile, 4 * step) : iterations > 1 ? options_.tile : std::clamp<std::int64_t>((n + 7) / 8, 4, options_.tile);
    return (least + step - 1) / step * step;
  }

  /// Whether nothing but the product is computed inside of the last stage, all of whose axes are shared.
  bool stands_alone(const AlignedNest& nest, const std::string& product) const {
    return nest.shared.size() == d_.stage(last_).data_axes().size() &&
           std::all_of(nest.members.begin(), nest.members.end(), [&](const Member& m) { return m.stage == last_ || m.stage == product || is_inlined(m.stage); });
  }

  /// Whether tiles of a product read less from memory with the columns outside: an operand that does not stay in
  /// the cache is read again in every iteration of the loop that it does not depend on, when that is outside.
  bool columns_outside(const std::string& product) const {
    const Stage& s = d_.stage(product);
    const std::size_t rank = s.data_axes().size();
    const schedule::RootAxis &row = s.roots[rank - 2], &column = s.roots[rank - 1];
    const double of_rows = detail::bytes_along(s, row.coordinate, column.coordinate), of_columns = detail::bytes_along(s, column.coordinate, row.coordinate);
    const auto traffic = [](double bytes, std::int64_t extent, std::int64_t tile) { return bytes > kCachedBytes ? bytes * static_cast<double>(extent) / static_cast<double>(tile) : bytes; };
    const double rows_outside = traffic(of_columns, row.extent, kRowsOfTile) + of_rows;
    return traffic(of_rows, column.extent, lanes(s) * kVectorsOfTile) + of_columns < rows_outside;
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
    if (attempt("placing " + name, [&] { return d_.step(schedule::ComputeAt{name, last_, loops_.place()}); })) vectorize(name);
  }

  /// A reduction of a nest that is no copy of its last stage: a copy of it, and its sums in registers.
  Status put_product(const std::string& name) {
    const std::string sums = name + ".acc";
    TESSERA_TRY_DONE(d_.step(schedule::CacheWrite{name, sums, ir::Scope::kGlobal}));
    if (!loops_.outer.empty()) TESSERA_TRY_DONE(d_.step(schedule::ComputeAt{name, last_, loops_.place()}));
    Names order = d_.stage(name).data_axes(), tiled, inner;
    const std::string column = order.back();
    if (d_.extent(name, column) < 2) return refuse("its last axis has a single element");
    if (order.size() > 1 && d_.extent(name, order[order.size() - 2]) > 1) {
      std::string& row = order[order.size() - 2];
      TESSERA_TRY_DONE(d_.step(schedule::Split{name, row, {row + ".1", row + ".r"}, {kRowsOfTile}, ir::Tail::kPartition}));
      tiled.push_back(row);
      inner.push_back(row + ".r");
      row += ".1";
    }
    TESSERA_TRY_DONE(d_.step(schedule::Split{name, column, {column + ".1", column + ".u", column + ".v"}, {kVectorsOfTile, lanes(d_.stage(name))}, ir::Tail::kPartition}));
    tiled.push_back(column);
    order.back() = column + ".1";
    inner.insert(inner.end(), {column + ".u", column + ".v"});
    order.insert(order.end(), inner.begin(), inner.end());
    TESSERA_TRY_DONE(d_.step(schedule::Reorder{name, order}));
    return accumulate(sums, name, column + ".1", tiled);
  }

  /// The tile of `product` in registers, inside of loop `tile` of the stage that reads it in place, whose axes
  /// `tiled` are cut for it.
  Status accumulate(const std::string& product, const std::string& host, const std::string& tile, const Names& tiled) {
    if (std::find(tiled.begin(), tiled.end(), d_.stage(host).data_axes().back()) == tiled.end()) return refuse("its last axis has a single element");
    TESSERA_TRY_DONE(d_.step(schedule::ComputeAt{product, host, tile}));
    TESSERA_TRY_DONE(d_.step(schedule::SetScope{product, ir::Scope::kRegister}));
    const Names axes = d_.stage(host).data_axes();
    const bool has_rows = tiled.size() > 1;
    Names data, reduce;
    for (const schedule::RootAxis& r : d_.stage(product).roots) (r.kind == schedule::AxisKind::kData ? data : reduce).push_back(r.axis);
    const std::string column = data.back(), vectors = column + ".u", vector = column + ".v";
    data.pop_back();
    std::string row;
    if (has_rows) row = data.back();
    if (has_rows) data.pop_back();
    Names order = data;
    order.insert(order.end(), reduce.begin(), reduce.end());
    if (has_rows) order.push_back(row);
    order.push_back(vectors);
    order.push_back(vector);
    TESSERA_TRY_DONE(d_.step(schedule::Split{product, column, {vectors, vector}, {lanes(d_.stage(product))}, ir::Tail::kPartition}));
    TESSERA_TRY_DONE(d_.step(schedule::Reorder{product, order}));
    for (const std::string& a : has_rows ? Names{row, vectors} : Names{vectors}) TESSERA_TRY_DONE(d_.step(schedule::Unroll{product, a}));
    TESSERA_TRY_DONE(d_.step(schedule::Vectorize{product, vector}));
    if (has_rows) TESSERA_TRY_DONE(d_.step(schedule::Unroll{host, axes[axes.size() - 2] + ".r"}));
    TESSERA_TRY_DONE(d_.step(schedule::Unroll{host, axes.back() + ".u"}));
    return d_.step(schedule::Vectorize{host, axes.back() + ".v"});
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
    if (!s.data_axes().empty() && contiguity(s, s.roots[s.data_axes().size() - 1].coordinate).fits) return "";
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
    detail::PartialSums sums{name, axis, lanes(d_.stage(name)), target_.vector_registers >= 32 ? 4 : 2, std::nullopt};
    if (name == last_) return detail::sum_in_vectors(d_, sums, loops_.outer);
    if (!loops_.outer.empty()) sums.place = {last_, loops_.place()};
    Names own;
    return detail::sum_in_vectors(d_, sums, own);
  }

  /// As many of the outer loops as give enough iterations, as one parallel loop.
  Status run_in_parallel() {
    Names loops;
    std::int64_t iterations = 1;
    for (const std::string& a : loops_.outer) {
      if (iterations >= options_.parallelism) break;
      loops.push_back(a);
      iterations *= d_.extent(last_, a);
    }
    if (iterations < 2) return Done{};
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
  std::string last_;  // stage of the nest at hand
  Loops loops_;
};

}  // namespace

Result<CpuSteps> cpu_steps(const dsl::ComputeDag& dag, const Alignment& alignment, const ir::Target& target, const CpuStepsOptions& options) {
  TESSERA_TRY(initial, schedule::State::initial(std::make_shared<const dsl::ComputeDag>(dag)));
  for (const AlignedNest& n : alignment.nests) {
    for (const Member& m : n.members) {
      if (initial.find(m.stage) == nullptr) return refuse("the program has no stage '", m.stage, "'");
    }
  }
  Writer writer({std::move(initial), {}}, target, options);
  for (const AlignedNest& n : alignment.nests) writer.add(n);
  return std::move(writer).done();
}

}  // namespace tessera::polyhedral
