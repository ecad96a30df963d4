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
    const PlannedSteps made = cpu_steps(dag, a.alignment, target).or_throw();
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
    const PlannedSteps made = cpu_steps(dag, a.alignment, driver::resolve_target("cpu -mcpu=x86-64-v3")).or_throw();
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

IlpAlignment scheduled(const ComputeDag& dag, Grouping grouping) { return scheduled_in_time(*scop_of(dag), {grouping, 1s}); }

TEST(Ilp, RowsOfSoftmax) {
  const ComputeDag dag = ops::build({"softmax", {}, "", ""}).or_throw();
  EXPECT_EQ(trace(scheduled(dag, Grouping::kMax)),
            "nest Y: i 1536\n"
            "  Xmax  i\n"
            "  Xexp  i\n"
            "  Xsum  i\n"
            "  Y  i\n");
  EXPECT_EQ(trace(scheduled(dag, Grouping::kKeepParallel)),
            "nest Xmax: i 1536\n"
            "  apart: ISL's schedule has it apart from its readers\n"
            "  Xmax  i\n"
            "nest Xexp: i 1536, j 128\n"
            "  apart: ISL's schedule has it apart from its readers\n"
            "  Xexp  i, j\n"
            "nest Xsum: i 1536\n"
            "  apart: ISL's schedule has it apart from its readers\n"
            "  Xsum  i\n"
            "nest Y: i 1536, j 128\n"
            "  Y  i, j\n");
}

TEST(Ilp, RowsOfTwoProducts) {
  EXPECT_EQ(trace(scheduled(two_products(64), Grouping::kMax)),
            "nest D: i 64\n"
            "  S  i\n"
            "  R  i\n"
            "  D  i\n");
  EXPECT_EQ(trace(scheduled(two_products(64), Grouping::kKeepParallel)),
            "nest R: i 64, j 64\n"
            "  apart: ISL's schedule has it apart from its readers\n"
            "  S  i, j\n"
            "  R  i, j\n"
            "nest D: i 64, j 64\n"
            "  D  i, j\n");
  EXPECT_EQ(scheduled(two_products(64), Grouping::kMin).alignment.nests.size(), 3u);
}

TEST(Ilp, PaddingStandsApart) {
  EXPECT_EQ(trace(scheduled(padded_convolution(64, 56), Grouping::kMax)),
            "nest E: i 4\n"
            "  P  i\n"
            "  O  i\n"
            "  E  i\n");
  EXPECT_EQ(trace(scheduled(padded_convolution(64, 56), Grouping::kKeepParallel)),
            "nest P: i 4, j 64, k 58, l 58\n"
            "  apart: ISL's schedule has it apart from its readers\n"
            "  P  i, j, k, l\n"
            "nest E: i 4, j 64, k 56, l 56\n"
            "  O  i, j, k, l\n"
            "  E  i, j, k, l\n");
}

TEST(Ilp, TransposedAndReversedReaders) {
  auto x = placeholder({8, 16}, f32, "X");
  auto b = compute({8, 16}, [&](Var i, Var j) { return x(i, j) * 2.0; }, "B");
  auto c = compute({16, 8}, [&](Var j, Var i) { return b(i, j) + 1.0; }, "C");
  const Alignment turned = scheduled(ComputeDag::from_outputs({c}), Grouping::kMax).alignment;
  ASSERT_EQ(turned.nests.size(), 1u) << to_string(turned);
  EXPECT_EQ(turned.nests[0].members[0].coordinates, (std::vector<int>{1, 0}));
  // Backwards the rows are -i + 7 and i: no coordinate of B.
  auto d = compute({8, 16}, [&](Var i, Var j) { return b(7 - Expr(i), j); }, "D");
  const IlpAlignment reversed = scheduled(ComputeDag::from_outputs({d}), Grouping::kMax);
  for (const AlignedNest& n : reversed.alignment.nests) {
    for (const SharedAxis& a : n.shared) EXPECT_TRUE(n.members.size() == 1 || a.name == "j") << trace(reversed);
  }
}

/// Two outputs in one band are two nests: one is not computed inside of the other.
TEST(Ilp, OutputsHaveNestsOfTheirOwn) {
  auto x = placeholder({32, 16}, f32, "X");
  auto b = compute({32, 16}, [&](Var i, Var j) { return x(i, j) * 2.0; }, "B");
  auto c = compute({32, 16}, [&](Var i, Var j) { return b(i, j) + 1.0; }, "C");
  const Alignment a = scheduled(ComputeDag::from_outputs({b, c}), Grouping::kMax).alignment;
  ASSERT_EQ(a.nests.size(), 2u) << to_string(a);
  EXPECT_EQ(a.nests[0].apart, "");
  EXPECT_EQ(a.nests[1].members.back().stage, "C");
}

/// S[t, i] = S[t-1, i-1] + S[t-1, i] + S[t-1, i+1]: ISL skews it, which is no shared loop.
ComputeDag stencil_in_time(std::int64_t steps, std::int64_t n) {
  auto x = placeholder({n}, f32, "X");
  auto s = dsl::scan_state({steps, n}, f32, "S");
  const auto at = [&](Var t, const Expr& i) { return ir::if_then_else(i >= 0 && i < n, s(Expr(t) - 1, i), Expr(0.0)); };
  auto y = dsl::scan(s, {}, [&](Var, Var i) { return x(i); }, [&](Var t, Var i) { return at(t, Expr(i) - 1) + at(t, Expr(i)) + at(t, Expr(i) + 1); });
  return ComputeDag::from_outputs({y});
}

TEST(Ilp, RecurrencesStaySerial) {
  const ComputeDag network = ops::build({"rnn", {}, "", ""}).or_throw();  // its batch is independent
  for (const Grouping g : {Grouping::kMax, Grouping::kKeepParallel, Grouping::kMin}) {
    EXPECT_EQ(trace(scheduled(network, g)),
              "nest H: i 16\n"
              "  past  i\n"
              "  H  i\n");
    const IlpAlignment a = scheduled(stencil_in_time(5, 19), g);
    EXPECT_EQ(to_string(a.alignment), "nest S: no shared loop\n  S \n") << trace(a);
    expect_right(stencil_in_time(5, 19), cpu_steps(stencil_in_time(5, 19), a.alignment, driver::resolve_target("cpu -mcpu=x86-64-v3")).or_throw().steps, 1);
  }
}

/// Halves images again and again: padding, then sums of 3 x 3 windows two apart.
ComputeDag pyramid(int levels, std::int64_t n) {
  dsl::Tensor t = placeholder({4, 16, n, n}, f32, "X");
  for (int level = 0; level < levels; ++level, n /= 2) {
    auto r = dsl::reduce_axis(3, "r"), q = dsl::reduce_axis(3, "q");
    const auto padded = [&](Var b, Var c, Var y, Var x) {
      const Expr inside = Expr(y) >= 1 && Expr(y) < n + 1 && Expr(x) >= 1 && Expr(x) < n + 1;
      return ir::if_then_else(inside, t(b, c, Expr(y) - 1, Expr(x) - 1), Expr(0.0));
    };
    auto p = compute({4, 16, n + 2, n + 2}, padded, "P" + std::to_string(level));
    t = compute({4, 16, n / 2, n / 2}, [&](Var b, Var c, Var y, Var x) { return dsl::sum(p(b, c, Expr(y) * 2 + r, Expr(x) * 2 + q), r, q); },
                "D" + std::to_string(level));
  }
  return ComputeDag::from_outputs({t});
}

/// Twenty stages in one integer program a loop: seconds, where the limit leaves 200 ms.
TEST(Ilp, WhatTakesTooLongIsSplit) {
  const ComputeDag dag = pyramid(10, 4096);
  const Scop scop = *scop_of(dag);
  const IlpAlignment a = scheduled_in_time(scop, {Grouping::kMax, 400ms});
  ASSERT_FALSE(a.notes.empty()) << trace(a);
  EXPECT_EQ(a.notes[0].rfind("P0, D0, P1, D1, P2, D2, P3, D3, P4, D4, P5, D5, P6, D6, P7, D7, P8, D8, P9, D9: timeout: ISL was stopped after ", 0), 0u) << trace(a);
  std::size_t stages = 0;
  for (const AlignedNest& n : a.alignment.nests) stages += n.members.size();
  EXPECT_EQ(stages, 20u) << trace(a);
  // The same context then answers again, and the options of ISL are what they were.
  const IlpAlignment after = scheduled_in_time(scop, {Grouping::kMin, 2s});
  EXPECT_TRUE(after.notes.empty()) << trace(after);
  EXPECT_EQ(after.alignment.nests.size(), 20u);
}

/// Whatever limit strikes where: legal, or refused with the reason.
TEST(Ilp, AnyLimitGivesLegalNests) {
  const ir::Target target = driver::resolve_target("cpu -mcpu=x86-64-v3");
  for (const char* name : {"attention", "conv2d_bn_relu", "rnn"}) {
    const ComputeDag dag = small(*ops::find_operator(name).or_throw());
    const Scop scop = *scop_of(dag);
    for (const auto limit : {1ms, 3ms, 8ms, 20ms, 50ms, 120ms}) {
      const auto a = ilp_alignment(scop, {Grouping::kMax, limit});
      if (!a.ok()) {
        EXPECT_EQ(a.reason().rfind("timeout: ", 0), 0u) << a.reason();
        continue;
      }
      SCOPED_TRACE(std::string(name) + "\n" + trace(*a));
      const PlannedSteps made = cpu_steps(dag, a->alignment, target).or_throw();
      expect_legal(dag, made.steps, target);
      expect_right(dag, made.steps, 1);
    }
  }
}

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
