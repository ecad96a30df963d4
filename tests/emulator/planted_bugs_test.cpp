// Fourteen bugs, each planted by a small edit of a correct kernel, each caught with its reason.
#include "tests/emulator/fixture.h"

namespace tessera::test {
namespace {

struct Edit {
  const char* from;
  const char* to;
  int occurrence = 0;  // which of them; -1: all
};

/// What is expected: one of the kinds, or a wrong answer where there is none.
struct PlantedBug {
  const char* name;
  const char* kernel;
  std::vector<Edit> edits;
  std::vector<FindingKind> kinds;
  int shared_bytes_less = 0;
};

void PrintTo(const PlantedBug& b, std::ostream* out) { *out << b.name; }

const std::vector<PlantedBug> kBugs{
    {"FirstBarrierMissing",
     "simt_gemm",
     {{"ts_sync_block();  // the first slot is full", ""}},
     {FindingKind::kSharedRace, FindingKind::kUninitialised}},
    {"SecondBarrierMissing",
     "softmax",
     {{"ts_sync_block();  // the maxima have been read", ""}},
     {FindingKind::kSharedRace}},
    {"SlotReleasedEarly",
     "async_gemm",
     {{"ts_sync_block();\n    if", "if"},
      {"ts_async_commit();\n    const", "ts_async_commit();\n    ts_sync_block();\n    const"}},
     {FindingKind::kSharedRace}},
    {"FullSlotWaitMissing", "async_gemm", {{"ts_async_wait<1>();", ""}}, {FindingKind::kCopyRace}},
    {"TailGuardOffByOne", "pointwise", {{"< 1250", "<= 1250", -1}}, {FindingKind::kOutOfBounds}},
    {"GuardAroundBarrier",
     "softmax",
     {{"ts_sync_block();  // the sums", "if (t < 96) ts_sync_block();  // the sums"}},
     {FindingKind::kBarrierDivergence}},
    {"LdmatrixLanesPermuted", "mma_gemm", {{"lane % 16;", "(lane % 16 ^ 1);"}}, {}},
    {"FragmentRowsSwapped", "mma_gemm", {{"lane / 4 + h * 8", "lane / 4 + (1 - h) * 8"}}, {}},
    {"SwizzleOnOneSide",
     "mma_gemm",
     {{"i * 4, A_tile + slot * 2048 + r * 32 + (c ^ (r / 2 % 4)) * 8",
       "i * 4, A_tile + slot * 2048 + r * 32 + c * 8"}},
     {}},
    {"VectorMisaligned",
     "pointwise",
     {{"(a + (first + i * 128) * 4)", "(a + (first + i * 128) * 4 + 1)"}},
     {FindingKind::kMisaligned}},
    {"ShuffleMaskShort",
     "row_sum",
     {{"0xffffffffu, sum, 8", "0x7fffffffu, sum, 8"}},
     {FindingKind::kMask}},
    {"SemaphoreNotReset",
     "split_k",
     {{"slice == 3 ? 0u : (u32)slice + 1u", "(u32)slice + 1u"}},
     {FindingKind::kNotReset, FindingKind::kDeadlock}},
    {"SharedBufferShort", "simt_gemm", {}, {FindingKind::kOutOfBounds}, 4},
    {"FlagReadWithoutFence",
     "last_block",
     {{"ts_fence_gpu();  // the ticket", "// the ticket"}},
     {FindingKind::kGlobalRace}},
    // The same mistakes in other places.
    {"LoopBarrierMissing",
     "simt_gemm",
     {{"ts_sync_block();  // the other slot", "// the other slot"}},
     {FindingKind::kSharedRace}},
    {"WaitOneGroupShort",
     "mma_gemm",
     {{"ts_async_wait<1>()", "ts_async_wait<2>()"}},
     {FindingKind::kCopyRace}},
    {"BarrierAfterCopyMissing",
     "mma_gemm",
     {{"ts_async_wait<1>();\n    ts_sync_block();", "ts_async_wait<1>();"}},
     {FindingKind::kSharedRace, FindingKind::kCopyRace}},
    {"TicketBeforePartialSum",
     "last_block",
     {{"ts_fence_gpu();  // the partial", "// the partial"}},
     {FindingKind::kGlobalRace}},
    {"TurnNotWaitedFor",
     "split_k",
     {{"if (t == 0) ts_wait_equal(turn, (u32)slice);", ""}},
     {FindingKind::kGlobalRace, FindingKind::kUninitialised}},
    {"BuffersOverlapByOne",
     "mma_gemm",
     {{"ts_shared<bf16>(12288)", "ts_shared<bf16>(12272)"}},
     {FindingKind::kSharedRace, FindingKind::kCopyRace}},
    {"PaddingNotCopied", "async_gemm", {{"take_a);", "true);"}}, {FindingKind::kOutOfBounds}},
    {"RegisterIndexPastEnd",
     "simt_gemm",
     {{"acc[y * 4 + x] = ts_fma", "acc[y * 4 + x + 1] = ts_fma"}},
     {FindingKind::kRegisterIndex}},
};

std::string planted(const PlantedBug& bug, std::string text) {
  for (const Edit& e : bug.edits) {
    std::size_t at = text.find(e.from);
    EXPECT_NE(at, std::string::npos) << bug.name << ": no '" << e.from << "' in " << bug.kernel;
    for (; at != std::string::npos; at = text.find(e.from, at + std::strlen(e.to))) {
      text.replace(at, std::strlen(e.from), e.to);
      if (e.occurrence >= 0) break;
    }
  }
  return text;
}

class PlantedBugs : public testing::TestWithParam<PlantedBug> {};

TEST_P(PlantedBugs, CaughtWithItsReason) {
  const PlantedBug& bug = GetParam();
  Fixture f = fixture(bug.kernel);
  f.request.text = planted(bug, f.request.text);
  f.request.shared_bytes -= bug.shared_bytes_less;
  std::string seen;
  for (const EmulationMode mode : {EmulationMode::kEager, EmulationMode::kLate}) {
    for (const std::uint64_t seed : {0, 1}) {
      f.request.mode = mode;
      f.request.seed = seed;
      const auto report = runtime::emulator::emulate(f.request);
      ASSERT_TRUE(report.ok()) << report.reason();
      for (const Finding& found : report->findings) {
        for (const FindingKind kind : bug.kinds) {
          if (found.kind != kind) continue;
          EXPECT_EQ(found.line == 0, kind == FindingKind::kNotReset);
          RecordProperty("finding", to_string(found));
          return;
        }
      }
      const std::string wrong = wrong_answer(f, *report);
      if (bug.kinds.empty() && !wrong.empty()) return;
      seen += all_findings(*report) + wrong + "\n";
    }
  }
  FAIL() << "not caught; seen:\n" << seen;
}

INSTANTIATE_TEST_SUITE_P(All, PlantedBugs, testing::ValuesIn(kBugs),
                         [](const auto& info) { return std::string(info.param.name); });

/// A deadlock is told even where the range that stays wrong is not declared.
TEST(PlantedBugs, SemaphoreNotResetDeadlocksTheNextLaunch) {
  Fixture f = fixture("split_k");
  EmulatedArgument& workspace = f.request.arguments[3];
  workspace = {ArgumentUse::kReadWrite, std::vector<std::byte>(4), {}};
  std::string& text = f.request.text;
  const std::string reset = "slice == 3 ? 0u : (u32)slice + 1u";
  text.replace(text.find(reset), reset.size(), "(u32)slice + 1u");
  const auto report = runtime::emulator::emulate(f.request);
  ASSERT_TRUE(report.ok()) << report.reason();
  ASSERT_EQ(report->findings.size(), 1u) << all_findings(*report);
  EXPECT_EQ(report->findings[0].kind, FindingKind::kDeadlock);
  EXPECT_NE(report->findings[0].message.find("wait of line"), std::string::npos)
      << report->findings[0].message;
}

}  // namespace
}  // namespace tessera::test
