// The summary of a point by numbers is the summary of its replayed state, field by field, at every
// point of every sketch of every operator, and that of its lowered loops.
#include "schedule/summary_template.h"

#include <gtest/gtest.h>

#include "cost_model/features.h"
#include "driver/compile.h"
#include "ops/catalog.h"
#include "schedule/summary.h"
#include "search/feature_source.h"

namespace tessera::search {
namespace {

Task task_of(const std::string& op, int threads, const std::map<std::string, std::int64_t>& shape = {}, const std::string& layout = "", const std::string& target = "cpu") {
  Task t;
  t.op = op;
  t.dag = ops::build({.op = op, .shape = shape, .layout = layout, .dtype = ""}).or_throw();
  t.target = driver::resolve_target(target);
  t.threads = threads;
  return t;
}

schedule::State initial_of(const Task& task) {
  return schedule::State::initial(std::make_shared<const dsl::ComputeDag>(task.dag)).or_throw();
}

Result<schedule::SummaryTemplate> template_of(const schedule::State& initial, const Sketch& s, std::uint64_t seed, int count = 8) {
  std::vector<std::string> holes;
  for (const Hole& h : s.space.holes()) holes.push_back(h.name);
  Rng rng(seed);
  std::vector<Values> probes;
  for (int i = 0; i < count; ++i) probes.push_back(*s.space.sample(rng));
  return schedule::SummaryTemplate::make(initial, s.steps, holes, probes);
}

std::string difference(const ir::NestSummary& a, const ir::NestSummary& b) {
  if (a.statements.size() != b.statements.size()) return "number of statements";
  for (std::size_t i = 0; i < a.statements.size(); ++i) {
    const ir::StatementSummary &x = a.statements[i], &y = b.statements[i];
    const std::string where = " of statement " + std::to_string(i) + " (" + x.stage + ")";
    if (x.stage != y.stage || x.phase != y.phase || x.prepared != y.prepared) return "kind" + where;
    if (x.loops != y.loops) return "loops" + where;
    if (!(x.ops == y.ops)) return "operations" + where;
    if (x.accesses.size() != y.accesses.size()) return "number of accesses" + where;
    for (std::size_t k = 0; k < x.accesses.size(); ++k) {
      const ir::AccessSummary &p = x.accesses[k], &q = y.accesses[k];
      if (p == q) continue;
      std::string text = "access " + std::to_string(k) + " to " + p.buffer + where + ": elements " + std::to_string(p.elements) +
                         "/" + std::to_string(q.elements) + " regular " + std::to_string(p.regular) + "/" + std::to_string(q.regular) + " strides";
      for (const std::int64_t v : p.strides) text += " " + std::to_string(v);
      text += " /";
      for (const std::int64_t v : q.strides) text += " " + std::to_string(v);
      return text;
    }
  }
  return "";
}

struct Coverage {
  int points = 0, told = 0;
};

/// Every point that the template tells is told exactly; counts those it does not tell.
void check_task(const Task& task, int points, Coverage& out) {
  const schedule::State initial = initial_of(task);
  ir::NestSummary quick;
  for (const Sketch& s : generate_sketches(task)) {
    const auto made = template_of(initial, s, 7);
    out.points += points;
    EXPECT_TRUE(made.ok()) << task.op << " " << s.name << ": " << (made.ok() ? "" : made.reason());
    if (!made.ok()) continue;
    Rng rng(23);
    for (int i = 0; i < points; ++i) {
      const Values point = *s.space.sample(rng);
      if (!made->evaluate(point, quick)) continue;
      ++out.told;
      const auto state = schedule::replay(initial, schedule::fill_holes(s.steps, s.space.decisions(point)).or_throw());
      ASSERT_TRUE(state.ok()) << state.reason();
      const ir::NestSummary slow = schedule::summarize(*state).or_throw();
      ASSERT_EQ(quick, slow) << task.op << " " << s.name << " threads " << task.threads << ": " << difference(quick, slow);
    }
  }
}

class SummaryTemplateOf : public testing::TestWithParam<std::tuple<std::string, int>> {};

TEST_P(SummaryTemplateOf, IsThatOfTheState) {
  Coverage c;
  check_task(task_of(std::get<0>(GetParam()), std::get<1>(GetParam())), 20, c);
  EXPECT_GE(c.told, 0.99 * c.points) << c.told << " of " << c.points;
}

std::vector<std::string> operator_names() {
  std::vector<std::string> out;
  for (const ops::Operator* op : ops::catalog()) out.push_back(op->name);
  return out;
}

/// Whether a hole changes which stages there are: such a sketch has templates by its values (search/feature_source.cpp).
bool is_structural(const Sketch& s) {
  return std::any_of(s.steps.begin(), s.steps.end(), [](const schedule::Step& step) { return std::holds_alternative<schedule::UseAlgorithm>(step) && !schedule::open_holes({step}).empty(); });
}

/// What templates do not follow: such points are replayed.
bool is_beyond(const std::string& reason) {
  return reason == "a fused reduction is factored";
}

/// The same for kernels, whose boxes are padded.
void check_kernels(const Task& task, int points, Coverage& out) {
  const schedule::State initial = initial_of(task);
  ir::NestSummary quick;
  for (const Sketch& s : generate_sketches(task)) {
    if (is_structural(s)) continue;
    const auto made = template_of(initial, s, 7);
    if (!made.ok() && is_beyond(made.reason())) continue;
    EXPECT_TRUE(made.ok()) << task.op << " " << s.name << ": " << (made.ok() ? "" : made.reason());
    if (!made.ok()) continue;
    Rng rng(23);
    for (int i = 0; i < points; ++i) {
      const Values point = *s.space.sample(rng);
      ++out.points;
      if (!made->evaluate(point, quick)) continue;
      ++out.told;
      const auto state = schedule::replay(initial, schedule::fill_holes(s.steps, s.space.decisions(point)).or_throw()).or_throw();
      const ir::NestSummary slow = schedule::summarize(state).or_throw();
      ASSERT_EQ(quick, slow) << task.op << " " << s.name << ": " << difference(quick, slow);
    }
  }
}

class SummaryTemplateOfKernels : public testing::TestWithParam<std::string> {};

TEST_P(SummaryTemplateOfKernels, IsThatOfTheState) {
  Coverage c;
  check_kernels(task_of(GetParam(), 1, {}, "", "cuda -arch=sm_90a"), 20, c);
  EXPECT_GE(c.told, 0.99 * c.points) << c.told << " of " << c.points;
}

/// Windows that move by two, whose padded boxes are not needed whole everywhere, and their patches as rows of a matrix.
TEST(SummaryTemplates, StridedWindowsOfKernelsAreTold) {
  for (const char* preset : {"CBR.1", "C2D.1", "C1D.1", "C3D.1"}) {
    for (const char* dtype : {"f32", "f16"}) {
      ops::Request r = ops::find_preset(preset).or_throw();
      r.dtype = dtype;
      Task task = task_of(r.op, 1, {}, "", "cuda -arch=sm_80");
      task.dag = ops::build(r).or_throw();
      Coverage c;
      check_kernels(task, 3, c);
      EXPECT_EQ(c.told, c.points) << preset << " " << dtype;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Operators, SummaryTemplateOfKernels, testing::ValuesIn(operator_names()), [](const auto& info) { return info.param; });

/// Tiles for tensor cores, swizzled and with bytes between rows, are told without a replay.
TEST(SummaryTemplates, TensorCoreSketchesAreTold) {
  for (const char* op : {"matmul", "dense"}) {
    Task task = task_of(op, 1, {{"m", 384}, {"n", 512}, {"k", 256}}, "", "cuda -arch=sm_90a");
    task.dag = ops::build({.op = op, .shape = {{"m", 384}, {"n", 512}, {"k", 256}}, .layout = "", .dtype = "f16"}).or_throw();
    Coverage c;
    check_kernels(task, 40, c);
    EXPECT_GE(c.told, 80) << op;
    EXPECT_EQ(c.told, c.points) << op;
  }
}

struct Odd {
  const char* name;
  const char* op;
  std::map<std::string, std::int64_t> shape;
  const char* layout;
};

class SummaryTemplateOfOddShapes : public testing::TestWithParam<Odd> {};

TEST_P(SummaryTemplateOfOddShapes, IsThatOfTheState) {
  const Odd& o = GetParam();
  Coverage c;
  for (const int threads : {1, 2}) check_task(task_of(o.op, threads, o.shape, o.layout), 40, c);
  EXPECT_GE(c.told, 0.99 * c.points) << c.told << " of " << c.points;
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, SummaryTemplateOfOddShapes,
    testing::Values(Odd{"matmul_of_primes", "matmul", {{"m", 509}, {"n", 509}, {"k", 997}}, ""},
                    Odd{"matmul_of_a_row", "matmul", {{"m", 1}, {"n", 1000}, {"k", 333}}, ""},
                    Odd{"dense", "dense", {{"m", 37}, {"n", 53}, {"k", 129}}, ""},
                    Odd{"conv2d_stride_2", "conv2d", {{"h", 7}, {"w", 7}, {"ci", 13}, {"co", 19}, {"kh", 3}, {"kw", 3}, {"stride", 2}, {"pad", 1}}, ""},
                    Odd{"conv2d_nhwc", "conv2d", {{"h", 15}, {"w", 13}, {"ci", 12}, {"co", 36}, {"kh", 5}, {"kw", 3}, {"pad", 2}}, "NHWC"},
                    Odd{"conv2d_in_groups", "conv2d", {{"h", 14}, {"w", 14}, {"ci", 24}, {"co", 36}, {"groups", 3}, {"kh", 3}, {"kw", 3}, {"pad", 1}}, ""},
                    Odd{"conv3d", "conv3d", {{"d", 5}, {"h", 7}, {"w", 9}, {"ci", 3}, {"co", 17}, {"stride", 2}, {"pad", 1}}, ""},
                    Odd{"softmax", "softmax", {{"m", 33}, {"n", 1023}}, ""},
                    Odd{"layer_norm", "layer_norm", {{"m", 7}, {"n", 769}}, ""}),
    [](const auto& info) { return info.param.name; });

TEST(SummaryTemplate, IsThatOfTheStateInEveryLayout) {
  for (const ops::Operator* op : ops::catalog()) {
    for (std::size_t i = 1; i < op->layouts.size(); ++i) {
      SCOPED_TRACE(op->layouts[i]);
      Coverage c;
      check_task(task_of(op->name, 2, {}, op->layouts[i]), 10, c);
      EXPECT_GE(c.told, 0.99 * c.points) << op->name << ": " << c.told << " of " << c.points;
    }
  }
}

/// The lowered loops say the same, and so do the features made of either.
bool reaches_past_a_tensor(const schedule::State& state) {
  for (std::size_t i = 0; i < state.size(); ++i) {
    const schedule::Stage& s = state.stage(i);
    for (std::size_t d = 0; s.padded && d < s.region.bound.size(); ++d) {
      if (s.region.bound[d] > s.roots[d].extent) return true;
    }
  }
  return false;
}

class LoweredLoopsOf : public testing::TestWithParam<std::tuple<std::string, std::string>> {};

TEST_P(LoweredLoopsOf, SummaryAndFeaturesAgree) {
  const bool cpu = std::get<1>(GetParam()) == "cpu";
  const std::size_t points = cpu ? 1000 : 60;  // of kernels, whose loops take longer to build
  const Task task = task_of(std::get<0>(GetParam()), cpu ? 2 : 1, {}, "", std::get<1>(GetParam()));
  const std::vector<Sketch> sketches = generate_sketches(task);
  const cost_model::Machine machine = cost_model::make_machine(task.target, task.threads, {});
  const schedule::State initial = initial_of(task);
  ir::NestSummary quick;
  Rng rng(3);
  for (std::size_t k = 0; k < sketches.size(); ++k) {
    const Sketch& s = sketches[k];
    const auto made = template_of(initial, s, 9);
    EXPECT_TRUE(made.ok() || !cpu) << s.name;
    for (std::size_t i = k; i < points; i += sketches.size()) {
      const Values point = *s.space.sample(rng);
      const schedule::StepList steps = schedule::fill_holes(s.steps, s.space.decisions(point)).or_throw();
      // Its reads are guarded, which only the loops count.
      if (reaches_past_a_tensor(schedule::replay(initial, steps).or_throw())) continue;
      const bool told = made.ok() && made->evaluate(point, quick);
      EXPECT_TRUE(told || !cpu) << s.name;
      if (!told) quick = schedule::summarize(schedule::replay(initial, steps).or_throw()).or_throw();  // as a search does
      const ir::NestSummary loops = ir::summarize(driver::structured_loops(task.dag, steps, task.target).or_throw());
      ASSERT_EQ(quick.statements, loops.statements) << s.name << ": " << difference(quick, loops);
      const cost_model::Features a = cost_model::extract(quick, machine), b = cost_model::extract(loops, machine);
      ASSERT_EQ(a.values.size(), b.values.size());
      for (std::size_t f = 0; f < a.values.size(); ++f) ASSERT_NEAR(a.values[f], b.values[f], 1e-6);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Operators, LoweredLoopsOf, testing::Values(std::tuple{"matmul", "cpu"}, std::tuple{"conv2d", "cpu"}, std::tuple{"matmul", "cuda"}),
                         [](const auto& info) { return std::get<0>(info.param) + "_" + std::get<1>(info.param); });

TEST(SummaryTemplate, FeaturesOfAPointAreThoseOfItsSteps) {
  // The last one has an algorithm with a number in it (the chunks of a split product).
  for (const auto& [op, target] : {std::pair{"matmul", "cpu"}, {"conv2d_bias_relu", "cpu"}, {"softmax", "cpu"}, {"matmul", "cuda -arch=sm_90a"}}) {
    const Task task = task_of(op, 2, {}, "", target);
    const std::vector<Sketch> sketches = generate_sketches(task);
    std::vector<Point> points;
    Rng rng(17);
    for (std::size_t k = 0; k < sketches.size(); ++k) {
      for (int i = 0; i < 10; ++i) points.push_back({k, *sketches[k].space.sample(rng)});
    }
    for (const int jobs : {1, 2}) {
      const FeatureSource source(task, sketches, machine_of(task), jobs);
      const std::vector<cost_model::Features> quick = source.of(points);
      for (std::size_t i = 0; i < points.size(); ++i) {
        const auto slow = source.of_steps(steps_of(sketches, points[i]).or_throw()).or_throw();
        EXPECT_EQ(quick[i].values, slow.values) << op << " " << sketches[points[i].sketch].name;
        EXPECT_EQ(quick[i].terms, slow.terms) << op << " " << sketches[points[i].sketch].name;
      }
    }
  }
}

TEST(SummaryTemplate, PointsOutsideTheSpaceAreReplayed) {
  const Task task = task_of("matmul", 1);
  const std::vector<Sketch> sketches = generate_sketches(task);
  Rng rng(1);
  const Values inside = *sketches[0].space.sample(rng);
  Values outside = inside;
  outside[0] = 0;  // no factor of a split
  const FeatureSource source(task, sketches, machine_of(task), 1);
  const auto features = source.of(std::vector<Point>{{0, inside}, {0, outside}});
  EXPECT_FALSE(features[0].values.empty());
  EXPECT_TRUE(features[1].values.empty());
}

TEST(SummaryTemplate, RefusesAHoleThatChangesMoreThanNumbers) {
  const Task task = task_of("matmul", 1);
  const schedule::State initial = initial_of(task);
  const schedule::Stage& s = initial.stage(initial.size() - 1);
  const schedule::StepList tile{schedule::Tile{s.name, {s.leaves[0], s.leaves[1]}, {"a", "b", "c", "d"},
                                               {schedule::Param::open("rows"), 4}, ir::Tail::kPartition}};
  const std::vector<std::vector<std::int64_t>> probes{{4}};
  const auto made = schedule::SummaryTemplate::make(initial, tile, {"rows"}, probes);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.reason(), "step tile has a hole");
  EXPECT_FALSE(schedule::SummaryTemplate::make(initial, {}, {}, {}).ok());
}

INSTANTIATE_TEST_SUITE_P(Catalogue, SummaryTemplateOf, testing::Combine(testing::ValuesIn(operator_names()), testing::Values(1, 2)),
                         [](const auto& info) {
                           return std::get<0>(info.param) + (std::get<1>(info.param) == 1 ? "_on_a_thread" : "_on_two_threads");
                         });

}  // namespace
}  // namespace tessera::search
