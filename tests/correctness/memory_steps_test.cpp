// prefetch, streaming_store, storage_align and rolling_window: programs stay right (interpreted and
// compiled, exactly), and the code is what the step promises.
#include <gtest/gtest.h>

#include "codegen/llvm/compile.h"
#include "driver/compile.h"
#include "driver/fuzz/check_pair.h"
#include "dsl/dsl.h"
#include "ir/print.h"
#include "ir/rewrite.h"
#include "ir/simplify.h"
#include "schedule/storage.h"
#include "tests/support/options.h"

namespace tessera::test {
namespace {

using namespace tessera::dsl;
using namespace tessera::schedule;  // NOLINT: steps

void expect_right(const ComputeDag& dag, const StepList& steps, int threads = 1) {
  driver::NativeCheck native("cpu");
  lower::Options o;
  o.vector_bytes = native.target().vector_bytes;
  const auto program = driver::CheckedProgram::make(dag, options().seed).or_throw();
  ir::Program finished;
  ASSERT_EQ(driver::check_pair(program, steps, o, &finished).why, "");
  EXPECT_EQ(native.run(program, finished, threads).why, "");
}

std::string finished(const ComputeDag& dag, const StepList& steps) {
  return ir::to_string(driver::finished_program(dag, steps, driver::resolve_target("cpu")).or_throw());
}

std::string loops(const ComputeDag& dag, const StepList& steps) {
  return ir::to_string(driver::structured_loops(dag, steps, driver::resolve_target("cpu")).or_throw());
}

std::string assembly(const ComputeDag& dag, const StepList& steps, const std::string& target) {
  const ir::Target t = driver::resolve_target(target);
  return codegen::code_text(driver::finished_program(dag, steps, t).or_throw(), t, codegen::CodeText::kAssembly).or_throw();
}

int count(const std::string& text, const std::string& word) {
  int n = 0;
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++n;
  return n;
}

// ---- rolling windows --------------------------------------------------------------------------------

/// C[i] = sum over k < taps of B[i * stride + k], B = A * 2.
ComputeDag stencil(std::int64_t n, std::int64_t taps, std::int64_t stride = 1) {
  const std::int64_t size = (n - 1) * stride + taps;
  auto A = placeholder({size}, f32, "A");
  auto B = compute({size}, [&](Var i) { return A(i) * 2.0f; }, "B");
  auto k = reduce_axis(taps, "k");
  return ComputeDag::from_outputs({compute({n}, [&](Var i) { return sum(B(i * stride + k), k); }, "C")}, "stencil");
}

/// A padded image P, convolved: y runs over rows.
ComputeDag padded_conv(std::int64_t size, std::int64_t stride) {
  const std::int64_t out = (size - 1) / stride + 1;
  auto X = placeholder({size, size, 4}, f32, "X"), W = placeholder({3, 3, 4}, f32, "W");
  auto P = compute({size + 2, size + 2, 4}, [&](Var y, Var x, Var c) {
    return if_then_else(y >= 1 && y <= size && x >= 1 && x <= size, X(y - 1, x - 1, c), 0.0f);
  }, "P");
  auto r = reduce_axis(3, "r"), s = reduce_axis(3, "s");
  return ComputeDag::from_outputs({compute({out, out, 4}, [&](Var y, Var x, Var c) {
    return sum(P(y * stride + r, x * stride + s, c) * W(r, s, c), {r, s});
  }, "Y")}, "padded_conv");
}

TEST(RollingWindow, ComputesEachElementOnce) {
  for (const std::int64_t stride : {1, 2, 3}) {
    const ComputeDag dag = stencil(13, 4, stride);
    const StepList steps{ComputeAt{"B", "C", "i"}, RollingWindow{"B"}};
    expect_right(dag, steps);
    // The first iteration computes the window, every other one what is new.
    const auto state = driver::scheduled(dag, steps).or_throw();
    const Expr extent = state.find("B")->region.extent[0];
    for (std::int64_t i = 0; i < 13; ++i) {
      std::int64_t n = 0;
      ASSERT_TRUE(is_const_int(ir::simplify(ir::substitute(extent, state.find("C")->find_axis("i")->var, ir::int_imm(i))), &n));
      EXPECT_EQ(n, i == 0 ? 4 : stride);
    }
    EXPECT_EQ(stored_box(state, *state.find("B")).or_throw().extents, std::vector<std::int64_t>{4});
  }
}

TEST(RollingWindow, StandsAroundItsLoop) {
  const std::string text = loops(stencil(8, 3), {ComputeAt{"B", "C", "i"}, RollingWindow{"B"}});
  EXPECT_NE(text.find("    alloc B: f32[3]\n"
                      "    for i in 0..8 {\n"
                      "      for i_1 in 0..i - min(i * 10, i + 2) + 3 {\n"
                      "        instance B whole [min(i * 10, i + 2) + i_1] {\n"
                      "          B[(min(i * 10, i + 2) + i_1) % 3] = A[min(i * 10, i + 2) + i_1] * 2.0\n"),
            std::string::npos)
      << text;
  // Tails are cut where the first iteration ends: nothing is decided while running.
  EXPECT_EQ(count(finished(stencil(8, 3), {ComputeAt{"B", "C", "i"}, RollingWindow{"B"}}), "min("), 0);
}

TEST(RollingWindow, RowsOfAStencilInTiles) {
  auto A = placeholder({20, 18}, f32, "A");
  auto B = compute({20, 18}, [&](Var i, Var j) { return A(i, j) * 2.0f; }, "B");
  auto C = compute({18, 16}, [&](Var i, Var j) { return B(i, j) + B(i + 1, j + 1) + B(i + 2, j + 2); }, "C");
  const ComputeDag dag = ComputeDag::from_outputs({C}, "rows");
  expect_right(dag, {ComputeAt{"B", "C", "i"}, RollingWindow{"B"}});
  expect_right(dag, {ComputeAt{"B", "C", "j"}, RollingWindow{"B"}});
  expect_right(dag, {Split{"C", "i", {"i0", "i1"}, {5}}, Parallel{"C", "i0"}, ComputeAt{"B", "C", "i1"}, RollingWindow{"B"}}, 2);
  expect_right(dag, {Split{"C", "i", {"i0", "i1"}, {4}, ir::Tail::kGuard}, ComputeAt{"B", "C", "i0"}, RollingWindow{"B"}});
  expect_right(dag, {ComputeAt{"B", "C", "i"}, RollingWindow{"B"}, Split{"B", "j", {"j0", "j1"}, {8}}, Vectorize{"B", "j1"}, StorageAlign{"B", "i", 32, 16}});
}

TEST(RollingWindow, ChainsOfStencils) {
  auto A = placeholder({30}, f32, "A");
  auto B = compute({30}, [&](Var i) { return A(i) * 2.0f; }, "B");
  auto C = compute({28}, [&](Var i) { return B(i) + B(i + 1) + B(i + 2); }, "C");
  auto D = compute({25}, [&](Var i) { return C(i) + C(i + 3); }, "D");
  const ComputeDag dag = ComputeDag::from_outputs({D}, "chain");
  const StepList steps{ComputeAt{"C", "D", "i"}, ComputeAt{"B", "D", "i"}, RollingWindow{"C"}, RollingWindow{"B"}};
  expect_right(dag, steps);
  const std::string text = loops(dag, steps);
  EXPECT_NE(text.find("alloc C: f32[4]"), std::string::npos) << text;
}

TEST(RollingWindow, PaddedRowsOfAConvolution) {
  for (const std::int64_t stride : {1, 2}) {
    const ComputeDag dag = padded_conv(9, stride);
    expect_right(dag, {ComputeAt{"P", "Y", "i"}, RollingWindow{"P"}});
    expect_right(dag, {Split{"Y", "i", {"i0", "i1"}, {2}}, ComputeAt{"P", "Y", "i0"}, RollingWindow{"P"}, Vectorize{"P", "k"}});
    // The padding is inlined: the box is clipped at the edges of the image.
    expect_right(dag, {CacheRead{"X", {"P"}, "R"}, ComputeInline{"P"}, ComputeAt{"R", "Y", "i"}, RollingWindow{"R"}});
  }
}

// ---- prefetch ---------------------------------------------------------------------------------------

ComputeDag matmul(std::int64_t m, std::int64_t n, std::int64_t k) {
  auto A = placeholder({m, k}, f32, "A"), B = placeholder({k, n}, f32, "B");
  auto r = reduce_axis(k, "k");
  return ComputeDag::from_outputs({compute({m, n}, [&](Var i, Var j) { return sum(A(i, r) * B(r, j), r); }, "C")}, "matmul");
}

StepList tile() {
  return {Split{"C", "i", {"i0", "i1"}, {4}}, Split{"C", "j", {"j0", "j1"}, {32}}, Split{"C", "j1", {"j2", "j3"}, {16}},
          Reorder{"C", {"i0", "j0", "k", "i1", "j2", "j3"}}, Unroll{"C", "i1"}, Unroll{"C", "j2"}, Vectorize{"C", "j3"}};
}

StepList and_then(StepList steps, std::initializer_list<Step> more) {
  steps.insert(steps.end(), more);
  return steps;
}

// A row of 32 floats is two lines of 64 bytes: two hints, not 32.
TEST(PrefetchStep, OneHintALine) {
  const ComputeDag dag = matmul(12, 64, 20);
  const StepList steps = and_then(tile(), {Prefetch{"C", "k", "B", 3}});
  const std::string text = finished(dag, steps);
  EXPECT_EQ(count(text, "prefetch B["), 2) << text;
  EXPECT_NE(text.find("prefetch B[k * 64 + j0 * 32 + 192] locality 3"), std::string::npos) << text;
  EXPECT_NE(text.find("prefetch B[k * 64 + j0 * 32 + 208] locality 3"), std::string::npos) << text;
  expect_right(dag, steps);
  EXPECT_GE(count(assembly(dag, steps, "cpu"), "prefetcht0"), 2);
}

TEST(PrefetchStep, OfWritesAndOfPanels) {
  const ComputeDag dag = matmul(12, 64, 20);
  const StepList write = and_then(tile(), {Prefetch{"C", "j0", "C", 1, 3, true}});
  EXPECT_EQ(count(finished(dag, write), "prefetch C["), 8);
  expect_right(dag, write);
  const StepList packed = and_then({Pack{"B", {"C"}, "Bp", {{"d1", 0}, {"d0", 0}, {"d1", 32}}}}, {});
  const StepList steps = [&] {
    StepList all = packed;
    for (const Step& s : tile()) all.push_back(s);
    all.push_back(Prefetch{"C", "k", "Bp", 4, 2});
    return all;
  }();
  EXPECT_EQ(count(finished(dag, steps), "prefetch Bp["), 2);
  expect_right(dag, steps);
}

// Far past the end of the tensor: the hint is harmless everywhere.
TEST(PrefetchStep, PastTheEnd) { expect_right(matmul(12, 64, 20), and_then(tile(), {Prefetch{"C", "k", "B", 100000, 0}})); }

// ---- streaming stores -------------------------------------------------------------------------------

ComputeDag scaled(std::int64_t rows, std::int64_t n) {
  auto A = placeholder({rows, n}, f32, "A");
  return ComputeDag::from_outputs({compute({rows, n}, [&](Var i, Var j) { return A(i, j) * 2.0f; }, "B")}, "scaled");
}

TEST(StreamingStoreStep, WholeAlignedVectorsAloneAreStreamed) {
  const StepList steps{Split{"B", "j", {"j0", "j1"}, {16}}, Vectorize{"B", "j1"}, StreamingStore{"B"}};
  const std::string even = assembly(scaled(6, 64), steps, "cpu -mcpu=x86-64-v4"), odd = assembly(scaled(6, 63), steps, "cpu -mcpu=x86-64-v4");
  EXPECT_GE(count(even, "vmovntps"), 1) << even;
  EXPECT_EQ(count(even, "sfence"), 1);
  EXPECT_EQ(count(odd, "vmovntps"), 0);
  EXPECT_EQ(count(odd, "sfence"), 0);
  expect_right(scaled(6, 64), steps);
  expect_right(scaled(6, 63), steps);
  expect_right(scaled(6, 64), and_then(steps, {Parallel{"B", "i"}}), 2);
  const auto image = driver::compile(scaled(6, 64), steps, driver::resolve_target("cpu")).or_throw();
  EXPECT_EQ(image.find_argument("B")->alignment, 64);
  EXPECT_EQ(image.find_argument("A")->alignment, 4);
}

// ---- aligned strides --------------------------------------------------------------------------------

TEST(StorageAlignStep, StridesHaveTheirRemainder) {
  auto A = placeholder({6, 8, 32}, f32, "A");
  auto B = compute({6, 8, 32}, [&](Var i, Var j, Var k) { return A(i, j, k) * 2.0f; }, "B");
  auto C = compute({6, 8, 32}, [&](Var i, Var j, Var k) { return B(i, j, k) + 1.0f; }, "C");
  const ComputeDag dag = ComputeDag::from_outputs({C}, "rows");
  const auto strides = [&](const StepList& steps) {
    const auto state = driver::scheduled(dag, steps).or_throw();
    std::vector<std::int64_t> out;
    const StoredBox box = stored_box(state, *state.find("B")).or_throw();
    for (const ir::LayoutDigit& d : box.layout.digits()) out.push_back(d.stride);
    return out;
  };
  EXPECT_EQ(strides({StorageAlign{"B", "j", 32, 16}}), (std::vector<std::int64_t>{384, 48, 1}));
  EXPECT_EQ(strides({StorageAlign{"B", "i", 64, 16}, StorageAlign{"B", "j", 16, 8}}), (std::vector<std::int64_t>{336, 40, 1}));
  EXPECT_EQ(strides({TransformLayout{"B", {{"k", 0}, {"i", 0}, {"j", 0}, {"k", 8}}}, StorageAlign{"B", "k", 512, 8}}), (std::vector<std::int64_t>{520, 64, 8, 1}));
  expect_right(dag, {StorageAlign{"B", "i", 64, 16}, StorageAlign{"B", "j", 16, 8}});
  expect_right(dag, {ComputeAt{"B", "C", "i"}, StorageAlign{"B", "j", 7, 3}, Vectorize{"C", "k"}});
  expect_right(dag, {TransformLayout{"B", {{"k", 0}, {"i", 0}, {"j", 0}, {"k", 8}}}, StorageAlign{"B", "k", 512, 8}});
}

}  // namespace
}  // namespace tessera::test
