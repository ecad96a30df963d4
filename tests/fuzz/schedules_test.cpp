// The fuzzer finds nothing in the compiler and every planted defect, and says how to see a failure
// again.
#include <gtest/gtest.h>

#include "driver/fuzz/fuzz.h"
#include "tests/support/options.h"

namespace tessera::driver {
namespace {

FuzzOptions quick(int programs) {
  FuzzOptions o;
  o.programs = programs;
  o.seed = test::options().seed;
  return o;
}

TEST(Schedules, RandomPairsAgreeWithTheOracle) {
  const FuzzReport r = fuzz(quick(120));
  for (const Mismatch& m : r.mismatches) {
    ADD_FAILURE() << "seed " << m.seed << " program " << m.program << " schedule " << m.schedule << ": " << m.what << "\n"
                  << dump_json(m.reproducer);
  }
  EXPECT_EQ(r.pairs, 600);
  EXPECT_GT(r.native, 590);
  EXPECT_LT(r.refused_lowering, 6) << "legal schedules should lower";
  EXPECT_GT(r.steps.illegal_refused, 500);
}

TEST(Schedules, EveryStepIsTried) {
  FuzzOptions o = quick(400);
  o.native_one_in = 0;
  const FuzzReport r = fuzz(o);
  FuzzOptions cuda = o;
  cuda.target = "cuda";
  cuda.programs = 150;
  std::map<std::string, std::int64_t> applied = r.steps.applied;
  for (const auto& [word, n] : fuzz(cuda).steps.applied) applied[word] += n;
  std::size_t kinds = 0;
  for (const auto& [word, n] : applied) kinds += n > 0;
  EXPECT_EQ(kinds, std::variant_size_v<schedule::Step>);
  for (const std::string word : {schedule::Bind::kName, schedule::PadBox::kName, schedule::Pipeline::kName, schedule::Spread::kName, schedule::Swizzle::kName, schedule::FinishInLastBlock::kName}) {
    EXPECT_GT(applied[word], 10) << word;
    EXPECT_EQ(r.steps.applied.count(word), 0U) << word << " is drawn for a CPU";
  }
}

/// Legal steps of GPUs, judged by the interpreter and, as printed text, by the emulator (M8: primitives).
TEST(M8, RandomKernelsAgreeWithTheOracle) {
  FuzzOptions o = quick(60);
  o.target = "cuda";
  const FuzzReport r = fuzz(o);
  for (const Mismatch& m : r.mismatches) {
    ADD_FAILURE() << "seed " << m.seed << " program " << m.program << " schedule " << m.schedule << ": " << m.what << "\n"
                  << dump_json(m.reproducer);
  }
  EXPECT_EQ(r.pairs, 300);
  // Tiles in shared memory that stand where all threads would write them, and the like.
  EXPECT_GT(r.native, 90) << "many legal schedules should lower";
}

TEST(Schedules, TheSeedDecidesAlone) {
  FuzzOptions o = quick(30);
  o.native_one_in = 0;
  o.mutant = lower::Mutant::kTailLessEqual;
  o.most_mismatches = 1'000'000;
  o.shrink = false;
  o.threads = 1;
  const FuzzReport one = fuzz(o);
  o.threads = 3;
  const FuzzReport three = fuzz(o);
  EXPECT_EQ(one.steps.applied, three.steps.applied);
  ASSERT_EQ(one.mismatches.size(), three.mismatches.size());
  for (std::size_t i = 0; i < one.mismatches.size(); ++i) {
    EXPECT_EQ(one.mismatches[i].reproducer["steps"], three.mismatches[i].reproducer["steps"]);
  }
}

TEST(Schedules, AFailureShrinksToAReproducer) {
  FuzzOptions o = quick(400);
  o.native_one_in = 0;
  o.threads = 1;
  o.mutant = lower::Mutant::kInitPerTile;
  const FuzzReport r = fuzz(o);
  ASSERT_EQ(r.mismatches.size(), 1U);
  const Json& j = r.mismatches[0].reproducer;
  EXPECT_LE(j["steps"].size(), 2U) << dump_json(j);
  const auto parsed = parse_json(dump_json(j));
  ASSERT_TRUE(parsed.ok());
  const auto again = recheck(*parsed);
  ASSERT_TRUE(again.ok()) << again.reason();
  EXPECT_TRUE(again->has_value()) << "the reproducer passes";
  Json sound = *parsed;
  sound["mutant"] = "none";
  const auto without = recheck(sound);
  ASSERT_TRUE(without.ok()) << without.reason();
  EXPECT_FALSE(without->has_value()) << **without;
}

class Mutants : public ::testing::TestWithParam<int> {};

TEST_P(Mutants, IsKilledWithinTwoThousandPairs) {
  for (std::uint64_t s = 0; s < 3; ++s) {
    FuzzOptions o = quick(400);
    o.seed += s;
    o.native_one_in = 0;
    o.shrink = false;
    o.mutant = static_cast<lower::Mutant>(GetParam());
    const FuzzReport r = fuzz(o);
    EXPECT_FALSE(r.mismatches.empty()) << lower::to_string(o.mutant) << " survives " << r.pairs << " pairs of seed " << o.seed;
  }
}

INSTANTIATE_TEST_SUITE_P(Schedules, Mutants, ::testing::Range(1, static_cast<int>(lower::Mutant::kCount)),
                         [](const auto& info) { return lower::to_string(static_cast<lower::Mutant>(info.param)); });

TEST(Schedules, UnknownMutantsAreNamed) {
  const auto r = parse_mutant("tail");
  ASSERT_FALSE(r.ok());
  EXPECT_NE(r.reason().find("tail_less_equal"), std::string::npos);
}

}  // namespace
}  // namespace tessera::driver
