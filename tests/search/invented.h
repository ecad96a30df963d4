// Searches without a machine: a small product, and measurers whose times are made up.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "driver/compile.h"
#include "ops/catalog.h"
#include "search/candidate.h"
#include "search/task.h"

namespace tessera::search {

inline Task small_task() {
  Task t;
  t.op = "matmul";
  t.dag = ops::build({.op = "matmul", .shape = {{"m", 40}, {"n", 64}, {"k", 24}}, .layout = "", .dtype = ""}).or_throw();
  t.target = driver::resolve_target("cpu -mcpu=x86-64-v3");
  return t;
}

inline Trial trial_of(const Candidate& c, std::vector<std::int64_t> samples_ns) {
  Trial t;
  t.candidate = c;
  t.measurement.status = runtime::MeasureStatus::kOk;
  t.measurement.samples_ns = std::move(samples_ns);
  return t;
}

/// Answers each candidate with a trial that the test makes up.
class InventedMeasurer : public Measurer {
 public:
  virtual Trial trial(const Candidate& c) = 0;

  std::vector<Trial> measure(const std::vector<Candidate>& batch, std::int64_t, const std::function<void(const Trial&)>& done,
                             const std::function<bool()>& stop) override {
    std::vector<Trial> out;
    for (const Candidate& c : batch) {
      out.push_back(trial(c));
      done(out.back());
      if (stop()) break;
    }
    return out;
  }
  std::vector<Trial> remeasure(const std::vector<Trial>& best) override { return best; }
};

/// The time is a hash of the steps, the same whenever they are measured; every `fail_every`-th candidate
/// fails.
class HashMeasurer : public InventedMeasurer {
 public:
  int fail_every = 0;
  std::vector<std::string> seen;  // batch/slot and hash

  Trial trial(const Candidate& c) override {
    const std::uint64_t h = hash_bytes(dump_json(write_json(c.steps)));
    seen.push_back(std::to_string(c.batch) + "/" + std::to_string(c.slot) + " " + std::to_string(h));
    Trial t = trial_of(c, {static_cast<std::int64_t>(1000 + h % 100000)});
    t.measurement.probe_gflops = {100};
    if (fail_every > 0 && static_cast<int>(seen.size()) % fail_every == 0) {
      t.measurement = runtime::failed_measurement(runtime::MeasureStatus::kCrash, "timing", "SIGSEGV");
    }
    return t;
  }
};

}  // namespace tessera::search
