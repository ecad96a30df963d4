// Externs: statements as a stage, what they may hold, and promised inputs.
#include <gtest/gtest.h>

#include "dsl/dsl.h"
#include "dsl/evaluate.h"
#include "dsl/inputs.h"
#include "ir/print.h"

namespace tessera::dsl {
namespace {

using ir::make_stmt;
using ir::Stmt;

/// Y[i] = sum of V[P[i] .. P[i + 1]]
Tensor segment_sums(std::int64_t n, std::int64_t values) {
  auto p = with_values(placeholder({n + 1}, i32, "P"), offsets(values));
  auto v = placeholder({values}, f32, "V");
  return extern_stage({n}, {f32}, {p, v}, [&](const std::vector<Buffer>& in, const std::vector<Buffer>& out) {
    const Var i = Var::fresh("i"), k = Var::fresh("k");
    const auto at = [&](const Expr& e) { return cast(i64, in[0].load({e})); };
    const Stmt add = make_stmt<ir::Store>(out[0], Exprs{i}, out[0].load({i}) + in[1].load({k}));
    const Stmt loop = make_stmt<ir::For>(k, at(i), at(i + 1) - at(i), ir::ForKind::kSerial, add);
    const Stmt zero = make_stmt<ir::Store>(out[0], Exprs{i}, ir::constant_of(f32, 0));
    return make_stmt<ir::For>(i, Expr(0), Expr(n), ir::ForKind::kParallel, ir::block({zero, loop}));
  }, "Y", static_cast<double>(values)).front();
}

ComputeDag dag_of(const Tensor& t) { return ComputeDag::from_outputs({t}, "p"); }

TEST(Extern, RunsItsStatements) {
  auto y = segment_sums(5, 12);
  auto z = compute({5}, [&](Var i) { return y(i) * 2.0; }, "Z");
  const ComputeDag dag = dag_of(z);
  for (const EvaluateMode mode : {EvaluateMode::kExact, EvaluateMode::kBounded}) {
    const auto in = make_inputs(dag, 3, mode == EvaluateMode::kExact ? InputKind::kExact : InputKind::kRandom);
    Evaluator e(dag, in, mode);
    const auto got = e.tensor("Z").or_throw();
    for (std::int64_t i = 0; i < 5; ++i) {
      double want = 0;
      for (std::int64_t k = in.at("P").at(i).i; k < in.at("P").at(i + 1).i; ++k) want += in.at("V").at(k).f;
      EXPECT_NEAR(got.at(i).f, 2 * want, 1e-5);
    }
    EXPECT_TRUE(e.compare("Z", got)->ok());
    EXPECT_EQ(e.compare("Z", got)->do_not_care, 0);
  }
}

TEST(Extern, ExactModeRefusesWhatIsRounded) {
  const ComputeDag dag = dag_of(segment_sums(1, 3));
  auto in = make_inputs(dag, 1, InputKind::kExact);
  in.at("V").set(0, 0.1);
  in.at("V").set(1, 0.7);
  const auto r = Evaluator(dag, in).all("Y");
  ASSERT_FALSE(r.ok());
  EXPECT_NE(r.reason().find("is not exact in f32"), std::string::npos) << r.reason();
}

TEST(Extern, PromisedInputs) {
  const ComputeDag dag = dag_of(segment_sums(40, 100));
  for (const std::uint64_t seed : {1, 2, 3}) {
    const auto in = make_inputs(dag, seed, InputKind::kRandom);
    const ir::Tensor& p = in.at("P");
    EXPECT_EQ(p.at(0).i, 0);
    EXPECT_EQ(p.at(40).i, 100);
    for (std::int64_t i = 0; i < 40; ++i) EXPECT_LE(p.at(i).i, p.at(i + 1).i);
  }
  auto w = with_values(placeholder({64}, f32, "W"), within(0.25));
  const auto in = make_inputs(dag_of(compute({64}, [&](Var i) { return exp(w(i)); }, "E")), 1, InputKind::kRandom);
  for (std::int64_t i = 0; i < 64; ++i) EXPECT_LE(std::abs(in.at("W").at(i).f), 0.25);
}

TEST(Extern, BadDataIsReported) {
  const ComputeDag dag = dag_of(segment_sums(3, 8));
  auto in = make_inputs(dag, 1, InputKind::kExact);
  in.at("P").set_int(2, 99);
  const auto r = Evaluator(dag, in).all("Y");
  ASSERT_FALSE(r.ok());
  EXPECT_NE(r.reason().find("is outside of V"), std::string::npos) << r.reason();
}

TEST(Extern, JsonIsTheSameProgram) {
  const ComputeDag dag = dag_of(segment_sums(5, 12));
  const std::string text = dump_json(to_json_value(dag));
  ComputeDag again;
  const Status read = from_json_value(parse_json(text).or_throw(), again);
  ASSERT_TRUE(read.ok()) << read.reason() << "\n" << text;
  EXPECT_EQ(dump_json(to_json_value(again)), text);
  EXPECT_EQ(again.to_string(), "P: i32[6], offsets from 0 to 12\nV: f32[12]\nY[i<5] = extern(P, V)\n");
}

/// What reading the program says after `from` in its text has become `to`.
std::string read_with(const std::string& from, const std::string& to) {
  std::string text = dump_json(to_json_value(dag_of(segment_sums(5, 12))));
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from << " in " << text;
  if (at == std::string::npos) return "";
  ComputeDag out;
  const Status s = from_json_value(parse_json(text.replace(at, from.size(), to)).or_throw(), out);
  return s.ok() ? "read" : s.reason();
}

TEST(Extern, HostileTextIsRefused) {
  EXPECT_NE(read_with("\"operations\":12", "\"operations\":-1").find("operations"), std::string::npos);
  EXPECT_NE(read_with("\"reads\":[\"P\",\"V\"]", "\"reads\":[\"P\"]").find("not the output"), std::string::npos);
  EXPECT_NE(read_with("\"reads\":[\"P\",\"V\"]", "\"reads\":[\"P\",\"Q\"]").find("'Q'"), std::string::npos);
  EXPECT_NE(read_with("output", "workspace").find("not the output"), std::string::npos);
  EXPECT_NE(read_with(" parallel", " unroll").find("serial, parallel and vector"), std::string::npos);
  EXPECT_NE(read_with("\"code\":\"", "\"code\":\"nonsense ").find("code: "), std::string::npos);
}

std::string told(const ExternFn& f) {
  auto a = placeholder({4}, f32, "A");
  try {
    extern_stage({4}, {f32}, {a}, f, "Y");
  } catch (const UserError& e) {
    return e.what();
  }
  return "nothing was refused";
}
#define EXPECT_TOLD(words, ...) EXPECT_NE(told(__VA_ARGS__).find(words), std::string::npos) << told(__VA_ARGS__)

TEST(Extern, Refusals) {
  using Buffers = const std::vector<Buffer>&;
  const Var i = Var::fresh("i"), j = Var::fresh("j");
  const auto loop = [](const Var& v, ir::ForKind k, Stmt body) { return make_stmt<ir::For>(v, Expr(0), Expr(4), k, std::move(body)); };
  const auto copy = [&](Buffers in, Buffers out) { return make_stmt<ir::Store>(out[0], Exprs{i}, in[0].load({i})); };
  EXPECT_TOLD("input", [&](Buffers in, Buffers) { return loop(i, ir::ForKind::kSerial, make_stmt<ir::Store>(in[0], Exprs{i}, ir::constant_of(f32, 1))); });
  const Buffer other = Buffer::fresh("other", f32, {4});
  EXPECT_TOLD("other", [&](Buffers, Buffers out) { return loop(i, ir::ForKind::kSerial, make_stmt<ir::Store>(out[0], Exprs{i}, other.load({i}))); });
  EXPECT_TOLD("only an outermost loop may be", [&](Buffers in, Buffers out) { return loop(j, ir::ForKind::kSerial, loop(i, ir::ForKind::kParallel, copy(in, out))); });
  EXPECT_TOLD("serial, parallel and vector loops work", [&](Buffers in, Buffers out) { return loop(i, ir::ForKind::kThreadX, copy(in, out)); });
  EXPECT_TOLD("lanes hold no loops", [&](Buffers in, Buffers out) { return loop(i, ir::ForKind::kVector, loop(j, ir::ForKind::kSerial, copy(in, out))); });
  EXPECT_TOLD("it holds the statement", [&](Buffers, Buffers) { return make_stmt<ir::Assert>(ir::constant_of(ir::boolean, 1), "no"); });
  const Buffer huge = Buffer::fresh("huge", f32, {1 << 20});
  EXPECT_TOLD("takes more than 1048576 bytes", [&](Buffers in, Buffers out) { return make_stmt<ir::Allocate>(huge, loop(i, ir::ForKind::kSerial, copy(in, out))); });
  EXPECT_TOLD("has no statements", [&](Buffers, Buffers) { return Stmt(); });
}

TEST(Extern, PromisesFitTheDtype) {
  auto f = placeholder({4}, f32, "F");
  auto n = placeholder({4, 2}, i32, "N");
  const auto refused = [](const Tensor& t, ValueRule r) {
    try {
      with_values(t, r);
    } catch (const UserError& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_NE(refused(f, below(3)).find("indices and offsets are integers"), std::string::npos);
  EXPECT_NE(refused(n, offsets(3)).find("offsets have one"), std::string::npos);
  EXPECT_NE(refused(n, below(0)).find("promised up to 0"), std::string::npos);
  EXPECT_NE(refused(n, within(1)).find("floats"), std::string::npos);
}

}  // namespace
}  // namespace tessera::dsl
