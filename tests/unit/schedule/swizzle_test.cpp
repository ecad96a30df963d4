// Where swizzle puts the chunks of a shared tile, and the banks that ldmatrix then reads.
#include <set>

#include "schedule/storage.h"
#include "tests/unit/schedule/programs.h"

namespace tessera::schedule::test {
namespace {

constexpr std::int64_t kBanks = 32, kWord = 4, kLdmatrixBytes = 16;

/// The layout of a shared tile of `rows` x `columns`.
ir::Layout layout_of(ir::Type type, std::int64_t rows, std::int64_t columns, const StepList& steps) {
  auto a = placeholder({rows, columns}, type, "A");
  auto b = compute({rows, columns}, [&](dsl::Var i, dsl::Var j) { return a(i, j); }, "B");
  const State s = after(after(start(dsl::ComputeDag::from_outputs({b})), {CacheRead{"A", {"B"}, "A.s", ir::Scope::kShared}}), steps);
  return stored_box(s, *s.find("A.s")).or_throw().layout;
}

std::int64_t place(const ir::Layout& l, std::int64_t row, std::int64_t column) { return l.offset(std::vector<std::int64_t>{row, column}); }

/// Banks that eight rows from `first` lie in, 16 bytes of each at `column`.
std::size_t banks(const ir::Layout& l, ir::Type type, std::int64_t first, std::int64_t column) {
  std::set<std::int64_t> out;
  for (std::int64_t row = first; row < first + 8; ++row) {
    for (std::int64_t b = 0; b < kLdmatrixBytes; b += kWord) out.insert((place(l, row, column) * type.bytes() + b) / kWord % kBanks);
  }
  return out.size();
}

TEST(Swizzle, ChunksChangePlacesWithTheirRow) {
  const ir::Layout whole = layout_of(ir::f16, 16, 64, {Swizzle{"A.s", 8}}), half = layout_of(ir::f16, 16, 32, {Swizzle{"A.s", 8}}),
                   twice = layout_of(ir::f16, 16, 128, {Swizzle{"A.s", 8}}), words = layout_of(f32, 32, 32, {Swizzle{"A.s", 1}});
  for (std::int64_t i = 0; i < 16; ++i) {
    for (std::int64_t k = 0; k < 128; ++k) {
      EXPECT_EQ(place(twice, i, k), i * 128 + (k / 8 ^ i % 8) * 8 + k % 8);
      if (k >= 64) continue;
      EXPECT_EQ(place(whole, i, k), i * 64 + (k / 8 ^ i % 8) * 8 + k % 8);
      if (k >= 32) continue;
      EXPECT_EQ(place(half, i, k), i * 32 + (k / 8 ^ i / 2 % 4) * 8 + k % 8);
      EXPECT_EQ(place(words, i, k), i * 32 + (k ^ i));
    }
  }
  EXPECT_EQ(whole.size(), 16 * 64);
  EXPECT_EQ(half.size(), 16 * 32);
}

TEST(Swizzle, RowsOfOneChunkStay) { EXPECT_TRUE(layout_of(ir::f16, 16, 8, {Swizzle{"A.s", 8}}).is_row_major()); }

TEST(Swizzle, EightRowsOfLdmatrixLieInAllBanks) {
  for (const ir::Type type : {ir::f16, ir::bf16, ir::i8}) {
    const std::int64_t chunk = kLdmatrixBytes / type.bytes();
    for (const std::int64_t chunks : {1, 2, 4, 8, 16, 32}) {
      const ir::Layout plain = layout_of(type, 32, chunks * chunk, {}), swizzled = layout_of(type, 32, chunks * chunk, {Swizzle{"A.s", chunk}});
      EXPECT_EQ(swizzled.size(), plain.size());
      for (std::int64_t row = 0; row + 8 <= 32; ++row) {
        for (std::int64_t c = 0; c < chunks; ++c) {
          EXPECT_EQ(banks(swizzled, type, row, c * chunk), 32u) << chunks << " chunks, row " << row << ", chunk " << c;
          EXPECT_EQ(banks(plain, type, row, c * chunk), std::max<std::size_t>(4, 32 / static_cast<std::size_t>(chunks)));
        }
      }
    }
  }
}

/// Sixteen rows of each of three slots: the places of one are those of the first, further on.
TEST(Swizzle, SlotsAreAlike) {
  const ir::Layout one = layout_of(ir::f16, 16, 64, {Swizzle{"A.s", 8}}), three = layout_of(ir::f16, 48, 64, {Swizzle{"A.s", 8}});
  for (std::int64_t slot = 0; slot < 3; ++slot) {
    for (std::int64_t i = 0; i < 16; ++i) {
      for (std::int64_t k = 0; k < 64; ++k) ASSERT_EQ(place(three, slot * 16 + i, k), slot * 16 * 64 + place(one, i, k));
    }
  }
}

TEST(Swizzle, BlocksOfAnotherOrderHaveRows) {
  // Panels of 16 columns: rows of two chunks, four of which make 128 bytes.
  const ir::Layout l = layout_of(ir::f16, 16, 64, {TransformLayout{"A.s", {{"d1", 0}, {"d0", 0}, {"d1", 16}}}, Swizzle{"A.s", 8}});
  for (std::int64_t i = 0; i < 16; ++i) {
    for (std::int64_t k = 0; k < 64; ++k) EXPECT_EQ(place(l, i, k), k / 16 * 256 + i * 16 + (k % 16 / 8 ^ i / 4 % 2) * 8 + k % 8);
  }
}

TEST(Swizzle, ShowsInTheLoopsAndNotInACopy) {
  const State s = after(matmul(8, 8, 8), {CacheRead{"A", {"C"}, "A.s", ir::Scope::kShared}, Swizzle{"A.s", 4}});
  EXPECT_NE(s.print_loops().find("A.s = ...  (shared)  (chunks of 4 swizzled)"), std::string::npos) << s.print_loops();
  const State written = after(s, {CacheWrite{"A.s", "A.w"}});
  EXPECT_EQ(written.find("A.w")->swizzle, 0);
  EXPECT_EQ(written.find("A.s")->swizzle, 4);
}

}  // namespace
}  // namespace tessera::schedule::test
