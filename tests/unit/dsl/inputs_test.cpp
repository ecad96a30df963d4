#include "dsl/inputs.h"

#include <gtest/gtest.h>

#include "dsl/dsl.h"
#include "dsl/evaluate.h"
#include "ops/catalog.h"

namespace tessera::dsl {
namespace {

std::int64_t magnitude(const ComputeDag& dag) {
  const auto m = exact_input_magnitude(dag);
  return m.ok() ? *m : 0;
}

ComputeDag dot(std::int64_t n, Type t, Type acc) {
  auto A = placeholder({n}, t, "A"), B = placeholder({n}, t, "B");
  auto k = reduce_axis(n, "k");
  return ComputeDag::from_outputs({compute({}, [&](const std::vector<Var>&) { return sum(cast(acc, A(k)) * cast(acc, B(k)), k); }, "C")});
}

TEST(Inputs, MagnitudeFollowsTheReduction) {
  EXPECT_EQ(magnitude(dot(512, f32, f32)), 100);       // the cap
  EXPECT_EQ(magnitude(dot(25088, f32, f32)), 25);      // 25 * 25 * 25088 < 2^24 < 26 * 26 * 25088
  EXPECT_EQ(magnitude(dot(1 << 24, f32, f32)), 1);
  EXPECT_EQ(magnitude(dot((1 << 24) + 1, f32, f32)), 0);
  EXPECT_EQ(magnitude(dot(1 << 24, f64, f64)), 100);
  EXPECT_EQ(magnitude(dot(64, f16, f16)), 5);          // 2^11
  EXPECT_EQ(magnitude(dot(64, bf16, bf16)), 2);        // 2^8
  EXPECT_EQ(magnitude(dot(64, bf16, f32)), 100);
  EXPECT_EQ(magnitude(dot(1 << 20, i8, i32)), 100);    // integers wrap: always exact
}

TEST(Inputs, WhatHasAnExactMode) {
  for (const char* op : {"matmul", "batch_matmul", "dense", "conv2d", "depthwise_conv2d", "max_pool2d", "reduce_sum", "reduce_max",
                         "column_sum", "relu", "add", "mul", "bias_add", "conv2d_bias_relu"}) {
    EXPECT_TRUE(supports_exact(ops::build({op, {}, "", ""}).or_throw())) << op;
  }
  for (const char* op : {"softmax", "gelu", "sigmoid", "tanh", "exp", "norm", "dense_bias_gelu"}) {
    EXPECT_FALSE(supports_exact(ops::build({op, {}, "", ""}).or_throw())) << op;
  }
  // A mean over a power of two is exact, over another number it is not.
  EXPECT_TRUE(supports_exact(ops::build({"avg_pool2d", {{"kh", 2}, {"kw", 4}, {"pad", 0}}, "", ""}).or_throw()));
  EXPECT_FALSE(supports_exact(ops::build({"avg_pool2d", {}, "", ""}).or_throw()));
  EXPECT_FALSE(supports_exact(ops::build({"reduce_mean", {{"n", 1000}}, "", ""}).or_throw()));
  auto A = placeholder({4}, f32, "A");
  const auto halves = ComputeDag::from_outputs({compute({4}, [&](Var i) { return A(i) * 0.5 + floor(A(i) * 0.25); }, "C")});
  EXPECT_TRUE(supports_exact(halves));
  const auto tenths = ComputeDag::from_outputs({compute({4}, [&](Var i) { return A(i) * 0.1; }, "C")});
  EXPECT_LE(magnitude(tenths), 1);
}

TEST(Inputs, ExactInputsEvaluateExactly) {
  for (const ops::Operator* op : ops::catalog()) {
    ops::Shape shape;
    for (const auto& p : op->parameters) {
      if (p.fallback > 8) shape[p.name] = 6;
    }
    for (const Type t : op->dtypes) {
      const auto dag = ops::build({op->name, shape, "", ir::to_string(t)}).or_throw();
      if (!supports_exact(dag)) continue;
      Evaluator e(dag, make_inputs(dag, 9, InputKind::kExact));
      const auto r = e.all("Y" == dag.outputs()[0]->name ? "Y" : "C");
      EXPECT_TRUE(r.ok()) << op->name << " " << t << ": " << (r.ok() ? "" : r.reason());
    }
  }
}

TEST(Inputs, AreAFunctionOfSeedAndName) {
  const auto dag = dot(1000, f32, f32);
  const auto a = make_inputs(dag, 1, InputKind::kExact), b = make_inputs(dag, 1, InputKind::kExact), c = make_inputs(dag, 2, InputKind::kExact);
  EXPECT_EQ(a.at("A"), b.at("A"));
  EXPECT_NE(a.at("A"), c.at("A"));
  EXPECT_NE(a.at("A"), a.at("B"));
  for (std::int64_t i = 0; i < 1000; ++i) EXPECT_NE(a.at("A").get(i), 0);
  const auto r = make_inputs(dag, 1, InputKind::kRandom);
  for (std::int64_t i = 0; i < 1000; ++i) EXPECT_LE(std::abs(r.at("A").get(i)), 1);
}

TEST(Inputs, IndicesStayInside) {
  auto A = placeholder({5, 3}, f32, "A"), P = placeholder({100}, i64, "P");
  const auto dag = ComputeDag::from_outputs({compute({100, 3}, [&](Var i, Var j) { return A(P(i), j); }, "C")});
  for (const InputKind kind : {InputKind::kExact, InputKind::kRandom}) {
    Evaluator e(dag, make_inputs(dag, 4, kind));
    EXPECT_TRUE(e.all("C").ok());
  }
}

TEST(Inputs, StayWhereRootsLogarithmsAndQuotientsAreNumbers) {
  auto A = placeholder({50}, f32, "A"), v = placeholder({50}, f32, "v"), d = placeholder({50}, f16, "d");
  const auto dag = ComputeDag::from_outputs({compute({50}, [&](Var i) { return A(i) * rsqrt(v(i) + 1e-5F) / cast(f32, d(i)); }, "C")});
  const auto inputs = make_inputs(dag, 3, InputKind::kRandom);
  bool negative = false;
  for (std::int64_t i = 0; i < 50; ++i) {
    negative |= inputs.at("A").get(i) < 0;
    EXPECT_GE(inputs.at("v").get(i), 1.0 / 16);
    EXPECT_GE(inputs.at("d").get(i), 1.0 / 16);
  }
  EXPECT_TRUE(negative);
  Evaluator e(dag, inputs, EvaluateMode::kBounded);
  const auto all = e.all("C").or_throw();
  for (std::size_t i = 0; i < 50; ++i) EXPECT_FALSE(all.do_not_care(i));
}

TEST(Inputs, RefusesWhatHasNoExactMode) {
  const auto dag = ops::build({"softmax", {}, "", ""}).or_throw();
  EXPECT_NE(exact_input_magnitude(dag).reason().find("exp is not exact"), std::string::npos);
  EXPECT_THROW(make_inputs(dag, 1, InputKind::kExact), UserError);
}

}  // namespace
}  // namespace tessera::dsl
