// Recordings read back equal, damage is refused by line, spaces are thinned evenly.
#include "search/recording.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <sstream>

#include "search/recorder.h"
#include "search/simulation.h"
#include "search/training.h"
#include "tests/search/invented.h"
#include "tests/support/command.h"

namespace tessera::search {
namespace {

/// Times that grow with the tile's distance from 4 rows.
class FormulaMeasurer : public InventedMeasurer {
 public:
  Trial trial(const Candidate& c) override {
    std::int64_t ns = 1000;
    for (const auto& [hole, v] : c.decisions) ns += hole.ends_with(".rows") ? 100 * std::abs(v - 4) : v;
    return trial_of(c, {ns, ns + 1, ns + 2, ns + 3});
  }
};

Recording dense(int points = 400, int passes = 2) {
  FormulaMeasurer m;
  return record_space(small_task(), {.points = points, .dense = true, .passes = passes, .samples = 3}, "test 1", m, [](int, int) {});
}

TEST(Recording, ReadsBackEqual) {
  const test::TemporaryFolder folder;
  const std::string path = folder / "small.recording";
  const std::vector<Recording> all{dense(), dense(200, 1)};
  ASSERT_TRUE(write_recordings(path, all).ok());
  const auto back = read_recordings(path);
  ASSERT_TRUE(back.ok()) << back.reason();
  EXPECT_EQ(*back, all);
  const Task task = (*back)[0].to_task().or_throw();
  EXPECT_EQ(task.hash(), small_task().hash());
}

TEST(Recording, DenseHoldsEveryPointOfTheThinnedSpace) {
  const Recording r = dense();
  EXPECT_GT(r.points(), 200U);
  EXPECT_LE(r.points(), 400U);
  for (const RecordedSketch& s : r.sketches) {
    EXPECT_EQ(static_cast<std::int64_t>(s.points.size()), s.sketch.space.count(1'000'000));
    for (const auto& ns : s.ns) EXPECT_EQ(ns.size(), 6U);  // three of each pass
  }
}

TEST(Recording, DamageIsNamedByLine) {
  const test::TemporaryFolder folder;
  const std::string path = folder / "small.recording";
  ASSERT_TRUE(write_recordings(path, {dense(100, 1)}).ok());
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  const std::string good = text.str();
  const auto reason_of = [&](std::string bad) {
    std::ofstream(path, std::ios::trunc) << bad;
    const auto r = read_recordings(path);
    return r.ok() ? std::string("read") : r.reason();
  };
  const auto with = [&](const std::string& what, const std::string& by) {
    std::string bad = good;
    bad.replace(bad.find(what), what.size(), by);
    return reason_of(bad);
  };
  EXPECT_NE(reason_of("{\"steps_id\":0").find(":1: "), std::string::npos);
  EXPECT_NE(with("\"points\":[", "\"points\":[7,").find("positions for"), std::string::npos);
  EXPECT_NE(with("\"points\":[", "\"points\":[99999,").find("positions"), std::string::npos);
  EXPECT_NE(with("\"steps_id\":0,\"holes\"", "\"steps_id\":77,\"holes\"").find("no line above"), std::string::npos);
  EXPECT_NE(reason_of("{}").find(":1: "), std::string::npos);
  std::remove(path.c_str());
  EXPECT_NE(read_recordings(path).reason().find("cannot read"), std::string::npos);
}

TEST(Recording, TrainingDataIsTheSmallestTime) {
  const Recording r = dense(100, 1);
  const auto data = training_data(r);
  ASSERT_TRUE(data.ok()) << data.reason();
  EXPECT_EQ(data->programs.size(), r.points());
  EXPECT_EQ(data->ns[0], static_cast<double>(r.sketches[0].ns[0][0]));
}

TEST(Thinning, KeepsEndsAndSpreads) {
  const Hole h{"h", {1, 2, 3, 4, 5, 6, 7, 8, 9}};
  EXPECT_EQ(thinned(h, 3).domain, (std::vector<std::int64_t>{1, 5, 9}));
  EXPECT_EQ(thinned(h, 2).domain, (std::vector<std::int64_t>{1, 9}));
  EXPECT_EQ(thinned(h, 1).domain, (std::vector<std::int64_t>{5}));
  EXPECT_EQ(thinned(h, 20).domain, h.domain);
}

TEST(Simulation, FindsTheOptimumOfAFormula) {
  const Recording r = dense();
  const SimulationResult s = simulate(r, small_task(), {.trials = 120, .seed = 3});
  EXPECT_LE(s.to_95, s.to_97);
  EXPECT_LE(s.to_97, s.to_99);
  EXPECT_LE(s.to_99, 120);
  EXPECT_EQ(s.share.size(), 120U);
  EXPECT_TRUE(std::is_sorted(s.share.begin(), s.share.end()));
  const SimulationResult again = simulate(r, small_task(), {.trials = 120, .seed = 3});
  EXPECT_EQ(s.share, again.share);
}

}  // namespace
}  // namespace tessera::search
