#include "dsl/evaluate.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <numeric>

#include "dsl/dsl.h"
#include "dsl/inputs.h"
#include "ops/catalog.h"
#include "support/rng.h"

namespace tessera::dsl {
namespace {

#define EXPECT_HAS(text, words) EXPECT_NE((text).find(words), std::string::npos) << (text)

using Inputs = std::map<std::string, ir::Tensor>;

ir::Tensor floats(std::vector<std::int64_t> shape, const std::vector<double>& values, Type t = f32) {
  ir::Tensor out(t, std::move(shape));
  for (std::size_t i = 0; i < values.size(); ++i) out.set(static_cast<std::int64_t>(i), values[i]);
  return out;
}

ir::Tensor random_floats(std::vector<std::int64_t> shape, std::uint64_t seed, Type t = f32) {
  ir::Tensor out(t, std::move(shape));
  ir::fill_uniform(out, seed, -1, 1);
  return out;
}

std::vector<double> values(Evaluator& e, const std::string& buffer) {
  auto r = e.all(buffer);
  EXPECT_TRUE(r.ok()) << (r.ok() ? "" : r.reason());
  std::vector<double> out;
  for (std::size_t i = 0; r.ok() && i < r->values.size(); ++i) out.push_back(r->bounded(i).value);
  return out;
}

TEST(Evaluate, Matmul) {
  auto A = placeholder({2, 3}, f32, "A"), B = placeholder({3, 2}, f32, "B");
  auto k = reduce_axis(3, "k");
  auto C = compute({2, 2}, [&](Var i, Var j) { return sum(A(i, k) * B(k, j), k); }, "C");
  Evaluator e(ComputeDag::from_outputs({C}), {{"A", floats({2, 3}, {1, 2, 3, 4, 5, 6})}, {"B", floats({3, 2}, {1, 0, 2, 1, 0, 3})}});
  EXPECT_EQ(values(e, "C"), (std::vector<double>{5, 11, 14, 23}));
  const auto some = e.at("C", {3, 0, 3}).or_throw();
  EXPECT_EQ(some.bounded(0).value, 23);
  EXPECT_EQ(some.bounded(1).value, 5);
  EXPECT_EQ(some.bounded(2).value, 23);
}

TEST(Evaluate, OnlyWhatIsNeeded) {
  // The whole of T would divide by zero; the points asked for do not.
  auto A = placeholder({8}, i32, "A");
  auto T = compute({8}, [&](Var i) { return ir::floordiv(ir::int_imm(100, i32), A(i)); }, "T");
  auto U = compute({8}, [&](Var i) { return T(i) + 1; }, "U");
  Evaluator e(ComputeDag::from_outputs({U}), {{"A", floats({8}, {1, 2, 0, 4, 5, 6, 7, 8}, i32)}});
  EXPECT_EQ(e.at("U", {1, 3}).or_throw().values[1].i, 26);
  const auto all = e.all("U");
  ASSERT_FALSE(all.ok());
  EXPECT_HAS(all.reason(), "stage 'T' at i=2: division by zero");
}

TEST(Evaluate, ReadsAreChecked) {
  auto A = placeholder({4}, f32, "A"), P = placeholder({4}, i64, "P");
  auto T = compute({4}, [&](Var i) { return A(P(i)); }, "T");
  Evaluator e(ComputeDag::from_outputs({T}), {{"A", floats({4}, {1, 2, 3, 4})}, {"P", floats({4}, {3, 0, 4, 1}, i64)}});
  EXPECT_EQ(e.at("T", {0, 1, 3}).or_throw().bounded(2).value, 2);
  const auto r = e.all("T");
  ASSERT_FALSE(r.ok());
  EXPECT_HAS(r.reason(), "at i=2: reads A[P[i]], whose index 0 is 4, outside the extent 4");
}

TEST(Evaluate, IfThenElseIsLazyAndSelectIsNot) {
  auto A = placeholder({4}, f32, "A");
  auto lazy = compute({6}, [&](Var i) { return if_then_else(i >= 1 && i < 5, A(i - 1), -1.0); }, "lazy");
  auto nested = compute({6}, [&](Var i) {
    return if_then_else(i >= 1, if_then_else(i < 5, A(i - 1), -2.0), cast(f32, ir::floordiv(6, i + 1)));
  }, "nested");
  auto division = compute({4}, [&](Var i) { return select(i > 0, ir::floordiv(6, i), 0); }, "division");
  Evaluator e(ComputeDag::from_outputs({lazy, nested, division}), {{"A", floats({4}, {1, 2, 3, 4})}});
  EXPECT_EQ(values(e, "lazy"), (std::vector<double>{-1, 1, 2, 3, 4, -1}));
  EXPECT_EQ(values(e, "nested"), (std::vector<double>{6, 1, 2, 3, 4, -2}));
  EXPECT_HAS(e.all("division").reason(), "division by zero");
}

TEST(Evaluate, IntegersWrap) {
  auto A = placeholder({3}, i8, "A");
  auto k = reduce_axis(3, "k");
  auto narrow = compute({}, [&](const std::vector<Var>&) { return sum(A(k), k); }, "narrow");
  auto wide = compute({}, [&](const std::vector<Var>&) { return sum(cast(i32, A(k)), k); }, "wide");
  auto product = compute({3}, [&](Var i) { return A(i) * A(i); }, "product");
  auto least = compute({}, [&](const std::vector<Var>&) { return min(A(k), k); }, "least");
  Evaluator e(ComputeDag::from_outputs({narrow, wide, product, least}), {{"A", floats({3}, {100, 100, -27}, i8)}});
  EXPECT_EQ(values(e, "narrow"), (std::vector<double>{-83}));
  EXPECT_EQ(values(e, "wide"), (std::vector<double>{173}));
  EXPECT_EQ(values(e, "product"), (std::vector<double>{16, 16, -39}));
  EXPECT_EQ(values(e, "least"), (std::vector<double>{-27}));
}

TEST(Evaluate, EveryBuiltInReduction) {
  const std::vector<double> x{3, -1, 4, 1, -5, 2};
  auto A = placeholder({6}, f32, "A");
  auto k = reduce_axis(6, "k");
  const auto scalar = [&](const char* name, const auto& f) { return compute({}, [&](const std::vector<Var>&) { return f(); }, name); };
  const auto dag = ComputeDag::from_outputs({scalar("s", [&] { return sum(A(k), k); }), scalar("p", [&] { return prod(A(k), k); }),
                                             scalar("lo", [&] { return min(A(k), k); }), scalar("hi", [&] { return max(A(k), k); }),
                                             scalar("any", [&] { return any(A(k) < -4.0, k); }), scalar("all", [&] { return all(A(k) < 4.0, k); })});
  for (const EvaluateMode mode : {EvaluateMode::kExact, EvaluateMode::kBounded}) {
    Evaluator e(dag, {{"A", floats({6}, x)}}, mode);
    EXPECT_EQ(values(e, "s"), (std::vector<double>{4}));
    EXPECT_EQ(values(e, "p"), (std::vector<double>{120}));
    EXPECT_EQ(values(e, "lo"), (std::vector<double>{-5}));
    EXPECT_EQ(values(e, "hi"), (std::vector<double>{4}));
    EXPECT_EQ(values(e, "any"), (std::vector<double>{1}));
    EXPECT_EQ(values(e, "all"), (std::vector<double>{0}));
  }
}

TEST(Evaluate, ReductionsOfEveryLength) {
  // Shorter, equal and longer than a block of lanes, and none of them a multiple.
  for (const std::int64_t n : {1, 2, 3, 7, 127, 255, 256, 257, 511, 513, 1000}) {
    for (const std::int64_t inner : {1, 2, 3}) {
      auto A = placeholder({5, n, inner}, f32, "A");
      auto k = reduce_axis(n, "k"), l = reduce_axis(inner, "l");
      auto C = compute({5}, [&](Var i) { return sum(A(i, k, l), k, l); }, "C");
      const auto dag = ComputeDag::from_outputs({C});
      const auto in = make_inputs(dag, 3, InputKind::kExact);
      Evaluator e(dag, in);
      const auto got = values(e, "C");
      for (std::int64_t i = 0; i < 5; ++i) {
        double want = 0;
        for (std::int64_t p = 0; p < n * inner; ++p) want += in.at("A").get(i * n * inner + p);
        EXPECT_EQ(got[static_cast<std::size_t>(i)], want) << n << " " << inner;
      }
    }
  }
}

TEST(Evaluate, TupleReducerWithTies) {
  auto A = placeholder({3, 5}, f32, "A");
  auto k = reduce_axis(5, "k");
  const auto argmin = reducer("argmin", {f32, i64}, [](const ir::Exprs& a, const ir::Exprs& b) -> ir::Exprs {
    const Expr first = a[0] < b[0] || (a[0] == b[0] && a[1] <= b[1]);
    return {select(first, a[0], b[0]), select(first, a[1], b[1])};
  }, {highest(f32), ir::int_imm(INT64_MAX)});
  auto T = compute_many({3}, [&](Var i) { return reduce(argmin, {A(i, k), k}, {k}); }, "T");
  const auto x = floats({3, 5}, {3, 1, 1, 2, 1, 0, 0, 0, 0, 0, 5, 4, 3, 2, 1});
  for (const EvaluateMode mode : {EvaluateMode::kExact, EvaluateMode::kBounded}) {
    Evaluator e(ComputeDag::from_outputs(T), {{"A", x}}, mode);
    EXPECT_EQ(values(e, "T.v0"), (std::vector<double>{1, 0, 1}));
    EXPECT_EQ(values(e, "T.v1"), (std::vector<double>{1, 0, 4}));
  }
  Evaluator one(ComputeDag::from_outputs({T[1]}), {{"A", x}});
  EXPECT_EQ(values(one, "T.v1"), (std::vector<double>{1, 0, 4}));
}

TEST(Evaluate, MultiOutputAndLet) {
  auto A = placeholder({4}, f32, "A");
  auto P = compute_many({4}, [&](Var i) -> ir::Exprs {
    const Var t = Var::fresh("t", f32);
    return {ir::make<ir::Let>(t, A(i) + 1.0, t * t), cast(i32, A(i)) - cast(i32, i)};
  }, "P");
  Evaluator e(ComputeDag::from_outputs(P), {{"A", floats({4}, {1, 2, 3, -4})}});
  EXPECT_EQ(values(e, "P.v0"), (std::vector<double>{4, 9, 16, 9}));
  EXPECT_EQ(values(e, "P.v1"), (std::vector<double>{1, 1, 1, -7}));
}

TEST(Evaluate, ExactModeRefusesRounding) {
  auto A = placeholder({4}, f32, "A");
  auto k = reduce_axis(4, "k");
  const auto scalar = [&](const auto& f) { return ComputeDag::from_outputs({compute({}, [&](const std::vector<Var>&) { return f(); }, "C")}); };
  const auto why = [&](const ComputeDag& dag, const ir::Tensor& x) {
    const auto r = Evaluator(dag, {{"A", x}}).all("C");
    return r.ok() ? std::string("exact") : r.reason();
  };
  const auto sums = scalar([&] { return sum(A(k), k); });
  EXPECT_EQ(why(sums, floats({4}, {1, 2, 3, 4})), "exact");
  EXPECT_EQ(why(sums, floats({4}, {0.5, 0.25, -1, 4})), "exact");
  // In this order nothing rounds; in another it would.
  EXPECT_HAS(why(sums, floats({4}, {16777216, -16777216, 1, 1})), "a partial sum is not exact in f32");
  EXPECT_HAS(why(sums, floats({4}, {0.1, 0.2, 0.3, 0.4})), "not exact");
  EXPECT_HAS(why(scalar([&] { return A(0) * A(1); }), floats({4}, {16777215, 16777215, 0, 0})), "not exact");
  EXPECT_HAS(why(scalar([&] { return A(0) / A(1); }), floats({4}, {1, 3, 0, 0})), "not exact");
  EXPECT_EQ(why(scalar([&] { return A(0) / A(1); }), floats({4}, {6, 3, 0, 0})), "exact");
  EXPECT_HAS(why(scalar([&] { return exp(A(0)); }), floats({4}, {1, 3, 0, 0})), "exp is not exact");
  EXPECT_HAS(why(scalar([&] { return cast(f16, A(0)); }), floats({4}, {2049, 3, 0, 0})), "a cast is not exact in f16");
  EXPECT_HAS(why(scalar([&] { return prod(A(k), k); }), floats({4}, {4097, 4097, 1, 1})), "a partial product");
  // A lane that the condition leaves out may round.
  EXPECT_EQ(why(scalar([&] { return if_then_else(A(0) > 0.0, A(0), A(1) / A(2)); }), floats({4}, {6, 1, 3, 0})), "exact");
}

TEST(Evaluate, BoundsHoldForAnyOrderOfSummation) {
  for (const std::int64_t n : {3, 100, 5000}) {
    auto A = placeholder({n}, f32, "A"), B = placeholder({n}, f32, "B");
    auto k = reduce_axis(n, "k");
    auto C = compute({}, [&](const std::vector<Var>&) { return sum(A(k) * B(k), k); }, "C");
    const auto a = random_floats({n}, 5), b = random_floats({n}, 6);
    Evaluator e(ComputeDag::from_outputs({C}), {{"A", a}, {"B", b}}, EvaluateMode::kBounded);
    const auto r = e.all("C").or_throw();
    EXPECT_GT(r.errors[0], 0);
    EXPECT_LT(r.errors[0], 1e-6 * static_cast<double>(n * n));  // a bound, and one that says something
    std::vector<std::int64_t> order(static_cast<std::size_t>(n));
    std::iota(order.begin(), order.end(), 0);
    Rng rng(7);
    for (int trial = 0; trial < 50; ++trial) {
      for (std::size_t i = order.size(); i-- > 1;) std::swap(order[i], order[static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(i) + 1))]);
      float plain = 0, fused = 0;
      for (const std::int64_t i : order) {
        const auto x = static_cast<float>(a.get(i)), y = static_cast<float>(b.get(i));
        plain += x * y;
        fused = std::fma(x, y, fused);
      }
      EXPECT_TRUE(r.bounded(0).contains(static_cast<double>(plain)));
      EXPECT_TRUE(r.bounded(0).contains(static_cast<double>(fused)));
      EXPECT_FALSE(r.bounded(0).contains(static_cast<double>(plain) + 2.5 * r.errors[0]));
    }
  }
}

TEST(Evaluate, BoundsOfSoftmaxAndGelu) {
  for (const char* op : {"softmax", "gelu", "sigmoid", "tanh", "norm", "avg_pool2d", "dense_bias_gelu"}) {
    SCOPED_TRACE(op);
    ops::Shape shape;
    for (const auto& p : (*ops::find_operator(op))->parameters) {
      if (p.fallback > 8) shape[p.name] = 7;
    }
    const auto dag = ops::build({op, shape, "", "f32"}).or_throw();
    const auto wide = ops::build({op, shape, "", "f64"}).or_throw();
    const auto in = make_inputs(dag, 2, InputKind::kRandom);
    Inputs same;
    for (const auto& [name, t] : in) {
      ir::Tensor x(f64, t.shape);
      for (std::int64_t i = 0; i < t.size(); ++i) x.set(i, t.get(i));
      same.emplace(name, x);
    }
    Evaluator narrow(dag, in, EvaluateMode::kBounded), reference(wide, same, EvaluateMode::kBounded);
    const auto a = narrow.all("Y").or_throw(), b = reference.all("Y").or_throw();
    for (std::size_t i = 0; i < a.values.size(); ++i) {
      EXPECT_TRUE(std::isfinite(a.errors[i]));
      EXPECT_LT(b.errors[i], a.errors[i]);
      EXPECT_NEAR(a.values[i].f, b.values[i].f, a.errors[i] + b.errors[i]);
    }
  }
}

TEST(Evaluate, OpenComparisonsAreNotCaredFor) {
  auto A = placeholder({3}, f32, "A");
  // exp has an error, so exp(x) < exp(x) + 1e-9 hangs on rounding; exp(x) < 3 does not for x = 0.
  auto s = compute({3}, [&](Var i) { return exp(A(i)); }, "s");
  auto open = compute({3}, [&](Var i) { return select(s(i) < exp(A(i)), 1.0, 2.0); }, "open");
  auto settled = compute({3}, [&](Var i) { return select(s(i) < 30.0, 1.0, 2.0); }, "settled");
  auto index = compute({3}, [&](Var i) { return cast(i32, s(i) * 1.0) + cast(i32, select(s(i) < exp(A(i)), i, i + 1)); }, "index");
  Evaluator e(ComputeDag::from_outputs({open, settled, index}), {{"A", floats({3}, {0, 1, 5})}}, EvaluateMode::kBounded);
  const auto o = e.all("open").or_throw();
  EXPECT_TRUE(o.bounded(0).contains(1) && o.bounded(0).contains(2));
  const auto d = e.all("settled").or_throw();
  EXPECT_EQ(d.values[0].f, 1);
  EXPECT_EQ(d.errors[0], 0);
  EXPECT_EQ(d.values[2].f, 2);
  EXPECT_TRUE(e.all("index").or_throw().do_not_care(0));
}

TEST(Evaluate, Compare) {
  auto A = placeholder({2, 2}, f32, "A");
  auto C = compute({2, 2}, [&](Var i, Var j) { return A(i, j) * 2.0; }, "C");
  Evaluator e(ComputeDag::from_outputs({C}), {{"A", floats({2, 2}, {1, 2, 3, 4})}});
  EXPECT_TRUE(e.compare("C", floats({2, 2}, {2, 4, 6, 8}))->ok());
  const auto bad = e.compare("C", floats({2, 2}, {2, 4, 7, 9})).or_throw();
  EXPECT_EQ(bad.wrong, 2);
  EXPECT_EQ(bad.checked, 4);
  EXPECT_EQ(bad.first, "C[1, 0] is 7.0, expected 6.0");
  EXPECT_TRUE(e.compare("C", floats({2, 2}, {2, 4, 7, 9}), {0, 1})->ok());
  EXPECT_HAS(e.compare("C", floats({4}, {2, 4, 6, 8})).reason(), "another shape");
  EXPECT_HAS(e.compare("C", floats({2, 2}, {2, 4, 6, 8}, f64)).reason(), "is f32");
  EXPECT_HAS(e.compare("D", floats({2, 2}, {})).reason(), "not computed");
  EXPECT_HAS(e.at("C", {4}).reason(), "position 4");
}

TEST(Evaluate, SmallFloats) {
  for (const Type t : {f16, bf16}) {
    auto A = placeholder({64}, t, "A");
    auto k = reduce_axis(64, "k");
    auto C = compute({}, [&](const std::vector<Var>&) { return sum(cast(f32, A(k)), k); }, "C");
    auto D = compute({64}, [&](Var i) { return cast(t, cast(f32, A(i)) * 0.3); }, "D");
    const auto dag = ComputeDag::from_outputs({C, D});
    const auto in = make_inputs(dag, 1, InputKind::kRandom);
    Evaluator e(dag, in, EvaluateMode::kBounded);
    const auto d = e.all("D").or_throw();
    for (std::int64_t i = 0; i < 64; ++i) {
      const double y = ir::round_to(static_cast<double>(static_cast<float>(in.at("A").get(i)) * 0.3F), t);
      EXPECT_TRUE(d.bounded(static_cast<std::size_t>(i)).contains(y)) << to_string(t) << " " << i;
    }
  }
}

TEST(Evaluate, RefusesWrongInputs) {
  auto A = placeholder({2}, f32, "A");
  auto C = compute({2}, [&](Var i) { return A(i) + 1.0; }, "C");
  const auto dag = ComputeDag::from_outputs({C});
  const auto why = [&](const Inputs& in) {
    try {
      Evaluator e(dag, in);
      return std::string();
    } catch (const UserError& e) {
      return std::string(e.what());
    }
  };
  EXPECT_HAS(why({}), "input 'A' of program 'program' has no values");
  EXPECT_HAS(why({{"A", floats({3}, {})}}), "another shape");
  EXPECT_HAS(why({{"A", floats({2}, {}, f64)}}), "is f32, its values are f64");
  EXPECT_HAS(why({{"A", floats({2}, {})}, {"C", floats({2}, {})}}), "'C' is no input");
  auto n = symbol("n");
  auto S = placeholder({n}, f32, "S");
  const auto symbolic = ComputeDag::from_outputs({compute({n}, [&](Var i) { return S(i); }, "T")});
  EXPECT_THROW(Evaluator(symbolic, {}), UserError);
  Evaluator fixed(symbolic.with_symbols({{"n", 2}}).or_throw(), {{"S", floats({2}, {5, 6})}});
  EXPECT_EQ(values(fixed, "T"), (std::vector<double>{5, 6}));
}

TEST(Evaluate, IsQuickEnough) {
  const auto dag = ops::build({"matmul", {{"m", 128}, {"n", 128}, {"k", 256}}, "", ""}).or_throw();  // 2^22
  Evaluator e(dag, make_inputs(dag, 1, InputKind::kExact));
  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(e.all("C").ok());
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  EXPECT_LT(seconds, 5);  // 0.06 in a release build; sanitizers and a busy machine take their share
}

}  // namespace
}  // namespace tessera::dsl
