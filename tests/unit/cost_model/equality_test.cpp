// Features of a State, without lowering, are those of its lowered loops.
#include <gtest/gtest.h>

#include "cost_model/features.h"
#include "driver/compile.h"
#include "ops/catalog.h"
#include "schedule/summary.h"
#include "search/sketch.h"

namespace tessera::cost_model {
namespace {

TEST(FeatureEquality, OfStatesAndLoops) {
  Machine machine;
  machine.threads = 2;
  int points = 0, prepared = 0;
  for (const char* op : {"matmul", "conv2d", "depthwise_conv2d", "softmax", "reduce_sum", "dense_bias_gelu"}) {
    search::Task task;
    task.op = op;
    task.dag = ops::build({.op = op, .shape = {}, .layout = "", .dtype = ""}).or_throw();
    task.target = driver::resolve_target("cpu");
    task.threads = 2;
    const std::vector<search::Sketch> sketches = search::generate_sketches(task);
    Rng rng(21);
    for (int i = 0; i < 170; ++i, ++points) {
      const search::Sketch& s = sketches[static_cast<std::size_t>(i) % sketches.size()];
      const schedule::StepList steps = schedule::fill_holes(s.steps, s.space.decisions(*s.space.sample(rng))).or_throw();
      const ir::NestSummary nest = schedule::summarize(driver::scheduled(task.dag, steps).or_throw()).or_throw();
      for (const ir::StatementSummary& st : nest.statements) prepared += st.prepared ? 1 : 0;
      const Features quick = extract(nest, machine);
      const Features loops = extract(ir::summarize(driver::structured_loops(task.dag, steps, task.target).or_throw()), machine);
      ASSERT_EQ(quick.values.size(), loops.values.size()) << op << " " << s.name;
      for (std::size_t k = 0; k < quick.values.size(); ++k) {
        ASSERT_NEAR(quick.values[k], loops.values[k], 1e-6) << op << " " << s.name << " " << feature_names()[k % feature_count()];
      }
      for (std::size_t t = 0; t < kDraftTerms; ++t) ASSERT_NEAR(quick.terms[t], loops.terms[t], 1e-6 * (1 + loops.terms[t])) << draft_term_name(t);
    }
  }
  EXPECT_GE(points, 1000);
  EXPECT_GT(prepared, 0);  // packed weights of the convolutions
}

}  // namespace
}  // namespace tessera::cost_model
