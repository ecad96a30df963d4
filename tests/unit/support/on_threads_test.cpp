#include "support/on_threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

namespace tessera {
namespace {

const auto kNever = [] { return false; };

TEST(OnThreads, EveryNumberOnce) {
  for (const int jobs : {1, 2, 7}) {
    std::vector<std::atomic<int>> seen(100);
    on_threads(seen.size(), jobs, kNever, [&](std::size_t i) { ++seen[i]; });
    for (const auto& n : seen) EXPECT_EQ(n, 1);
  }
  on_threads(0, 3, kNever, [](std::size_t) { FAIL(); });
}

TEST(OnThreads, WhatIsThrownEndsItAndArrives) {
  for (const int jobs : {1, 4}) {
    std::atomic<int> done{0};
    const auto work = [&](std::size_t i) {
      if (i == 3) throw std::runtime_error("third");
      ++done;
    };
    try {
      on_threads(1'000'000, jobs, kNever, work);
      FAIL();
    } catch (const std::runtime_error& e) {
      EXPECT_STREQ(e.what(), "third");
    }
    EXPECT_LT(done, 1'000'000);
  }
}

TEST(OnThreads, StopsBetweenPieces) {
  int done = 0;
  on_threads(10, 1, [&] { return done == 4; }, [&](std::size_t) { ++done; });
  EXPECT_EQ(done, 4);
}

}  // namespace
}  // namespace tessera
