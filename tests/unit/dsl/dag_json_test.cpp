#include <gtest/gtest.h>

#include "dsl/dsl.h"
#include "ir/print.h"
#include "ops/catalog.h"

namespace tessera::dsl {
namespace {

std::string text(const ComputeDag& dag) { return dump_json(to_json_value(dag)); }

ComputeDag back(const ComputeDag& dag) {
  ComputeDag out;
  const auto j = parse_json(text(dag)).or_throw();
  const Status read = from_json_value(j, out);
  EXPECT_TRUE(read.ok()) << read.reason() << "\n" << text(dag);
  return out;
}

void expect_round_trip(const ComputeDag& dag) {
  const ComputeDag again = back(dag);
  EXPECT_EQ(text(again), text(dag));
  EXPECT_EQ(again.to_string(), dag.to_string());
  EXPECT_EQ(again.hash(), dag.hash());
  ASSERT_EQ(again.stages().size(), dag.stages().size());
  for (std::size_t i = 0; i < dag.stages().size(); ++i) {
    // Schedules name stages and axes: both must come back under their names.
    EXPECT_EQ(again.stages()[i].name, dag.stages()[i].name);
    if (dag.stages()[i].is_input()) continue;
    for (std::size_t a = 0; a < dag.stages()[i].axes.size(); ++a) {
      EXPECT_EQ(again.stages()[i].axes[a].name(), dag.stages()[i].axes[a].name());
    }
  }
}

std::string refusal(const std::string& json) {
  ComputeDag out;
  const auto j = parse_json(json);
  if (!j.ok()) return j.reason();
  const Status s = from_json_value(*j, out);
  EXPECT_FALSE(s.ok()) << json;
  return s.ok() ? "" : s.reason();
}

#define EXPECT_HAS(text, words) EXPECT_NE((text).find(words), std::string::npos) << (text)

ir::Combiner argmin() {
  return reducer("argmin", {f32, i64},
                 [](const ir::Exprs& a, const ir::Exprs& b) -> ir::Exprs {
                   const Expr first = a[0] < b[0] || (a[0] == b[0] && a[1] <= b[1]);
                   return {select(first, a[0], b[0]), select(first, a[1], b[1])};
                 },
                 {highest(f32), ir::int_imm(INT64_MAX)});
}

TEST(DagJson, IsTheDocumentedForm) {
  auto A = placeholder({8, 4}, f32, "A"), B = constant({4, 16}, f32, "B");
  auto k = reduce_axis(4, "k");
  auto C = compute({8, 16}, [&](Var i, Var j) { return sum(A(i, k) * B(k, j), k); }, "C");
  EXPECT_EQ(text(ComputeDag::from_outputs({C}, "matmul")),
            R"({"name":"matmul","stages":[{"placeholder":"A","dtype":"f32","shape":[8,4]},)"
            R"({"constant":"B","dtype":"f32","shape":[4,16]},)"
            R"({"compute":"C","dtype":["f32"],"shape":[8,16],"axes":["i","j"],"reduce":[["k",4]],)"
            R"json("body":["sum(A[i, k] * B[k, j], k)"]}],"outputs":["C"]})json");
}

TEST(DagJson, EveryOperator) {
  for (const ops::Operator* op : ops::catalog()) {
    const auto layouts = op->layouts.empty() ? std::vector<std::string>{""} : op->layouts;
    for (const std::string& layout : layouts) {
      for (const Type t : op->dtypes) {
        SCOPED_TRACE(op->name + " " + layout + " " + ir::to_string(t));
        expect_round_trip(ops::build({op->name, {}, layout, ir::to_string(t)}).or_throw());
      }
    }
    for (const ops::Preset& p : op->presets) {
      SCOPED_TRACE(p.name);
      expect_round_trip(ops::build(ops::find_preset(p.name).or_throw()).or_throw());
    }
  }
}

TEST(DagJson, EqualProgramsGiveEqualBytes) {
  const auto make = [] {
    auto A = placeholder({7, 5}, f32, "A");
    auto k = reduce_axis(5, "k");
    auto T = compute_many({7}, [&](Var i) { return reduce(argmin(), {A(i, k), k}, {k}); }, "T");
    return ComputeDag::from_outputs(T, "p");
  };
  EXPECT_EQ(text(make()), text(make()));
  EXPECT_EQ(make().hash(), make().hash());
}

TEST(DagJson, ConstantsChangeIt) {
  const auto dag = ops::build({"matmul", {}, "", ""}).or_throw();
  const auto with = dag.with_constants({"B"}).or_throw();
  EXPECT_NE(text(dag), text(with));
  expect_round_trip(with);
}

TEST(DagJson, TuplesAndCustomReducers) {
  auto A = placeholder({7, 5}, f32, "A");
  auto k = reduce_axis(5, "k");
  auto T = compute_many({7}, [&](Var i) { return reduce(argmin(), {A(i, k), k}, {k}); }, "T");
  expect_round_trip(ComputeDag::from_outputs(T));
  expect_round_trip(ComputeDag::from_outputs({T[1]}));  // one value of two
  auto U = compute({7}, [&](Var i) { return T[0](i) + cast(f32, T[1](i)); }, "U");
  expect_round_trip(ComputeDag::from_outputs({U}));
  auto P = compute_many({7, 5}, [&](Var i, Var j) -> ir::Exprs { return {A(i, j) + 1.0, cast(i32, A(i, j))}; }, "P");
  expect_round_trip(ComputeDag::from_outputs({P[1], P[0]}));
}

TEST(DagJson, SymbolicExtents) {
  auto n = symbol("n"), m = symbol("m");
  auto A = placeholder({n, m * 2 + 1}, f32, "A");
  auto k = reduce_axis(m * 2 + 1, "k");
  auto C = compute({n}, [&](Var i) { return sum(A(i, k), k); }, "C");
  const auto dag = ComputeDag::from_outputs({C});
  ASSERT_TRUE(dag.is_symbolic());
  expect_round_trip(dag);
  EXPECT_HAS(text(dag), R"("symbols":["n","m"])");
  EXPECT_HAS(text(dag), R"("shape":["n","m * 2 + 1"])");
  EXPECT_HAS(dag.with_symbols({{"n", 3}}).reason(), "symbol 'm'");
  EXPECT_HAS(dag.with_symbols({{"n", 0}, {"m", 1}}).reason(), "at least 1");
  auto less = placeholder({n - 5}, f32, "L");
  const auto shrunk = ComputeDag::from_outputs({compute({n - 5}, [&](Var i) { return less(i); }, "D")});
  EXPECT_HAS(shrunk.with_symbols({{"n", 5}}).reason(), "n - 5, is 0");
  const auto fixed = back(dag).with_symbols({{"n", 3}, {"m", 2}}).or_throw();
  EXPECT_FALSE(fixed.is_symbolic());
  expect_round_trip(fixed);
}

TEST(DagJson, NamesThatClash) {
  // An axis like a tensor, two axes alike, tensors alike, words of the language, a dot.
  auto A = placeholder({4, 4}, f32, "i"), B = placeholder({4, 4}, f32, "in"), B2 = placeholder({4}, f32, "in");
  auto i = reduce_axis(4, "i");
  auto C = compute({4, 4}, [&](Var x, Var y) { return sum(A(x, i) * B(i, y) * B2(i), i); }, "if");
  auto D = compute_named({4, 4}, {"i_1", "i"}, [&](const std::vector<Var>& v) { return ir::Exprs{C(v[0], v[1])}; }, "T.v0");
  auto E = compute_many({4}, [&](Var x) -> ir::Exprs { return {D(x, 0), D(0, x)}; }, "T");
  expect_round_trip(ComputeDag::from_outputs(E));
}

TEST(DagJson, LiteralsKeepTheirTypes) {
  auto A = placeholder({4}, f64, "A"), B = placeholder({4}, f16, "B"), U = placeholder({4}, u64, "U");
  auto k = reduce_axis(4, "k");
  expect_round_trip(ComputeDag::from_outputs({
      compute({4}, [&](Var i) { return A(i) * 0.1 + ir::float_imm(HUGE_VAL, f64); }, "a"),
      compute({4}, [&](Var i) { return max(-B(i), lowest(f16)); }, "b"),
      compute({4}, [&](Var i) { return U(i) + ir::int_imm(-1, u64); }, "c"),
      compute({4}, [&](Var i) { return saturating_cast(i8, A(i)) + rounding_cast(i8, A(i)); }, "d"),
      compute({4}, [&](Var i) { return select(!(A(i) < 1.0) && A(i) != 3.0, floordiv(i, 2) * 3 - floormod(i - 1, 3), ir::truncmod(i, 3)); }, "e"),
      compute({}, [&](const std::vector<Var>&) { return min(A(k), k); }, "f"),
  }));
}

TEST(DagJson, RefusesWhatComputeRefuses) {
  const std::string a = R"({"placeholder":"A","dtype":"f32","shape":[8,4]})";
  const auto program = [&](const std::string& stage) {
    return R"({"name":"p","stages":[)" + a + "," + stage + R"(],"outputs":["C"]})";
  };
  const auto body = [&](const std::string& b, const std::string& dtype = "f32") {
    return program(R"({"compute":"C","dtype":[")" + dtype + R"("],"shape":[8],"axes":["i"],"reduce":[["k",4]],"body":[")" + b + R"("]})");
  };
  EXPECT_HAS(refusal(body("sum(A[i, k + 1], k)")), "outside the extent 4");
  EXPECT_HAS(refusal(body("sum(A[i, k], q)")), "not a reduction axis");
  EXPECT_HAS(refusal(body("sum(A[i, k] * q, k)")), "unknown name 'q'");
  EXPECT_HAS(refusal(body("sum(A[i], k)")), "2 dimensions, 1 indices");
  EXPECT_HAS(refusal(body("sum(B[i, k], k)")), "not a tensor");
  EXPECT_HAS(refusal(body("sum(C[i, k], k)")), "not a tensor");
  EXPECT_HAS(refusal(body("1.0 + sum(A[i, k], k)")), "reduces inside an expression");
  EXPECT_HAS(refusal(body("sum(sum(A[i, k], k), k)")), "do not nest");
  EXPECT_HAS(refusal(body("A[i, 0]")), "lists 1 reduction axes");
  EXPECT_HAS(refusal(body("A[i, k]")), "uses axis 'k'");
  EXPECT_HAS(refusal(body("sum(A[i, k], k)", "f64")), "is f32");
  EXPECT_HAS(refusal(body("broadcast(1.0, 4)")), "undefined");
  EXPECT_HAS(refusal(program(a)), "given twice");
  EXPECT_HAS(refusal(program(R"({"placeholder":"Q","dtype":"f32","shape":[1]})")), "'C' is not computed");
  EXPECT_HAS(refusal(program(R"({"compute":"C","dtype":["f32"],"shape":[0],"axes":["i"],"body":["A[0, 0]"]})")), "outside [1");
  EXPECT_HAS(refusal(program(R"({"compute":"C","dtype":["f32"],"shape":[1.5],"axes":["i"],"body":["A[0, 0]"]})")), "expected an integer");
  EXPECT_HAS(refusal(program(R"({"compute":"C","dtype":["f32"],"shape":["n"],"axes":["i"],"body":["A[0, 0]"]})")), "unknown name 'n'");
  EXPECT_HAS(refusal(program(R"({"compute":"C","dtype":["f32"],"shape":[9223372036854775807],"axes":["i"],"body":["A[0, 0]"]})")), "too large");
  EXPECT_HAS(refusal(program(R"({"compute":"C","dtype":["f32"],"shape":[8],"axes":["i","i"],"body":["A[0, 0]"]})")), "given twice");
  EXPECT_HAS(refusal(program(R"({"compute":"C","dtype":["f32"],"shape":[8],"axes":["i"],"body":[]})")), "empty");
  EXPECT_HAS(refusal(program(R"({"compute":"C","dtype":["f32"],"shape":[8],"axes":["i"],"body":["A[0, 0]"],"run":"x"})")), "unknown field 'run'");
  EXPECT_HAS(refusal(program(R"({"compute":"C D","dtype":["f32"],"shape":[8],"axes":["i"],"body":["A[0, 0]"]})")), "holds ' '");
  EXPECT_HAS(refusal(program(R"({"compute":"C","dtype":["f32"],"shape":[8],"axes":["i"],"body":["A[0, 0]"]},)"
                             R"({"placeholder":"Z","dtype":"f32","shape":[1]})")), "'Z' is not read");
  EXPECT_HAS(refusal(R"({"name":"p","stages":[],"outputs":[]})"), "at least one output");
  EXPECT_HAS(refusal(R"({"name":"p","stages":[)" + a + R"(],"outputs":["A"]})"), "is an input");
  EXPECT_HAS(refusal("[]"), "a program is an object");
  EXPECT_HAS(refusal("{}"), "'name' is missing");
}

TEST(DagJson, Caps) {
  std::string stages;
  for (int i = 0; i < 300; ++i) stages += (i ? "," : "") + std::string(R"({"placeholder":"A)") + std::to_string(i) + R"(","dtype":"f32","shape":[1]})";
  EXPECT_HAS(refusal(R"({"name":"p","stages":[)" + stages + R"(],"outputs":["C"]})"), "at most 256");
  EXPECT_HAS(refusal(R"({"name":"p","stages":[{"placeholder":"A","dtype":"f32","shape":[1,1,1,1,1,1,1,1,1]}],"outputs":["A"]})"), "at most 8");
  const std::string deep = std::string(5000, '(') + "1.0" + std::string(5000, ')');
  const auto body = [](const std::string& b) {
    return R"({"name":"p","stages":[{"compute":"C","dtype":["f32"],"shape":[1],"axes":["i"],"body":[")" + b + R"("]}],"outputs":["C"]})";
  };
  EXPECT_HAS(refusal(body(deep)), "deep");
  EXPECT_HAS(refusal(body(std::string(20000, ' ') + "1.0")), "at most 16384");
}

}  // namespace
}  // namespace tessera::dsl
