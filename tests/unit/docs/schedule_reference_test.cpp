// docs/reference/schedule.md: a section for every step, and examples that are what the program
// prints. `unit_tests --update-golden --gtest_filter='ScheduleReference*'` writes the examples
// anew.
#include <gtest/gtest.h>

#include <fstream>

#include "dsl/dsl.h"
#include "schedule/schedule.h"
#include "tests/support/options.h"

namespace tessera::test {
namespace {

using namespace tessera::dsl;
using schedule::Step;
using schedule::StepList;

const std::string kPage = "docs/reference/schedule.md";

/// C[i, j] = sum(A[i, k] * B[k, j], k), and with `relu` D = max(C, 0) after it.
ComputeDag matmul(bool relu = false) {
  auto A = placeholder({64, 40}, f32, "A"), B = constant({40, 48}, f32, "B");
  auto k = reduce_axis(40, "k");
  auto C = compute(
      {64, 48}, [&](Var i, Var j) { return sum(A(i, k) * B(k, j), k); }, "C");
  if (!relu) return ComputeDag::from_outputs({C}, "matmul");
  return ComputeDag::from_outputs(
      {compute(
          {64, 48}, [&](Var i, Var j) { return max(C(i, j), 0.0f); }, "D")},
      "matmul_relu");
}

/// B = A * 2, C[i] = B[i] + B[i + 1]: a stage that is read at two places.
ComputeDag stencil() {
  auto A = placeholder({65}, f32, "A");
  auto B = compute(
      {65}, [&](Var i) { return A(i) * 2.0f; }, "B");
  return ComputeDag::from_outputs({compute(
                                      {64}, [&](Var i) { return B(i) + B(i + 1); }, "C")},
                                  "stencil");
}

ComputeDag row_sums() {
  auto A = placeholder({16, 1000}, f32, "A");
  auto k = reduce_axis(1000, "k");
  return ComputeDag::from_outputs({compute(
                                      {16}, [&](Var i) { return sum(A(i, k), k); }, "S")},
                                  "row_sums");
}

struct Example {
  ComputeDag dag;
  StepList before;  // leads to the loops that are shown first
  Step step;
  std::vector<Step> refused;  // on the state before
};

using schedule::Annotate, schedule::Bind, schedule::CacheRead, schedule::CacheWrite,
    schedule::ComputeAt, schedule::ComputeInline, schedule::ComputeRoot,
    schedule::DecomposeReduction, schedule::FinishInLastBlock, schedule::Fuse, schedule::Outline, schedule::Pack,
    schedule::PadBox, schedule::Parallel, schedule::Pipeline, schedule::Prefetch,
    schedule::Reorder, schedule::Rfactor, schedule::RollingWindow, schedule::SetScope,
    schedule::Split, schedule::Spread, schedule::StorageAlign, schedule::StoreAt,
    schedule::StreamingStore, schedule::Swizzle, schedule::Tensorize, schedule::Tile,
    schedule::TransformLayout, schedule::Unroll, schedule::UseAlgorithm, schedule::Vectorize;

/// The tile of a product that tensorize takes: 6 x 16 accumulators, updated for each k.
StepList tile_steps() {
  return {CacheWrite{"C", "C.acc"},
          Split{"C", "i", {"i0", "i1"}, {4}},
          Split{"C", "j", {"j0", "j1"}, {16}},
          Reorder{"C", {"i0", "j0", "i1", "j1"}},
          ComputeAt{"C.acc", "C", "j0"},
          SetScope{"C.acc", ir::Scope::kRegister},
          Reorder{"C.acc", {"k", "i", "j"}}};
}

/// A block computes 16 x 16 elements of a product with 256 threads, in steps of 8 of the sum; what it
/// reads of B in a step is a tile in shared memory.
StepList block_steps() {
  return {CacheWrite{"C", "C.acc"},
          Split{"C", "i", {"i0", "i1"}, {16}},
          Split{"C", "j", {"j0", "j1"}, {16}},
          Reorder{"C", {"i0", "j0", "i1", "j1"}},
          Bind{"C", "i0", ir::ForKind::kBlockY},
          Bind{"C", "j0", ir::ForKind::kBlockX},
          Bind{"C", "i1", ir::ForKind::kThreadY},
          Bind{"C", "j1", ir::ForKind::kThreadX},
          ComputeAt{"C.acc", "C", "j0"},
          Split{"C.acc", "k", {"k0", "k1"}, {8}},
          Reorder{"C.acc", {"k0", "i", "j", "k1"}},
          Bind{"C.acc", "i", ir::ForKind::kThreadY},
          Bind{"C.acc", "j", ir::ForKind::kThreadX},
          CacheRead{"B", {"C.acc"}, "B.s", ir::Scope::kShared},
          ComputeAt{"B.s", "C.acc", "k0"}};
}

std::vector<Example> examples() {
  const Step copy_b = CacheRead{"B", {"C"}, "B.copy"};
  return {
      {matmul(),
       {},
       Split{"C", "i", {"i0", "i1"}, {6}},
       {Split{"C", "i", {"i0", "i1"}, {0}}, Split{"C", "q", {"q0", "q1"}, {4}}}},
      {matmul(),
       {},
       Fuse{"C", {"i", "j"}, "f"},
       {Fuse{"C", {"j", "k"}, "f"}, Fuse{"C", {"j", "i"}, "f"}}},
      {matmul(),
       {},
       Reorder{"C", {"k", "i", "j"}},
       {Reorder{"C", {"k", "q"}}, Reorder{"C", {"k", "k"}}}},
      {matmul(),
       {},
       Tile{"C", {"i", "j"}, {"i0", "j0", "i1", "j1"}, {6, 16}},
       {Tile{"C", {"i"}, {"i0", "i1"}, {6}}}},
      {matmul(), {Split{"C", "i", {"i0", "i1"}, {4}}}, Unroll{"C", "i1"}, {}},
      {matmul(),
       {Split{"C", "j", {"j0", "j1"}, {16}}, Reorder{"C", {"k", "j1"}}},
       Vectorize{"C", "j1"},
       {Vectorize{"C", "k"}}},
      {matmul(), {}, Parallel{"C", "i"}, {Parallel{"C", "k"}}},
      {matmul(),
       {Split{"C", "i", {"i0", "i1"}, {8}}},
       Bind{"C", "i0", ir::ForKind::kBlockX},
       {Bind{"C", "i1", ir::ForKind::kBlockX}, Bind{"C", "k", ir::ForKind::kBlockX},
        Bind{"C", "j", ir::ForKind::kLane}}},
      {matmul(),
       block_steps(),
       Spread{"B.s", "d0", {"d0.step", "d0.thread"}, "C.acc"},
       {Spread{"B.s", "d0", {"d0.step"}, "C.acc"}, Spread{"C.acc", "k1", {"a", "b"}, "B.s"}}},
      {matmul(), block_steps(), PadBox{"B.s"}, {PadBox{"C"}}},
      {matmul(),
       block_steps(),
       Pipeline{"B.s", 3},
       {Pipeline{"C.acc", 3}, Pipeline{"B.s", 9}}},
      {matmul(true),
       {Split{"D", "i", {"i0", "i1"}, {8}}},
       ComputeAt{"C", "D", "i0"},
       {ComputeAt{"D", "C", "i"}, ComputeAt{"C", "D", "k"}}},
      {stencil(),
       {Split{"C", "i", {"i0", "i1"}, {8}}, ComputeAt{"B", "C", "i1"}},
       StoreAt{"B", "C", "i0"},
       {StoreAt{"C", "B", "i"}}},
      {stencil(), {}, ComputeInline{"B"}, {ComputeInline{"C"}, ComputeInline{"A"}}},
      {matmul(true), {ComputeAt{"C", "D", "i"}}, ComputeRoot{"C"}, {}},
      {matmul(), {}, copy_b, {CacheRead{"B", {"B"}, "B.copy"}, CacheRead{"B", {"C"}, "A"}}},
      {matmul(), {}, CacheWrite{"C", "C.acc"}, {CacheWrite{"C", "C.acc", ir::Scope::kRegister}}},
      {row_sums(),
       {Split{"S", "k", {"k0", "k1"}, {16}}},
       Rfactor{"S", "k1", "S.part"},
       {Rfactor{"S", "i", "S.part"}}},
      {row_sums(),
       {Split{"S", "k", {"k0", "k1"}, {128}},
        Rfactor{"S", "k0", "S.part"},
        Bind{"S.part", "i", ir::ForKind::kBlockY},
        Bind{"S.part", "k0", ir::ForKind::kBlockX},
        Bind{"S.part", "k1", ir::ForKind::kThreadX},
        Bind{"S", "i", ir::ForKind::kThreadX}},
       FinishInLastBlock{"S"},
       {FinishInLastBlock{"S.part"}}},
      {matmul(),
       {Reorder{"C", {"i", "k", "j"}}},
       DecomposeReduction{"C", "i"},
       {DecomposeReduction{"C", "j"}}},
      {matmul(true),
       {ComputeAt{"C", "D", "j"}},
       SetScope{"C", ir::Scope::kRegister},
       {SetScope{"D", ir::Scope::kRegister}}},
      {matmul(),
       {copy_b},
       TransformLayout{"B.copy", {{"d1", 0}, {"d0", 0}, {"d1", 16}}},
       {TransformLayout{"C", {{"i", 0}, {"j", 0}}}}},
      {matmul(), {}, Pack{"B", {"C"}, "B.packed", {{"d1", 0}, {"d0", 0}, {"d1", 16}}}, {}},
      {matmul(),
       tile_steps(),
       Tensorize{"C.acc", {"i", "j"}, "cpu.fma.f32x16"},
       {Tensorize{"C.acc", {"i", "j"}, "cpu.magic"}}},
      {matmul(), {Split{"C", "i", {"i0", "i1"}, {8}}}, Outline{"C", "i0"}, {}},
      {matmul(),
       {copy_b},
       StorageAlign{"B.copy", "d0", 32, 16},
       {StorageAlign{"B.copy", "d1", 32, 16}, StorageAlign{"C", "i", 32, 16}}},
      {matmul(), block_steps(), Swizzle{"B.s", 4}, {Swizzle{"B.s", 3}, Swizzle{"C.acc", 4}}},
      {stencil(),
       {ComputeAt{"B", "C", "i"}},
       RollingWindow{"B"},
       {RollingWindow{"C"}}},
      {matmul(),
       {Reorder{"C", {"k", "j"}}},
       Prefetch{"C", "k", "B", 4},
       {Prefetch{"C", "i", "B", 1}, Prefetch{"C", "k", "D", 1}}},
      {matmul(true), {}, StreamingStore{"D"}, {StreamingStore{"C"}}},
      {matmul(),
       {},
       UseAlgorithm{"C", "split_k", {{"chunks", 4}}},
       {UseAlgorithm{"C", "im2col", {}}, UseAlgorithm{"C", "split_k", {}}}},
      {matmul(),
       {Parallel{"C", "i"}},
       Annotate{"C", "i", "grain", 4},
       {Annotate{"C", "i", "speed", 11}}},
  };
}

std::string text_of(const Example& e) {
  const auto initial =
      schedule::State::initial(std::make_shared<const ComputeDag>(e.dag)).or_throw();
  const auto before = schedule::replay(initial, e.before).or_throw();
  const auto after = schedule::apply_step(before, e.step).or_throw();
  std::string text =
      before.print_loops() + "\n-> " + schedule::to_string(e.step) + "\n\n" + after.print_loops();
  for (const Step& bad : e.refused) {
    const auto refusal = schedule::apply_step(before, bad);
    EXPECT_FALSE(refusal.ok()) << schedule::to_string(bad) << " is not refused";
    if (!refusal.ok())
      text += "\nrefused: " + schedule::to_string(bad) + "\n  " + refusal.reason() + "\n";
  }
  return text;
}

/// [begin, end) of the text in the first ```text fence of the section of a step.
std::pair<std::size_t, std::size_t> block_of(const std::string& page, const std::string& step) {
  const std::size_t section = page.find("\n## `" + step + "`\n");
  if (section == std::string::npos) return {0, 0};
  const std::size_t next = page.find("\n## ", section + 1), fence = page.find("```text\n", section);
  if (fence == std::string::npos || fence > next) return {0, 0};
  return {fence + 8, page.find("```", fence + 8)};
}

TEST(ScheduleReference, EveryStepHasItsSectionAndExample) {
  std::string page = read_source_file(kPage);
  std::set<std::string> seen;
  for (const Example& e : examples()) {
    const std::string step = schedule::step_name(e.step);
    seen.insert(step);
    const auto [begin, end] = block_of(page, step);
    ASSERT_GT(end, 0U) << kPage << " has no section ## `" << step << "` with a ```text block";
    const std::string expected = text_of(e);
    if (options().update_golden) {
      page.replace(begin, end - begin, expected);
    } else {
      EXPECT_EQ(page.substr(begin, end - begin), expected)
          << "the example of " << step << "; --update-golden writes it anew";
    }
  }
  EXPECT_EQ(seen.size(), std::variant_size_v<Step>) << "a step has no example";
  if (options().update_golden) std::ofstream(std::string(TESSERA_SOURCE_DIR) + "/" + kPage) << page;
}

}  // namespace
}  // namespace tessera::test
