// Programs as integer sets, held against what is found by going through every instance.
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "dsl/dsl.h"
#include "ir/rewrite.h"
#include "ir/simplify.h"
#include "ops/catalog.h"
#include "polyhedral/detail/scop.h"
#include "polyhedral/scop.h"

namespace tessera::polyhedral {
namespace {

using dsl::compute;
using dsl::ComputeDag;
using dsl::placeholder;
using dsl::Var;
using ir::Expr;
using ir::f32;

using Point = std::vector<std::int64_t>;
/// "C_update" at [1, 2, 3].
using Instance = std::pair<std::string, Point>;
using Pairs = std::set<std::pair<Instance, Instance>>;

Scop scop_of(const ComputeDag& dag) { return Scop::of(equations_of(dag).or_throw()).or_throw(); }

Instance instance_of(const isl::set& singleton) {
  const isl::point p = singleton.sample_point();
  Point at;
  for (unsigned d = 0; d < singleton.tuple_dim(); ++d) at.push_back(isl::manage(isl_point_get_coordinate_val(p.get(), isl_dim_set, static_cast<int>(d))).num_si());
  const char* name = isl_set_get_tuple_name(singleton.get());
  return {name == nullptr ? "" : name, at};
}

/// All pairs of a bounded relation.
Pairs pairs_of(const isl::union_map& relation) {
  Pairs out;
  relation.foreach_map([&](const isl::map& m) {
    isl::set(m.wrap()).foreach_point([&](const isl::point& p) {
      const isl::map one = isl::set(p).unwrap();
      out.emplace(instance_of(one.domain()), instance_of(one.range()));
    });
  });
  return out;
}

/// Every instance in program order, with the elements it reads and writes, by evaluating indices.
struct Trace {
  struct Entry {
    Instance instance;
    std::set<Instance> reads, writes;
    bool update = false;
  };
  std::vector<Entry> entries;

  explicit Trace(const Equations& program) {
    for (const Equation& e : program.stages) {
      if (e.is_input()) continue;
      if (e.reduce() != nullptr) phase(e, ir::Phase::kInit);
      phase(e, e.reduce() != nullptr ? ir::Phase::kUpdate : ir::Phase::kWhole);
    }
  }

  Pairs accesses(bool write) const {
    Pairs out;
    for (const Entry& e : entries) {
      for (const Instance& x : write ? e.writes : e.reads) out.emplace(e.instance, x);
    }
    return out;
  }

  /// Pairs of instances that touch an element, one of them writing: all, or those between updates of one element.
  Pairs dependences(bool between_updates) const {
    const auto meet = [](const std::set<Instance>& a, const std::set<Instance>& b) {
      return std::any_of(a.begin(), a.end(), [&](const Instance& x) { return b.count(x) != 0; });
    };
    Pairs out;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      for (std::size_t j = i + 1; j < entries.size(); ++j) {
        const Entry &a = entries[i], &b = entries[j];
        if (!meet(a.writes, b.reads) && !meet(a.reads, b.writes) && !meet(a.writes, b.writes)) continue;
        const bool updates = a.update && a.instance.first == b.instance.first;
        if (updates == between_updates) out.emplace(a.instance, b.instance);
      }
    }
    return out;
  }

 private:
  void phase(const Equation& e, ir::Phase phase) {
    std::vector<Coordinate> axes;
    for (const Coordinate& c : e.coordinates) {
      if (!c.reduce || phase == ir::Phase::kUpdate) axes.push_back(c);
    }
    Point at(axes.size());
    const std::function<void(std::size_t)> run = [&](std::size_t d) {
      if (d == axes.size()) return entry(e, phase, axes, at);
      for (at[d] = 0; at[d] < axes[d].extent; ++at[d]) run(d + 1);
    };
    run(0);
  }

  void entry(const Equation& e, ir::Phase phase, const std::vector<Coordinate>& axes, const Point& at) {
    Entry out;
    ir::VarMap values;
    for (std::size_t d = 0; d < axes.size(); ++d) values[axes[d].var.id()] = ir::int_imm(at[d]);
    const Point element(at.begin(), at.begin() + static_cast<std::ptrdiff_t>(e.data_rank()));
    for (const ir::Buffer& b : e.outputs) out.writes.emplace(b->name, element);
    out.update = phase == ir::Phase::kUpdate;
    out.instance = {e.stage + (phase == ir::Phase::kInit ? "_init" : out.update ? "_update" : ""), at};
    if (out.update) out.reads = out.writes;
    if (phase != ir::Phase::kInit) {
      for (const Expr& x : out.update ? e.reduce()->sources : e.body) reads(ir::simplify(ir::substitute(x, values)), out.reads);
    }
    entries.push_back(std::move(out));
  }

  static void reads(const Expr& e, std::set<Instance>& out) {
    ir::walk(e, [&](const Expr& x) {
      if (const auto* n = x.as<ir::Load>()) {
        Point at;
        for (const Expr& i : n->indices) {
          std::int64_t v = 0;
          EXPECT_TRUE(ir::is_const_int(i, &v));
          at.push_back(v);
        }
        out.emplace(n->buffer->name, at);
      }
      return true;
    });
  }
};

void expect_as_enumerated(const ComputeDag& dag) {
  SCOPED_TRACE(dag.to_string());
  const Scop scop = scop_of(dag);
  const Trace trace(scop.program());
  EXPECT_EQ(pairs_of(scop.sets().reads), trace.accesses(false));
  EXPECT_EQ(pairs_of(scop.sets().writes), trace.accesses(true));
  EXPECT_EQ(pairs_of(scop.sets().dependences.strict), trace.dependences(false));
  EXPECT_EQ(pairs_of(scop.sets().dependences.reduction), trace.dependences(true));
}

ComputeDag matmul(std::int64_t n) {
  auto a = placeholder({n, n}, f32, "A"), b = placeholder({n, n}, f32, "B");
  auto k = dsl::reduce_axis(n, "k");
  auto c = compute({n, n}, [&](Var i, Var j) { return dsl::sum(a(i, k) * b(k, j), k); }, "C");
  auto d = compute({n, n}, [&](Var i, Var j) { return ir::max(c(i, j), Expr(0.0)); }, "D");
  return ComputeDag::from_outputs({d});
}

TEST(Scop, Matmul) {
  const Scop scop = scop_of(matmul(100));
  EXPECT_EQ(scop.statements(), (std::vector<std::string>{"C_init", "C_update", "D"}));
  const detail::Dependences& d = scop.sets().dependences;
  isl::ctx ctx = scop.sets().isl;
  EXPECT_TRUE(d.strict.is_equal(isl::union_map(ctx,
      "{ C_init[i,j] -> C_update[i,j,k]: 0 <= i,j,k < 100; C_update[i,j,k] -> D[i,j]: 0 <= i,j,k < 100; C_init[i,j] -> D[i,j]: 0 <= i,j < 100 }"))) << scop.to_string();
  EXPECT_TRUE(d.reduction.is_equal(isl::union_map(ctx, "{ C_update[i,j,k] -> C_update[i,j,l]: 0 <= i,j < 100 and 0 <= k < l < 100 }")));
}

TEST(Scop, IsWhatEnumerationFinds) {
  expect_as_enumerated(matmul(3));
  {
    auto x = placeholder({6, 6}, f32, "X"), w = placeholder({3, 3}, f32, "W");
    auto p = compute({8, 8}, [&](Var y, Var u) {
      return ir::if_then_else(Expr(y) >= 1 && Expr(y) < 7 && Expr(u) >= 1 && Expr(u) < 7, x(y - 1, u - 1), Expr(0.0));
    }, "P");
    auto r = dsl::reduce_axis(3, "r"), s = dsl::reduce_axis(3, "s");
    auto c = compute({3, 3}, [&](Var y, Var u) { return dsl::sum(p(Expr(y) * 2 + r, Expr(u) * 2 + s) * w(r, s), r, s); }, "C");
    expect_as_enumerated(ComputeDag::from_outputs({c}));  // strides and an affine condition
  }
  {
    auto x = placeholder({4, 6}, f32, "X");
    auto k = dsl::reduce_axis(6, "k"), l = dsl::reduce_axis(6, "l");
    auto m = compute({4}, [&](Var i) { return dsl::max(x(i, k), k); }, "M");
    auto d = compute({4, 6}, [&](Var i, Var j) { return x(i, j) - m(i); }, "D");
    auto s = compute({4}, [&](Var i) { return dsl::sum(d(i, l), l); }, "S");
    auto y = compute({4, 6}, [&](Var i, Var j) { return d(i, j) * s(ir::floordiv(Expr(j), 2)); }, "Y");
    expect_as_enumerated(ComputeDag::from_outputs({y}));  // divisions
  }
}

/// Letting go of the order of updates keeps the start before all of them and all of them before readers.
TEST(Scop, RelaxedReductionsStaySound) {
  const Scop scop = scop_of(matmul(4));
  isl::ctx ctx = scop.sets().isl;
  const isl::union_map& strict = scop.sets().dependences.strict;
  for (int k = 0; k < 4; ++k) {
    const std::string update = "C_update[1,2," + std::to_string(k) + "]";
    EXPECT_TRUE(isl::union_map(ctx, "{ C_init[1,2] -> " + update + " }").is_subset(strict));
    EXPECT_TRUE(isl::union_map(ctx, "{ " + update + " -> D[1,2] }").is_subset(strict));
  }
}

TEST(Scop, WhatDataChooseMayBeAnyElement) {
  auto table = placeholder({5, 4}, f32, "T");
  auto index = dsl::with_values(placeholder({3}, ir::i32, "index"), dsl::below(5));
  auto g = compute({3, 4}, [&](Var i, Var j) { return table(ir::max(ir::min(ir::cast(ir::i64, index(i)), Expr(4)), Expr(0)), j); }, "G");
  const Scop scop = scop_of(ComputeDag::from_outputs({g}));
  isl::ctx ctx = scop.sets().isl;
  EXPECT_TRUE(scop.sets().reads.is_equal(isl::union_map(ctx, "{ G[i,j] -> T[t,j]: 0 <= i < 3 and 0 <= j < 4 and 0 <= t < 5; G[i,j] -> index[i]: 0 <= i < 3 and 0 <= j < 4 }"))) << scop.to_string();
  int may = 0;
  for (const detail::Reference& r : scop.sets().statements[0].references) may += r.may;
  EXPECT_EQ(may, 1);
}

TEST(Scop, RowsOfAScanWaitForThoseBefore) {
  auto x = placeholder({6, 3}, f32, "X");
  auto state = dsl::scan_state({6, 3}, f32, "S");
  auto k = dsl::reduce_axis(3, "k");
  auto mixed = compute({6, 3}, [&](Var t, Var j) { return dsl::sum(state(t - 1, k) * x(t, j), k); }, "M");
  auto s = dsl::scan(state, {}, [&](Var t, Var j) { return x(t, j); }, [&](Var t, Var j) { return mixed(t, j) + x(t, j); });
  const Scop scop = scop_of(ComputeDag::from_outputs({s}));
  isl::ctx ctx = scop.sets().isl;
  const isl::union_map& strict = scop.sets().dependences.strict;
  EXPECT_TRUE(isl::union_map(ctx, "{ S[2,1] -> M_update[3,0,1]; M_update[3,0,1] -> S[3,0] }").is_subset(strict)) << scop.to_string();
  EXPECT_TRUE(strict.intersect(isl::union_map(ctx, "{ S[t,j] -> M_update[u,a,b]: u <= t }")).is_empty());
}

TEST(Scop, EveryOperatorHasOne) {
  for (const ops::Operator* op : ops::catalog()) {
    const auto scop = Scop::of(equations_of(ops::build({op->name, {}, "", ""}).or_throw()).or_throw());
    if (op->name == "csr_spmm" && !scop.ok()) continue;  // an extern
    ASSERT_TRUE(scop.ok()) << op->name << ": " << scop.reason();
    EXPECT_FALSE(scop->sets().dependences.strict.is_null());
  }
}

}  // namespace
}  // namespace tessera::polyhedral
