// Reductions over many blocks that the last of them finishes: exact in every order of blocks and threads, again
// with the same counter, and wrong in ways that the emulator names when the printed text is damaged.
#include <gtest/gtest.h>

#include <cstring>

#include "runtime/emulator/emulator.h"
#include "schedule/summary.h"
#include "tests/correctness/cuda_kernels.h"

namespace tessera::test {
namespace {

using runtime::emulator::ArgumentUse;
using runtime::emulator::EmulationMode;
using runtime::emulator::FindingKind;

struct Cut {
  std::int64_t chunk, threads;  // elements of a block, threads that share them
};

/// Sums of m rows of n, a block a chunk of each; the last block adds the parts up, its threads a row each.
Schedule row_sums(std::int64_t m, std::int64_t n, ir::Type type, const Cut& cut) {
  auto A = placeholder({m, n}, type, "A");
  auto k = reduce_axis(n, "k");
  auto S = compute({m}, [&](Var i) { return sum(A(i, k), k); }, "S");
  Schedule s(ComputeDag::from_outputs({S}, "row_sums"));
  s.split("S", "k", {"k.o", "k.i"}, {cut.chunk}).rfactor("S", "k.o", "S.part");
  s.bind("S.part", "i", ForKind::kBlockY).bind("S.part", "k.o", ForKind::kBlockX);
  s.split("S.part", "k.i", {"k0", "x"}, {cut.threads}).reorder("S.part", {"x", "k0"}).bind("S.part", "x", ForKind::kThreadX);
  return s;
}

Schedule finished_by_rows(Schedule s, std::int64_t threads) {
  s.split("S", "i", {"i0", "i1"}, {threads}).bind("S", "i1", ForKind::kThreadX).finish_in_last_block("S");
  return s;
}

/// The same, threads of the last block joined over the parts of a row.
Schedule finished_by_threads(Schedule s, std::int64_t threads) {
  s.cache_write("S", "S.acc").split("S", "i", {"i0", "i1"}, {2}).bind("S", "i1", ForKind::kThreadY);
  s.compute_at("S.acc", "S", "i1").pad_box("S.acc").split("S.acc", "k.o", {"q0", "q1"}, {threads}).reorder("S.acc", {"i", "q1", "q0"});
  s.bind("S.acc", "q1", ForKind::kThreadX).set_scope("S.acc", Scope::kRegister).finish_in_last_block("S");
  return s;
}

TEST(CudaLastBlock, SumsOfRows) {
  for (const auto& [m, n] : {std::pair<std::int64_t, std::int64_t>{1, 1024}, {3, 1021}, {37, 251}, {5, 7}}) {
    for (const ir::Type type : {f32, ir::f16}) {
      for (const Cut& cut : {Cut{64, 32}, Cut{128, 64}, Cut{100, 8}}) {
        SCOPED_TRACE(std::to_string(m) + " x " + std::to_string(n) + " " + ir::to_string(type) + ", chunks of " + std::to_string(cut.chunk));
        expect_right(finished_by_rows(row_sums(m, n, type, cut), 32));
        expect_right(finished_by_threads(row_sums(m, n, type, cut), 8));
      }
    }
  }
}

/// Larger and smaller blocks in the second part than in the first, one thread in either, and one block.
TEST(CudaLastBlock, PartsOfDifferentShapes) {
  expect_right(finished_by_rows(row_sums(3, 509, f32, {64, 8}), 128));
  expect_right(finished_by_rows(row_sums(131, 67, f32, {16, 16}), 4));
  Schedule serial = row_sums(3, 509, f32, {64, 64});
  expect_right(serial.finish_in_last_block("S"));
  auto A = placeholder({509}, f32, "A");
  auto k = reduce_axis(509, "k");
  auto S = compute({}, [&] { return sum(A(k), k); }, "S");
  for (const bool blocks : {true, false}) {
    Schedule one(ComputeDag::from_outputs({S}, "sum"));
    one.split("S", "k", {"k.o", "k.i"}, {100}).rfactor("S", "k.o", "S.part");
    if (blocks) one.bind("S.part", "k.o", ForKind::kBlockX);
    const std::string text = expect_right(one.finish_in_last_block("S"));
    EXPECT_EQ(text.find("ts_sync"), std::string::npos) << text;
  }
}

TEST(CudaLastBlock, TuplesAndWhatIsMadeOfSums) {
  const auto larger = reducer("argmax", {f32, ir::i32}, [](const Exprs& x, const Exprs& y) -> Exprs {
    const Expr first = x[0] > y[0] || (x[0] == y[0] && x[1] <= y[1]);
    return {select(first, x[0], y[0]), select(first, x[1], y[1])};
  }, {dsl::lowest(f32), ir::constant_of(ir::i32, INT32_MAX)});
  auto A = placeholder({3, 509}, f32, "A");
  auto k = reduce_axis(509, "k");
  const auto best = compute_many({3}, [&](Var i) { return reduce(larger, {A(i, k), ir::cast(ir::i32, k)}, {k}); }, "S");
  Schedule s(ComputeDag::from_outputs({best[0], best[1]}, "argmax"));
  s.split("S", "k", {"k.o", "k.i"}, {64}).rfactor("S", "k.o", "S.part").bind("S.part", "i", ForKind::kBlockY).bind("S.part", "k.o", ForKind::kBlockX);
  s.split("S.part", "k.i", {"k0", "x"}, {32}).reorder("S.part", {"x", "k0"}).bind("S.part", "x", ForKind::kThreadX);
  s.bind("S", "i", ForKind::kThreadY).bind("S", "k.o", ForKind::kThreadX).finish_in_last_block("S");
  expect_right(s);

  auto q = reduce_axis(509, "q");
  auto N = compute({3}, [&](Var i) { return sum(A(i, q) * A(i, q), q); }, "N");
  auto R = compute({3}, [&](Var i) { return N(i) * 0.5 + 1.0; }, "R");
  Schedule norm(ComputeDag::from_outputs({R}, "norm"));
  norm.split("N", "q", {"q.o", "q.i"}, {64}).rfactor("N", "q.o", "N.part").bind("N.part", "i", ForKind::kBlockY).bind("N.part", "q.o", ForKind::kBlockX);
  norm.bind("N.part", "q.i", ForKind::kThreadX).bind("R", "i", ForKind::kThreadY).compute_at("N", "R", "i");
  norm.bind("N", "q.o", ForKind::kThreadX).finish_in_last_block("R");
  expect_right(norm);
}

/// The rows that another kernel reads afterwards, and a kernel that is finished before one that is not.
TEST(CudaLastBlock, OtherKernelsGoOnFromIt) {
  auto A = placeholder({3, 253}, f32, "A");
  auto k = reduce_axis(253, "k");
  auto S = compute({3}, [&](Var i) { return sum(A(i, k), k); }, "S");
  auto Y = compute({3, 253}, [&](Var i, Var j) { return A(i, j) - S(i); }, "Y");
  Schedule s(ComputeDag::from_outputs({Y}, "centred"));
  s.split("S", "k", {"k.o", "k.i"}, {64}).rfactor("S", "k.o", "S.part").bind("S.part", "i", ForKind::kBlockY).bind("S.part", "k.o", ForKind::kBlockX);
  s.bind("S.part", "k.i", ForKind::kThreadX).bind("S", "i", ForKind::kThreadX).finish_in_last_block("S");
  s.bind("Y", "i", ForKind::kBlockX).split("Y", "j", {"j0", "j1"}, {32}).bind("Y", "j1", ForKind::kThreadX);
  EXPECT_EQ(kernels_of(s).size(), 2u);
  expect_right(s);
}

// ---- planted mistakes -----------------------------------------------------------------------------------

std::vector<runtime::emulator::Finding> findings_of(const codegen::CudaKernel& k, const std::string& text, int launches, std::uint64_t seed) {
  runtime::emulator::EmulationRequest r;
  r.text = text;
  r.entry = k.name;
  r.grid = {static_cast<std::int32_t>(k.grid.x), static_cast<std::int32_t>(k.grid.y), 1};
  r.block = {static_cast<std::int32_t>(k.block.x), 1, 1};
  r.shared_bytes = k.shared_bytes;
  r.seed = seed;
  r.mode = seed == 0 ? EmulationMode::kEager : EmulationMode::kLate;
  r.launches = launches;
  for (const ir::Buffer& b : k.parameters) {
    const auto bytes = static_cast<std::size_t>(b->layout.size() * b->dtype.bytes());
    r.arguments.push_back({b->name == "A" ? ArgumentUse::kRead : ArgumentUse::kWrite, std::vector<std::byte>(bytes)});
  }
  const auto report = runtime::emulator::emulate(r);
  EXPECT_TRUE(report.ok()) << report.reason();
  return report.ok() ? report->findings : std::vector<runtime::emulator::Finding>{};
}

std::string replaced(std::string text, const std::string& from, const std::string& to, int occurrence = 0) {
  std::size_t at = text.find(from);
  while (occurrence-- > 0 && at != std::string::npos) at = text.find(from, at + 1);
  EXPECT_NE(at, std::string::npos) << "no '" << from << "' in\n" << text;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

/// In every order of threads: the mistake is there whether or not a run shows it.
void expect_finding(const codegen::CudaKernel& k, const std::string& text, const std::set<FindingKind>& kinds) {
  for (const std::uint64_t seed : {0, 1, 2}) {
    const auto found = findings_of(k, text, 2, seed);
    const bool named = std::any_of(found.begin(), found.end(), [&](const auto& f) { return kinds.count(f.kind) != 0; });
    EXPECT_TRUE(named) << "seed " << seed << ", " << found.size() << " findings\n" << text;
  }
}

TEST(CudaLastBlock, PlantedMistakesAreNamed) {
  for (const auto& s : {finished_by_rows(row_sums(3, 509, f32, {64, 32}), 32), finished_by_threads(row_sums(3, 509, f32, {128, 64}), 8)}) {
    const codegen::CudaKernel k = kernels_of(s).at(0);
    for (const std::uint64_t seed : {0, 1, 2}) EXPECT_TRUE(findings_of(k, k.text, 3, seed).empty()) << k.text;
    const std::string meet = k.block.x > 32 ? "ts_sync_block();\n" : "ts_sync_warp(0xffffffffu);\n", fence = "ts_fence_gpu();\n";
    expect_finding(k, replaced(k.text, fence, "\n"), {FindingKind::kGlobalRace});
    expect_finding(k, replaced(k.text, fence, "\n", 1), {FindingKind::kGlobalRace});
    // The counter: added to for ever, never the last; one block too few and too many.
    const std::string draw = "ts_atomic_inc_global(&kernel_0_tickets, " + std::to_string(k.grid.x * k.grid.y - 1) + "u)";
    expect_finding(k, replaced(k.text, draw, "ts_atomic_add_global(&kernel_0_tickets, 1u)"), {FindingKind::kNotReset});
    expect_finding(k, replaced(k.text, draw, "ts_atomic_inc_global(&kernel_0_tickets, " + std::to_string(k.grid.x * k.grid.y) + "u)"), {FindingKind::kNotReset});
    // Threads that read the ticket before it is drawn.
    const std::size_t after = k.text.find(meet, k.text.find(draw));
    ASSERT_NE(after, std::string::npos) << k.text;
    std::string late = k.text;
    expect_finding(k, late.replace(after, meet.size(), "\n"), {FindingKind::kSharedRace, FindingKind::kUninitialised});
  }
}

/// A ticket that is drawn before all threads of a block have written, where it is not the thread that draws alone.
TEST(CudaLastBlock, BlocksMeetBeforeTheyDraw) {
  auto A = placeholder({40, 509}, f32, "A");
  auto q = reduce_axis(509, "k");
  auto S = compute({40}, [&](Var i) { return sum(A(i, q), q); }, "S");
  Schedule s(ComputeDag::from_outputs({S}, "row_sums"));
  s.split("S", "k", {"k.o", "k.i"}, {64}).rfactor("S", "k.o", "S.part").reorder("S.part", {"k.o", "i"});
  s.bind("S.part", "k.o", ForKind::kBlockX).bind("S.part", "i", ForKind::kThreadX).bind("S", "i", ForKind::kThreadX).finish_in_last_block("S");
  expect_right(s);
  const codegen::CudaKernel k = kernels_of(s).at(0);
  const std::size_t drawn = k.text.find("ts_fence_gpu");
  std::string early = k.text;
  early.replace(early.rfind("ts_sync_block();", drawn), std::strlen("ts_sync_block();"), "");
  expect_finding(k, early, {FindingKind::kGlobalRace});
}

/// What ranks candidates sees what is lowered.
TEST(CudaLastBlock, SummariesSayWhatRunsInTheLastBlock) {
  const Schedule s = finished_by_rows(row_sums(3, 512, f32, {64, 32}), 3);
  const ir::NestSummary quick = schedule::summarize(s.state()).or_throw();
  EXPECT_EQ(quick, ir::summarize(lower::build(s.state(), cuda_options()).or_throw()));
  for (const ir::StatementSummary& x : quick.statements) EXPECT_EQ(x.last_block, x.stage != "S.part") << x.stage;
}

TEST(CudaLastBlock, OneThatNobodyFinishesOnACpuIsRefused) {
  const Schedule s = finished_by_rows(row_sums(3, 509, f32, {64, 32}), 32);
  lower::Options cpu;
  const auto built = lower::build(s.state(), cpu);
  ASSERT_FALSE(built.ok());
  for (const char* word : {"'S'", "last block", "leave finish_in_last_block out"}) EXPECT_NE(built.reason().find(word), std::string::npos) << built.reason();
}

}  // namespace
}  // namespace tessera::test
