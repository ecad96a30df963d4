// One small wrong program each: it must be a UserError that names this file as the place and holds the
// words it promises.
#include <gtest/gtest.h>

#include "dsl/dsl.h"

namespace tessera::dsl {
namespace {

template <class F>
void expect_user_error(const F& program, std::initializer_list<const char*> words, bool with_site = true) {
  try {
    program();
    ADD_FAILURE() << "accepted; expected an error with '" << *words.begin() << "'";
  } catch (const UserError& e) {
    const std::string what = e.what();
    for (const char* w : words) EXPECT_NE(what.find(w), std::string::npos) << what;
    EXPECT_TRUE(!with_site || what.find("dsl_test.cpp:") != std::string::npos) << what;
    EXPECT_EQ(what.find('\n'), std::string::npos) << what;
    EXPECT_EQ(e.exit_code(), 2);
  }
}

struct Dsl : testing::Test {
  Tensor A = placeholder({8, 4}, f32, "A");
  Tensor B = placeholder({4}, i32, "B");
  ReduceVar k = reduce_axis(4, "k");
};

TEST_F(Dsl, WrongRank) {
  expect_user_error([&] { compute({8}, [&](Var i) { return A(i); }, "C"); }, {"in 'C'", "'A' has 2 dimensions, 1 indices given"});
}
TEST_F(Dsl, WrongArity) {
  expect_user_error([&] { compute({8, 4}, [&](Var i) { return A(i, 0); }, "C"); }, {"in 'C'", "takes 1 indices, the shape has 2 dimensions"});
}
TEST_F(Dsl, MixedTypes) {
  expect_user_error([&] { compute({4}, [&](Var i) { return A(0, i) + B(i); }, "C"); }, {"in 'C'", "operands of Add have different types", "A[0, i] is f32", "B[i] is i32", "cast"});
}
TEST_F(Dsl, FloatIndex) {
  expect_user_error([&] { compute({4}, [&](Var i) { return B(A(0, i)); }, "C"); }, {"an index of 'B' is not an integer", "A[0, i]"});
}
TEST_F(Dsl, OutOfBounds) {
  expect_user_error([&] { compute({8}, [&](Var i) { return A(i + 1, 0); }, "C"); }, {"'C' reads A[i + 1, 0]", "runs over [1, 8] outside the extent 8", "if_then_else"});
}
TEST_F(Dsl, OutOfBoundsInAReduction) {
  expect_user_error([&] { compute({8}, [&](Var i) { return sum(A(i, k - 1), k); }, "C"); }, {"A[i, k - 1]", "[-1, 2]"});
}
TEST_F(Dsl, ReductionInsideAnExpression) {
  expect_user_error([&] { compute({8}, [&](Var i) { return sum(A(i, k), k) * 2.0; }, "C"); }, {"'C' reduces inside an expression", "a compute of its own"});
}
TEST_F(Dsl, NestedReduction) {
  auto l = reduce_axis(4, "l");
  expect_user_error([&] { compute({8}, [&](Var i) { return sum(sum(A(i, k), k) * cast(f32, l), l); }, "C"); }, {"reduces inside"});
}
TEST_F(Dsl, UnknownAxis) {
  expect_user_error([&] { compute({8}, [&](Var i) { return A(i, k); }, "C"); }, {"'C' uses axis 'k'", "nor reduced over", "A[i, k]"});
}
TEST_F(Dsl, AxisOfAnotherReduction) {
  auto l = reduce_axis(4, "l");
  expect_user_error([&] { compute({8}, [&](Var i) { return sum(A(i, k), l); }, "C"); }, {"'C' uses axis 'k'"});
}
TEST_F(Dsl, SameAxisTwice) {
  expect_user_error([&] { compute({8}, [&](Var i) { return sum(A(i, k), k, k); }, "C"); }, {"reduces twice over 'k'"});
}
TEST_F(Dsl, ReductionWithoutAxes) {
  expect_user_error([&] { compute({8}, [&](Var i) { return sum(A(i, 0), ReduceVars{}); }, "C"); }, {"sum needs at least one reduction axis"});
}
TEST_F(Dsl, BoolSum) {
  expect_user_error([&] { compute({8}, [&](Var i) { return sum(A(i, k) < 0.0, k); }, "C"); }, {"sum does not take bool"});
}
TEST_F(Dsl, AnyOfFloats) {
  expect_user_error([&] { compute({8}, [&](Var i) { return any(A(i, k), k); }, "C"); }, {"any needs a bool expression"});
}
TEST_F(Dsl, ZeroExtent) {
  expect_user_error([&] { placeholder({8, 0}, f32, "Z"); }, {"extent 1 of 'Z' is 0", "at least 1"});
}
TEST_F(Dsl, NegativeExtent) {
  expect_user_error([&] { compute({-2}, [&](Var) { return A(0, 0); }, "C"); }, {"extent 0 of 'C' is -2"});
}
TEST_F(Dsl, OverflowingExtent) {
  expect_user_error([&] { placeholder({INT64_MAX, 2}, f32, "Z"); }, {"'Z' is too large"});
  expect_user_error([&] { placeholder({std::int64_t{1} << 40, std::int64_t{1} << 40}, f32, "Z"); }, {"'Z' is too large"});
}
TEST_F(Dsl, ExtentWithoutValue) {
  expect_user_error([&] { placeholder({ir::floordiv(4, ir::int_imm(0))}, f32, "Z"); }, {"extent 0 of 'Z' has no value"});
}
TEST_F(Dsl, FloatExtent) {
  expect_user_error([&] { placeholder({2.5}, f32, "Z"); }, {"extent 0 of 'Z' is not an integer"});
}
TEST_F(Dsl, TooManyDimensions) {
  expect_user_error([&] { placeholder(ir::Exprs(9, ir::Expr(1)), f32, "Z"); }, {"'Z' has 9 dimensions; at most 8"});
  expect_user_error([&] { compute(ir::Exprs(9, ir::Expr(1)), [&](const std::vector<Var>&) { return A(0, 0); }, "C"); }, {"'C' has 9 dimensions"});
}
TEST_F(Dsl, BadNames) {
  expect_user_error([&] { placeholder({1}, f32, ""); }, {"a name has 1 to 64 characters"});
  expect_user_error([&] { placeholder({1}, f32, "a b"); }, {"holds ' '"});
  expect_user_error([&] { placeholder({1}, f32, "1a"); }, {"must start with a letter"});
  expect_user_error([&] { placeholder({1}, f32, "a."); }, {"'.' with nothing after it"});
}
TEST_F(Dsl, VectorDtype) {
  expect_user_error([&] { placeholder({1}, f32.with_lanes(4), "Z"); }, {"'Z' cannot have dtype f32x4"});
}
TEST_F(Dsl, EmptyBody) {
  expect_user_error([&] { compute_many({8}, [&](Var) { return ir::Exprs{}; }, "C"); }, {"the body of 'C' is empty"});
  expect_user_error([&] { compute({8}, [&](Var) { return Expr(); }, "C"); }, {"the body of 'C' is undefined"});
}
TEST_F(Dsl, MixedMultiOutput) {
  expect_user_error([&] { compute_many({8}, [&](Var i) -> ir::Exprs { return {sum(A(i, k), k), A(i, 0)}; }, "C"); }, {"'C' mixes a reduction and a plain expression"});
  expect_user_error([&] { compute_many({8}, [&](Var i) -> ir::Exprs { return {sum(A(i, k), k), max(A(i, k), k)}; }, "C"); }, {"one and the same reduction"});
}
TEST_F(Dsl, WrongReducers) {
  using ir::Exprs;
  const auto first = [](const Exprs& a, const Exprs&) -> Exprs { return {a[0]}; };
  expect_user_error([&] { reducer("first", {f32}, first, {0.0}); }, {"reducer 'first' is not commutative"});
  const auto less = [](const Exprs& a, const Exprs& b) -> Exprs { return {abs(a[0] - b[0])}; };
  expect_user_error([&] { reducer("distance", {f32}, less, {0.0}); }, {"reducer 'distance' is not associative"});
  const auto add = [](const Exprs& a, const Exprs& b) -> Exprs { return {a[0] + b[0]}; };
  expect_user_error([&] { reducer("add", {f32}, add, {1.0}); }, {"has an identity that changes"});
  expect_user_error([&] { reducer("add", {f32}, add, {}); }, {"1 values and 0 identities"});
  const auto tie = [](const Exprs& a, const Exprs& b) -> Exprs { return {select(a[0] <= b[0], a[0], b[0]), select(a[0] <= b[0], a[1], b[1])}; };
  expect_user_error([&] { reducer("argmin", {f32, i64}, tie, {highest(f32), -1}); }, {"not commutative", "tie"});
  EXPECT_NO_THROW(reducer("add", {f32}, add, {0.0}));
}
TEST_F(Dsl, Outputs) {
  expect_user_error([&] { ComputeDag::from_outputs({}); }, {"at least one output"}, false);
  expect_user_error([&] { ComputeDag::from_outputs({A}); }, {"output 'A' is an input"}, false);
  expect_user_error([&] { ComputeDag::from_outputs({Tensor()}); }, {"undefined"}, false);
}
TEST_F(Dsl, Constants) {
  const auto dag = ComputeDag::from_outputs({compute({8}, [&](Var i) { return A(i, 0); }, "C")});
  EXPECT_NE(dag.with_constants({"Q"}).reason().find("'Q' is not an operand of 'program'; operands are A"), std::string::npos);
  EXPECT_NE(dag.with_constants({"C"}).reason().find("'C' is not an operand"), std::string::npos);
}
TEST_F(Dsl, IntrinsicOfAnInteger) {
  expect_user_error([&] { compute({4}, [&](Var i) { return exp(B(i)); }, "C"); }, {"exp does not take i32", "B[i]"});
}
TEST_F(Dsl, ConditionThatIsNoBool) {
  expect_user_error([&] { compute({4}, [&](Var i) { return select(B(i), 1.0, 2.0); }, "C"); }, {"condition of select is i32"});
}

}  // namespace
}  // namespace tessera::dsl
