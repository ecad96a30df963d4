// Steps as JSON, holes and their values.
#include "tests/unit/schedule/programs.h"

namespace tessera::schedule::test {
namespace {

/// One of every kind, no field at its default.
StepList every_step() {
  const Param hole = Param::open("h");
  return {Annotate{"C", "i", "unroll", hole},
          Bind{"C", "i", ir::ForKind::kBlockY},
          CacheRead{"A", {"C", "D"}, "Ac", ir::Scope::kLocal},
          CacheWrite{"C", "Cw", ir::Scope::kRegister},
          ComputeAt{"B", "C", "i"},
          ComputeInline{"B"},
          ComputeRoot{"B"},
          DecomposeReduction{"C", "i"},
          FinishInLastBlock{"C"},
          Fuse{"C", {"i", "j"}, "f"},
          Outline{"C", "i"},
          Pack{"B", {"C"}, "Bp", {{"j", 0}, {"k", 0}, {"j", hole}}},
          PadBox{"B"},
          Parallel{"C", "i"},
          Pipeline{"B", hole},
          Prefetch{"C", "i", "A", hole, 1, true},
          Reorder{"C", {"j", "i"}},
          Rfactor{"C", "k", "Cf"},
          RollingWindow{"B"},
          SetScope{"B", ir::Scope::kRegister},
          Split{"C", "i", {"i0", "i1"}, {hole}, ir::Tail::kGuard},
          Spread{"B", "i", {"i0", "i1"}, "C"},
          StorageAlign{"B", "i", hole, hole},
          StoreAt{"B", "C", "i"},
          StreamingStore{"B"},
          Swizzle{"B", hole},
          Tensorize{"C", {"i", "j"}, "cpu.fma.f32x16", ir::Tail::kGuard},
          Tile{"C", {"i", "j"}, {"a", "b", "c", "d"}, {hole, 8}, ir::Tail::kPad},
          TransformLayout{"B", {{"i", 0}, {"i", 4}}},
          Unroll{"C", "i"},
          UseAlgorithm{"C", "split_k", {{"chunks", hole}}},
          Vectorize{"C", "i"}};
}

TEST(StepJson, EveryStepRoundTrips) {
  const StepList all = every_step();
  EXPECT_EQ(all.size(), std::variant_size_v<Step>) << "a new step belongs into this list";
  for (const Step& s : all) {
    const std::string text = dump_json(write_json(s));
    Step back;
    const Status read = read_json(*parse_json(text), back);
    ASSERT_TRUE(read.ok()) << text << ": " << read.reason();
    EXPECT_EQ(back, s) << text;
    EXPECT_EQ(dump_json(write_json(back)), text);
  }
}

TEST(StepJson, NamesItsFields) {
  EXPECT_EQ(dump_json(write_json(Step(Split{"C", "i", {"i0", "i1"}, {16}}))),
            R"({"split":{"stage":"C","axis":"i","into":["i0","i1"],"factors":[16]}})");
}

TEST(StepJson, HostileTextIsRefused) {
  const char* const kBad[] = {
      R"({})", R"([])", R"("split")", R"({"nonsense":{}})", R"({"unroll":{"stage":"C"}})",
      R"({"unroll":{"stage":"C","axis":"i","more":1}})", R"({"unroll":{"stage":"C","axis":7}})",
      R"({"bind":{"stage":"C","axis":"i","to":"moon"}})", R"({"pipeline":{"stage":"C","slots":"two"}})",
      R"({"unroll":{"stage":"C","axis":"i"},"vectorize":{"stage":"C","axis":"i"}})",
      R"({"split":{"stage":"C","axis":"i","into":["a","b"],"factors":[{"hole":""}]}})",
      R"({"split":{"stage":"C","axis":"i","into":["a","b"],"factors":[1.5]}})",
      R"({"set_scope":{"stage":"C","scope":"moon"}})"};
  for (const char* text : kBad) {
    Step s;
    EXPECT_FALSE(read_json(*parse_json(text), s).ok()) << text;
  }
}

TEST(StepJson, PlansAreStepsOrDecisions) {
  const Plan steps = every_step();
  PolyhedralDecisions d;
  d.target = "cpu";
  d.groups.push_back({{"i"}, {{"B", {"i"}}, {"C", {"~"}}}});
  d.sizes = {{"C.rows", 4}};
  for (const Plan& p : {steps, Plan(d)}) {
    Plan back;
    ASSERT_TRUE(read_json(*parse_json(dump_json(write_json(p))), back).ok());
    EXPECT_TRUE(back == p);
  }
}

TEST(Holes, AreListedFilledAndMissed) {
  const StepList sketch{Split{"C", "i", {"i0", "i1"}, {Param::open("a")}}, Split{"C", "j", {"j0", "j1"}, {Param::open("b")}},
                        Annotate{"C", "k", "unroll", Param::open("a")}};
  EXPECT_EQ(open_holes(sketch), (std::vector<std::string>{"a", "b"}));
  const auto filled = fill_holes(sketch, {{"a", 4}, {"b", 8}});
  ASSERT_TRUE(filled.ok());
  EXPECT_TRUE(open_holes(*filled).empty());
  EXPECT_EQ(std::get<Split>((*filled)[1]).factors[0], Param(8));
  EXPECT_TRUE(replay(matmul(16, 16, 16), *filled).ok());
  const auto missing = fill_holes(sketch, {{"a", 4}});
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.reason().find("'b'"), std::string::npos);
}

}  // namespace
}  // namespace tessera::schedule::test
