// What a recording tells about its processor.
#include <gtest/gtest.h>

#include "search/training.h"

namespace tessera::search {
namespace {

TEST(Training, TheMachineHasTheVectorsOfItsTarget) {
  Recording r;
  r.target = "cpu -mcpu=x86-64-v4 -mtriple=x86_64-pc-linux-gnu";
  r.threads = 3;
  r.machine.cache_bytes = {48 << 10, 1 << 20, 32 << 20};
  const cost_model::Machine m = machine_of(r).or_throw();
  EXPECT_EQ(m.vector_bytes, 64);
  EXPECT_EQ(m.vector_registers, 32);
  EXPECT_EQ(m.threads, 3);
  EXPECT_EQ(m.l1_bytes, 48 << 10);
}

}  // namespace
}  // namespace tessera::search
