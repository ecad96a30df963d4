#include "polyhedral/cpu_steps.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "ir/analysis/affine.h"
#include "ir/rewrite.h"

namespace tessera::polyhedral {

namespace {

using schedule::Stage;
using Names = std::vector<std::string>;

constexpr int kRowsOfTile = 4, kVectorsOfTile = 2;  // accumulators of a product in registers
constexpr double kCachedBytes = 256 << 10;          // what a core is taken to keep of an operand

/// Elements that a read moves by in memory when `v` grows by one; nothing where that is not constant.
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

/// Whether every read of `s` stands still or goes to the next element along `v`; and some read does the latter.
struct Contiguity {
  bool fits = true, moves = false;
};
Contiguity contiguity(const Stage& s, const ir::Var& v) {
  Contiguity out;
  for (const ir::Expr& body : s.body) {
    ir::walk(body, [&](const ir::Expr& e) {
      if (const auto* read = e.as<ir::Load>()) {
        const auto stride = stride_along(*read, v);
        out.fits &= stride && (*stride == 0 || *stride == 1);
        out.moves |= stride == 1;
      }
      return true;
    });
  }
  return out;
}

/// A plan in the making: a state and the steps that led there.
struct Draft {
  schedule::State state;
  schedule::StepList steps;

  Status step(schedule::Step s) {
    TESSERA_TRY(next, schedule::apply_step(state, s));
    state = std::move(next);
    steps.push_back(std::move(s));
    return Done{};
  }
  const Stage& stage(const std::string& name) const { return *state.find(name); }
  std::int64_t extent(const std::string& stage_name, const std::string& axis) const { return stage(stage_name).find_axis(axis)->extent; }
};

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
    if (d_.stage(last).is_scan() || d_.stage(last).is_extern()) return;
    inline_members(nest);
    last_ = last;
    loops_ = {};
    const std::string product = choose_product(nest);
    attempt("loops of " + last, [&] { return make_loops(nest, product); });
    // Readers before what they read: a stage is computed inside of loops that all its readers run in.
    if (product.empty()) {
      finish(last);
    } else if (!attempt("registers for " + product, [&] { return accumulate(product); })) {
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

  /// The reduction that is summed up in registers, one tile of the last stage at a time; empty: none. Where the
  /// last stage is one itself, it becomes a copy of it.
  std::string choose_product(const AlignedNest& nest) {
    const auto suits = [&](const Stage& s) {
      if (!s.is_reduction() || s.outputs.size() != 1 || s.data_axes().empty()) return false;
      const schedule::RootAxis& r = s.roots[s.data_axes().size() - 1];
      return r.extent >= 2 && contiguity(s, r.coordinate).fits;
    };
    if (suits(d_.stage(last_))) {
      const std::string sums = last_ + ".acc";
      return attempt("registers for " + last_, [&] { return d_.step(schedule::CacheWrite{last_, sums, ir::Scope::kGlobal}); }) ? sums : "";
    }
    for (const Member& m : nest.members) {
      if (m.stage != last_ && is_root(m.stage) && suits(d_.stage(m.stage)) && is_read_in_place(d_.stage(m.stage))) return m.stage;
    }
    return "";
  }

  /// Whether the last stage alone reads `s`, at its own coordinates.
  bool is_read_in_place(const Stage& s) const {
    const Stage& last = d_.stage(last_);
    if (d_.state.consumers(s).size() != 1 || d_.state.consumers(s)[0]->name != last_ || last.is_reduction()) return false;
    bool same = s.data_axes().size() == last.data_axes().size();
    for (const ir::Expr& body : last.body) {
      ir::walk(body, [&](const ir::Expr& e) {
        const auto* read = e.as<ir::Load>();
        if (read == nullptr || read->buffer.get() != s.outputs[0].get()) return true;
        for (std::size_t i = 0; i < read->indices.size(); ++i) same = same && ir::equal(read->indices[i], last.roots[i].coordinate);
        return true;
      });
    }
    return same;
  }

  /// Loops of the last stage: the shared ones, with tiles where the others compute a tile, and inside of them the
  /// tile of registers.
  Status make_loops(const AlignedNest& nest, const std::string& product) {
    const Names axes = d_.stage(last_).data_axes();
    if (axes.empty()) return Done{};
    const std::int64_t vector = lanes(d_.stage(last_)), width = product.empty() ? vector : vector * kVectorsOfTile;
    Names outer, middle, inner;
    for (std::size_t i = 0; i < axes.size(); ++i) {
      const std::string& a = axes[i];
      const bool is_last = i + 1 == axes.size(), is_row = !product.empty() && i + 2 == axes.size();
      const auto k = std::find_if(nest.shared.begin(), nest.shared.end(), [&](const SharedAxis& s) { return s.coordinate == static_cast<int>(i); });
      const bool is_shared = k != nest.shared.end();
      const bool again = is_shared && computed_again(nest, static_cast<std::size_t>(k - nest.shared.begin()));
      const std::int64_t n = d_.extent(last_, a), step = is_last ? width : is_row ? std::int64_t{kRowsOfTile} : 1;
      const bool registers = n >= 2 && step > 1 && (!is_last || !product.empty() || contiguity(d_.stage(last_), d_.stage(last_).roots[i].coordinate).moves);
      const std::int64_t block = again ? (std::max(options_.tile, is_last ? 4 * width : 1) + step - 1) / step * step : 0;
      Names into;
      std::vector<schedule::Param> factors;
      if (again && block < n) {
        into.push_back(a + ".0");
        outer.push_back(a + ".0");
        factors.push_back(registers ? block / step : block);
      }
      if (!registers) {
        const std::string whole = into.empty() ? a : a + ".1";
        if (!into.empty()) into.push_back(whole);
        (is_shared && !again && !is_last ? outer : middle).push_back(whole);
      } else {
        into.push_back(a + ".1");
        (is_row && is_shared && !again ? outer : middle).push_back(a + ".1");
        if (is_last && !product.empty()) factors.push_back(kVectorsOfTile);
        factors.push_back(is_last ? vector : step);
        if (is_last && !product.empty()) into.push_back(a + ".u");
        into.push_back(a + (is_last ? ".v" : ".r"));
        inner.insert(inner.end(), into.begin() + (into.size() - (is_last && !product.empty() ? 2 : 1)), into.end());
        loops_.tiled.push_back(a);
      }
      if (!factors.empty()) TESSERA_TRY_DONE(d_.step(schedule::Split{last_, a, into, factors, ir::Tail::kPartition}));
    }
    Names order = outer;
    order.insert(order.end(), middle.begin(), middle.end());
    if (!product.empty() && loops_.tiled.size() == 2 && stands_alone(nest, product) && columns_outside(product)) {
      std::swap(order[order.size() - 2], order.back());
      outer = order;
    }
    if (!order.empty() && !product.empty()) loops_.tile = order.back();
    order.insert(order.end(), inner.begin(), inner.end());
    for (const std::string& leaf : d_.stage(last_).leaves) {
      if (std::find(order.begin(), order.end(), leaf) == order.end()) order.push_back(leaf);
    }
    if (outer.empty() && !middle.empty() && !nest.shared.empty() && nest.shared[0].coordinate == 0) outer.push_back(middle[0]);
    if (order.size() > 1) TESSERA_TRY_DONE(d_.step(schedule::Reorder{last_, order}));
    loops_.outer = outer;
    return Done{};
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
    double of_rows = 0, of_columns = 0;
    ir::walk(s.body[0], [&](const ir::Expr& e) {
      const auto* read = e.as<ir::Load>();
      if (read == nullptr) return true;
      const auto uses = [&](const ir::Var& v) { return std::any_of(read->indices.begin(), read->indices.end(), [&](const ir::Expr& i) { return ir::uses_var(i, v.id()); }); };
      double bytes = read->buffer->dtype.bytes();
      for (const std::int64_t n : ir::Buffer(read->buffer).extents()) bytes *= static_cast<double>(n);
      if (uses(row.coordinate) && !uses(column.coordinate)) of_rows += bytes;
      if (uses(column.coordinate) && !uses(row.coordinate)) of_columns += bytes;
      return true;
    });
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
      if (attempt("partial sums for " + name, [&] { return sum_in_vectors(name, axis); })) return;
    }
    if (loops_.outer.empty()) return finish(name);
    if (attempt("placing " + name, [&] { return d_.step(schedule::ComputeAt{name, last_, loops_.place()}); })) vectorize(name);
  }

  /// The tile of `product` in registers, inside of the loops of the last stage.
  Status accumulate(const std::string& product) {
    if (std::find(loops_.tiled.begin(), loops_.tiled.end(), d_.stage(last_).data_axes().back()) == loops_.tiled.end()) return refuse("its last axis has a single element");
    TESSERA_TRY_DONE(d_.step(schedule::ComputeAt{product, last_, loops_.tile}));
    TESSERA_TRY_DONE(d_.step(schedule::SetScope{product, ir::Scope::kRegister}));
    const Names own = d_.stage(product).data_axes(), axes = d_.stage(last_).data_axes();
    const bool has_rows = loops_.tiled.size() > 1;
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
    if (has_rows) TESSERA_TRY_DONE(d_.step(schedule::Unroll{last_, axes[axes.size() - 2] + ".r"}));
    TESSERA_TRY_DONE(d_.step(schedule::Unroll{last_, axes.back() + ".u"}));
    return d_.step(schedule::Vectorize{last_, axes.back() + ".v"});
  }

  /// Vectors of a stage that is where it belongs.
  void finish(const std::string& name) {
    const std::string axis = summed_in_vectors(name);
    if (axis.empty() || !attempt("partial sums for " + name, [&] { return sum_in_vectors(name, axis); })) vectorize(name);
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

  /// The last data axis in vectors, where that is contiguous.
  void vectorize(const std::string& name) {
    const Stage& s = d_.stage(name);
    if (s.data_axes().empty() || s.outputs.size() != 1) return;
    const std::string a = s.data_axes().back(), ready = a + ".v";
    if (s.is_reduction() && !contiguity(s, s.roots[s.data_axes().size() - 1].coordinate).moves) return;
    attempt("vectors for " + name, [&]() -> Status {
      if (d_.stage(name).find_axis(ready) == nullptr) {
        if (d_.stage(name).leaf_index(a) < 0 || d_.extent(name, a) < 2) return Done{};
        TESSERA_TRY_DONE(d_.step(schedule::Split{name, a, {a + ".o", ready}, {lanes(d_.stage(name))}, ir::Tail::kPartition}));
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

  /// A reduction along contiguous memory: a vector of partial sums for each element of a tile, then their sums.
  Status sum_in_vectors(const std::string& name, const std::string& axis) {
    const std::string part = name + ".part", lane = axis + ".l";
    TESSERA_TRY_DONE(d_.step(schedule::Split{name, axis, {axis + ".0", lane}, {lanes(d_.stage(name))}, ir::Tail::kPartition}));
    TESSERA_TRY_DONE(d_.step(schedule::Rfactor{name, lane, part}));
    const bool inside = name != last_ && !loops_.outer.empty();
    if (inside) TESSERA_TRY_DONE(d_.step(schedule::ComputeAt{name, last_, loops_.place()}));
    TESSERA_TRY(tile, tile_of_sums(name));
    if (!tile.around.empty()) TESSERA_TRY_DONE(d_.step(schedule::ComputeAt{part, name, tile.around}));
    if (tile.around.empty() && inside) TESSERA_TRY_DONE(d_.step(schedule::ComputeAt{part, last_, loops_.place()}));
    Names own = d_.stage(part).data_axes(), order, rows;
    own.pop_back();  // the lanes
    for (; !own.empty() && rows.size() < tile.axes; own.pop_back()) rows.insert(rows.begin(), own.back());
    order = own;
    for (const schedule::RootAxis& r : d_.stage(part).roots) {
      if (r.kind == schedule::AxisKind::kReduce) order.push_back(r.axis);
    }
    order.insert(order.end(), rows.begin(), rows.end());
    order.push_back(lane);
    TESSERA_TRY_DONE(d_.step(schedule::Reorder{part, order}));
    TESSERA_TRY_DONE(d_.step(schedule::Vectorize{part, lane}));
    if (d_.stage(part).placement != schedule::Placement::kAt) return Done{};
    for (const std::string& r : rows) TESSERA_TRY_DONE(d_.step(schedule::Unroll{part, r}));
    for (const std::string& r : tile.inner) TESSERA_TRY_DONE(d_.step(schedule::Unroll{name, r}));
    TESSERA_TRY_DONE(d_.step(schedule::Unroll{name, lane}));
    return d_.step(schedule::SetScope{part, ir::Scope::kRegister});
  }

  /// The elements whose partial sums are in registers together.
  struct SumTile {
    std::string around;     // the loop around them; empty: all of the stage
    std::size_t axes = 0;   // trailing data axes that the tile spans
    Names inner;            // its loops
  };
  Result<SumTile> tile_of_sums(const std::string& name) {
    const Names data = d_.stage(name).data_axes();
    SumTile out;
    const std::int64_t columns = target_.vector_registers >= 32 ? 4 : 2;
    for (std::size_t back = 1; back <= std::min<std::size_t>(2, data.size()); ++back) {
      const std::string& a = data[data.size() - back];
      const std::int64_t n = d_.stage(name).leaf_index(a) < 0 ? 0 : d_.extent(name, a), most = back == 1 ? columns : kRowsOfTile;
      if (n < 2) break;
      if (n > most) {
        TESSERA_TRY_DONE(d_.step(schedule::Split{name, a, {a + ".1", a + ".r"}, {most}, ir::Tail::kPartition}));
        // Stages of the nest are computed for a tile then.
        if (name == last_) std::replace(loops_.outer.begin(), loops_.outer.end(), a, a + ".1");
      }
      out.inner.insert(out.inner.begin(), n > most ? a + ".r" : a);
      out.axes = back;
    }
    Names order, last;
    for (const std::string& leaf : d_.stage(name).leaves) {
      const bool tiled = std::find(out.inner.begin(), out.inner.end(), leaf) != out.inner.end();
      const bool reduces = d_.stage(name).find_axis(leaf)->kind == schedule::AxisKind::kReduce;
      (tiled || reduces ? last : order).push_back(leaf);
    }
    if (!order.empty()) out.around = order.back();
    std::stable_partition(last.begin(), last.end(), [&](const std::string& l) { return d_.stage(name).find_axis(l)->kind == schedule::AxisKind::kData; });
    order.insert(order.end(), last.begin(), last.end());
    if (order.size() > 1) TESSERA_TRY_DONE(d_.step(schedule::Reorder{name, order}));
    return out;
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
