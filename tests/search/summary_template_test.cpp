// The summary of a point by numbers is the summary of its replayed state, field by field, at every
// point of every sketch of every operator, and that of its lowered loops.
#include "schedule/summary_template.h"

#include <gtest/gtest.h>

#include "cost_model/features.h"
#include "driver/compile.h"
#include "ops/catalog.h"
#include "schedule/summary.h"
#include "search/sketch.h"

namespace tessera::search {
namespace {

Task task_of(const std::string& op, int threads, const std::map<std::string, std::int64_t>& shape = {}, const std::string& layout = "") {
  Task t;
  t.op = op;
  t.dag = ops::build({.op = op, .shape = shape, .layout = layout, .dtype = ""}).or_throw();
  t.target = driver::resolve_target("cpu");
  t.threads = threads;
  return t;
}

schedule::State initial_of(const Task& task) {
  return schedule::State::initial(std::make_shared<const dsl::ComputeDag>(task.dag)).or_throw();
}

Result<schedule::SummaryTemplate> template_of(const schedule::State& initial, const Sketch& s, std::uint64_t seed, int count = 8) {
  std::vector<std::string> holes;
  for (const Hole& h : s.space.holes()) holes.push_back(h.name);
  Rng rng(seed);
  std::vector<Values> probes;
  for (int i = 0; i < count; ++i) probes.push_back(*s.space.sample(rng));
  return schedule::SummaryTemplate::make(initial, s.steps, holes, probes);
}

std::string difference(const ir::NestSummary& a, const ir::NestSummary& b) {
  if (a.statements.size() != b.statements.size()) return "number of statements";
  for (std::size_t i = 0; i < a.statements.size(); ++i) {
    const ir::StatementSummary &x = a.statements[i], &y = b.statements[i];
    const std::string where = " of statement " + std::to_string(i) + " (" + x.stage + ")";
    if (x.stage != y.stage || x.phase != y.phase || x.prepared != y.prepared) return "kind" + where;
    if (x.loops != y.loops) return "loops" + where;
    if (!(x.ops == y.ops)) return "operations" + where;
    if (x.accesses.size() != y.accesses.size()) return "number of accesses" + where;
    for (std::size_t k = 0; k < x.accesses.size(); ++k) {
      const ir::AccessSummary &p = x.accesses[k], &q = y.accesses[k];
      if (p == q) continue;
      std::string text = "access " + std::to_string(k) + " to " + p.buffer + where + ": elements " + std::to_string(p.elements) +
                         "/" + std::to_string(q.elements) + " regular " + std::to_string(p.regular) + "/" + std::to_string(q.regular) + " strides";
      for (const std::int64_t v : p.strides) text += " " + std::to_string(v);
      text += " /";
      for (const std::int64_t v : q.strides) text += " " + std::to_string(v);
      return text;
    }
  }
  return "";
}

struct Coverage {
  int points = 0, told = 0;
};

/// Every point that the template tells is told exactly; counts those it does not tell.
void check_task(const Task& task, int points, Coverage& out) {
  const schedule::State initial = initial_of(task);
  ir::NestSummary quick;
  for (const Sketch& s : generate_sketches(task)) {
    const auto made = template_of(initial, s, 7);
    out.points += points;
    EXPECT_TRUE(made.ok()) << task.op << " " << s.name << ": " << (made.ok() ? "" : made.reason());
    if (!made.ok()) continue;
    Rng rng(23);
    for (int i = 0; i < points; ++i) {
      const Values point = *s.space.sample(rng);
      if (!made->evaluate(point, quick)) continue;
      ++out.told;
      const auto state = schedule::replay(initial, schedule::fill_holes(s.steps, s.space.decisions(point)).or_throw());
      ASSERT_TRUE(state.ok()) << state.reason();
      const ir::NestSummary slow = schedule::summarize(*state).or_throw();
      ASSERT_EQ(quick, slow) << task.op << " " << s.name << " threads " << task.threads << ": " << difference(quick, slow);
    }
  }
}

class SummaryTemplateOf : public testing::TestWithParam<std::string> {};

TEST_P(SummaryTemplateOf, IsThatOfTheState) {
  Coverage c;
  for (const int threads : {1, 2}) check_task(task_of(GetParam(), threads), 20, c);
  EXPECT_GE(c.told, 0.99 * c.points) << c.told << " of " << c.points;
}

std::vector<std::string> operator_names() {
  std::vector<std::string> out;
  for (const ops::Operator* op : ops::catalog()) out.push_back(op->name);
  return out;
}

INSTANTIATE_TEST_SUITE_P(Catalogue, SummaryTemplateOf, testing::ValuesIn(operator_names()), [](const auto& info) { return info.param; });

}  // namespace
}  // namespace tessera::search
