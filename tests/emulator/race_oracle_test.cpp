// The race detector against reachability: random programs of a few threads whose accesses, barriers
// and releases make a small graph. A race is a pair of accesses with no path between them; the
// detector has to report one exactly where there is one.
#include <algorithm>
#include <map>

#include "tests/emulator/fixture.h"

namespace tessera::test {
namespace {

/// A program, line by line, with its events in the order of a thread and the edges between threads.
struct RandomProgram {
  struct Event {
    int actor, cell;
    bool access, writes;
  };
  std::string text;
  std::vector<Event> events;
  std::vector<std::vector<int>> after;  // edges
  std::map<int, int> last;              // of an actor

  int add(int actor, int cell, bool access, bool writes) {
    const int e = static_cast<int>(events.size());
    events.push_back({actor, cell, access, writes});
    after.emplace_back();
    if (const auto before = last.find(actor); before != last.end())
      after[static_cast<std::size_t>(before->second)].push_back(e);
    last[actor] = e;
    return e;
  }
  /// What each of `actors` did is before what each does next.
  void meet(const std::vector<int>& actors) {
    std::vector<int> arrivals, departures;
    for (const int a : actors) arrivals.push_back(add(a, 0, false, false));
    for (const int a : actors) departures.push_back(add(a, 0, false, false));
    for (const int from : arrivals)
      for (const int to : departures) after[static_cast<std::size_t>(from)].push_back(to);
  }
  bool has_race() const {
    const std::size_t n = events.size();
    std::vector<std::vector<bool>> reaches(n, std::vector<bool>(n, false));
    for (std::size_t i = n; i-- > 0;) {  // edges lead to later events
      for (const int next : after[i]) {
        const auto j = static_cast<std::size_t>(next);
        reaches[i][j] = true;
        for (std::size_t k = j; k < n; ++k)
          if (reaches[j][k]) reaches[i][k] = true;
      }
    }
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = i + 1; j < n; ++j)
        if (events[i].access && events[j].access && events[i].cell == events[j].cell &&
            events[i].actor != events[j].actor && (events[i].writes || events[j].writes) &&
            !reaches[i][j] && !reaches[j][i])
          return true;
    return false;
  }
};

/// Threads 0, 1, 2, 33 and 34 of one block on three words of shared memory.
RandomProgram shared_program(Rng& rng) {
  const std::vector<int> actors{0, 1, 2, 33, 34};
  RandomProgram p;
  for (int cell = 0; cell < 3; ++cell) {
    p.text += "if (t == 0) ts_store_shared(s + " + std::to_string(cell) + ", 0.f);\n";
    p.add(0, cell, true, true);
  }
  p.text += "ts_sync_block();\n";
  p.meet(actors);
  for (int round = 0; round < 12; ++round) {
    switch (rng.below(9)) {
      case 0:
        p.text += "ts_sync_block();\n";
        p.meet(actors);
        break;
      case 1:
        p.text += "ts_sync_warp(0xffffffffu);\n";
        p.meet({0, 1, 2});
        p.meet({33, 34});
        break;
      case 2:
        p.text += "if (t < 2) ts_sync_warp(3u);\n";
        p.meet({0, 1});
        break;
      case 3:
        p.text += "if (t >= 32) ts_sync_named<1, 32>();\n";
        p.meet({33, 34});
        break;
      default: {
        const int actor = rng.pick(actors), cell = static_cast<int>(rng.below(3));
        const bool writes = rng.chance(0.4);
        const std::string at = "s + " + std::to_string(cell);
        p.text +=
            "if (t == " + std::to_string(actor) + ") " +
            (writes ? "ts_store_shared(" + at + ", 1.f);\n" : "ts_load_shared<f32>(" + at + ");\n");
        p.add(actor, cell, true, writes);
      }
    }
  }
  return p;
}

/// Threads 0 and 1 of two blocks (actors 0, 1 and 2, 3) on three words of global memory.
RandomProgram global_program(Rng& rng) {
  RandomProgram p;
  const auto in = [](int actor) {
    return "if (ts_block_x() == " + std::to_string(actor / 2) +
           " && t == " + std::to_string(actor % 2) + ") ";
  };
  for (int round = 0; round < 12; ++round) {
    const std::string flag = "flag + " + std::to_string(round);
    switch (rng.below(7)) {
      case 0: {
        const int b = static_cast<int>(rng.below(2));
        p.text += "if (ts_block_x() == " + std::to_string(b) + ") ts_sync_block();\n";
        p.meet({2 * b, 2 * b + 1});
        break;
      }
      case 1:
      case 2: {
        const int from = static_cast<int>(rng.below(4)),
                  to = (from + 2 + static_cast<int>(rng.below(2))) % 4;
        const bool fenced = rng.chance(0.5);
        const bool order = !fenced || rng.chance(0.7);  // else the fence comes after the flag
        const std::string set = "ts_atomic_exchange_global(" + flag + ", 1u); ";
        p.text += in(from) + "{ " +
                  (!fenced ? "ts_store_release(" + flag + ", 1u); "
                   : order ? "ts_fence_gpu(); " + set
                           : set + "ts_fence_gpu(); ") +
                  "}\n" + in(to) + "ts_wait_equal(" + flag + ", 1u);\n";
        const int release = p.add(from, 0, false, false), wait = p.add(to, 0, false, false);
        // A flag after no fence since the accesses orders nothing; one after an earlier fence
        // orders what came before that. To keep the graph simple the former ends the program.
        if (!order) return p;
        p.after[static_cast<std::size_t>(release)].push_back(wait);
        break;
      }
      default: {
        const int actor = static_cast<int>(rng.below(4)), cell = static_cast<int>(rng.below(3));
        const bool writes = rng.chance(0.4);
        const std::string at = "y + " + std::to_string(cell);
        p.text += in(actor) + (writes ? "ts_store_global(" + at + ", 1.f);\n"
                                      : "ts_load_global<f32>(" + at + ");\n");
        p.add(actor, cell, true, writes);
      }
    }
  }
  return p;
}

EmulationRequest request_of(const RandomProgram& p, int blocks) {
  EmulationRequest q;
  q.text =
      "extern \"C\" __global__ void __launch_bounds__(64) kernel(f32* y, u32* flag) {\n"
      "const i32 t = ts_thread_x();\nf32* s = ts_shared<f32>(0);\n" +
      p.text + "}\n";
  q.entry = "kernel";
  q.grid = {blocks, 1, 1};
  q.block = {64, 1, 1};
  q.shared_bytes = 64;
  q.arguments = {{ArgumentUse::kReadWrite, std::vector<std::byte>(64), {}},
                 {ArgumentUse::kReadWrite, std::vector<std::byte>(64), {}}};
  return q;
}

void compare(RandomProgram (*make)(Rng&), int blocks, FindingKind kind) {
  constexpr std::uint64_t kSeed = 20;
  int racy = 0, programs = 40;
  for (int i = 0; i < programs; ++i) {
    Rng rng(kSeed, {static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(blocks)});
    const RandomProgram p = make(rng);
    const bool race = p.has_race();
    racy += race ? 1 : 0;
    EmulationRequest q = request_of(p, blocks);
    for (const std::uint64_t seed : {0, 1, 2, 3}) {
      q.seed = seed;
      const auto report = runtime::emulator::emulate(q);
      ASSERT_TRUE(report.ok()) << report.reason();
      for (const Finding& f : report->findings) EXPECT_EQ(f.kind, kind) << to_string(f) << p.text;
      EXPECT_EQ(!report->findings.empty(), race) << "program " << i << ", seed " << seed << "\n"
                                                 << p.text << all_findings(*report);
    }
  }
  EXPECT_GT(racy, programs / 5);  // both answers are tested
  EXPECT_LT(racy, programs * 4 / 5);
}

TEST(RaceOracle, SharedMemory) { compare(shared_program, 1, FindingKind::kSharedRace); }
TEST(RaceOracle, GlobalMemoryBetweenBlocks) {
  compare(global_program, 2, FindingKind::kGlobalRace);
}

}  // namespace
}  // namespace tessera::test
