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
  for (const char* op : {"matmul", "conv1d", "conv2d", "conv3d", "conv2d_transposed", "capsule_conv2d", "dense", "batch_matmul",
                         "depthwise_conv2d", "reduce_sum"}) {
    const auto dag = build({op, {}, "", "i8"}).or_throw();
    EXPECT_EQ(dag.outputs()[0]->dtype, ir::i32) << op;
    EXPECT_EQ(dag.inputs()[0]->outputs[0]->dtype, ir::i8) << op;
  }
}

TEST(Catalog, HalfPrecisionIsSummedInF32) {
  for (const char* dtype : {"f16", "bf16"}) {
    for (const char* op : {"matmul", "batch_matmul", "dense", "conv2d", "conv2d_bn_relu", "attention"}) {
      EXPECT_EQ(build({op, {}, "", dtype})->outputs()[0]->dtype, ir::f32) << op;
    }
    for (const char* op : {"add", "gelu", "softmax", "layer_norm", "batch_norm", "avg_pool2d"}) {
      const auto dag = build({op, {}, "", dtype}).or_throw();
      EXPECT_EQ(ir::to_string(dag.outputs()[0]->dtype), dtype) << op;
      EXPECT_EQ(ir::to_string(dag.inputs()[0]->outputs[0]->dtype), dtype) << op;
    }
  }
}

TEST(Catalog, UnsignedActivationsHaveSignedWeights) {
  for (const char* op : {"matmul", "batch_matmul", "dense", "conv2d"}) {
    const auto dag = build({op, {}, "", "u8"}).or_throw();
    EXPECT_EQ(dag.inputs()[0]->outputs[0]->dtype, ir::u8) << op;
    EXPECT_EQ(dag.inputs()[1]->outputs[0]->dtype, ir::i8) << op;
    EXPECT_EQ(dag.outputs()[0]->dtype, ir::i32) << op;
  }
}

TEST(Catalog, TransposedConvolutionMultipliesNoZeros) {
  // As many products as every input pixel has with every weight.
  for (const char* preset : {"T2D.1", "T2D.2", "T2D.3", "T2D.4"}) {
    const auto r = find_preset(preset).or_throw();
    const double pixels = static_cast<double>(r.shape.at("h") * r.shape.at("w") * r.shape.at("ci"));
    EXPECT_EQ(build(r)->multiply_adds(), pixels * 16 * static_cast<double>(r.shape.at("co"))) << preset;
  }
  const auto extents = [](Shape s) { return build({"conv2d_transposed", std::move(s), "", ""}).or_throw().outputs()[0].extents(); };
  EXPECT_EQ(extents({{"h", 5}, {"w", 4}, {"co", 7}, {"kh", 3}, {"kw", 2}, {"stride", 3}, {"pad", 1}, {"output_pad", 2}}),
            (std::vector<std::int64_t>{1, 15, 11, 7}));
  // A kernel that stride divides is read as it is.
  EXPECT_EQ(build({"conv2d_transposed", {}, "", ""})->find("Wpad"), nullptr);
  EXPECT_NE(build({"conv2d_transposed", {{"kh", 3}}, "", ""})->find("Wpad"), nullptr);
}

TEST(Catalog, AnAttentionWithoutMaskHasNone) {
  EXPECT_EQ(build({"attention", {}, "", ""})->to_string().find("select"), std::string::npos);
  EXPECT_NE(build({"attention", {{"causal", 1}}, "", ""})->to_string().find("select"), std::string::npos);
}

TEST(Catalog, PresetsChooseLayoutsAndDtypes) {
  EXPECT_EQ(find_preset("T2D.4")->layout, "NCHW");
  const auto r = find_preset("U8S8.1").or_throw();
  EXPECT_EQ(r.dtype, "u8");
  EXPECT_EQ(build(r)->outputs()[0]->dtype, ir::i32);
  EXPECT_HAS(describe_text("matmul").or_throw(), "U8S8.1    the defaults in u8");
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
  EXPECT_HAS(refusal({"matmul", {}, "", "f99"}), "matmul has no dtype 'f99'; f32, f64, f16, bf16, i8, u8, i32 work");
  EXPECT_HAS(refusal({"softmax", {}, "", "i8"}), "softmax has no dtype 'i8'; f32, f64, f16, bf16 work");
  EXPECT_HAS(refusal({"conv2d", {}, "NWHC", ""}), "conv2d has no layout 'NWHC'; NHWC and NCHW work");
  EXPECT_HAS(refusal({"conv2d", {{"groups", 3}}, "", ""}), "parameter 'groups' of conv2d is 3, which does not divide 'ci' (64); a divisor of ci and co works");
  EXPECT_HAS(refusal({"conv2d", {{"kh", 100}}, "", ""}), "parameter 'kh' of conv2d is 100, reach 100, which is more than the padded input has (58); at most 58 works");
  EXPECT_HAS(refusal({"conv2d", {{"kh", 30}, {"dilation", 2}}, "", ""}), "at most 29 works");
  EXPECT_TRUE(build({"conv2d", {{"kh", 29}, {"dilation", 2}}, "", ""}).ok());
  EXPECT_TRUE(build({"conv2d", {{"kh", 58}}, "", ""}).ok());
  EXPECT_HAS(refusal({"conv2d", {{"pad", -1}}, "", ""}), "parameter 'pad' of conv2d is -1; 0 to");
  EXPECT_HAS(refusal({"conv2d", {{"stride", 0}}, "", ""}), "parameter 'stride' of conv2d is 0");
  EXPECT_HAS(refusal({"max_pool2d", {{"pad", 3}}, "", ""}), "nothing but padding");
  EXPECT_HAS(refusal({"conv1d", {{"groups", 5}}, "", ""}), "parameter 'groups' of conv1d is 5, which does not divide 'ci' (64)");
  EXPECT_HAS(refusal({"conv1d", {}, "NHWC", ""}), "conv1d has no layout 'NHWC'; NWC and NCW work");
  EXPECT_HAS(refusal({"conv1d", {{"h", 4}}, "", ""}), "conv1d has no parameter 'h'");
  EXPECT_HAS(refusal({"conv3d", {{"kd", 19}}, "", ""}), "parameter 'kd' of conv3d is 19, reach 19, which is more than the padded input has (18); at most 18 works");
  EXPECT_HAS(refusal({"conv3d", {}, "NHWC", ""}), "NDHWC and NCDHW work");
  EXPECT_HAS(refusal({"depthwise_pointwise", {{"kw", 200}}, "", ""}), "parameter 'kw' of depthwise_pointwise is 200");
  EXPECT_HAS(refusal({"capsule_conv2d", {{"kh", 30}}, "", ""}), "parameter 'kh' of capsule_conv2d is 30");
  EXPECT_HAS(refusal({"capsule_conv2d", {}, "NHWC", ""}), "no layout to choose");
  EXPECT_HAS(refusal({"conv2d_transposed", {{"output_pad", 2}}, "", ""}), "parameter 'output_pad' of conv2d_transposed is 2; less than stride (2) works");
  EXPECT_HAS(refusal({"conv2d_transposed", {{"h", 1}, {"pad", 2}}, "", ""}),
             "parameter 'pad' of conv2d_transposed is 2, which leaves nothing of an output of 4 along 'h'; at most 1 works");
  EXPECT_TRUE(build({"conv2d_transposed", {{"h", 1}, {"pad", 1}}, "", ""}).ok());
  EXPECT_HAS(refusal({"add", {{"broadcast", 3}}, "", ""}), "parameter 'broadcast' of add is 3; 0 to 2 works");
  EXPECT_HAS(refusal({"attention", {{"causal", 2}}, "", ""}), "parameter 'causal' of attention is 2; 0 to 1 works");
  EXPECT_HAS(refusal({"div", {}, "", "i32"}), "div has no dtype 'i32'; f32, f64, f16, bf16 work");
  EXPECT_HAS(describe_text("mat").reason(), "near it: matmul");
}

}  // namespace
}  // namespace tessera::ops
