// Loops that no schedule makes, written by hand: wrong in ways that are easy to overlook, and their right neighbours.
#include <gtest/gtest.h>

#include "dsl/inputs.h"
#include "dsl/evaluate.h"
#include "ir/check.h"
#include "ir/interpret.h"
#include "ir/parse.h"
#include "ir/rewrite.h"
#include "tests/polyhedral/programs.h"

namespace tessera::polyhedral::test {
namespace {

/// The text on the tensors of `dag`: buffers are named as these are.
ir::Program on_tensors(const ComputeDag& dag, const std::string& text) {
  ir::Program p = ir::parse_program(text).or_throw();
  std::map<std::uint64_t, ir::Buffer> with;
  for (ir::ProgramBuffer& b : p.buffers) {
    for (const dsl::Stage& s : dag.stages()) {
      for (const ir::Buffer& tensor : s.outputs) {
        if (tensor->name != b.buffer->name || (b.role != ir::BufferRole::kOutput && b.role != ir::BufferRole::kInput && b.role != ir::BufferRole::kConstant)) continue;
        with.emplace(b.buffer->id, tensor);
        b.buffer = tensor;
      }
    }
  }
  const auto replace = [&](ir::Buffer& b) {
    if (const auto it = with.find(b->id); it != with.end()) b = it->second;
  };
  for (ir::Function& f : p.functions) {
    for (ir::Buffer& b : f.buffers) replace(b);
    f.body = ir::replace_buffers(f.body, with);
  }
  for (ir::LaunchSite& l : p.launches) {
    for (ir::Buffer& b : l.arguments) replace(b);
  }
  EXPECT_TRUE(ir::check_well_formed(p).ok()) << ir::check_well_formed(p).reason();
  return p;
}

Verdict verdict_of(const ComputeDag& dag, const std::string& text) { return verify(equations_of(dag).or_throw(), on_tensors(dag, text)); }

/// D[i] = 2 * sum(X[i, k], k).
ComputeDag twice_sums(std::int64_t n, std::int64_t of) {
  auto x = placeholder({of, 3}, f32, "X");
  auto k = dsl::reduce_axis(3, "k");
  auto c = compute({of}, [&](Var i) { return dsl::sum(x(i, k), k); }, "C");
  return ComputeDag::from_outputs({compute({n}, [&](Var i) { return c(i) * 2.0; }, "D")});
}

std::string program(const std::string& body, int of = 6, int n = 6, const std::string& more = "") {
  return "program p {\n buffer X: f32[" + std::to_string(of) + ", 3] input\n buffer D: f32[" + std::to_string(n) + "] output\n buffer C: f32[" + std::to_string(of) +
         "] workspace\n" + more + " func p(X, D, C;) {\n" + body + "\n }\n run p(X, D, C)\n}\n";
}

void expect_illegal(const ComputeDag& dag, const std::string& text, Fault fault, const std::string& words) {
  const Verdict v = verdict_of(dag, text);
  ASSERT_TRUE(v.illegal()) << v << text;
  EXPECT_EQ(to_string(v.violations[0].fault), std::string(to_string(fault))) << v;
  EXPECT_NE(to_string(v).find(words), std::string::npos) << v;
}

const char* const kUpdates = "for i in 0..6 { for k in 0..3 { instance C update [i, k] { C[i] = C[i] + X[i, k] } } }\n";
const char* const kStarts = "for i in 0..6 { instance C init [i] { C[i] = 0.0 } }\n";

/// What an earlier iteration completed is gone when the next one has started it again.
TEST(Handmade, ReadsAmidAReductionThatStartsAgain) {
  const ComputeDag dag = twice_sums(6, 6);
  const std::string read = "if 1 <= o { instance D whole [o - 1] { D[o - 1] = C[o - 1] * 2.0 } }\n";
  const std::string starts = kStarts, updates = kUpdates;
  EXPECT_TRUE(verdict_of(dag, program("for o in 0..7 {\n" + starts + updates + read + "}")).ok()) << verdict_of(dag, program("for o in 0..7 {\n" + starts + updates + read + "}"));
  EXPECT_TRUE(verdict_of(dag, program("for o in 0..7 {\n" + read + starts + updates + "}")).ok());
  expect_illegal(dag, program("for o in 0..7 {\n" + starts + read + updates + "}"), Fault::kOrder, "before it is complete");
  const std::string inside = "for i in 0..6 { for k in 0..3 { instance C update [i, k] { C[i] = C[i] + X[i, k] }\n" + read + "} }\n";
  expect_illegal(dag, program("for o in 0..7 {\n" + starts + inside + "}"), Fault::kOrder, "before it is complete");
  // Another element is started: what the earlier iteration has completed is still there.
  const std::string one = "for o in 0..7 {\n if o <= 5 { instance C init [o] { C[o] = 0.0 } }\n" + read + "for k in 0..3 { if o <= 5 { instance C update [o, k] { C[o] = C[o] + X[o, k] } } }\n}";
  EXPECT_TRUE(verdict_of(dag, program(one)).ok()) << verdict_of(dag, program(one));
}

/// Two sums at once in one place.
TEST(Handmade, PlacesOfAReductionHoldOneElementEach) {
  const ComputeDag dag = twice_sums(6, 7);
  const auto text = [](const std::string& place) {
    return program("for o in 0..6 {\n alloc C.acc: f32[2]\n for j in 0..2 { instance C init [o + 1 - j] { C.acc[" + place + "] = 0.0 } }\n for k in 0..3 { for j in 0..2 { instance C update [o + 1 - j, k] { C.acc[" + place +
                   "] = C.acc[" + place + "] + X[o + 1 - j, k] } } }\n instance D whole [o] { D[o] = C.acc[" + (place == "0" ? "0" : "1") + "] * 2.0 }\n}", 7);
  };
  EXPECT_TRUE(verdict_of(dag, text("j")).ok()) << verdict_of(dag, text("j"));
  expect_illegal(dag, text("0"), Fault::kReduction, "C");
}

/// A second start of the same place, from another value.
TEST(Handmade, StartsThatAreNone) {
  const ComputeDag dag = twice_sums(6, 6);
  const std::string updates = kUpdates, read = "for i in 0..6 { instance D whole [i] { D[i] = C[i] * 2.0 } }\n";
  const auto starts = [](const std::string& value) { return "for i in 0..6 { for j in 0..2 { instance C init [i] { C[i] = " + value + " } } }\n"; };
  EXPECT_TRUE(verdict_of(dag, program(starts("0.0") + updates + read)).ok()) << verdict_of(dag, program(starts("0.0") + updates + read));
  expect_illegal(dag, program(starts("if_then_else(j <= 0, 0.0, 5.0)") + updates + read), Fault::kValue, "5.0");
}

/// Instances of reductions are starts and terms, nothing else.
TEST(Handmade, WholeInstancesOfAReduction) {
  const ComputeDag dag = twice_sums(6, 6);
  const std::string starts = kStarts, updates = kUpdates, read = "for i in 0..6 { instance D whole [i] { D[i] = C[i] * 2.0 } }\n";
  const Verdict v = verdict_of(dag, program(starts + updates + "for i in 0..6 { instance C whole [i, 0] { C[i] = C[i] + X[i, 0] } }\n" + read));
  EXPECT_FALSE(v.ok()) << v;
}

/// A term is added to the sum that lies where the result goes, not to another copy of it.
TEST(Handmade, TermsAreAddedToTheirOwnSum) {
  const ComputeDag dag = twice_sums(6, 6);
  const std::string starts = kStarts, updates = kUpdates;
  const std::string other =
      "alloc C.b: f32[6]\nfor i in 0..6 { instance C init [i] { C.b[i] = 0.0 } }\nfor i in 0..6 { for k in 0..3 { instance C update [i, k] { C.b[i] = C[i] + X[i, k] } } }\n"
      "for i in 0..6 { instance D whole [i] { D[i] = C.b[i] * 2.0 } }\n";
  expect_illegal(dag, program(starts + updates + other), Fault::kValue, "C");
}

}  // namespace
}  // namespace tessera::polyhedral::test
