// Guarded buffers, operand files, comparison.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <limits>

#include "runtime/cpu/compare.h"
#include "runtime/cpu/data_set.h"
#include "runtime/cpu/guarded_buffer.h"
#include "runtime/cpu/operand_memory.h"
#include "tests/runtime/c_kernel.h"

namespace tessera::runtime {
namespace {

using testing::bytes_of;

/// Whether touching the byte kills a process.
bool faults(const std::byte* p, bool write) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGSEGV, SIG_DFL);
    auto* q = const_cast<volatile std::byte*>(p);
    if (write)
      *q = std::byte{1};
    else [[maybe_unused]]
      const std::byte seen = *q;
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status);
}

TEST(GuardedBuffer, RightPlacementTouchesTheGuardBehind) {
  for (const int alignment : {1, 4, 64, 4096, 65536})
    for (const std::int64_t bytes :
         {std::int64_t{1}, std::int64_t{4000}, std::int64_t{4096}, std::int64_t{100'003}}) {
      const auto b = GuardedBuffer::create("x", bytes, alignment, 1 << 20, Placement::kRight);
      ASSERT_TRUE(b.ok());
      EXPECT_EQ(
          reinterpret_cast<std::uintptr_t>(b->data()) % static_cast<std::uintptr_t>(alignment), 0U);
      const std::int64_t slack = (alignment - bytes % alignment) % alignment;
      EXPECT_FALSE(faults(b->data() + bytes + slack - 1, true));
      EXPECT_TRUE(faults(b->data() + bytes + slack, false));
      EXPECT_TRUE(faults(b->data() + bytes + slack + (1 << 20) - 4096, true));
      EXPECT_TRUE(faults(b->reserved_begin(), true));
      EXPECT_TRUE(faults(b->reserved_end() - 1, true));
    }
}
TEST(GuardedBuffer, LeftPlacementTouchesTheGuardBefore) {
  const auto b = GuardedBuffer::create("x", 4000, 64, 1 << 20, Placement::kLeft);
  ASSERT_TRUE(b.ok());
  EXPECT_TRUE(faults(b->data() - 1, false));
  EXPECT_TRUE(faults(b->data() - (1 << 20) + 4096, false));
  EXPECT_FALSE(faults(b->data(), true));
  EXPECT_TRUE(faults(b->data() + 4096, false));
}
TEST(GuardedBuffer, SlackIsWatched) {
  for (const Placement placement : {Placement::kLeft, Placement::kRight}) {
    const auto b = GuardedBuffer::create("x", 1000, 64, 1 << 20, placement);
    ASSERT_TRUE(b.ok());
    b->fill(std::byte{1});
    EXPECT_FALSE(b->overwritten().has_value());
    b->data()[1003] = std::byte{9};
    EXPECT_EQ(b->overwritten(), 1003);
  }
  const auto b = GuardedBuffer::create("x", 1000, 8, 1 << 20, Placement::kRight);
  b->data()[-3] = std::byte{9};
  EXPECT_EQ(b->overwritten(), -3);
}
TEST(GuardedBuffer, ReadOnly) {
  auto b = GuardedBuffer::create("x", 1000, 64, 1 << 20, Placement::kRight);
  b->protect(true);
  EXPECT_TRUE(b->read_only());
  EXPECT_FALSE(faults(b->data(), false));
  EXPECT_TRUE(faults(b->data(), true));
  b->protect(false);
  EXPECT_FALSE(faults(b->data(), true));
}
TEST(GuardedBuffer, EmptyAndImpossible) {
  const auto empty = GuardedBuffer::create("x", 0, 64, 1 << 20, Placement::kRight);
  ASSERT_TRUE(empty.ok());
  EXPECT_TRUE(faults(empty->data(), false));
  const auto huge =
      GuardedBuffer::create("x", std::int64_t{1} << 50, 64, 1 << 20, Placement::kRight);
  ASSERT_FALSE(huge.ok());
  EXPECT_NE(huge.reason().find("'x'"), std::string::npos);
}
TEST(GuardedBuffer, GuardsCoverTwoStrides) {
  const auto guard = [](std::vector<std::int64_t> shape) {
    return guard_bytes_for({"x", ir::f32, std::move(shape), 0, 4, ArgumentRole::kInput});
  };
  EXPECT_EQ(guard({}), 1 << 20);
  EXPECT_EQ(guard({1 << 30}), 1 << 20);
  EXPECT_EQ(guard({2, 1 << 20}), 2 * (4 << 20));
  EXPECT_EQ(guard({1, 1 << 20}), 1 << 20);  // an axis of one has no neighbour
}

TEST(DataSet, RoundTripThroughTheFile) {
  DataSet data = testing::doubling_data();
  data.real.outputs[0].bounds.assign(testing::kLength, 0.5F);
  data.real.outputs[0].points = {3, 5};
  const FileDescriptor file = make_data_file(data);
  const auto mapped = MappedDataSet::map(file.get());
  ASSERT_TRUE(mapped.ok()) << mapped.reason();
  ASSERT_NE(mapped->exact().input("A"), nullptr);
  EXPECT_EQ(mapped->exact().input("B"), nullptr);
  EXPECT_TRUE(std::ranges::equal(mapped->exact().input("A")->bytes, data.exact.inputs[0].bytes));
  const ExpectedView& e = mapped->real().outputs.at(0);
  EXPECT_EQ(e.comparison, Comparison::kBounded);
  EXPECT_TRUE(std::ranges::equal(e.values, data.real.outputs[0].values));
  EXPECT_TRUE(std::ranges::equal(e.points, data.real.outputs[0].points));
  EXPECT_EQ(e.bounds.size(), static_cast<std::size_t>(testing::kLength));
  EXPECT_EQ(e.absolute, 1e-6);
  EXPECT_EQ(::ftruncate(file.get(), 0), -1);  // sealed
  EXPECT_TRUE(MappedDataSet::map(make_data_file({}).get()).ok());
  EXPECT_FALSE(MappedDataSet::map(-1).ok());
  EXPECT_FALSE(MappedDataSet::map(0).ok());
}

TEST(Operands, PlainMemoryIsAlignedAndApart) {
  KernelImage image;
  image.arguments = {{"A", ir::f32, {1024}, 4096, 64, ArgumentRole::kInput},
                     {"B", ir::f32, {1024}, 4096, 4096, ArgumentRole::kInput},
                     {"C", ir::f32, {1 << 20}, 4 << 20, 4, ArgumentRole::kOutput}};
  image.workspace_bytes = 100;
  const auto operands = PlainOperands::create(image);
  ASSERT_TRUE(operands.ok());
  const OperandMemory& m = operands->memory();
  const auto address = [](std::span<std::byte> s) {
    return reinterpret_cast<std::uintptr_t>(s.data());
  };
  EXPECT_EQ(address(m.arguments[0]) % 64, 0U);
  EXPECT_EQ(address(m.arguments[1]) % 4096, 0U);
  EXPECT_EQ(address(m.arguments[2]) % 64, 0U);
  EXPECT_EQ(address(m.workspace) % 64, 0U);
  EXPECT_GE(address(m.arguments[1]), address(m.arguments[0]) + 4096);
  EXPECT_GE(address(m.arguments[2]), address(m.arguments[1]) + 4096);
  EXPECT_GE(address(m.workspace), address(m.arguments[2]) + (4 << 20));
  poison(image, m, std::byte{0xff}, true);
  image.workspace_bytes = std::int64_t{1} << 50;
  EXPECT_FALSE(PlainOperands::create(image).ok());
}

class Compare : public ::testing::Test {
 protected:
  template <class T>
  std::string run(ir::Type dtype, std::vector<T> want, std::vector<T> got, ExpectedView e = {}) {
    const ArgumentContract a{"O", dtype, {static_cast<std::int64_t>(got.size())},
                             0,   1,     ArgumentRole::kOutput};
    const auto w = bytes_of(want), g = bytes_of(got);
    e.values = w;
    const auto bad = compare_output(a, g, e, std::byte{0xff});
    return bad ? std::string(to_string(bad->status)) + ": " + bad->message : "";
  }
  ExpectedView bounded(double absolute, double relative = 0) {
    ExpectedView e;
    e.comparison = Comparison::kBounded;
    e.absolute = absolute;
    e.relative = relative;
    return e;
  }
  const float nan_ = std::numeric_limits<float>::quiet_NaN(),
              inf_ = std::numeric_limits<float>::infinity();
};

TEST_F(Compare, Exact) {
  EXPECT_EQ(run<float>(ir::f32, {1, 2}, {1, 2}), "");
  EXPECT_EQ(run<float>(ir::f32, {0, nan_}, {-0.0F, -nan_}), "");
  EXPECT_EQ(run<float>(ir::f32, {1, 2}, {1, std::nextafter(2.0F, 3.0F)}),
            "wrong_answer: O[1] (element 1): expected 2, got 2.00000024");
  EXPECT_EQ(run<std::int8_t>(ir::i8, {1, -2}, {1, 3}),
            "wrong_answer: O[1] (element 1): expected -2, got 3");
  EXPECT_EQ(
      run<std::int64_t>(ir::i64, {1LL << 60}, {(1LL << 60) + 1}),
      "wrong_answer: O[0] (element 0): expected 1152921504606846976, got 1152921504606846977");
  EXPECT_EQ(run<std::uint16_t>(ir::bf16, {0x3f80}, {0x4000}),
            "wrong_answer: O[0] (element 0): expected 1, got 2");
  EXPECT_EQ(run<std::uint16_t>(ir::f16, {0x3c00, 0x0001}, {0x3c00, 0xc000}),
            "wrong_answer: O[1] (element 1): expected 5.96046448e-08, got -2");
  EXPECT_EQ(run<std::uint8_t>(ir::f8e4m3, {0x10}, {0x11}),
            "wrong_answer: O[0] (element 0): expected 0x10, got 0x11");
}
TEST_F(Compare, Poison) {
  const float poison = std::bit_cast<float>(0xffffffffU);
  EXPECT_EQ(run<float>(ir::f32, {1, 2}, {1, poison}),
            "uninitialised: O[1] (element 1) was never written");
  EXPECT_EQ(run<float>(ir::f32, {nan_}, {poison}),
            "uninitialised: O[0] (element 0) was never written");
  EXPECT_EQ(run<std::int32_t>(ir::i32, {-1}, {-1}), "");
}
TEST_F(Compare, Bounded) {
  EXPECT_EQ(run<float>(ir::f32, {100}, {100.5F}, bounded(0.5)), "");
  EXPECT_EQ(run<float>(ir::f32, {100}, {101}, bounded(0, 0.01)), "");
  EXPECT_EQ(run<float>(ir::f32, {100}, {101.5F}, bounded(0, 0.01)),
            "wrong_answer: O[0] (element 0): expected 100, got 101.5, more than 1 apart");
  EXPECT_EQ(run<float>(ir::f32, {inf_, nan_}, {inf_, nan_}, bounded(1)), "");
  EXPECT_NE(run<float>(ir::f32, {inf_}, {3e38F}, bounded(1e30)), "");
  EXPECT_NE(run<float>(ir::f32, {1}, {nan_}, bounded(1e30)), "");
  ExpectedView each = bounded(0);
  const std::vector<float> bounds{0, 2};
  each.bounds = bounds;
  EXPECT_EQ(run<float>(ir::f32, {1, 1}, {1, 3}, each), "");
  EXPECT_NE(run<float>(ir::f32, {1, 1}, {2, 3}, each), "");
  EXPECT_EQ(run<std::int32_t>(ir::i32, {10}, {11}, bounded(1)), "");
}
TEST_F(Compare, PointsAndMisfits) {
  ExpectedView e;
  const std::vector<std::int64_t> points{2, 0}, outside{3};
  e.points = points;
  EXPECT_EQ(run<float>(ir::f32, {3, 1}, {1, 9, 3}, e), "");
  EXPECT_EQ(run<float>(ir::f32, {4, 1}, {1, 9, 3}, e),
            "wrong_answer: O[2] (element 2): expected 4, got 3");
  EXPECT_NE(run<float>(ir::f32, {3}, {1, 9, 3}, e).find("internal"), std::string::npos);
  e.points = outside;
  EXPECT_NE(run<float>(ir::f32, {3}, {1, 9, 3}, e).find("outside"), std::string::npos);
  EXPECT_NE(run<float>(ir::f32, {3}, {1, 9, 3}).find("internal"), std::string::npos);
}
TEST_F(Compare, CoordinatesOfSeveralAxes) {
  const ArgumentContract a{"O", ir::f32, {2, 1, 3}, 24, 4, ArgumentRole::kOutput};
  const auto want = bytes_of(std::vector<float>{0, 0, 0, 0, 0, 0}),
             got = bytes_of(std::vector<float>{0, 0, 0, 0, 5, 0});
  ExpectedView e;
  e.values = want;
  EXPECT_EQ(compare_output(a, got, e, std::byte{0xff})->message,
            "O[1, 0, 1] (element 4): expected 0, got 5");
}

}  // namespace
}  // namespace tessera::runtime
