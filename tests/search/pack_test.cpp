// Which candidates a pack gets.
#include "search/pack.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "driver/compile.h"
#include "ops/catalog.h"
#include "search/session.h"
#include "tests/search/invented.h"
#include "tests/support/command.h"

namespace tessera::search {
namespace {

Task task_of_op(const std::string& op, const ops::Shape& shape) {
  Task t;
  t.op = op;
  t.dag = ops::build({op, shape, "", ""}).or_throw();
  t.target = driver::resolve_target("cuda -arch=sm_90a");
  return t;
}

PackOptions of(int count, std::uint64_t seed = 1) { return {.count = count, .seed = seed, .jobs = 1}; }

TEST(PackCandidates, AreDistinctAndOfAllSketches) {
  const Task task = task_of_op("conv2d", {{"h", 14}, {"w", 14}, {"ci", 16}, {"co", 16}});
  const std::vector<Candidate> all = pack_candidates(task, of(65), {});
  ASSERT_EQ(all.size(), 65U);
  EXPECT_EQ(all[0].sketch, "default");
  std::set<std::string> sketches;
  std::set<std::pair<std::string, Decisions>> distinct;
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].trial, static_cast<int>(i));
    sketches.insert(all[i].sketch);
    distinct.insert({all[i].sketch, all[i].decisions});
    EXPECT_TRUE(driver::scheduled(task.dag, all[i].steps).ok());
  }
  EXPECT_EQ(distinct.size(), all.size());
  // A quarter is drawn evenly over the sketches, whatever the draft thinks of them.
  EXPECT_EQ(sketches.size(), 1 + generate_sketches(task).size());
}

TEST(PackCandidates, EndWithTheSpace) {
  const Task task = task_of_op("relu", {{"m", 1}, {"n", 2}});
  const std::vector<Candidate> all = pack_candidates(task, of(10'000), {});
  std::int64_t points = 1;
  for (const Sketch& s : generate_sketches(task)) points += s.space.count(10'000);
  EXPECT_EQ(static_cast<std::int64_t>(all.size()), points);
}

TEST(PackCandidates, DependOnTheSeedAlone) {
  const Task task = task_of_op("softmax", {{"m", 64}, {"n", 256}});
  const auto decisions = [&](std::uint64_t seed) {
    std::vector<Decisions> out;
    for (const Candidate& c : pack_candidates(task, of(24, seed), {})) out.push_back(c.decisions);
    return out;
  };
  EXPECT_EQ(decisions(1), decisions(1));
  EXPECT_NE(decisions(1), decisions(2));
}

/// As a device would measure them, if nothing but one hole mattered.
std::vector<Trial> measured(const std::vector<Candidate>& pack, const std::string& hole, std::int64_t best) {
  std::vector<Trial> out;
  for (const Candidate& c : pack) {
    const auto at = c.decisions.find(hole);
    const double off = at == c.decisions.end() ? 4 : std::abs(std::log2(static_cast<double>(at->second) / static_cast<double>(best)));
    const auto ns = static_cast<std::int64_t>(1e5 * (1 + off));
    out.push_back(trial_of(c, {ns, ns + ns / 100, ns + ns / 50}));
  }
  return out;
}

/// The second pack has nothing of the first, goes on with its numbers and prefers what was fast: here tiles of
/// one slot, which the draft thinks little of.
TEST(PackCandidates, GoOnFromWhatWasMeasured) {
  const Task task = task_of_op("matmul", {{"m", 1024}, {"n", 1024}, {"k", 1024}});
  const std::string hole = "C.slots";
  const auto few_slots = [&](const std::vector<Candidate>& pack) {
    return std::count_if(pack.begin(), pack.end(), [&](const Candidate& c) {
      const auto at = c.decisions.find(hole);
      return at != c.decisions.end() && at->second <= 2;
    });
  };
  const std::vector<Candidate> first = pack_candidates(task, of(64), {});
  EXPECT_LT(few_slots(first), 32);
  const std::vector<Candidate> second = pack_candidates(task, of(16), measured(first, hole, 1));
  ASSERT_EQ(second.size(), 16U);
  for (std::size_t i = 0; i < second.size(); ++i) {
    EXPECT_EQ(second[i].trial, 64 + static_cast<int>(i));
    EXPECT_NE(second[i].sketch, "default");
    for (const Candidate& c : first) EXPECT_FALSE(c.sketch == second[i].sketch && c.decisions == second[i].decisions);
  }
  EXPECT_GE(few_slots(second), 12);
}

/// Through a file: records of another target, another program and other kinds teach nothing.
TEST(PackCandidates, ReadTheTrialsOfTheirTaskAndTarget) {
  const Task task = task_of_op("softmax", {{"m", 64}, {"n", 256}});
  Task other = task;
  other.target = driver::resolve_target("cuda -arch=sm_80");
  test::TemporaryFolder folder;
  const std::string path = folder / "l.jsonl";
  {
    SessionOptions options;
    options.log = path;
    tuning_logs::LogWriter writer(path, tuning_logs::make_header(task.target.text(), {}, 1, 1));
    for (const Trial& t : measured(pack_candidates(task, of(8), {}), "Y.rows", 2)) {
      writer.append(to_record(t, task, options, tuning_logs::RecordKind::kTrial));
      writer.append(to_record(t, other, options, tuning_logs::RecordKind::kTrial));
      writer.append(to_record(t, task, options, tuning_logs::RecordKind::kFinal));
    }
  }
  const std::vector<Trial> found = trials_of(task, tuning_logs::read_log(path));
  ASSERT_EQ(found.size(), 8U);
  EXPECT_EQ(pack_candidates(task, of(4), found)[0].trial, 8);
  EXPECT_TRUE(trials_of(task_of_op("softmax", {{"m", 64}, {"n", 128}}), tuning_logs::read_log(path)).empty());
}

}  // namespace
}  // namespace tessera::search
