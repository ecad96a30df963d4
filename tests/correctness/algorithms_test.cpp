// use_algorithm: every rewrite computes what the definition does, interpreted and compiled, exactly.
// Winograd divides by 4 or 576: with weights that are multiples of it, it is exact as well.
#include <gtest/gtest.h>

#include <cmath>

#include "driver/compile.h"
#include "driver/fuzz/check_pair.h"
#include "driver/reference.h"
#include "dsl/dsl.h"
#include "dsl/inputs.h"
#include "ops/catalog.h"
#include "schedule/algorithms.h"
#include "tests/support/options.h"

namespace tessera::test {
namespace {

using namespace tessera::dsl;
using schedule::Param;
using schedule::StepList;

schedule::Step use(const std::string& stage, const std::string& algorithm, std::map<std::string, Param> params = {}) {
  return schedule::UseAlgorithm{stage, algorithm, std::move(params)};
}

struct Conv {
  std::int64_t n = 1, h = 7, w = 6, ci = 3, co = 5, k = 3, stride = 1, pad = 1, dilation = 1;
  bool channels_first = false;
};

/// Two stages: the padded image and the convolution, as a user would write them.
ComputeDag conv(const Conv& c) {
  const auto order = [&](const Expr& n, const Expr& y, const Expr& x, const Expr& ch) {
    return c.channels_first ? Exprs{n, ch, y, x} : Exprs{n, y, x, ch};
  };
  const std::int64_t reach = c.dilation * (c.k - 1) + 1;
  const std::int64_t oh = (c.h + 2 * c.pad - reach) / c.stride + 1, ow = (c.w + 2 * c.pad - reach) / c.stride + 1;
  auto X = placeholder(order(c.n, c.h, c.w, c.ci), f32, "X");
  auto W = constant(c.channels_first ? Exprs{c.co, c.ci, c.k, c.k} : Exprs{c.k, c.k, c.ci, c.co}, f32, "W");
  auto P = compute(order(c.n, c.h + 2 * c.pad, c.w + 2 * c.pad, c.ci), [&](Var a, Var b, Var d, Var e) {
    const auto [n, y, x, ch] = c.channels_first ? std::tuple{a, d, e, b} : std::tuple{a, b, d, e};
    const Expr inside = y >= c.pad && y < c.h + c.pad && x >= c.pad && x < c.w + c.pad;
    return if_then_else(inside, X.at(order(n, y - c.pad, x - c.pad, ch)), 0.0f);
  }, "P");
  auto r = reduce_axis(c.k, "r"), s = reduce_axis(c.k, "s"), q = reduce_axis(c.ci, "q");
  auto Y = compute(order(c.n, oh, ow, c.co), [&](Var a, Var b, Var d, Var e) {
    const auto [n, y, x, f] = c.channels_first ? std::tuple{a, d, e, b} : std::tuple{a, b, d, e};
    const Expr pixel = P.at(order(n, y * c.stride + r * c.dilation, x * c.stride + s * c.dilation, q));
    return sum(pixel * W.at(c.channels_first ? Exprs{f, q, r, s} : Exprs{r, s, q, f}), {r, s, q});
  }, "Y");
  return ComputeDag::from_outputs({compute(order(c.n, oh, ow, c.co), [&](Var a, Var b, Var d, Var e) { return max(Y(a, b, d, e), 0.0f); }, "Z")}, "conv");
}

ComputeDag matmul(std::int64_t m, std::int64_t n, std::int64_t k) {
  auto A = placeholder({m, k}, f32, "A"), B = placeholder({k, n}, f32, "B");
  auto r = reduce_axis(k, "k");
  return ComputeDag::from_outputs({compute({m, n}, [&](Var i, Var j) { return sum(A(i, r) * B(r, j), r); }, "C")}, "matmul");
}

/// Small integers; those of `scaled` times `scale`.
driver::CheckedProgram program_of(const ComputeDag& dag, const std::string& scaled = "", double scale = 1) {
  driver::CheckedProgram p = driver::CheckedProgram::make(dag, options().seed).or_throw();
  for (auto& [name, t] : p.inputs) {
    for (std::int64_t i = 0; i < t.size(); ++i) {
      const double v = std::fmod(t.get(i), 4);
      t.set(i, name == scaled ? v * scale : v);
    }
  }
  Evaluator evaluator(p.dag, p.inputs, EvaluateMode::kExact);
  for (auto& [name, t] : p.expected) t = evaluator.tensor(name).or_throw();
  return p;
}

/// Interpreted before and after the passes, then compiled.
void expect_right(const driver::CheckedProgram& program, const StepList& steps) {
  driver::NativeCheck native("cpu");
  lower::Options o;
  o.vector_bytes = native.target().vector_bytes;
  ir::Program finished;
  ASSERT_EQ(driver::check_pair(program, steps, o, &finished).why, "");
  EXPECT_EQ(native.run(program, finished, 1).why, "");
}

const std::vector<Conv>& convolutions() {
  static const std::vector<Conv> kAll{
      {}, {.n = 2, .h = 5, .w = 9, .channels_first = true}, {.stride = 2}, {.h = 9, .dilation = 2}, {.k = 1, .pad = 0}, {.h = 8, .w = 8, .k = 5, .stride = 3, .pad = 2, .channels_first = true}};
  return kAll;
}

TEST(Algorithms, Im2colIsTheConvolution) {
  for (const Conv& c : convolutions()) expect_right(program_of(conv(c)), {use("Y", "im2col")});
}

TEST(Algorithms, DirectChangesNothing) {
  const ComputeDag dag = conv({});
  const StepList steps{use("Y", "direct")};
  EXPECT_EQ(driver::scheduled(dag, steps)->print_loops(), driver::scheduled(dag, StepList{})->print_loops());
}

TEST(Algorithms, SplitKAddsUp) {
  for (const std::int64_t chunks : {2, 3, 5, 16}) expect_right(program_of(matmul(6, 7, 17)), {use("C", "split_k", {{"chunks", chunks}})});
  expect_right(program_of(conv({.ci = 8})), {use("Y", "split_k", {{"chunks", 3}})});
}

TEST(Algorithms, WinogradIsTheConvolution) {
  const std::vector<Conv> all{{}, {.n = 2, .h = 8, .w = 8}, {.h = 5, .w = 9, .pad = 0, .channels_first = true}, {.h = 3, .w = 4, .pad = 2}};
  for (const Conv& c : all) {
    expect_right(program_of(conv(c), "W", 4), {use("Y", "winograd", {{"tile", 2}})});
    expect_right(program_of(conv(c), "W", 576), {use("Y", "winograd", {{"tile", 4}})});
  }
}

// Without the scale a weight of 1 becomes 1/24: the error is real and stays below the bound that the
// checker uses, and the image says that it applies.
TEST(Algorithms, WinogradStaysWithinItsErrorFactor) {
  for (const std::int64_t tile : {2, 4}) {
    const ComputeDag dag = conv({.h = 16, .w = 16, .ci = 32, .co = 8});
    const StepList steps{use("Y", "winograd", {{"tile", tile}})};
    const auto state = driver::scheduled(dag, steps).or_throw();
    EXPECT_GT(state.error_factor(), 1);
    const auto image = driver::compile(dag, steps, driver::resolve_target("cpu")).or_throw();
    EXPECT_EQ(image.error_factor, state.error_factor());
    EXPECT_LT(image.work_share, tile == 2 ? 0.46 : 0.27);
    EXPECT_GT(image.work_share, tile == 2 ? 0.43 : 0.24);

    driver::Builder builder;
    runtime::CpuMeasurer runner;
    driver::Reference reference = driver::make_reference(dag, driver::resolve_target("cpu"), 1, builder, runner);
    ASSERT_TRUE(reference.exact);
    runner.install(reference.data);
    runtime::MeasureOptions measure;
    measure.sample_ns = 1;
    const runtime::Measurement right = runner.measure(image, measure);
    EXPECT_TRUE(right.ok()) << right.phase << ": " << right.message;
    // Held against exact answers a kernel of 1/24 is wrong: the factor is what lets it pass.
    auto strict = image;
    strict.error_factor = 1;
    const runtime::Measurement wrong = runner.measure(strict, measure);
    EXPECT_EQ(wrong.ok(), tile == 2);
    EXPECT_EQ(wrong.phase, tile == 2 ? "" : "verify_exact");
    // A wrong expectation is found all the same.
    auto& values = reference.data.real.outputs[0].values;
    float v = 0;
    std::memcpy(&v, values.data() + 400, sizeof(v));
    v += 8;
    std::memcpy(values.data() + 400, &v, sizeof(v));
    runner.install(reference.data);
    EXPECT_EQ(runner.measure(image, measure).status, runtime::MeasureStatus::kWrongAnswer);
  }
}

TEST(Algorithms, WeightsArePreparedAhead) {
  const auto names = [](const std::string& algorithm, std::map<std::string, Param> params) {
    const auto loops = driver::structured_loops(conv({}), StepList{use("Y", algorithm, std::move(params))}, driver::resolve_target("cpu")).or_throw();
    std::vector<std::string> out;
    for (const ir::ProgramBuffer& b : loops.buffers) {
      if (b.role == ir::BufferRole::kPrepared) out.push_back(b.buffer->name);
    }
    return out;
  };
  EXPECT_EQ(names("im2col", {}), std::vector<std::string>{"Y.weights"});
  EXPECT_EQ(names("winograd", {{"tile", 4}}), (std::vector<std::string>{"Y.filter_rows", "Y.filter"}));
}

TEST(Algorithms, ConstantIndicesAreFound) {
  const auto state = driver::scheduled(conv({}), StepList{use("Y", "winograd", {{"tile", 4}})}).or_throw();
  using schedule::ConstantIndex;
  EXPECT_EQ(schedule::constant_indices(*state.find("Y.tiles")), (std::vector<ConstantIndex>{{"b", 6}}));
  EXPECT_EQ(schedule::constant_indices(*state.find("Y.output_rows")), (std::vector<ConstantIndex>{{"i", 4}}));
  EXPECT_EQ(schedule::constant_indices(*state.find("Y")), (std::vector<ConstantIndex>{{state.find("Y")->roots[2].axis, 4}}));
  EXPECT_TRUE(schedule::constant_indices(*state.find("Y.product")).empty());
}

void expect_refused(const ComputeDag& dag, const StepList& steps, const std::string& words) {
  const auto r = driver::scheduled(dag, steps);
  ASSERT_FALSE(r.ok());
  EXPECT_NE(r.reason().find(words), std::string::npos) << r.reason();
}

TEST(Algorithms, RefuseOtherForms) {
  const ComputeDag product = matmul(4, 4, 4), image = conv({});
  expect_refused(product, {use("C", "im2col")}, "it is a matrix product already");
  expect_refused(image, {use("Z", "im2col")}, "stage 'Z' is no sum over reduction axes");
  expect_refused(product, {use("C", "winograd", {{"tile", 4}})}, "is no 3x3 convolution with stride 1");
  expect_refused(conv({.stride = 2}), {use("Y", "winograd", {{"tile", 4}})}, "is no 3x3 convolution with stride 1");
  expect_refused(conv({.h = 9, .dilation = 2}), {use("Y", "winograd", {{"tile", 2}})}, "is no 3x3 convolution");
  expect_refused(image, {use("Y", "winograd", {{"tile", 3}})}, "it is 2 to 4 in steps of 2");
  expect_refused(image, {use("Y", "winograd")}, "needs the parameter 'tile'");
  expect_refused(image, {use("Y", "im2col", {{"tile", 2}})}, "has no parameter 'tile'");
  expect_refused(image, {use("Y", "fft")}, "algorithms are direct, im2col, winograd, split_k");
  expect_refused(product, {use("C", "split_k", {{"chunks", 5}})}, "there cannot be 5 chunks");
  expect_refused(product, {use("C", "split_k", {{"chunks", Param::open("c")}})}, "open hole 'c'");
  expect_refused(product, {schedule::Unroll{"C", "i"}, use("C", "direct")}, "use_algorithm comes first");

  const auto grouped = ops::build({.op = "conv2d", .shape = {{"h", 8}, {"w", 8}, {"ci", 8}, {"co", 8}, {"groups", 2}}, .layout = "", .dtype = ""}).or_throw();
  expect_refused(grouped, {use("Y", "im2col")}, "(groups)");
}

}  // namespace
}  // namespace tessera::test
