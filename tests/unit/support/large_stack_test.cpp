#include "support/large_stack.h"

#include <gtest/gtest.h>

#include <thread>

#include "support/error.h"

namespace tessera {
namespace {

// Each level keeps 1 KiB alive, so that depth times that is a lower bound of the stack in use.
__attribute__((noinline)) int descend(int depth) {
  volatile char frame[1024];
  frame[0] = static_cast<char>(depth);
  if (depth == 0) return 0;
  const int below = descend(depth - 1);
  return below + 1 + (frame[0] - static_cast<char>(depth));
}

TEST(LargeStack, HoldsRecursionFarBeyondTheDefaultStack) {
  const int kDepth = 64 * 1024;  // 64 MiB of frames; sanitizers double them
  int reached = 0;
  run_with_large_stack([&] { reached = descend(kDepth); });
  EXPECT_EQ(reached, kDepth);
}

TEST(LargeStack, ForwardsExceptionsWithTheirType) {
  try {
    run_with_large_stack([] { throw UserError("extent of axis 'i' is negative", 2); });
    FAIL() << "nothing was thrown";
  } catch (const UserError& e) {
    EXPECT_STREQ(e.what(), "extent of axis 'i' is negative");
    EXPECT_EQ(e.exit_code(), 2);
  }
}

TEST(LargeStack, NestedCallStaysOnTheSameStack) {
  std::thread::id outer, inner;
  run_with_large_stack([&] {
    outer = std::this_thread::get_id();
    run_with_large_stack([&] { inner = std::this_thread::get_id(); });
  });
  EXPECT_EQ(outer, inner);
  EXPECT_NE(outer, std::this_thread::get_id());
}

TEST(LargeStack, WorksAgainAfterAnException) {
  EXPECT_THROW(run_with_large_stack([] { throw 1; }), int);
  bool ran = false;
  run_with_large_stack([&] { ran = true; });
  EXPECT_TRUE(ran);
}

}  // namespace
}  // namespace tessera
