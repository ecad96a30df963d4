// Scans: what the oracle makes of them, how they print and travel, and which steps are none.
#include <gtest/gtest.h>

#include <cmath>

#include "dsl/dsl.h"
#include "dsl/evaluate.h"
#include "dsl/inputs.h"

namespace tessera::dsl {
namespace {

Tensor cumsum(std::int64_t n, std::int64_t m, int axis = 0) {
  auto x = placeholder({n, m}, f32, "X");
  auto s = scan_state({n, m}, f32, "S");
  return scan(s, {axis, 1}, [&](Var i, Var j) { return x(i, j); },
              [&](Var i, Var j) { return (axis == 0 ? s(i - 1, j) : s(i, j - 1)) + x(i, j); });
}

/// h[t, i] = x[t, i] + sum(h[t - 1, k] * w[k, i], k), linear so that it is exact
Tensor linear_network(std::int64_t steps, std::int64_t n) {
  auto x = placeholder({steps, n}, f64, "X"), w = placeholder({n, n}, f64, "W");
  auto h = scan_state({steps, n}, f64, "H");
  auto k = reduce_axis(n, "k");
  auto past = compute({steps, n}, [&](Var t, Var i) { return sum(h(t - 1, k) * w(k, i), k); }, "past");
  return scan(h, {}, [&](Var t, Var i) { return x(t, i); }, [&](Var t, Var i) { return x(t, i) + past(t, i); });
}

ComputeDag dag_of(const Tensor& t) { return ComputeDag::from_outputs({t}, "p"); }

TEST(Scan, RunsAlongEitherDimension) {
  for (const int axis : {0, 1}) {
    const ComputeDag dag = dag_of(cumsum(5, 7, axis));
    const auto in = make_inputs(dag, 1, InputKind::kExact);
    const auto got = Evaluator(dag, in).tensor("S").or_throw();
    for (std::int64_t i = 0; i < 5; ++i) {
      for (std::int64_t j = 0; j < 7; ++j) {
        double want = 0;
        for (std::int64_t t = 0; t <= (axis == 0 ? i : j); ++t) want += in.at("X").at(axis == 0 ? t * 7 + j : i * 7 + t).f;
        EXPECT_EQ(got.at(i * 7 + j).f, want) << i << " " << j;
      }
    }
  }
}

TEST(Scan, SinglePointsNeedTheirColumnAlone) {
  const ComputeDag dag = dag_of(cumsum(1000, 50));
  const auto in = make_inputs(dag, 1, InputKind::kExact);
  const auto at = Evaluator(dag, in).at("S", {999 * 50 + 3, 7}).or_throw();
  double want = 0;
  for (std::int64_t t = 0; t < 1000; ++t) want += in.at("X").at(t * 50 + 3).f;
  EXPECT_EQ(at.values[0].f, want);
  EXPECT_EQ(at.values[1].f, in.at("X").at(7).f);
}

TEST(Scan, SecondOrderFilter) {
  auto x = placeholder({9, 3}, f64, "X");
  auto s = scan_state({9, 3}, f64, "Y");
  auto y = scan(s, {0, 2}, [&](Var t, Var j) { return x(t, j); }, [&](Var t, Var j) { return x(t, j) + s(t - 1, j) * 2.0 - s(t - 2, j); });
  const ComputeDag dag = dag_of(y);
  const auto in = make_inputs(dag, 1, InputKind::kExact);
  const auto got = Evaluator(dag, in).tensor("Y").or_throw();
  std::vector<double> want;
  for (std::int64_t t = 0; t < 9; ++t) want.push_back(in.at("X").at(t * 3).f + (t < 2 ? 0 : 2 * want[static_cast<std::size_t>(t - 1)] - want[static_cast<std::size_t>(t - 2)]));
  for (std::int64_t t = 0; t < 9; ++t) EXPECT_EQ(got.at(t * 3).f, want[static_cast<std::size_t>(t)]) << t;
}

TEST(Scan, AStepOfSeveralStages) {
  const ComputeDag dag = dag_of(linear_network(4, 3));
  const auto in = make_inputs(dag, 1, InputKind::kExact);
  Evaluator e(dag, in);
  const auto part = Evaluator(dag, in).at("past", {3 * 3 + 1}).or_throw();  // before any row is there
  const auto got = e.tensor("H").or_throw();
  double past = 0;
  for (std::int64_t t = 0; t < 4; ++t) {
    for (std::int64_t i = 0; i < 3; ++i) {
      past = 0;
      for (std::int64_t k = 0; t > 0 && k < 3; ++k) past += got.at((t - 1) * 3 + k).f * in.at("W").at(k * 3 + i).f;
      EXPECT_EQ(got.at(t * 3 + i).f, in.at("X").at(t * 3 + i).f + past);
      if (t == 3 && i == 1) {
        EXPECT_EQ(part.values[0].f, past);
      }
    }
  }
}

TEST(Scan, TwoStatesStepTogether) {
  auto n = std::int64_t{6};
  auto a = scan_state({n, 2}, i32, "F"), b = scan_state({n, 2}, i32, "F");
  const auto fib = scan_many({a, b}, {}, [&](Var, Var j) { return Exprs{cast(i32, j), ir::constant_of(i32, 1)}; },
                             [&](Var t, Var j) { return Exprs{b(t - 1, j), a(t - 1, j) + b(t - 1, j)}; });
  const ComputeDag dag = ComputeDag::from_outputs(fib, "fibonacci");
  EXPECT_EQ(Evaluator(dag, {}).tensor("F.v0").or_throw().at(5 * 2).i, 5);
  EXPECT_EQ(Evaluator(dag, {}).tensor("F.v1").or_throw().at(5 * 2 + 1).i, 13);
}

TEST(Scan, JsonIsTheSameProgram) {
  for (const Tensor& t : {cumsum(5, 7), cumsum(5, 7, 1), linear_network(4, 3)}) {
    const ComputeDag dag = dag_of(t);
    const std::string text = dump_json(to_json_value(dag));
    ComputeDag again;
    const Status read = from_json_value(parse_json(text).or_throw(), again);
    ASSERT_TRUE(read.ok()) << read.reason() << "\n" << text;
    EXPECT_EQ(dump_json(to_json_value(again)), text);
    EXPECT_EQ(again.hash(), dag.hash());
    const auto in = make_inputs(dag, 1, InputKind::kExact);
    const std::string out = dag.outputs()[0]->name;
    EXPECT_EQ(Evaluator(again, in).tensor(out).or_throw().bytes, Evaluator(dag, in).tensor(out).or_throw().bytes);
  }
}

TEST(Scan, PrintsItsStep) {
  EXPECT_EQ(dag_of(cumsum(5, 7)).to_string(),
            "X: f32[5, 7]\nS[t<5, i<7] = if_then_else(t < 1, X[t, i], S[t - 1, i] + X[t, i]), scan along t\n");
}

TEST(Scan, SymbolsTakeValues) {
  auto n = symbol("n");
  auto x = placeholder({n, 4}, f32, "X");
  auto s = scan_state({n, 4}, f32, "S");
  auto y = scan(s, {}, [&](Var t, Var j) { return x(t, j); }, [&](Var t, Var j) { return s(t - 1, j) + x(t, j); });
  const ComputeDag dag = dag_of(y).with_symbols({{"n", 6}}).or_throw();
  EXPECT_EQ(dag.hash(), dag_of(y).with_symbols({{"n", 6}}).or_throw().hash());
  EXPECT_TRUE(Evaluator(dag, make_inputs(dag, 1, InputKind::kExact)).tensor("S").ok());
}

TEST(Scan, ExactInputsCountTheRows) {
  EXPECT_EQ(exact_input_magnitude(dag_of(cumsum(1 << 20, 2))).or_throw(), 16);  // 2^24 / 2^20
  EXPECT_EQ(exact_input_magnitude(dag_of(cumsum(8, 2))).or_throw(), 100);
}

// ---- refusals ---------------------------------------------------------------------------------------

std::string told(const std::function<void()>& f) {
  try {
    f();
  } catch (const UserError& e) {
    return e.what();
  }
  return "nothing was refused";
}
#define EXPECT_TOLD(words, ...) EXPECT_NE(told([&] { __VA_ARGS__; }).find(words), std::string::npos) << told([&] { __VA_ARGS__; })

TEST(Scan, Refusals) {
  auto x = placeholder({8, 4}, f32, "X");
  auto s = scan_state({8, 4}, f32, "S");
  const auto first = [&](Var t, Var j) { return x(t, j); };
  EXPECT_TOLD("reads rows 1 to 1 before its own", scan(s, {}, first, [&](Var t, Var j) { return s(t, j) + x(t, j); }));
  EXPECT_TOLD("give it more first rows", scan(s, {}, first, [&](Var t, Var j) { return s(t - 2, j) + x(t, j); }));
  EXPECT_TOLD("reads rows 1 to 1", scan(s, {}, first, [&](Var t, Var j) { return s(7 - t, j) + x(t, j); }));
  EXPECT_TOLD("the first rows of scan 'S' read", scan(s, {}, [&](Var t, Var j) { return s(t, j); }, first));
  EXPECT_TOLD("is f32, its step is f64", scan(s, {}, first, [&](Var t, Var j) { return cast(f64, s(t - 1, j)); }));
  EXPECT_TOLD("steps along dimension 2 of 2; 0 to 1 works", scan(s, {2, 1}, first, first));
  EXPECT_TOLD("is given 9 first rows; 1 to 8 works", scan(s, {0, 9}, first, first));
  EXPECT_TOLD("which scan_state did not make", scan(x, {}, first, first));
  auto k = reduce_axis(4, "k");
  EXPECT_TOLD("give the reduction a compute of its own", scan(s, {}, first, [&](Var t, Var) { return sum(s(t - 1, k), k); }));
  auto late = compute({8, 4}, [&](Var t, Var j) { return s(t - 1, j) * 2.0; }, "late");
  EXPECT_TOLD("is read at the same step", scan(s, {}, first, [&](Var t, Var j) { return late(t - 1, j); }));
  auto short_part = compute({7, 4}, [&](Var t, Var j) { return s(t - 1, j) * 2.0; }, "short");
  EXPECT_TOLD("must count the same steps", scan(s, {}, first, [&](Var t, Var j) { return short_part(t, j); }));
  EXPECT_TOLD("which no scan of the program computes", ComputeDag::from_outputs({late}));
  EXPECT_TOLD("is the state of a scan", ComputeDag::from_outputs({s}));
  auto y = scan(s, {}, first, [&](Var t, Var j) { return late(t, j) + x(t, j); });
  EXPECT_TOLD("belongs to the step of scan 'S' and cannot be an output", ComputeDag::from_outputs({y, late}));
  auto twice = compute({8, 4}, [&](Var t, Var j) { return late(t, j) + y(t, j); }, "twice");
  EXPECT_TOLD("'twice' reads 'late', which belongs to the step", ComputeDag::from_outputs({twice}));
}

}  // namespace
}  // namespace tessera::dsl
