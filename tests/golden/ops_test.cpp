// What `autotune ops [NAME]` prints: names, parameters, defaults, operands and presets are an interface.
#include <gtest/gtest.h>

#include "ops/catalog.h"
#include "tests/support/golden.h"

namespace tessera::ops {
namespace {

TEST(Ops, List) { test::expect_golden("ops/list.txt", list_text()); }

TEST(Ops, EveryOperator) {
  std::string text;
  for (const Operator* op : catalog()) text += describe_text(op->name).or_throw() + "\n";
  test::expect_golden("ops/operators.txt", text);
}

TEST(Ops, Programs) {
  std::string text;
  for (const Operator* op : catalog()) {
    const auto layouts = op->layouts.empty() ? std::vector<std::string>{""} : op->layouts;
    for (const std::string& layout : layouts) {
      const auto dag = build({op->name, {}, layout, ""}).or_throw();
      text += "# " + op->name + (layout.empty() ? "" : " " + layout) + "\n" + dag.to_string() + "\n";
    }
  }
  test::expect_golden("ops/programs.txt", text);
}

TEST(Ops, Json) {
  test::expect_golden("ops/conv2d.json", dump_json(to_json_value(build({"conv2d", {}, "", ""}).or_throw())) + "\n");
}

}  // namespace
}  // namespace tessera::ops
