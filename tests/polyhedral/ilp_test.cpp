// Shared loops by ISL's scheduler: within its limit for every operator and subgraph, legal, and right in the
// interpreter; what it cannot schedule in time is split.
#include <gtest/gtest.h>

#include "dsl/dsl.h"
#include "polyhedral/cpu_steps.h"
#include "polyhedral/ilp.h"
#include "tests/polyhedral/programs.h"
#include "tests/polyhedral/right.h"
#include "tests/support/options.h"

namespace tessera::polyhedral {
namespace {

using namespace test;             // NOLINT: the programs that the tests of this folder share
using namespace std::chrono_literals;  // NOLINT

constexpr auto kSlack = 100ms;  // beyond the limit

/// Nothing for programs with externs, which have no sets.
std::optional<Scop> scop_of(const ComputeDag& dag) {
  auto scop = Scop::of(equations_of(dag).or_throw());
  if (!scop.ok()) return std::nullopt;
  return std::move(*scop);
}

IlpAlignment scheduled_in_time(const Scop& scop, const IlpOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  IlpAlignment out = ilp_alignment(scop, options).or_throw();
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
  ::testing::Test::RecordProperty(std::string(to_string(options.grouping)) + "_ms", std::to_string(took.count()));
  EXPECT_LE(took, options.limit + kSlack);
  return out;
}

std::string trace(const IlpAlignment& a) {
  std::string out = to_string(a.alignment);
  for (const std::string& n : a.notes) out += "note: " + n + "\n";
  return out;
}

class IlpOf : public ::testing::TestWithParam<std::string> {};

TEST_P(IlpOf, IsLegalWithinItsLimit) {
  const ir::Target target = driver::resolve_target("cpu -mcpu=x86-64-v3");
  const auto preset = ops::find_preset(GetParam());
  const ComputeDag dag = ops::build(preset.ok() ? *preset : ops::Request{GetParam(), {}, "", ""}).or_throw();
  const auto scop = scop_of(dag);
  if (!scop) return;
  for (const Grouping g : {Grouping::kMax, Grouping::kKeepParallel, Grouping::kMin}) {
    const IlpAlignment a = scheduled_in_time(*scop, {g, 1s});
    SCOPED_TRACE(std::string(to_string(g)) + "\n" + trace(a));
    const CpuSteps made = cpu_steps(dag, a.alignment, target).or_throw();
    expect_legal(dag, made.steps, target);
  }
}

TEST_P(IlpOf, IsRight) {
  const auto preset = ops::find_preset(GetParam());
  const ops::Operator& op = *ops::find_operator(preset.ok() ? preset->op : GetParam()).or_throw();
  const ComputeDag dag = small(op, preset.ok() ? preset->layout : "");
  const auto scop = scop_of(dag);
  if (!scop) return;
  const std::uint64_t seed = tessera::test::options().seed;
  RecordProperty("seed", std::to_string(seed));
  for (const Grouping g : {Grouping::kMax, Grouping::kKeepParallel, Grouping::kMin}) {
    const IlpAlignment a = scheduled_in_time(*scop, {g, 1s});
    SCOPED_TRACE(std::string(to_string(g)) + "\n" + trace(a));
    const CpuSteps made = cpu_steps(dag, a.alignment, driver::resolve_target("cpu -mcpu=x86-64-v3")).or_throw();
    expect_right(dag, made.steps, seed);
  }
}

/// D[i,l] = sum_j relu(sum_k A[i,k] B[k,j]) * V[j,l].
ComputeDag two_products(std::int64_t n) {
  auto a = placeholder({n, n}, f32, "A"), b = placeholder({n, n}, f32, "B"), v = placeholder({n, n}, f32, "V");
  auto k = dsl::reduce_axis(n, "k"), j = dsl::reduce_axis(n, "j");
  auto s = compute({n, n}, [&](Var i, Var q) { return dsl::sum(a(i, k) * b(k, q), k); }, "S");
  auto r = compute({n, n}, [&](Var i, Var q) { return ir::max(s(i, q), Expr(0.0)); }, "R");
  auto d = compute({n, n}, [&](Var i, Var l) { return dsl::sum(r(i, j) * v(j, l), j); }, "D");
  return ComputeDag::from_outputs({d});
}

std::string every_strategy(const ComputeDag& dag) {
  std::string out;
  for (const Grouping g : {Grouping::kMax, Grouping::kKeepParallel, Grouping::kMin}) out += std::string(to_string(g)) + "\n" + trace(scheduled_in_time(*scop_of(dag), {g, 1s}));
  return out;
}

TEST(Ilp, RowsOfSoftmax) { EXPECT_EQ(every_strategy(ops::build({"softmax", {}, "", ""}).or_throw()), ""); }
TEST(Ilp, RowsOfTwoProducts) { EXPECT_EQ(every_strategy(two_products(64)), ""); }
TEST(Ilp, PaddingStandsApart) { EXPECT_EQ(every_strategy(padded_convolution(64, 56)), ""); }
TEST(Ilp, Scan) { EXPECT_EQ(every_strategy(ops::build({"rnn", {}, "", ""}).or_throw()), ""); }

std::vector<std::string> names() {
  std::vector<std::string> out;
  for (const ops::Operator* op : ops::catalog()) out.push_back(op->name);
  for (const char* subgraph : {"ConvLayer.1", "ConvLayer.2", "ConvLayer.4", "TBG.1", "TBG.3"}) out.emplace_back(subgraph);
  return out;
}

INSTANTIATE_TEST_SUITE_P(Ops, IlpOf, ::testing::ValuesIn(names()), [](const auto& info) {
  std::string out = info.param;
  std::replace(out.begin(), out.end(), '.', '_');
  return out;
});

}  // namespace
}  // namespace tessera::polyhedral
