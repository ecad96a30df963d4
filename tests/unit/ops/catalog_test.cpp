#include "ops/catalog.h"

#include <gtest/gtest.h>

#include <set>

namespace tessera::ops {
namespace {

#define EXPECT_HAS(text, words) EXPECT_NE((text).find(words), std::string::npos) << (text)

std::string refusal(const Request& r) {
  const auto dag = build(r);
  EXPECT_FALSE(dag.ok());
  if (dag.ok()) return "";
  EXPECT_EQ(dag.reason().find('\n'), std::string::npos);
  EXPECT_EQ(dag.reason().find(".cpp"), std::string::npos) << dag.reason();
  return dag.reason();
}

TEST(Catalog, NamesAreUnique) {
  std::set<std::string> names, presets;
  for (const Operator* op : catalog()) {
    EXPECT_TRUE(names.insert(op->name).second);
    std::set<std::string> parameters;
    for (const Parameter& p : op->parameters) {
      EXPECT_TRUE(parameters.insert(p.name).second);
      EXPECT_TRUE(p.min <= p.fallback && p.fallback <= p.max);
    }
    for (const Preset& p : op->presets) {
      EXPECT_TRUE(presets.insert(p.name).second) << p.name;
      for (const auto& [name, value] : p.shape) EXPECT_TRUE(parameters.count(name)) << p.name << " " << name;
    }
  }
}

TEST(Catalog, OperandsAndConstants) {
  for (const Operator* op : catalog()) {
    const auto dag = build({op->name, {}, "", ""}).or_throw();
    EXPECT_EQ(dag.name(), op->name);
    std::set<std::string> expected, found;
    for (const Operand& o : op->operands) {
      expected.insert(o.name);
      const dsl::Stage* s = dag.find(o.name);
      ASSERT_NE(s, nullptr) << op->name << " " << o.name;
      EXPECT_EQ(s->kind == dsl::OperationKind::kConstant, o.constant) << op->name << " " << o.name;
    }
    for (const dsl::Stage* s : dag.inputs()) found.insert(s->name);
    EXPECT_EQ(found, expected) << op->name;
  }
}

TEST(Catalog, PaddingIsAStageOnlyWhenThereIsSome) {
  EXPECT_NE(build({"conv2d", {{"pad", 1}}, "", ""})->find("Xpad"), nullptr);
  EXPECT_EQ(build({"conv2d", {{"pad", 0}}, "", ""})->find("Xpad"), nullptr);
}

TEST(Catalog, Work) {
  EXPECT_EQ(build({"matmul", {{"m", 3}, {"n", 5}, {"k", 7}}, "", ""})->multiply_adds(), 3 * 5 * 7);
  const auto c = build({"conv2d", {}, "", ""}).or_throw();
  EXPECT_EQ(c.multiply_adds(), 56.0 * 56 * 64 * 64 * 9);
  const auto g = build({"conv2d", {{"groups", 4}}, "", ""}).or_throw();
  EXPECT_EQ(g.multiply_adds(), 56.0 * 56 * 64 * 64 * 9 / 4);
}

TEST(Catalog, AccumulatesNarrowIntegersWide) {
  for (const char* op : {"matmul", "conv2d", "dense", "batch_matmul", "depthwise_conv2d", "reduce_sum"}) {
    const auto dag = build({op, {}, "", "i8"}).or_throw();
    EXPECT_EQ(dag.outputs()[0]->dtype, ir::i32) << op;
    EXPECT_EQ(dag.inputs()[0]->outputs[0]->dtype, ir::i8) << op;
  }
}

TEST(Catalog, Presets) {
  const auto r = find_preset("C2D.2").or_throw();
  EXPECT_EQ(r.op, "conv2d");
  const auto dag = build(r).or_throw();
  EXPECT_EQ(dag.find("W")->outputs[0].extents(), (std::vector<std::int64_t>{1, 1, 64, 64}));
  for (const Operator* op : catalog()) {
    for (const Preset& p : op->presets) EXPECT_TRUE(build(find_preset(p.name).or_throw()).ok()) << p.name;
  }
  EXPECT_HAS(find_preset("C2D.9").reason(), "unknown preset 'C2D.9'; near it: C2D.1");
  EXPECT_HAS(find_preset("").reason(), "unknown preset");
}

TEST(Catalog, Refusals) {
  EXPECT_HAS(refusal({"cnov2d", {}, "", ""}), "unknown operator 'cnov2d'; near it: conv2d");
  EXPECT_HAS(refusal({"zzz", {}, "", ""}), "known are matmul, ");
  EXPECT_HAS(refusal({"", {}, "", ""}), "unknown operator");
  EXPECT_HAS(refusal({"matmul", {{"q", 4}}, "", ""}), "matmul has no parameter 'q'; its parameters are m, n, k");
  EXPECT_HAS(refusal({"matmul", {{"m", 0}}, "", ""}), "parameter 'm' of matmul is 0; 1 to 2147483647 works");
  EXPECT_HAS(refusal({"matmul", {{"m", -3}}, "", ""}), "is -3");
  EXPECT_HAS(refusal({"matmul", {{"m", INT64_MAX}}, "", ""}), "is 9223372036854775807");
  EXPECT_HAS(refusal({"matmul", {{"m", INT32_MAX}, {"k", INT32_MAX}}, "", ""}), "matmul: 'A' is too large");
  EXPECT_HAS(refusal({"matmul", {}, "NHWC", ""}), "matmul has no layout to choose");
  EXPECT_HAS(refusal({"matmul", {}, "", "f99"}), "matmul has no dtype 'f99'; f32, f64, i8, i32 work");
  EXPECT_HAS(refusal({"softmax", {}, "", "i8"}), "softmax has no dtype 'i8'; f32, f64 work");
  EXPECT_HAS(refusal({"conv2d", {}, "NWHC", ""}), "conv2d has no layout 'NWHC'; NHWC and NCHW work");
  EXPECT_HAS(refusal({"conv2d", {{"groups", 3}}, "", ""}), "parameter 'groups' of conv2d is 3, which does not divide 'ci' (64); a divisor of ci and co works");
  EXPECT_HAS(refusal({"conv2d", {{"kh", 100}}, "", ""}), "parameter 'kh' of conv2d is 100, reach 100, which is more than the padded input has (58); at most 58 works");
  EXPECT_HAS(refusal({"conv2d", {{"kh", 30}, {"dilation", 2}}, "", ""}), "at most 29 works");
  EXPECT_TRUE(build({"conv2d", {{"kh", 29}, {"dilation", 2}}, "", ""}).ok());
  EXPECT_TRUE(build({"conv2d", {{"kh", 58}}, "", ""}).ok());
  EXPECT_HAS(refusal({"conv2d", {{"pad", -1}}, "", ""}), "parameter 'pad' of conv2d is -1; 0 to");
  EXPECT_HAS(refusal({"conv2d", {{"stride", 0}}, "", ""}), "parameter 'stride' of conv2d is 0");
  EXPECT_HAS(refusal({"max_pool2d", {{"pad", 3}}, "", ""}), "nothing but padding");
  EXPECT_HAS(describe_text("mat").reason(), "near it: matmul");
}

}  // namespace
}  // namespace tessera::ops
