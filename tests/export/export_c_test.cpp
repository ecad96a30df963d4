// An outsider builds and runs what was exported, and gets the right numbers.
#include <cstring>

#include "ops/catalog.h"
#include "tests/export/export_fixture.h"

namespace tessera::exporter {
namespace {

using namespace testing;

TEST(ExportC, ObjectSharedLibraryAndCmakeGiveTheRightNumbers) {
  const TemporaryDirectory directory;
  const std::string out = directory.file("out");
  const auto files = export_c(matmul_image(), host_target(), {.name = "matmul", .directory = out, .description = matmul().to_string()});
  ASSERT_EQ(files.size(), 9u);
  for (const std::string& f : files) EXPECT_TRUE(fs::is_regular_file(f)) << f;
  EXPECT_EQ(build_and_run_example(out, "matmul"), expected_output(matmul()));
  const std::string by_cmake = shell(out, "cmake -S . -B ../build >../log 2>&1 && cmake --build ../build >>../log 2>&1 || cat ../log; ../build/matmul_example");
  EXPECT_EQ(by_cmake, expected_output(matmul()));
}

TEST(ExportC, ScansAndExternsOnPromisedOperands) {
  for (const char* op : {"cumsum", "csr_spmm"}) {
    const TemporaryDirectory directory;
    const std::string out = directory.file("out");
    const dsl::ComputeDag dag = ops::build({op, {{"n", 21}}, "", ""}).or_throw();
    ExportOptions options{.name = op, .directory = out, .description = dag.to_string()};
    for (const dsl::Stage* in : dag.inputs()) options.values[in->name] = in->values;
    export_c(compiled(schedule::State::initial(std::make_shared<const dsl::ComputeDag>(dag)).or_throw()), host_target(), options);
    EXPECT_EQ(build_and_run_example(out, op), expected_output(dag));
    const bool stated = shell(out, std::string("cat ") + op + ".h").find("values that never fall, from 0 to 16384 in the last") != std::string::npos;
    EXPECT_EQ(stated, op == std::string("csr_spmm"));
  }
}

TEST(ExportC, HeaderServesCppAndStatesTheContract) {
  const TemporaryDirectory directory;
  const std::string out = directory.file("out");
  export_c(matmul_image(), host_target(), {.name = "matmul", .directory = out});
  write_file(directory.file("main.cpp"), R"(#include "matmul.h"
#include "matmul.h"
#include <complex.h>
#include <cstdio>
#include <vector>
int main() {
  std::vector<float> a(24 * 17, 1.0f), b(17 * 40, 2.0f), c(24 * 40, -1.0f);
  if (matmul(a.data(), b.data(), c.data()) != TESSERA_EXPORT_OK) return 1;
  if (matmul(nullptr, b.data(), c.data()) != TESSERA_EXPORT_NULL_ARGUMENT) return 2;
  const char* inside = reinterpret_cast<const char*>(b.data()) + 1;
  if (matmul(a.data(), reinterpret_cast<const float*>(inside), c.data()) != TESSERA_EXPORT_MISALIGNED) return 3;
  void* args[] = {a.data(), b.data(), c.data()};
  if (matmul_entry(args, nullptr) != 0 || matmul_workspace_bytes() != 0 || matmul_supported() != 1) return 4;
  for (float x : c) if (x != 34.0f) return 5;
  std::puts(matmul_error(0));
})");
  EXPECT_EQ(shell(out, "g++ -std=c++17 -Wall -Wextra -Werror -I. ../main.cpp -L. -lmatmul -Wl,-rpath,'$ORIGIN' -o main && ./main"), "success\n");
  const std::string header = read_file(out + "/matmul.h");
  EXPECT_NE(header.find("A: input, f32 [24, 17] row-major, 1632 bytes, aligned to 4"), std::string::npos) << header;
  EXPECT_NE(header.find("int32_t matmul(const float* A, const float* B, float* C);"), std::string::npos);
  EXPECT_EQ(header.find("prepared"), std::string::npos);
}

/// B in panels of 8 columns, packed in the prepare phase.
runtime::KernelImage packed_matmul() {
  schedule::Schedule s(matmul(true));
  const std::vector<std::string> axes = s.state().find("B")->data_axes();
  s.pack("B", {"C"}, "B.packed", {{axes[1], 0}, {axes[0], 0}, {axes[1], 8}});
  s.split("C", "j", {"j0", "j1"}, {8}).reorder("C", {"i", "j0", "k", "j1"}).vectorize("C", "j1");
  return compiled(s.state());
}

TEST(ExportC, ConstantOperandsArePackedOnce) {
  const auto image = packed_matmul();
  ASSERT_TRUE(image.has_phase(runtime::Phase::kPrepare));
  const TemporaryDirectory directory;
  const std::string out = directory.file("out");
  export_c(image, host_target(), {.name = "dense", .directory = out});
  const std::string header = read_file(out + "/dense.h");
  EXPECT_NE(header.find("int32_t dense(const float* A, const void* prepared, float* C);"), std::string::npos) << header;
  EXPECT_NE(header.find("int32_t dense_prepare(const float* B, void* prepared);"), std::string::npos) << header;
  EXPECT_EQ(build_and_run_example(out, "dense"), expected_output(matmul(true)));
  write_file(directory.file("main.c"), R"(#include <stdlib.h>
#include "dense.h"
static float a[24 * 17], b[17 * 40], c[24 * 40];
int main(void) {
  int i, run;
  void* prepared = aligned_alloc(64, (size_t)dense_prepared_bytes());
  for (i = 0; i < 17 * 40; ++i) b[i] = (float)(i % 9);
  if (dense_prepare(b, prepared) != 0 || dense_prepare(b, (char*)prepared + 4) != TESSERA_EXPORT_MISALIGNED) return 1;
  for (i = 0; i < 17 * 40; ++i) b[i] = 1e30f; /* the run reads the packed block only */
  for (run = 0; run < 3; ++run) {
    for (i = 0; i < 24 * 17; ++i) a[i] = (float)run;
    if (dense(a, prepared, c) != 0) return 2;
    for (i = 0; i < 40; ++i) {
      float sum = 0;
      for (int k = 0; k < 17; ++k) sum += (float)((k * 40 + i) % 9);
      if (c[i] != sum * (float)run) return 3;
    }
  }
  if (dense(a, NULL, c) != TESSERA_EXPORT_NULL_ARGUMENT) return 4;
  free(prepared);
  return 0;
})");
  shell(out, "cc -std=c11 -Wall -Werror -I. ../main.c dense_launcher.c dense.o -lm -o main && ./main");
  shell(out, "cmake -S . -B ../build >/dev/null && cmake --build ../build >/dev/null && ../build/dense_example");
}

TEST(ExportC, AParallelKernelRunsWithAndWithoutAHost) {
  const TemporaryDirectory directory;
  const std::string out = directory.file("out");
  schedule::Schedule s(matmul());
  s.split("C", "i", {"i0", "i1"}, {4}).parallel("C", "i0");
  export_c(compiled(s.state()), host_target(), {.name = "matmul", .directory = out});
  EXPECT_EQ(build_and_run_example(out, "matmul"), expected_output(matmul()));
  write_file(directory.file("main.c"), R"(#include <stdio.h>
#include "matmul.h"
static int calls;
static int32_t backwards(void* context, int64_t begin, int64_t end, tessera_loop_body body, void* closure) {
  int64_t i;
  *(int*)context += 1;
  for (i = end; i-- > begin;) { int32_t r = body(i, i + 1, closure); if (r != 0) return r; calls++; }
  return 0;
}
static int32_t failing(void* context, int64_t begin, int64_t end, tessera_loop_body body, void* closure) {
  (void)context; (void)begin; (void)end; (void)body; (void)closure;
  return 77;
}
static float a[24 * 17], b[17 * 40], c[24 * 40], d[24 * 40];
int main(void) {
  int i, loops = 0;
  tessera_host host = {NULL, &loops, backwards};
  for (i = 0; i < 24 * 17; ++i) a[i] = (float)(i % 5);
  for (i = 0; i < 17 * 40; ++i) b[i] = (float)(i % 3);
  if (matmul_with_host(a, b, c, &host) != 0) return 1;
  if (matmul(a, b, d) != 0) return 2;
  for (i = 0; i < 24 * 40; ++i) if (c[i] != d[i]) return 3;
  host.parallel_for = failing;
  if (matmul_with_host(a, b, c, &host) != 77) return 4;
  printf("%d loops, %d pieces\n", loops, calls);
  return 0;
})");
  EXPECT_EQ(shell(out, "cc -std=c11 -Wall -Werror -I. ../main.c matmul_launcher.c matmul.o -lm -o main && ./main"), "1 loops, 6 pieces\n");
}

TEST(ExportC, WorkspaceIsAllocatedOrLent) {
  using namespace dsl;
  auto x = placeholder({50}, f32, "X");
  auto t = compute({50}, [&](Var i) { return x(i) * 3.0f; }, "T");
  auto k = reduce_axis(50, "k");
  auto y = compute({50}, [&](Var i) { return sum(t(k) + x(i), k); }, "Y");
  const ComputeDag dag = ComputeDag::from_outputs({y}, "two");
  const TemporaryDirectory directory;
  const std::string out = directory.file("out");
  const auto image = compiled(schedule::Schedule(dag).state());
  ASSERT_GT(image.workspace_bytes, 0);
  export_c(image, host_target(), {.name = "two", .directory = out});
  EXPECT_EQ(build_and_run_example(out, "two"), expected_output(dag));
  write_file(directory.file("main.c"), R"(#include "two.h"
static float x[50], y[50];
static _Alignas(64) char workspace[4096];
int main(void) {
  tessera_host host = {workspace, 0, 0};
  if (two_workspace_bytes() <= 0 || two_workspace_bytes() > 4096) return 1;
  if (two_with_host(x, y, 0) != TESSERA_EXPORT_NO_WORKSPACE) return 2;
  host.workspace = workspace + 8;
  if (two_with_host(x, y, &host) != TESSERA_EXPORT_NO_WORKSPACE) return 3;
  host.workspace = workspace;
  return two_with_host(x, y, &host);
})");
  shell(out, "cc -std=c11 -Wall -Werror -I. ../main.c two_launcher.c two.o -lm -o main && ./main");
}

TEST(ExportC, LaunchesGetTheirPartOfTheWorkspace) {
  // Two launches over a workspace of which 16 bytes are zero before every run.
  const TemporaryDirectory directory;
  write_file(directory.file("k.c"), R"(#include "kernel_abi.h"
int32_t count(void** args, const tessera_host* host) {
  int32_t* counters = (int32_t*)host->workspace;
  int i;
  for (i = 0; i < 10; ++i) counters[i % 4] += ((const int32_t*)args[0])[i];
  return 0;
}
int32_t spread(void** args, const tessera_host* host) {
  const int32_t* counters = (const int32_t*)((char*)host->workspace - 64);
  int i;
  for (i = 0; i < 4; ++i) ((int32_t*)args[1])[i] = counters[i];
  return 0;
})");
  shell(directory.file(""), "cc -c -O1 -fPIC -I'" TESSERA_SOURCE_DIR "/runtime' k.c -o k.o");
  const std::string object = read_file(directory.file("k.o"));
  runtime::KernelImage image;
  image.target = host_target().text();
  image.object.resize(object.size());
  std::memcpy(image.object.data(), object.data(), object.size());
  image.entries = {{"count"}, {"spread"}};
  image.launches.resize(2);
  image.launches[0].entry = "count";
  image.launches[0].arguments = {{runtime::LaunchArgumentKind::kTensor, 0}};
  image.launches[0].workspace_offset = 64;
  image.launches[1].entry = "spread";
  image.launches[1].arguments = {{runtime::LaunchArgumentKind::kTensor, 1}};
  image.launches[1].workspace_offset = 128;
  image.workspace_bytes = 192;
  image.zero_ranges = {{64, 16}};
  image.arguments = {{"X", ir::i32, {10}, 40, 4, runtime::ArgumentRole::kInput}, {"Y", ir::i32, {4}, 16, 4, runtime::ArgumentRole::kOutput}};
  const std::string out = directory.file("out");
  export_c(image, host_target(), {.name = "bins", .directory = out});
  write_file(directory.file("main.c"), R"(#include "bins.h"
static _Alignas(64) char workspace[192];
int main(void) {
  const int32_t x[10] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  int32_t y[4];
  int run;
  tessera_host host = {workspace, 0, 0};
  for (run = 0; run < 3; ++run) {
    if (bins_with_host(x, y, &host) != 0 || y[0] != 3 || y[1] != 3 || y[2] != 2 || y[3] != 2) return 1;
    if (bins(x, y) != 0 || y[0] != 3 || y[3] != 2) return 2;
  }
  return 0;
})");
  shell(out, "cc -std=c11 -Wall -Wextra -Werror -I. ../main.c bins_launcher.c bins.o -o main && ./main");
}

TEST(ExportC, EveryDtype) {
  using namespace dsl;
  const TemporaryDirectory directory;
  for (const ir::Type t : {f32, f64, i8, i16, i32, i64, u8, u16, u32, u64}) {
    auto x = placeholder({37}, t, "X");
    auto m = placeholder({37}, boolean, "M");
    auto y = compute({37}, [&](Var i) { return select(m(i), x(i) + x(i), x(i)); }, "Y");
    auto q = compute({37}, [&](Var i) { return x(i) == cast(t, ir::int_imm(1)); }, "Q");
    const ComputeDag dag = ComputeDag::from_outputs({y, q}, "types");
    const std::string name = "types_" + ir::to_string(t), out = directory.file(name);
    export_c(compiled(schedule::Schedule(dag).state()), host_target(), {.name = name, .directory = out});
    EXPECT_EQ(build_and_run_example(out, name), expected_output(dag)) << ir::to_string(t);
  }
  for (const ir::Type t : {f16, bf16}) {
    auto x = placeholder({37}, t, "X");
    auto y = compute({37}, [&](Var i) { return cast(f32, x(i)) * 3.0f; }, "Y");
    const ComputeDag dag = ComputeDag::from_outputs({y}, "halves");
    const std::string name = "halves_" + ir::to_string(t), out = directory.file(name);
    export_c(compiled(schedule::Schedule(dag).state()), host_target(), {.name = name, .directory = out});
    EXPECT_NE(read_file(out + "/" + name + ".h").find("const uint16_t* X"), std::string::npos);
    EXPECT_EQ(build_and_run_example(out, name), expected_output(dag)) << ir::to_string(t);
  }
}

TEST(ExportC, NamesThatCDoesNotLike) {
  using namespace dsl;
  auto x = placeholder({8}, f32, "float"), i = placeholder({8}, f32, "I"), p = placeholder({8}, f32, "prepared");
  auto h = placeholder({8}, f32, "host");
  auto y = compute({8}, [&](Var v) { return x(v) + i(v) * p(v) - h(v); }, "out.1");
  const ComputeDag dag = ComputeDag::from_outputs({y}, "names");
  const TemporaryDirectory directory;
  const std::string out = directory.file("out");
  export_c(compiled(schedule::Schedule(dag).state()), host_target(), {.name = "exp", .directory = out, .description = "a */ b /* c \\\n?" "?/\n"});
  std::string expected = expected_output(dag);
  expected.replace(0, 5, "out_1");
  EXPECT_EQ(build_and_run_example(out, "exp_kernel"), expected);
  EXPECT_EQ(c_identifier("2d conv+relu"), "k2d_conv_relu");
  EXPECT_EQ(c_identifier("__x"), "x");
  EXPECT_EQ(c_identifier(""), "kernel");
  EXPECT_EQ(c_identifier("class"), "class_kernel");
  EXPECT_EQ(c_identifier(std::string(100, 'a')).size(), 63u);
}

TEST(ExportC, TwoExportsFitIntoOneProgram) {
  const TemporaryDirectory directory;
  const auto image = matmul_image();
  for (const char* name : {"first", "second"}) export_c(image, host_target(), {.name = name, .directory = directory.file(name)});
  write_file(directory.file("main.c"), R"(#include "first/first.h"
#include "second/second.h"
static float a[24 * 17], b[17 * 40], c[24 * 40];
int main(void) { return first(a, b, c) + second(a, b, c); })");
  shell(directory.file(""), "cc -std=c11 -Wall -Werror main.c first/first_launcher.c first/first.o second/second_launcher.c second/second.o -lm -o main && ./main");
  // The library shows its functions and nothing of the object.
  const std::string symbols = shell(directory.file("first"), "nm -D --defined-only libfirst.so");
  EXPECT_EQ(symbols.find("first__"), std::string::npos) << symbols;
  EXPECT_NE(symbols.find("first_entry"), std::string::npos);
}

TEST(ExportC, AProcessorWithoutTheInstructionsIsRefusedNotKilled) {
  const auto target = codegen::resolve_cpu_target(ir::parse_target("cpu -mcpu=x86-64-v3 -mattr=+amx-tile,+amx-int8,+avx512fp16").or_throw());
  if (!target.ok() || codegen::runs_here(*target)) GTEST_SKIP() << "this processor has everything";
  const TemporaryDirectory directory;
  const std::string out = directory.file("out");
  export_c(matmul_image(*target), *target, {.name = "matmul", .directory = out});
  const std::string said = shell(out, std::string(kStrict) + "example.c matmul_launcher.c matmul.o -lm -o example && ./example", 1);
  EXPECT_EQ(said, "matmul: this processor lacks an instruction set that the kernel was compiled for\n");
  EXPECT_NE(read_file(out + "/manifest.json").find("\"amx-tile\""), std::string::npos);
}

}  // namespace
}  // namespace tessera::exporter
