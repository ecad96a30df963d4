#include "support/base64.h"

#include <gtest/gtest.h>

#include "support/rng.h"

namespace tessera {
namespace {

std::vector<std::byte> bytes_of(const std::string& s) {
  std::vector<std::byte> out;
  for (const char c : s) out.push_back(static_cast<std::byte>(c));
  return out;
}

TEST(Base64, VectorsOfTheStandard) {  // RFC 4648, section 10
  const std::vector<std::pair<std::string, std::string>> pairs{{"", ""},         {"f", "Zg=="},         {"fo", "Zm8="},        {"foo", "Zm9v"},
                                                               {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, text] : pairs) {
    EXPECT_EQ(to_base64(bytes_of(plain)), text);
    EXPECT_EQ(from_base64(text).or_throw(), bytes_of(plain));
  }
}

TEST(Base64, EveryByteComesBack) {
  Rng rng(1);
  for (std::size_t n = 0; n < 300; ++n) {
    std::vector<std::byte> bytes(n);
    for (std::byte& b : bytes) b = static_cast<std::byte>(rng.below(256));
    EXPECT_EQ(from_base64(to_base64(bytes)).or_throw(), bytes);
  }
}

TEST(Base64, RefusesWhatNobodyWrote) {
  for (const char* text : {"Zg=", "Zg", "Z===", "Zh==", "Zm9=", "Zm 9", "Zg==Zg==", "Zm9v\n", "=m9v"}) {
    EXPECT_FALSE(from_base64(text).ok()) << text;
  }
}

}  // namespace
}  // namespace tessera
