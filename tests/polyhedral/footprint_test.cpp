// Exact footprints of structured loops, held against going through every iteration; and the closed form that the
// cost model uses for thousands of candidates, held against the exact ones.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "cost_model/detail/footprint.h"
#include "driver/compile.h"
#include "ir/nest_summary.h"
#include "ir/print.h"
#include "ir/rewrite.h"
#include "ir/simplify.h"
#include "ops/catalog.h"
#include "polyhedral/footprint.h"
#include "search/sketch.h"
#include "tests/polyhedral/programs.h"
#include "tests/support/options.h"

namespace tessera::polyhedral {
namespace {

using namespace test;  // NOLINT: the programs that the tests of this folder share

std::vector<StatementFootprint> footprints_of(const Schedule& s) {
  return footprints(loops_of(s), equations_of(s.state()).or_throw()).or_throw();
}

std::vector<std::int64_t> elements(const AccessFootprint& a) {
  std::vector<std::int64_t> out;
  for (const LevelFootprint& l : a.levels) out.push_back(l.elements);
  return out;
}

TEST(Footprints, OfATiledProduct) {
  // E in tiles of 4 x 8, k in parts of 5.
  const auto all = footprints_of(tiled_matmul(20, 4, 8, 5));
  const auto update = std::find_if(all.begin(), all.end(), [](const StatementFootprint& s) { return s.stage == "C" && s.phase == ir::Phase::kUpdate; });
  ASSERT_NE(update, all.end());
  EXPECT_EQ(update->loops, (std::vector<std::string>{"i0", "j0", "k0", "i", "k1", "j"}));
  ASSERT_EQ(update->accesses.size(), 4u);  // C, C, A, B
  EXPECT_EQ(elements(update->accesses[0]), (std::vector<std::int64_t>{32, 32, 32, 32, 8, 8, 1}));
  EXPECT_EQ(elements(update->accesses[2]), (std::vector<std::int64_t>{400, 80, 80, 20, 5, 1, 1}));
  EXPECT_EQ(elements(update->accesses[3]), (std::vector<std::int64_t>{400, 400, 160, 40, 40, 8, 1}));
  EXPECT_EQ(update->accesses[3].levels[2].box, (std::vector<std::int64_t>{20, 8}));
  EXPECT_EQ(update->accesses[3].levels[2].iterations, 4 * 8 * 20);
}

/// Y[i] = max of X[2*i + 3*k] over three k: elements that strides with a gap leave out.
TEST(Footprints, OfStridesThatDoNotDivideEachOther) {
  auto x = placeholder({11}, f32, "X");
  auto k = dsl::reduce_axis(2, "k");
  auto y = compute({3}, [&](Var i) { return dsl::sum(x(Expr(i) * 2 + Expr(k) * 3), k); }, "Y");
  const auto all = footprints_of(Schedule(ComputeDag::from_outputs({y})));
  EXPECT_EQ(all.back().accesses[2].levels[0], (LevelFootprint{6, 6, {8}}));  // 0 2 3 4 5 7
  // There the closed form is an estimate, which may be below.
  const ir::AccessSummary a{.buffer = "X", .write = false, .scope = ir::Scope::kGlobal, .element_bytes = 4, .elements = 11, .row = 11, .regular = true, .strides = {2, 3}};
  const double extents[] = {3, 2};
  EXPECT_EQ(cost_model::detail::footprint(a, cost_model::detail::order_strides(a, 0, 2, extents), 0).elements, 4.5);
}

/// What every access touches in every run of loops, by going through all iterations.
class Enumeration {
 public:
  using Point = std::vector<std::int64_t>;
  struct Statement {
    std::string stage;
    std::vector<bool> runs_twice;                                // by loop around
    std::vector<std::vector<std::pair<Point, Point>>> accesses;  // iteration and element
  };

  explicit Enumeration(const ir::Program& p) {
    for (const ir::Function& f : p.functions) visit(f.body);
  }

  /// The most elements that a run of loops `level` and those inside touches, of loops that run twice.
  static std::int64_t most(const Statement& s, std::size_t access, std::size_t level) {
    std::map<Point, std::set<Point>> by_run;
    for (const auto& [iteration, element] : s.accesses[access]) {
      Point outside;
      for (std::size_t l = 0; l < iteration.size(); ++l) {
        if (s.runs_twice[l]) outside.push_back(iteration[l]);
      }
      outside.resize(level);
      by_run[outside].insert(element);
    }
    std::size_t out = 0;
    for (const auto& [run, touched] : by_run) out = std::max(out, touched.size());
    return static_cast<std::int64_t>(out);
  }

  std::vector<Statement> statements;  // in the order in which they stand

 private:
  std::int64_t value(const Expr& e) const {
    std::int64_t v = 0;
    EXPECT_TRUE(ir::is_const_int(ir::simplify(ir::substitute(e, values_)), &v)) << ir::to_string(e);
    return v;
  }

  void visit(const ir::Stmt& s) {
    if (const auto* n = s.as<ir::For>()) {
      const std::int64_t lo = value(n->min), extent = value(n->extent);
      for (std::int64_t i = lo; i < lo + extent; ++i) {
        values_[n->var.id()] = ir::int_imm(i);
        iteration_.push_back(i);
        twice_.push_back(extent > 1);
        visit(n->body);
        twice_.pop_back();
        iteration_.pop_back();
      }
    } else if (const auto* n = s.as<ir::Instance>()) {
      instance(*n);
    } else {
      ir::for_each_child(s, {}, [&](const ir::Stmt& x) { visit(x); });
    }
  }

  void instance(const ir::Instance& n) {
    const auto [known, is_new] = place_.emplace(&n, statements.size());
    if (is_new) statements.push_back({n.stage, std::vector<bool>(iteration_.size(), false), {}});
    Statement& out = statements[known->second];
    for (std::size_t l = 0; l < twice_.size(); ++l) out.runs_twice[l] = out.runs_twice[l] || twice_[l];
    const auto* store = n.body.as<ir::Store>();
    ASSERT_NE(store, nullptr);
    next_ = 0;
    touch(out, store->indices, true);
    reads(out, store->value, true);
  }

  void touch(Statement& out, const ir::Exprs& index, bool executed) {
    if (next_ == out.accesses.size()) out.accesses.emplace_back();
    auto& access = out.accesses[next_++];
    if (!executed) return;
    Point element;
    for (const Expr& i : index) element.push_back(value(i));
    access.emplace_back(iteration_, element);
  }

  void reads(Statement& out, const Expr& e, bool executed) {
    if (const auto* load = e.as<ir::Load>()) touch(out, load->indices, executed);
    const auto* choice = e.as<ir::IfThenElseExpr>();
    if (choice == nullptr) return ir::for_each_child(e, [&](const Expr& c) { reads(out, c, executed); });
    const Expr condition = ir::simplify(ir::substitute(choice->condition, values_));
    reads(out, choice->yes, executed && ir::equal(condition, ir::bool_imm(true)));
    reads(out, choice->no, executed && ir::equal(condition, ir::bool_imm(false)));
  }

  ir::VarMap values_;
  Point iteration_;
  std::vector<bool> twice_;
  std::map<const ir::Instance*, std::size_t> place_;
  std::size_t next_ = 0;
};

void expect_enumerated(const Schedule& s) {
  const Enumeration all(loops_of(s));
  const auto exact = footprints_of(s);
  ASSERT_EQ(all.statements.size(), exact.size());
  for (std::size_t i = 0; i < exact.size(); ++i) {
    ASSERT_EQ(all.statements[i].stage, exact[i].stage);
    ASSERT_EQ(all.statements[i].accesses.size(), exact[i].accesses.size()) << exact[i].stage;
    for (std::size_t a = 0; a < exact[i].accesses.size(); ++a) {
      const AccessFootprint& access = exact[i].accesses[a];
      ASSERT_EQ(access.levels.size(), exact[i].loops.size() + 1);
      for (std::size_t l = 0; l < access.levels.size(); ++l) {
        EXPECT_EQ(access.levels[l].elements, Enumeration::most(all.statements[i], a, l)) << access.buffer << " in stage " << exact[i].stage << " at level " << l;
      }
    }
  }
}

TEST(Footprints, AreThoseOfEveryIteration) {
  expect_enumerated(tiled_matmul(7, 3, 4, 2));  // tails everywhere
  auto x = placeholder({9, 8}, f32, "X");
  const auto at = [&](const Expr& i, const Expr& j) { return ir::if_then_else(i >= 1 && i < 10, ir::if_then_else(j < 1 || j >= 9, Expr(0.0), x(i - 1, j - 1)), Expr(0.0)); };
  auto r = dsl::reduce_axis(3, "r"), q = dsl::reduce_axis(3, "q");
  auto y = compute({5, 4}, [&](Var i, Var j) { return dsl::sum(at(Expr(i) * 2 + r, Expr(j) * 2 + q), r, q); }, "Y");  // borders
  Schedule s(ComputeDag::from_outputs({y}));
  s.split("Y", "i", {"i0", "i1"}, {2}).split("Y", "j", {"j0", "j1"}, {2}).reorder("Y", {"i0", "j0", "r", "i1", "j1", "q"}).fuse("Y", {"i0", "j0"}, "f");
  expect_enumerated(s);
}

/// Levels of accesses, by what the closed form is for them.
struct Count {
  int all = 0, equal = 0;
};
using Shares = std::map<std::string, Count>;

const char* const kExact = "exact";            // regular, over rectangles, strides that divide each other
const char* const kPart = "part of a rectangle";  // borders, tails
const char* const kStrides = "strides";        // that do not divide each other
const char* const kLoose = "loose loop";       // the summary's bound says that it may run twice, and it never does
const char* const kIrregular = "irregular";    // fused loops, lookups

std::string class_of(const ir::AccessSummary& a, const AccessFootprint& exact, std::size_t level, const cost_model::detail::StrideOrder& order, int from, double rectangle) {
  if (!a.regular || !exact.exact) return kIrregular;
  if (static_cast<double>(exact.levels[level].iterations) != rectangle) return kPart;
  double smaller = 1;
  for (int k = 0; k < order.count; ++k) {
    const auto i = static_cast<std::size_t>(k);
    if (order.loop[i] < from) continue;
    if (std::fmod(order.stride[i], smaller) != 0) return kStrides;
    smaller = order.stride[i];
  }
  return kExact;
}

void compare(const ir::StatementSummary& summary, const StatementFootprint& exact, Shares& shares) {
  ASSERT_EQ(summary.stage, exact.stage);
  ASSERT_EQ(summary.phase, exact.phase);
  ASSERT_EQ(summary.accesses.size(), exact.accesses.size());
  std::vector<double> extents;
  std::vector<int> runs;  // loops that run twice or more
  for (std::size_t l = 0; l < summary.loops.size(); ++l) {
    extents.push_back(static_cast<double>(summary.loops[l].extent));
    if (summary.loops[l].extent > 1) runs.push_back(static_cast<int>(l));
  }
  ASSERT_GE(runs.size(), exact.loops.size());
  const bool loose = runs.size() > exact.loops.size();  // then levels do not face each other, but for that of all loops
  for (std::size_t k = 0; k < summary.accesses.size(); ++k) {
    const ir::AccessSummary& a = summary.accesses[k];
    ASSERT_EQ(a.buffer, exact.accesses[k].buffer);
    const auto order = cost_model::detail::order_strides(a, 0, static_cast<int>(extents.size()), extents.data());
    double rectangle = 1;
    for (std::size_t level = loose ? 1 : runs.size() + 1; level-- > 0;) {
      const int from = level == runs.size() ? static_cast<int>(extents.size()) : runs[level];
      if (level < runs.size()) rectangle *= extents[static_cast<std::size_t>(from)];
      const double fast = cost_model::detail::footprint(a, order, from).elements;
      const auto slow = static_cast<double>(exact.accesses[k].levels[level].elements);
      const std::string kind = loose ? kLoose : class_of(a, exact.accesses[k], level, order, from, rectangle);
      Count& count = shares[kind];
      ++count.all;
      count.equal += fast == slow;
      const auto where = [&] { return a.buffer + " in stage " + summary.stage + " at level " + std::to_string(level); };
      if (kind == kExact) {
        EXPECT_EQ(fast, slow) << where();
      } else if (kind == kPart || (kind == kLoose && a.regular)) {
        EXPECT_GE(fast, slow) << where();
      }
    }
  }
}

constexpr int kPoints = 100;  // of each of ten problems

class ClosedForms : public ::testing::TestWithParam<std::pair<std::string, ops::Request>> {};

TEST_P(ClosedForms, AreExactWhereTheyClaimTo) {
  const ops::Request& request = GetParam().second;
  search::Task task;
  task.dag = ops::build(request).or_throw();
  task.op = request.op;
  task.target = driver::resolve_target("cpu -mcpu=x86-64-v3");
  task.threads = 2;
  const auto sketches = search::generate_sketches(task);
  const std::uint64_t seed = tessera::test::options().seed;
  Rng rng(seed, {hash_bytes(GetParam().first)});
  Shares shares;
  for (int i = 0; i < kPoints && !HasFailure(); ++i) {
    const search::Sketch& sketch = rng.pick(sketches);
    const auto steps = schedule::fill_holes(sketch.steps, sketch.space.decisions(*sketch.space.sample(rng))).or_throw();
    SCOPED_TRACE(request.op + " " + sketch.name + " " + dump_json(write_json(steps)));
    const auto loops = driver::structured_loops(task.dag, steps, task.target).or_throw();
    const auto exact = footprints(loops, equations_of(driver::scheduled(task.dag, steps).or_throw()).or_throw()).or_throw();
    const ir::NestSummary summary = ir::summarize(loops);
    ASSERT_EQ(summary.statements.size(), exact.size());
    for (std::size_t s = 0; s < exact.size(); ++s) compare(summary.statements[s], exact[s], shares);
  }
  RecordProperty("seed", std::to_string(seed));
  int all = 0;
  for (const auto& [kind, count] : shares) {
    RecordProperty(kind, std::to_string(count.equal) + " of " + std::to_string(count.all) + " equal");
    all += count.all;
  }
  EXPECT_GE(2 * shares[kExact].all, all);  // most of what the search meets is what they are exact for
}

INSTANTIATE_TEST_SUITE_P(Problems, ClosedForms,
                         ::testing::Values(std::pair("matmul", ops::Request{"matmul", {{"m", 24}, {"n", 32}, {"k", 16}}, "", ""}),
                                           std::pair("batch_matmul", ops::Request{"batch_matmul", {{"b", 2}, {"m", 8}, {"n", 16}, {"k", 12}}, "", ""}),
                                           std::pair("conv2d", ops::Request{"conv2d", {{"h", 6}, {"w", 6}, {"ci", 4}, {"co", 8}}, "", ""}),
                                           std::pair("conv2d_strided", ops::Request{"conv2d", {{"h", 9}, {"w", 10}, {"ci", 3}, {"co", 8}, {"stride", 2}}, "NCHW", ""}),
                                           std::pair("depthwise_conv2d", ops::Request{"depthwise_conv2d", {{"h", 8}, {"w", 7}, {"c", 8}}, "", ""}),
                                           std::pair("max_pool2d", ops::Request{"max_pool2d", {{"h", 9}, {"w", 8}, {"c", 8}}, "", ""}),
                                           std::pair("softmax", ops::Request{"softmax", {{"m", 12}, {"n", 40}}, "", ""}),
                                           std::pair("layer_norm", ops::Request{"layer_norm", {{"m", 12}, {"n", 40}}, "", ""}),
                                           std::pair("column_sum", ops::Request{"column_sum", {{"m", 30}, {"n", 24}}, "", ""}),
                                           std::pair("transpose", ops::Request{"transpose", {{"m", 30}, {"n", 24}}, "", ""})),
                         [](const auto& info) { return info.param.first; });

}  // namespace
}  // namespace tessera::polyhedral
