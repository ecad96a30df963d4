// Programs come out of logs that nobody vouches for: whatever the text, reading gives a program or a
// refusal, and a program that was read writes text that reads back the same.
#include <gtest/gtest.h>

#include "dsl/dsl.h"
#include "dsl/evaluate.h"
#include "dsl/inputs.h"
#include "dsl/text.h"
#include "ops/catalog.h"
#include "support/rng.h"
#include "tests/support/options.h"

namespace tessera::dsl {
namespace {

std::vector<std::string> seeds() {
  std::vector<std::string> out;
  for (const char* op : {"matmul", "conv2d", "softmax", "max_pool2d", "dense_bias_gelu", "cumsum", "rnn", "csr_spmm"}) {
    out.push_back(dump_json(to_json_value(ops::build({op, {}, "", ""}).or_throw())));
    ops::Shape small;
    for (const char* name : {"m", "n", "k", "h", "w", "c", "ci", "co", "nnz", "seq", "batch", "hidden"}) {
      for (const ops::Parameter& p : (*ops::find_operator(op))->parameters) {
        if (p.name == name) small[name] = 5;
      }
    }
    out.push_back(dump_json(to_json_value(ops::build({op, small, "", ""}).or_throw())));
  }
  auto n = symbol("n");
  auto A = placeholder({n, 5}, f32, "A");
  auto k = reduce_axis(5, "k");
  const auto argmax = reducer("argmax", {f32, i64}, [](const ir::Exprs& a, const ir::Exprs& b) -> ir::Exprs {
    const Expr first = b[0] < a[0] || (a[0] == b[0] && a[1] <= b[1]);
    return {select(first, a[0], b[0]), select(first, a[1], b[1])};
  }, {lowest(f32), ir::int_imm(INT64_MAX)});
  out.push_back(dump_json(to_json_value(
      ComputeDag::from_outputs(compute_many({n}, [&](Var i) { return reduce(argmax, {A(i, k), k}, {k}); }, "T")))));
  return out;
}

const char* const kPieces[] = {"sum(", "max(", "reduce([x y], [x + y], [0.0], [", "if_then_else(", "select(", "A[", "]", ")", "(",
                               "i", "k", "n", " + ", " * ", " // ", " % ", "0", "1", "-1", "9223372036854775807", "1e308", "f16(inf)",
                               "i8(", "cast(f64, ", ", ", "\\u0000", "\xff", "{", "}", "[", ":", "true", "null", "let x: f32 = ",
                               "masked(", "ramp(0, 1, 4)", "broadcast(1.0, 4096)", "\"", "f32x16", "handle", "bool", "1.5",
                               "for i in 0..5 {", "parallel ", "vector ", "allocate t: f32[4] {", "i64(", "t - 1", "within", "offsets"};

std::string mutated(std::string s, Rng& rng, std::int64_t most = 6) {
  for (std::int64_t n = rng.between(1, most); n > 0 && !s.empty(); --n) {
    const auto at = static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(s.size())));
    const auto length = static_cast<std::size_t>(rng.between(1, 12));
    switch (rng.below(5)) {
      case 0: s.erase(at, length); break;
      case 1: s.insert(at, s.substr(static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(s.size()))), length * 4)); break;
      case 2: s[at] = static_cast<char>(rng.below(256)); break;
      case 3: s.insert(at, kPieces[rng.below(static_cast<std::int64_t>(std::size(kPieces)))]); break;
      default: s.replace(at, std::min<std::size_t>(length / 3 + 1, s.size() - at), kPieces[rng.below(static_cast<std::int64_t>(std::size(kPieces)))]);
    }
  }
  return s;
}

/// Changes strings and numbers, so that the document stays JSON.
void mutate_leaves(Json& j, Rng& rng) {
  if (j.is_structured()) {
    for (auto& x : j) mutate_leaves(x, rng);
  } else if (rng.chance(0.05)) {
    if (j.is_string()) {
      j = mutated(j.get<std::string>(), rng, 2);
    } else if (rng.chance(0.9)) {
      j = rng.pick(std::vector<std::int64_t>{0, 1, 2, 3, 5, 7, 64, 512, -1, INT64_MAX, std::int64_t{1} << 40});
    } else {
      j = rng.pick(std::vector<std::string>{"n", "n * 2", "n // 0", "1 / 0", "x"});
    }
  }
}

double points(const ComputeDag& dag) {
  double n = dag.bytes();
  for (const Stage& s : dag.stages()) {
    double stage = 1;
    for (const auto* axes : {&s.axes, &s.reduce_axes}) {
      for (const Axis& a : *axes) {
        std::int64_t extent = 0;
        if (is_const_int(a.extent, &extent)) stage *= static_cast<double>(extent);
      }
    }
    n += stage;
  }
  return n;
}

/// Any value or a refusal; never a crash.
void evaluate(const ComputeDag& dag) {
  if (dag.is_symbolic() || points(dag) > 2e5) return;
  for (const EvaluateMode mode : {EvaluateMode::kExact, EvaluateMode::kBounded}) {
    try {
      Evaluator e(dag, make_inputs(dag, 1, InputKind::kRandom), mode);
      for (const Buffer& b : dag.outputs()) (void)e.all(b->name).ok();
    } catch (const UserError&) {
    }
  }
}

TEST(DagJsonFuzz, AnyTextGivesAProgramOrARefusal) {
  const std::uint64_t seed = test::options().seed;
  SCOPED_TRACE("--seed " + std::to_string(seed));
  Rng rng(seed);
  const auto starts = seeds();
  int read = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string s = rng.pick(starts);
    if (rng.chance(0.7)) {
      Json leaves = *parse_json(s);
      mutate_leaves(leaves, rng);
      s = dump_json(leaves);
    } else {
      s = mutated(s, rng);
    }
    const auto j = parse_json(s);
    if (!j.ok()) continue;
    ComputeDag dag;
    const Status status = from_json_value(*j, dag);
    if (!status.ok()) {
      ASSERT_EQ(status.reason().find('\n'), std::string::npos) << s;
      continue;
    }
    ++read;
    evaluate(dag);
    const std::string once = dump_json(to_json_value(dag));
    ComputeDag again;
    const Status twice = from_json_value(parse_json(once).or_throw(), again);
    ASSERT_TRUE(twice.ok()) << twice.reason() << "\n" << s << "\n" << once;
    ASSERT_EQ(dump_json(to_json_value(again)), once) << s;
  }
  EXPECT_GT(read, 100);  // the mutations are not all noise
}

TEST(StatementFuzz, AnyTextGivesAProgramOrARefusal) {
  const std::uint64_t seed = test::options().seed;
  SCOPED_TRACE("--seed " + std::to_string(seed));
  Rng rng(seed, {1});
  const std::vector<std::pair<std::string, std::string>> starts{
      {"C[m,n] += A[m,k] * B[k,n]", "m=5,n=6,k=7"},
      {"Y[i] max= if_then_else(i*2 + r > 0 && i*2 + r < 9, X[2*i+r-1], 0.0)", "i=5,r=3"},
      {"C[i,j] += i32(A[i,k]) * i32(B[k,j])", "i=3,j=4,k=5"},
      {"D[i] = exp(A[i]) / (1.0 + select(B[i] < 0.0, tanh(B[i]), min(B[i], 2.0)))", "i=64"}};
  int read = 0;
  for (int i = 0; i < 20000; ++i) {
    const auto& [text, extents] = starts[static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(starts.size())))];
    const std::string t = mutated(text, rng, 2), e = rng.chance(0.2) ? mutated(extents, rng) : extents;
    const auto dag = parse_statement(t, e);
    if (!dag.ok()) {
      ASSERT_FALSE(dag.reason().empty());
      continue;
    }
    ++read;
    evaluate(*dag);
    ComputeDag again;
    const Status status = from_json_value(to_json_value(*dag), again);
    ASSERT_TRUE(status.ok()) << status.reason() << "\n" << t;
    ASSERT_EQ(dump_json(to_json_value(again)), dump_json(to_json_value(*dag))) << t;
  }
  EXPECT_GT(read, 100);
}

}  // namespace
}  // namespace tessera::dsl
