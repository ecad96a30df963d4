// Decisions are the plan: from their JSON alone the same steps come again, and wrong ones are refused by name.
#include "polyhedral/decisions.h"

#include <gtest/gtest.h>

#include "driver/compile.h"
#include "driver/polyhedral.h"
#include "driver/verify.h"
#include "ops/catalog.h"

namespace tessera::polyhedral {
namespace {

using schedule::PolyhedralDecisions;

const char* const kTarget = "cpu -mcpu=x86-64-v3";

dsl::ComputeDag program(const std::string& op) { return ops::build({op, {}, "", ""}).or_throw(); }

driver::PolyhedralPlan plan_of(const std::string& op, const std::string& strategy = "max", int threads = 2) {
  return driver::polyhedral_plan(program(op), driver::resolve_target(kTarget), threads, strategy).or_throw();
}

std::string refusal(const std::string& op, const PolyhedralDecisions& d) {
  const auto r = driver::polyhedral_plan(program(op), d);
  return r.ok() ? "" : r.reason();
}

TEST(Decisions, ReplayExactly) {
  int plans = 0;
  for (const ops::Operator* op : ops::catalog()) {
    const dsl::ComputeDag dag = program(op->name);
    for (const std::string& strategy : driver::polyhedral_strategies()) {
      for (const int threads : {1, 2}) {
        const auto made = driver::polyhedral_plan(dag, driver::resolve_target(kTarget), threads, strategy);
        if (!made.ok()) continue;  // an extern
        ++plans;
        PolyhedralDecisions back;
        ASSERT_TRUE(read_json(*parse_json(dump_json(write_json(made->decisions))), back).ok());
        EXPECT_EQ(back, made->decisions) << op->name;
        EXPECT_EQ(driver::steps_of(dag, schedule::Plan(back)).or_throw(), made->plan.steps) << op->name << " " << strategy;
      }
    }
  }
  EXPECT_GT(plans, 300);
}

/// A number that is left out follows from the rule; one that is changed is followed.
TEST(Decisions, NumbersMayBeLeftOutAndChanged) {
  const auto made = plan_of("matmul");
  PolyhedralDecisions d = made.decisions;
  ASSERT_TRUE(d.sizes.count("C.i.rows"));
  d.sizes.clear();
  EXPECT_EQ(driver::polyhedral_plan(program("matmul"), d)->plan.steps, made.plan.steps);
  d.sizes["C.i.rows"] = 3;
  const auto changed = driver::polyhedral_plan(program("matmul"), d).or_throw();
  EXPECT_EQ(changed.decisions.sizes.at("C.i.rows"), 3);
  EXPECT_NE(changed.plan.steps, made.plan.steps);
  EXPECT_EQ(to_string(driver::verify(program("matmul"), schedule::Plan(d), driver::resolve_target(kTarget)).or_throw()), "ok");
}

TEST(Decisions, WrongOnesAreRefusedByName) {
  const PolyhedralDecisions good = plan_of("softmax").decisions;
  ASSERT_EQ(good.groups.size(), 1u);
  const auto with = [&](auto change) {
    PolyhedralDecisions d = good;
    change(d);
    return refusal("softmax", d);
  };
  EXPECT_EQ(with([](auto&) {}), "");
  EXPECT_NE(with([](auto& d) { d.groups[0].stages.push_back({"nobody", {"i"}}); }).find("no stage 'nobody'"), std::string::npos);
  EXPECT_NE(with([](auto& d) { d.groups[0].stages.erase(d.groups[0].stages.begin()); }).find("is in no group"), std::string::npos);
  EXPECT_NE(with([](auto& d) { d.groups[0].stages.push_back(d.groups[0].stages[0]); }).find("stands twice"), std::string::npos);
  EXPECT_NE(with([](auto& d) { std::swap(d.groups[0].stages[0], d.groups[0].stages[1]); }).find("which it reads"), std::string::npos);
  EXPECT_NE(with([](auto& d) { d.groups[0].shared[0] = "zz"; }).find("no axis 'zz'"), std::string::npos);
  EXPECT_NE(with([](auto& d) { d.groups[0].stages[0].along.clear(); }).find("its group shares 1"), std::string::npos);
  EXPECT_NE(with([](auto& d) { d.sizes["zz"] = 1; }).find("called 'zz'"), std::string::npos);
  EXPECT_NE(with([](auto& d) { d.sizes.begin()->second = -1; }).find("not -1"), std::string::npos);
  EXPECT_NE(with([](auto& d) { d.target = "toaster"; }).find("toaster"), std::string::npos);
  EXPECT_NE(refusal("matmul", good).find("in no group"), std::string::npos);
}

TEST(Decisions, OfCudaTakeNoSizes) {
  const ir::Target target = driver::resolve_target("cuda -arch=sm_90a");
  const dsl::ComputeDag dag = program("softmax");
  const auto made = driver::polyhedral_plan(dag, target, 1, "max").or_throw();
  EXPECT_EQ(driver::steps_of(dag, schedule::Plan(made.decisions)).or_throw(), made.plan.steps);
  EXPECT_EQ(to_string(driver::verify(dag, schedule::Plan(made.decisions), target).or_throw()), "ok");
  PolyhedralDecisions d = made.decisions;
  d.sizes["Y.rows"] = 2;
  EXPECT_NE(refusal("softmax", d).find("'Y.rows'"), std::string::npos);
}

/// A hand that shares a loop along which a stage needs everything makes a slow plan, not a wrong one.
TEST(Decisions, AnyGroupingThatReplaysIsLegal) {
  const dsl::ComputeDag dag = program("softmax");
  PolyhedralDecisions d = plan_of("softmax").decisions;
  d.sizes.clear();
  d.groups[0].shared.clear();
  for (auto& m : d.groups[0].stages) m.along.clear();
  const auto made = driver::polyhedral_plan(dag, d);
  ASSERT_TRUE(made.ok()) << made.reason();
  EXPECT_EQ(to_string(driver::verify(dag, schedule::Plan(d), driver::resolve_target(kTarget)).or_throw()), "ok");
}

}  // namespace
}  // namespace tessera::polyhedral
