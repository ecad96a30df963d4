// What the draft must know of a GPU whatever its coefficients: facts that hold on every device, on nests
// written by hand.
#include <gtest/gtest.h>

#include "cost_model/detail/gpu_kernel.h"
#include "tests/unit/cost_model/nests.h"

namespace tessera::cost_model {
namespace {

Machine machine(const std::string& arch = "sm_90a") {
  ir::Target t;
  t.kind = ir::TargetKind::kCuda;
  t.arch = arch;
  return make_machine(t, 1, {});
}

double ns(const ir::NestSummary& nest, const std::string& arch = "sm_90a") {
  const Machine m = machine(arch);
  return draft_ns(draft_terms(nest, m), default_draft(m));
}

/// O[i] = 2 * A[i], 2^24 elements, `threads` a block, `vector` neighbours a thread, which lie `stride` apart.
ir::NestSummary doubled(std::int64_t threads, std::int64_t vector, std::int64_t stride = 1) {
  const std::int64_t all = 1 << 24, blocks = all / (threads * vector);
  const std::vector<std::int64_t> strides = stride == 1 ? std::vector<std::int64_t>{threads * vector, vector, 1}
                                                        : std::vector<std::int64_t>{vector, stride, 1};
  return {{statement({{blocks, ForKind::kBlockX}, {threads, ForKind::kThreadX}, {vector, ForKind::kVector}}, 1, 0,
                     {access("O", true, all, strides), access("A", false, all, strides)})}};
}

TEST(GpuDraft, NeighboursReadNeighbours) {
  const double coalesced = ns(doubled(256, 1)), strided = ns(doubled(256, 1, 65536));
  EXPECT_GT(strided, 3 * coalesced);
  EXPECT_LT(ns(doubled(256, 4)), coalesced);
}

TEST(GpuDraft, CopiesComeNearTheBandwidth) {
  for (const char* arch : {"sm_80", "sm_90a"}) {
    const ir::CudaArch a = ir::cuda_arch(arch).or_throw();
    const double least = 2.0 * (1 << 24) * 4 / a.memory_gb_s, got = ns(doubled(256, 4), arch);
    EXPECT_GT(got, least) << arch;
    EXPECT_LT(got, 1.4 * least) << arch;
  }
}

/// The sums of 4,096 numbers each, by one block or by all.
ir::NestSummary sums(std::int64_t blocks, std::int64_t rows) {
  return {{statement({{blocks, ForKind::kBlockX}, {rows}, {256, ForKind::kThreadX}, {16}}, 0, 1,
                     {access("S", true, blocks * rows, {rows, 1, 0, 0}), access("S", false, blocks * rows, {rows, 1, 0, 0}),
                      access("A", false, blocks * rows * 4096, {rows * 4096, 4096, 1, 256})})}};
}

TEST(GpuDraft, AllSmsBeatOne) { EXPECT_GT(ns(sums(1, 4096)), 20 * ns(sums(4096, 1))); }

/// Blocks that do not fill the last wave: 133 take as long as 264 on 132 SMs, or nearly; where there are many
/// waves twice the blocks take twice as long.
TEST(GpuDraft, TheLastWaveIsPaidInFull) {
  const int sms = ir::cuda_arch("sm_90a").or_throw().sms;
  EXPECT_NEAR(ns(sums(sms + 1, 16)) / ns(sums(2 * sms, 16)), 1, 0.25);
  EXPECT_NEAR(ns(sums(64 * sms, 16)) / ns(sums(32 * sms, 16)), 2, 0.2);
}

/// What the last block of a kernel goes on with costs no launch; where it is much, one block is no match for many,
/// and all blocks have the threads that it needs.
TEST(GpuDraft, TheLastBlockSavesALaunchAndWorksAlone) {
  const auto finished = [](std::int64_t blocks, std::int64_t rows, bool last) {
    ir::NestSummary nest = sums(1024, 1), second = sums(blocks, rows);
    second.statements[0].last_block = last;
    nest.statements.push_back(second.statements[0]);
    return ns(nest);
  };
  EXPECT_LT(finished(1, 1, true), finished(1, 1, false));
  EXPECT_GT(finished(1, 4096, true), finished(4096, 1, false));
  ir::NestSummary wide = sums(4096, 1);
  const auto finish_with = [&](std::int64_t threads) {
    ir::NestSummary nest = wide;
    nest.statements.push_back(statement({{threads, ForKind::kThreadX}}, 0, 0, {access("O", true, threads, {1})}));
    nest.statements.back().last_block = true;
    return ns(nest);
  };
  EXPECT_GT(finish_with(1024), finish_with(256));
}

TEST(GpuDraft, BanksThatMeetTakeTurns) {
  const auto cycles = [](std::int64_t stride, std::int64_t vector) {
    const ir::StatementSummary s = statement({{32, ForKind::kThreadX}, {vector, ForKind::kVector}}, 0, 0, {access("S", false, 4096, {stride, 1}, ir::Scope::kShared)});
    return detail::warp_access(s, s.accesses[0], nullptr).conflicts;
  };
  EXPECT_EQ(cycles(0, 1), 1);    // one word for all
  EXPECT_EQ(cycles(1, 1), 1);
  EXPECT_EQ(cycles(2, 1), 2);
  EXPECT_EQ(cycles(32, 1), 32);  // one bank
  EXPECT_EQ(cycles(33, 1), 1);   // padded
  EXPECT_EQ(cycles(4, 4), 4);    // 512 bytes
}

TEST(GpuDraft, StatementsOfABlockAreOneKernel) {
  const ir::Scope shared = ir::Scope::kShared, reg = ir::Scope::kRegister;
  const ir::LoopSummary block{64, ForKind::kBlockX}, thread{128, ForKind::kThreadX};
  const ir::NestSummary nest{{
      statement({block, {32}, thread, {4}}, 0, 0, {access("A.s", true, 512, {0, 0, 1, 128}, shared), access("A", false, 1 << 20, {16384, 512, 1, 128})}),
      statement({block, {32}, thread, {8}}, 0, 1, {access("acc", true, 1024, {0, 0, 8, 1}, reg), access("acc", false, 1024, {0, 0, 8, 1}, reg), access("A.s", false, 512, {0, 0, 1, 0}, shared)}),
      statement({block, thread, {8}}, 0, 0, {access("C", true, 65536, {1024, 8, 1}), access("acc", false, 1024, {0, 8, 1}, reg)}),
      statement({{256, ForKind::kBlockX}, {256, ForKind::kThreadX}}, 0, 0, {access("D", true, 65536, {256, 1}), access("C", false, 65536, {256, 1})}),
  }};
  detail::NestView view;
  detail::analyze(nest, machine(), view);
  const detail::GpuKernel first = detail::kernel_at(view, 0), second = detail::kernel_at(view, 3);
  EXPECT_EQ(first.last, 3U);
  EXPECT_EQ(first.blocks, 64);
  EXPECT_EQ(first.threads, 128);
  EXPECT_EQ(first.shared_bytes, 2048);
  EXPECT_EQ(second.last, 4U);
  EXPECT_EQ(second.shared_bytes, 0);
  EXPECT_EQ(first.registers - second.registers, 8);  // eight sums a thread
  EXPECT_EQ(draft_terms(nest, machine())[kStart], 5000);
}

}  // namespace
}  // namespace tessera::cost_model
