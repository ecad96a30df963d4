// The assembler's log, as versions word it, and the verdict on it.
#include "codegen/cuda/report.h"

#include <gtest/gtest.h>

namespace tessera::codegen {
namespace {

constexpr const char* kLog =
    R"(ptxas warning : Local memory used for function 'm', size of stack frame: 48 bytes
ptxas warning : Registers are spilled to local memory in function 'm', 52 bytes spill stores, 60 bytes spill loads
ptxas info    : (C7512) Potential Performance Loss: wgmma.mma_async instructions are serialized due to insufficient register resources for the wgmma pipeline in function 'm'
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'm' for 'sm_90a'
ptxas info    : Function properties for m
ptxas         .     48 bytes stack frame, 52 bytes spill stores, 60 bytes spill loads
ptxas info    : Used 32 registers, used 1 barriers, 48 bytes cumulative stack size
ptxas info    : Compile time = 33.472 ms
ptxas info    : Function properties for helper
    512 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Compiling entry function 'k' for 'sm_90a'
ptxas info    : Function properties for k
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 30 registers, used 2 barriers, 1024 bytes smem, 400 bytes cmem[0]
k.cu(3): warning #177-D: variable "x" was declared but never referenced
)";

TEST(Report, FiguresOfEachKernel) {
  const CudaReport r = parse_report(kLog);
  ASSERT_EQ(r.entries.size(), 2U);
  EXPECT_EQ(r.entries[0], (EntryReport{"m", 32, 1, 48, 52, 60, 0}));
  EXPECT_EQ(r.entries[1], (EntryReport{"k", 30, 2, 0, 0, 0, 1024}));
  EXPECT_EQ(r.find("helper"), nullptr);
  ASSERT_EQ(r.coded.size(), 1U);
  EXPECT_EQ(r.coded[0].code, "C7512");
  ASSERT_EQ(r.warnings.size(), 1U);
  EXPECT_NE(r.warnings[0].find("#177-D"), std::string::npos);
}

TEST(Report, VerdictsHaveAReasonEach) {
  const auto verdict = [](const CudaReport& r, SketchKind kind) {
    const Status s = accept_report(r, kind);
    return s.ok() ? std::string() : s.reason();
  };
  using enum SketchKind;
  CudaReport r{.entries = {{.name = "k", .registers = 255}}};
  EXPECT_EQ(verdict(r, kTensorCore), "");
  r.entries[0].spill_store_bytes = r.entries[0].stack_bytes = 64;
  EXPECT_EQ(verdict(r, kSimt), "");
  EXPECT_NE(verdict(r, kTensorCore).find("'k' spills 64 bytes"), std::string::npos);
  r.entries[0].spill_load_bytes = 65;
  EXPECT_NE(verdict(r, kSimt).find("spills 65 bytes a thread with 255 registers"), std::string::npos);
  r.entries[0] = {.name = "k", .stack_bytes = 512};
  EXPECT_NE(verdict(r, kSimt).find("512 bytes a thread in local memory"), std::string::npos);
  for (const char* code : {"C7508", "C7510", "C7512", "C7514", "C7517", "C7519", "C7602"}) {
    EXPECT_NE(verdict(parse_report("ptxas info : (" + std::string(code) + ") bad\n"), kSimt).find(code),
              std::string::npos);
  }
  EXPECT_EQ(verdict(parse_report("ptxas info : (C7001) fine\n"), kTensorCore), "");
}

TEST(Report, GarbageIsPassedOver) {
  for (const char* log :
       {"", "\n\n", "Used registers", "Compiling entry function 'x", "bytes stack frame, bytes spill stores",
        "Compiling entry function 'x' for\nFunction properties for x\n99999999999999999999999 bytes stack "
        "frame"}) {
    (void)parse_report(log);
  }
}

}  // namespace
}  // namespace tessera::codegen
