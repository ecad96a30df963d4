// CUDA text to cubin: what the compiler reports, what of it is rejected, and which instructions came out.
#include "codegen/cuda/compile.h"

#include "codegen/cuda/opcodes.h"
#include "ir/cuda_arch.h"
#include "tests/cuda/nvrtc_fixture.h"

namespace tessera::codegen {
namespace {

using Compile = NvrtcTest;
using Opcodes = NvrtcTest;

TEST_F(Compile, EveryArchitectureGivesItsCubin) {
  for (const ir::CudaArch& arch : ir::cuda_archs()) {
    if (!check_architecture(*nvrtc(), arch.name).ok()) continue;
    const Cubin out = compiled(kAxpy, arch.name);
    const EntryReport* entry = out.report.find("axpy");
    ASSERT_NE(entry, nullptr) << out.log;
    EXPECT_GT(entry->registers, 4);
    EXPECT_LE(entry->registers, 32);
    EXPECT_EQ(entry->spill_bytes() + entry->stack_bytes + entry->shared_bytes + entry->barriers, 0)
        << out.log;
    EXPECT_TRUE(out.report.coded.empty());
    EXPECT_TRUE(out.report.warnings.empty());
    EXPECT_TRUE(accept_report(out.report, SketchKind::kTensorCore).ok());
    EXPECT_TRUE(out.ptx.empty());
  }
}

TEST_F(Compile, PtxOnRequest) {
  EXPECT_NE(compiled(kAxpy, "sm_80", {.keep_ptx = true}).ptx.find(".target sm_80"), std::string::npos);
}

TEST_F(Compile, ErrorsNameTheKernelAndThePlace) {
  const auto bad = compile_cuda(
      *nvrtc(), "extern \"C\" __global__ void k(float* o) {\n  o[0] = undeclared;\n}", "bad", "sm_80");
  ASSERT_FALSE(bad.ok());
  for (const char* word : {"'bad'", "bad.cu(2)", "undeclared"})
    EXPECT_NE(bad.reason().find(word), std::string::npos) << bad.reason();
  const auto arch = compile_cuda(*nvrtc(), kAxpy, "axpy", "sm_90");
  ASSERT_FALSE(arch.ok());
  EXPECT_NE(arch.reason().find("sm_80, sm_86, sm_89, sm_90a, sm_100a"), std::string::npos) << arch.reason();
}

TEST_F(Compile, SharedMemoryAndBarriersAreReported) {
  const Cubin out =
      compiled(R"(extern "C" __global__ void __launch_bounds__(256) k(float* o, const float* i) {
    __shared__ float s[256];
    s[threadIdx.x] = i[threadIdx.x];
    __syncthreads();
    o[threadIdx.x] = s[255 - threadIdx.x];
  })",
               "sm_80");
  const EntryReport* entry = out.report.find("k");
  ASSERT_NE(entry, nullptr) << out.log;
  EXPECT_EQ(entry->shared_bytes, 1024);
  EXPECT_EQ(entry->barriers, 1);
}

TEST_F(Compile, SpillsAreRejected) {
  const Cubin out = compiled(kSpilling);
  const EntryReport* entry = out.report.find("spilling");
  ASSERT_NE(entry, nullptr) << out.log;
  EXPECT_GT(entry->spill_bytes(), kMostSpillBytesSimt) << out.log;
  for (const SketchKind kind : {SketchKind::kSimt, SketchKind::kTensorCore}) {
    const Status verdict = accept_report(out.report, kind);
    ASSERT_FALSE(verdict.ok());
    EXPECT_NE(verdict.reason().find("spills"), std::string::npos) << verdict.reason();
  }
}

TEST_F(Compile, LocalMemoryIsRejected) {
  const Cubin out = compiled(kIndexed, "sm_80");
  ASSERT_NE(out.report.find("indexed"), nullptr) << out.log;
  EXPECT_GE(out.report.find("indexed")->stack_bytes, 256) << out.log;
  const Status verdict = accept_report(out.report, SketchKind::kSimt);
  ASSERT_FALSE(verdict.ok());
  EXPECT_NE(verdict.reason().find("local memory"), std::string::npos) << verdict.reason();
}

TEST_F(Compile, WarpgroupProductsWithoutWaitAreRejected) {
  // Accumulators are read while the product runs: C7514 or C7517, as the version has it.
  const Cubin out = compiled(
      R"(extern "C" __global__ void __launch_bounds__(128) k(float* o, unsigned long long a, unsigned long long b) {
    float d[4] = {1, 2, 3, 4};
    for (int k = 0; k < 4; ++k) {
      asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
      asm volatile("{.reg .pred p; setp.ne.b32 p, 1, 0; wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%0,%1,%2,%3}, %4, %5, p, 1, 1, 0, 0;}"
                   : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "l"(a + k), "l"(b + k));
      asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
      for (int j = 0; j < 4; ++j) d[j] *= 1.5f;
    }
    asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
    for (int j = 0; j < 4; ++j) o[threadIdx.x * 4 + j] = d[j];
  })");
  ASSERT_FALSE(out.report.coded.empty()) << out.log;
  EXPECT_EQ(out.report.coded[0].code.substr(0, 3), "C75") << out.report.coded[0].text;
  EXPECT_FALSE(accept_report(out.report, SketchKind::kTensorCore).ok());
}

TEST_F(Opcodes, SimtKernels) {
  const auto axpy = count_opcodes(compiled(kAxpy, "sm_80").bytes).or_throw().at("axpy");
  EXPECT_EQ(axpy.count("LDG"), 2);
  EXPECT_EQ(axpy.count("STG"), 1);
  EXPECT_EQ(axpy.count("FFMA"), 1);
  EXPECT_EQ(axpy.count("HMMA"), 0);
  const auto spilling = count_opcodes(compiled(kSpilling).bytes).or_throw().at("spilling");
  EXPECT_GT(spilling.count("LDL"), 0);
  EXPECT_GT(spilling.count("STL"), 0);
}

TEST_F(Opcodes, TensorCoresAndAsynchronousCopies) {
  const char* text = R"(extern "C" __global__ void k(float* o, const float* i, unsigned p) {
    __shared__ __align__(128) unsigned char s[4096];
    const unsigned at = (unsigned)__cvta_generic_to_shared(s) + threadIdx.x * 16;
    unsigned r[6];
    float d[4] = {0, 0, 0, 0};
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(at), "l"(i + threadIdx.x * 4) : "memory");
    asm volatile("cp.async.wait_all;" ::: "memory");
    __syncthreads();
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(at));
    r[4] = p; r[5] = p + 1;
    for (int n = 0; n < 3; ++n)
      asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
                   : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(r[0]), "r"(r[1]), "r"(r[2]), "r"(r[3]), "r"(r[4]), "r"(r[5]));
    o[threadIdx.x] = d[0] + d[1] + d[2] + d[3] + __shfl_xor_sync(~0u, d[0], 1);
  })";
  for (const char* arch : {"sm_80", "sm_90a"}) {
    const auto k = count_opcodes(compiled(text, arch).bytes).or_throw().at("k");
    EXPECT_EQ(k.count("HMMA"), 3) << arch;
    EXPECT_EQ(k.count("LDSM"), 1) << arch;
    EXPECT_EQ(k.count("LDGSTS"), 1) << arch;
    EXPECT_EQ(k.count("SHFL"), 1) << arch;
    EXPECT_GE(k.count("BAR"), 1) << arch;
    EXPECT_EQ(k.count("FADD"), 4) << arch;
  }
}

TEST_F(Opcodes, DamagedCubinsAreRefused) {
  const std::vector<std::byte> whole = compiled(kAxpy, "sm_80").bytes;
  EXPECT_FALSE(count_opcodes({}).ok());
  for (std::size_t n = 0; n < whole.size(); n += 61) {
    const auto counts = count_opcodes(std::span(whole).first(n));
    EXPECT_FALSE(counts.ok() && counts->contains("axpy") && n < 64) << n;
  }
  for (std::size_t n = 0; n < 64; ++n) {
    std::vector<std::byte> damaged = whole;
    damaged[n] ^= std::byte{0xff};
    (void)count_opcodes(damaged);  // reads nothing outside: the sanitizers' business
  }
}

}  // namespace
}  // namespace tessera::codegen
