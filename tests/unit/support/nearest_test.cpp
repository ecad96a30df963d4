#include "support/nearest.h"

#include <gtest/gtest.h>

namespace tessera {
namespace {

using Words = std::vector<std::string>;

TEST(Nearest, CountsEdits) {
  EXPECT_EQ(edit_distance("", ""), 0);
  EXPECT_EQ(edit_distance("abc", ""), 3);
  EXPECT_EQ(edit_distance("matmul", "matmul"), 0);
  EXPECT_EQ(edit_distance("matmul", "MatMul"), 0);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
  EXPECT_EQ(edit_distance("cnov2d", "conv2d"), 1);  // neighbours swapped
}

TEST(Nearest, OffersTheNearestFirst) {
  const Words ops{"matmul", "batch_matmul", "conv2d", "depthwise_conv2d", "softmax"};
  EXPECT_EQ(nearest_names("matmull", ops).front(), "matmul");
  EXPECT_EQ(nearest_names("conv", ops), (Words{"conv2d", "depthwise_conv2d"}));
  EXPECT_EQ(nearest_names("sofmax", ops), (Words{"softmax"}));
  EXPECT_TRUE(nearest_names("zzzz", ops).empty());
  EXPECT_TRUE(nearest_names("", ops).empty());
  EXPECT_TRUE(nearest_names(std::string(100000, 'a'), ops).empty());
  EXPECT_EQ(nearest_names("mat", ops, 1), (Words{"matmul"}));
}

TEST(Nearest, Text) {
  EXPECT_EQ(nearest_text("kk", {"k", "m"}), "; near it: k");
  EXPECT_EQ(nearest_text("zz", {"k", "m"}), "; known are k, m");
  EXPECT_EQ(nearest_text("zz", {}), "");
}

}  // namespace
}  // namespace tessera
