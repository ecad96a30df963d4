// Targets by name, and code that stays inside them.
#include <gtest/gtest.h>

#include "codegen/llvm/compile.h"
#include "codegen/llvm/target.h"
#include "driver/compile.h"
#include "ops/catalog.h"

namespace tessera::codegen {
namespace {

ir::Target resolved(const std::string& text) { return resolve_cpu_target(ir::parse_target(text).or_throw()).or_throw(); }

#if defined(__x86_64__)

std::string assembly(const std::string& target, const ops::Request& request) {
  const ir::Target t = resolved(target);
  const dsl::ComputeDag dag = ops::build(request).or_throw();
  const auto program = driver::finished_program(dag, driver::default_plan(dag, t), t).or_throw();
  return code_text(program, t, CodeText::kAssembly).or_throw();
}

const ops::Request kMatmul{"matmul", {{"m", 33}, {"n", 70}, {"k", 19}}, "", ""};

TEST(Target, VectorWidthFollowsTheCpu) {
  EXPECT_EQ(resolved("cpu -mcpu=x86-64").vector_bytes, 16);
  EXPECT_EQ(resolved("cpu -mcpu=x86-64-v3").vector_bytes, 32);
  EXPECT_EQ(resolved("cpu -mcpu=x86-64-v4").vector_bytes, 64);
  EXPECT_EQ(resolved("cpu -mcpu=x86-64-v4").vector_registers, 32);
}

TEST(Target, NarrowTargetsNeverEmitWideRegisters) {
  for (const char* op : {"matmul", "conv2d", "softmax", "max_pool2d"}) {
    const auto found = ops::find_operator(op);
    if (!found.ok()) continue;
    const std::string v3 = assembly("cpu -mcpu=x86-64-v3", {op, {}, "", ""});
    EXPECT_EQ(v3.find("zmm"), std::string::npos) << op;
    EXPECT_EQ(v3.find("%k1"), std::string::npos) << op;
    const std::string v2 = assembly("cpu -mcpu=x86-64-v2", {op, {}, "", ""});
    EXPECT_EQ(v2.find("ymm"), std::string::npos) << op;
    EXPECT_EQ(v2.find("vfmadd"), std::string::npos) << op;
  }
}

TEST(Target, WideTargetsUseTheirRegisters) {
  EXPECT_NE(assembly("cpu -mcpu=x86-64-v3", kMatmul).find("ymm"), std::string::npos);
  EXPECT_NE(assembly("cpu -mcpu=x86-64-v4", kMatmul).find("zmm"), std::string::npos);
}

TEST(Target, FeaturesCanBeTakenAway) {
  const ir::Target t = resolved("cpu -mcpu=x86-64-v4 -mattr=-avx512f");
  EXPECT_EQ(t.vector_bytes, 32);
  EXPECT_EQ(assembly("cpu -mcpu=x86-64-v4 -mattr=-avx512f", kMatmul).find("zmm"), std::string::npos);
}

#endif

TEST(Target, HostIsExplicitAndRebuildsFromItsText) {
  const ir::Target host = resolved("cpu");
  EXPECT_FALSE(host.triple.empty());
  EXPECT_FALSE(host.cpu.empty());
  EXPECT_TRUE(runs_here(host));
  EXPECT_EQ(resolved(host.text()), host);
}

TEST(Target, UnknownNamesAreRefused) {
  const auto cpu = resolve_cpu_target(ir::parse_target("cpu -mcpu=pentium9").or_throw());
  ASSERT_FALSE(cpu.ok());
  EXPECT_NE(cpu.reason().find("pentium9"), std::string::npos);
  EXPECT_FALSE(ir::parse_target("cpu -speed=fast").ok());
  EXPECT_FALSE(ir::parse_target("abacus").ok());
  const auto feature = resolve_cpu_target(ir::parse_target("cpu -mattr=+avx9000").or_throw());
  ASSERT_FALSE(feature.ok());
  EXPECT_NE(feature.reason().find("avx9000"), std::string::npos);
}

TEST(Target, CudaSaysWhatMayBeRounded) {
  const ir::Target plain = ir::parse_target("cuda -arch=sm_80").or_throw(), allows = ir::parse_target("cuda -arch=sm_80 -allow=tf32").or_throw();
  EXPECT_FALSE(plain.allow_tf32);
  EXPECT_TRUE(allows.allow_tf32);
  EXPECT_EQ(allows.text(), "cuda -arch=sm_80 -allow=tf32");
  EXPECT_EQ(ir::parse_target("cuda -allow=tf32").or_throw().text(), "cuda -allow=tf32");
  for (const char* wrong : {"cuda -allow=bf16", "cuda -allow=", "cpu -allow=tf32"}) EXPECT_FALSE(ir::parse_target(wrong).ok()) << wrong;
  EXPECT_NE(ir::parse_target("cuda -allow=bf16").reason().find("'tf32'"), std::string::npos);
}

}  // namespace
}  // namespace tessera::codegen
