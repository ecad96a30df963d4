// Lesson 05: algorithms
//
// Steps reorder the operations of a definition. `use_algorithm` replaces a stage by others that compute
// the same in another way; after it, the new stages are scheduled like any. Here a 3x3 convolution
// becomes a matrix product, then a Winograd convolution with a quarter of the multiplications.
//
// Build and run:   cmake --build build/release --target lesson_05_algorithms
//                  build/release/lessons/05_algorithms

#include <algorithm>

#include "docs/lessons/lesson.h"
#include "driver/compile.h"
#include "driver/reference.h"
#include "dsl/dsl.h"
#include "runtime/cpu/host.h"
#include "schedule/algorithms.h"
#include "schedule/schedule.h"

using namespace tessera;
using namespace tessera::dsl;
using lesson::refused;
using lesson::require;
using lesson::show;
using schedule::Schedule;

constexpr int SIZE = 28, CHANNELS = 64;

/// X is padded, then convolved with constant weights.
ComputeDag convolution(int stride = 1) {
  const int out = (SIZE - 1) / stride + 1;
  auto X = placeholder({SIZE, SIZE, CHANNELS}, f32, "X");
  auto W = constant({3, 3, CHANNELS, CHANNELS}, f32, "W");
  auto P = compute_named(
      {SIZE + 2, SIZE + 2, CHANNELS}, {"y", "x", "c"},
      [&](const std::vector<Var>& v) {
        const Expr inside = v[0] >= 1 && v[0] <= SIZE && v[1] >= 1 && v[1] <= SIZE;
        return Exprs{if_then_else(inside, X(v[0] - 1, v[1] - 1, v[2]), 0.0f)};
      },
      "P");
  auto r = reduce_axis(3, "r"), s = reduce_axis(3, "s"), c = reduce_axis(CHANNELS, "c");
  auto Y = compute_named(
      {out, out, CHANNELS}, {"y", "x", "f"},
      [&](const std::vector<Var>& v) {
        return Exprs{
            sum(P(v[0] * stride + r, v[1] * stride + s, c) * W(r, s, c, v[2]), {r, s, c})};
      },
      "Y");
  return ComputeDag::from_outputs({Y}, "convolution");
}

// 1. A matrix of patches.
//
// Row m of Y.patches is the window of output m, laid flat; with the weights as a matrix the
// convolution is one product. Nothing is rounded otherwise: the terms of each sum are the same.
void im2col() {
  Schedule s(convolution());
  s.use_algorithm("Y", "im2col");
  show("im2col", s.state().print_loops(), R"(
for P.y in 0..30
  for P.x in 0..30
    for P.c in 0..64
      P = ...
for Y.patches.m in 0..784
  for Y.patches.k in 0..576
    Y.patches = ...
for Y.weights.k in 0..576
  for Y.weights.n in 0..64
    Y.weights = ...
for Y.product.m in 0..784
  for Y.product.n in 0..64
    for Y.product.k in 0..576 reduce
      Y.product = ...
for Y.y in 0..28
  for Y.x in 0..28
    for Y.f in 0..64
      Y = ...
)");
}

// 2. What is refused.
//
// An algorithm takes a form, and comes first: the steps after it are about its stages.
void refusals() {
  refused([] { Schedule(convolution(2)).use_algorithm("Y", "winograd", {{"tile", 4}}); },
          "use_algorithm: stage 'Y' is no 3x3 convolution with stride 1, dilation 1 and one group; "
          "im2col and direct take others");
  refused([] { Schedule(convolution()).unroll("Y", "r").use_algorithm("Y", "im2col"); },
          "use_algorithm: stage 'Y' gets another algorithm after other steps; use_algorithm comes "
          "first");
}

// The widths of registers, in floats.
int lanes() { return driver::resolve_target("cpu").lanes(4); }

/// A product in a register tile of `rows` by two vectors.
void register_tile(Schedule& s, const std::string& stage, const std::string& row,
                   const std::string& column, const std::string& reduction, int rows) {
  const std::string acc = stage + ".acc";
  std::vector<std::string> order, inner;
  for (const schedule::RootAxis& r : s.state().find(stage)->roots) {
    if (r.axis == row || r.axis == column || r.kind == schedule::AxisKind::kReduce) continue;
    order.push_back(r.axis);
  }
  inner = order;
  s.cache_write(stage, acc);
  s.split(stage, row, {"r0", "r1"}, {rows}).split(stage, column, {"c0", "c1", "c2"}, {2, lanes()});
  order.insert(order.begin(), "c0");
  for (const char* l : {"r0", "r1", "c1", "c2"}) order.emplace_back(l);
  s.reorder(stage, order).unroll(stage, "r1").unroll(stage, "c1").vectorize(stage, "c2");
  s.compute_at(acc, stage, "r0").set_scope(acc, ir::Scope::kRegister);
  s.split(acc, column, {"c1", "c2"}, {lanes()});
  for (const std::string& l : {reduction, row, std::string("c1"), std::string("c2")}) {
    inner.push_back(l);
  }
  s.reorder(acc, inner).unroll(acc, row).unroll(acc, "c1").vectorize(acc, "c2");
}

void in_vectors(Schedule& s, const std::string& stage) {
  const std::string last = s.state().find(stage)->data_axes().back();
  s.split(stage, last, {last + "0", last + "1"}, {lanes()}).vectorize(stage, last + "1");
}

schedule::StepList scheduled_im2col() {
  Schedule s(convolution());
  s.use_algorithm("Y", "im2col");
  // Output m is a row and a column, k two taps and a channel. Cut there, indices are plain sums.
  s.split("Y.patches", "m", {"y", "x"}, {SIZE});
  s.split("Y.patches", "k", {"r", "s", "c0", "c1"}, {3, CHANNELS / lanes(), lanes()});
  s.vectorize("Y.patches", "c1");
  s.transform_layout("Y.weights", {{"n", 0}, {"k", 0}, {"n", 2 * lanes()}});
  register_tile(s, "Y.product", "m", "n", "k", lanes() == 16 ? 14 : 6);
  in_vectors(s, "P");
  in_vectors(s, "Y");
  return s.steps();
}

// 3. Winograd.
//
// A tile of 4 x 4 outputs needs 6 x 6 inputs. Transformed, it takes one multiplication a channel
// for each of 36 positions, where the definition takes 144. The transforms are additions and
// multiplications by small constants, which the axes `a`, `b` and `i` choose: unrolled, each copy is
// left with its own.
schedule::StepList scheduled_winograd() {
  Schedule s(convolution());
  s.use_algorithm("Y", "winograd", {{"tile", 4}});
  std::string names;
  for (std::size_t i = 0; i < s.state().size(); ++i) names += s.state().stage(i).name + "\n";
  show("the stages of winograd", names, R"(
X
P
W
Y.filter_rows
Y.filter
Y.tile_rows
Y.tiles
Y.product
Y.output_rows
Y
)");
  const auto choices = schedule::constant_indices(*s.state().find("Y.tiles"));
  require(choices.size() == 1 && choices[0].axis == "b" && choices[0].period == 6,
          "b chooses among six rows of constants");

  // Two rows of tiles at a time: their transformed inputs and products stay in the caches.
  s.transform_layout("Y.filter", {{"k", 0}, {"a", 0}, {"b", 0}, {"c", 0}, {"k", 2 * lanes()}});
  register_tile(s, "Y.product", "t", "k", "c", lanes() == 16 ? 14 : 6);
  s.split("Y", "y", {"y0", "yt", "yi"}, {2, 4}).split("Y", "x", {"xt", "xi"}, {4});
  s.split("Y", "f", {"f0", "f1"}, {lanes()});
  s.reorder("Y", {"y0", "yt", "xt", "f0", "yi", "xi", "f1"});
  s.unroll("Y", "yi").unroll("Y", "xi").vectorize("Y", "f1");
  s.compute_at("Y.output_rows", "Y", "f0").set_scope("Y.output_rows", ir::Scope::kRegister);
  s.unroll("Y.output_rows", "i").unroll("Y.output_rows", "b").vectorize("Y.output_rows", "k");
  s.compute_at("Y.product", "Y", "y0").compute_at("Y.tiles", "Y", "y0");
  s.split("Y.tiles", "c", {"c0", "c1"}, {lanes()}).reorder("Y.tiles", {"t", "c0", "a", "b", "c1"});
  s.unroll("Y.tiles", "a").unroll("Y.tiles", "b").vectorize("Y.tiles", "c1");
  s.compute_at("Y.tile_rows", "Y.tiles", "c0").set_scope("Y.tile_rows", ir::Scope::kRegister);
  s.unroll("Y.tile_rows", "a").unroll("Y.tile_rows", "x").vectorize("Y.tile_rows", "c");
  in_vectors(s, "P");
  return s.steps();
}

// 4. Right, each in its own way.
//
// im2col is checked bit for bit on small integers. Winograd rounds otherwise: the image of its
// kernel says by how much more, and the check takes the error bounds of the definition times that.
// GFLOP/s are nominal, those of the definition.
void compare(const schedule::StepList& patches, const schedule::StepList& winograd) {
  const ComputeDag dag = convolution();
  const ir::Target target = driver::resolve_target("cpu");
  driver::Builder builder;
  runtime::CpuMeasurer runner;
  runner.install(driver::make_reference(dag, target, 1, builder, runner).data);
  const auto time_of = [&](const char* name, const schedule::StepList& steps) {
    const driver::BuildResult built = builder.build(dag, steps, target);
    require(built.image.has_value(), "it builds: " + built.message);
    const runtime::Measurement m = runner.measure(*built.image, {});
    require(m.ok(), "it is right: " + m.message);
    const auto ns = static_cast<double>(m.min_ns());
    std::printf("%-14s %8.1f us  %6.1f GFLOP/s, error bounds times %.3g\n", name, ns * 1e-3,
                2 * dag.multiply_adds() / ns, built.image->error_factor);
    require((built.image->error_factor > 1) == (std::string(name) == "winograd"),
            "Winograd alone rounds otherwise");
    return ns;
  };
  const double direct = time_of("default plan", driver::default_plan(dag, target));
  require(time_of("im2col", patches) < direct, "the matrix product is faster than the default plan");
  require(time_of("winograd", winograd) < direct, "Winograd is faster than the default plan");
}

int main() {
  im2col();
  refusals();
  compare(scheduled_im2col(), scheduled_winograd());
}
