// Every operator in every preset, planned without measuring: minutes, by name (docs/proofs.md).
#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <iostream>

#include "driver/polyhedral.h"
#include "driver/verify.h"
#include "ops/catalog.h"

namespace tessera::polyhedral {
namespace {

TEST(ScheduleSweep, DISABLED_EveryPresetIsPlannedAndProved) {
  const ir::Target target = driver::resolve_target("cpu");
  std::vector<double> ms;  // of the main road; ISL's scheduler has a limit of its own
  double slowest_ilp = 0;
  int legal = 0, unknown = 0;
  std::string slowest;
  for (const ops::Operator* op : ops::catalog()) {
    if (op->name == "csr_spmm") continue;  // hand-written loops, which have no dependences to go by
    std::vector<ops::Preset> presets = op->presets;
    presets.push_back({"default", {}});
    for (const ops::Preset& preset : presets) {
      const dsl::ComputeDag dag = ops::build({op->name, preset.shape, preset.layout, ""}).or_throw();
      for (const std::string& strategy : driver::polyhedral_strategies()) {
        const std::clock_t start = std::clock();
        const auto made = driver::polyhedral_plan(dag, target, 2, strategy);
        const double took = 1000.0 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
        if (strategy == "ilp") {
          slowest_ilp = std::max(slowest_ilp, took);
        } else {
          ms.push_back(took);
        }
        ASSERT_TRUE(made.ok()) << op->name << " " << preset.name << ": " << made.reason();
        EXPECT_TRUE(made->plan.refused.empty()) << op->name << " " << preset.name << " " << strategy << ": " << made->plan.refused[0];
        if (took == *std::max_element(ms.begin(), ms.end())) slowest = op->name + " " + preset.name + " " + strategy;
        const Verdict v = driver::verify(dag, made->plan.steps, target).or_throw();
        EXPECT_FALSE(v.illegal()) << op->name << " " << preset.name << " " << strategy << ": " << v;
        ++(v.ok() ? legal : unknown);
      }
    }
  }
  std::sort(ms.begin(), ms.end());
  EXPECT_LT(slowest_ilp, 1000);
  EXPECT_LT(ms.back(), 400);
  EXPECT_LT(ms[ms.size() / 2], 80);
  std::cout << "plans: " << legal + unknown << " legal: " << legal << " unknown: " << unknown << " median: " << ms[ms.size() / 2] << " ms slowest: " << ms.back() << " ms ("
            << slowest << ") ilp: " << slowest_ilp << " ms" << std::endl;
}

}  // namespace
}  // namespace tessera::polyhedral
