// An outsider builds what was exported for CUDA with a C compiler, and runs it on a fake driver that writes down
// what is asked of it; another one runs the text as NAME.launch.json says, in the emulator.
#include <sstream>

#include "codegen/cuda/print.h"
#include "dsl/inputs.h"
#include "runtime/emulator/emulator.h"
#include "tests/export/cuda_fixture.h"

namespace tessera::exporter {
namespace {

using namespace testing;
namespace emulator = runtime::emulator;
using Kind = runtime::LaunchArgumentKind;

constexpr const char* kC99 = "gcc -std=c99 -O1 -Wall -Wextra -Wconversion -Wshadow -pedantic -Werror ";
constexpr const char* kCpp = "g++ -x c++ -O1 -Wall -Wextra -Werror ";

class ExportCuda : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!codegen::nvrtc().ok()) GTEST_SKIP() << codegen::nvrtc().reason();
    fs::create_directory(directory_.file("driver"));
    fs::create_symlink(TESSERA_BINARY_DIR "/tests/libfake_cuda_driver.so", directory_.file("driver/libcuda.so.1"));
  }
  std::string out() const { return directory_.file("out"); }
  void do_export(const CudaCase& c, const std::string& name) const {
    export_cuda(c.built, cuda_target(), {.name = name, .directory = out(), .description = c.dag.to_string(), .tool = "tessera 0.1.0"}, std::nullopt);
  }
  Json launch_json(const std::string& name) const { return parse_json(read_file(out() + "/" + name + ".launch.json")).or_throw(); }

  /// Runs a program on the fake driver, which knows the kernels of `c` and writes to ../record.
  std::string on_fake_driver(const CudaCase& c, const std::string& program, const std::string& more = "") const {
    std::map<std::string, std::size_t> parameters;  // that every launch of a kernel has
    for (const runtime::Launch& l : c.built.image.launches) {
      const auto [at, fresh] = parameters.emplace(l.entry, l.arguments.size());
      if (!fresh) at->second = std::min(at->second, l.arguments.size());
    }
    std::string kernels;
    for (const auto& [kernel, count] : parameters) kernels += kernel + ":" + std::to_string(count) + " ";
    fs::remove(directory_.file("record"));
    return shell(out(), "env LD_LIBRARY_PATH=../driver FAKE_CUDA_KERNELS='" + kernels + "' FAKE_CUDA_RECORD=../record " + more + " " + program);
  }
  /// Lines of ../record whose first word is `call`, without it.
  std::vector<std::string> recorded(const std::string& call) const {
    std::istringstream in(read_file(directory_.file("record")));
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) {
      line.erase(line.find_last_not_of(' ') + 1);
      if (line.rfind(call, 0) == 0) lines.push_back(line.size() > call.size() ? line.substr(call.size() + 1) : "");
    }
    return lines;
  }

  void builds_and_launches(const CudaCase& c, const std::string& name) const;
  void runs_as_described(const CudaCase& c, const std::string& name) const;

  const TemporaryDirectory directory_;
};

std::string hexadecimal(std::uint64_t address) {
  std::ostringstream out;
  out << "0x" << std::hex << address;
  return out.str();
}

/// Where example.c put what it allocated: operands in order, then the workspace.
std::vector<std::uint64_t> allocations(const std::vector<std::string>& lines) {
  std::vector<std::uint64_t> at;
  for (const std::string& line : lines) at.push_back(std::stoull(line.substr(0, line.find(' ')), nullptr, 16));
  return at;
}

/// The line that the fake driver must write for a launch.
std::string expected_launch(const runtime::Launch& l, const std::vector<std::uint64_t>& addresses) {
  std::ostringstream out;
  out << l.entry;
  for (const runtime::Extent3& e : {l.grid, l.block, l.cluster}) out << ' ' << e.x << ' ' << e.y << ' ' << e.z;
  out << ' ' << l.shared_bytes << " 0";
  for (const runtime::LaunchArgument& a : l.arguments) {
    const bool tensor = a.kind == Kind::kTensor;
    const auto base = tensor ? addresses.at(static_cast<std::size_t>(a.value)) : addresses.back();
    out << ' ' << hexadecimal(base + static_cast<std::uint64_t>(tensor ? 0 : l.workspace_offset + a.value));
  }
  return out.str();
}

void ExportCuda::builds_and_launches(const CudaCase& c, const std::string& name) const {
  do_export(c, name);
  shell(out(), kC99 + ("example.c " + name + "_launcher.c -ldl -o example"));
  shell(out(), kCpp + ("-c " + name + "_launcher.c -o ../launcher_cpp.o"));
  on_fake_driver(c, "./example");
  const std::vector<std::uint64_t> addresses = allocations(recorded("alloc"));
  ASSERT_EQ(addresses.size(), c.built.image.arguments.size() + 1);
  std::vector<std::string> expected;
  for (const runtime::Launch& l : c.built.image.launches) expected.push_back(expected_launch(l, addresses));
  EXPECT_EQ(recorded("launch"), expected);
  EXPECT_EQ(recorded("load").size(), 1u);
  EXPECT_EQ(recorded("unload").size(), 1u);
}

TEST_F(ExportCuda, OneKernel) {
  ASSERT_EQ(one_kernel().built.image.launches.size(), 1u);
  builds_and_launches(one_kernel(), "matmul");
  EXPECT_TRUE(recorded("attribute").empty());
  const std::string by_cmake = "cmake -S . -B ../build >/dev/null && cmake --build ../build >/dev/null";
  shell(out(), by_cmake);
  on_fake_driver(one_kernel(), "../build/matmul_example");
  EXPECT_EQ(recorded("launch").size(), 1u);
}

TEST_F(ExportCuda, SeveralKernelsWithAWorkspace) {
  const runtime::KernelImage& image = several_kernels().built.image;
  ASSERT_GT(image.launches.size(), 1u);
  ASSERT_GT(image.workspace_bytes, 0);
  builds_and_launches(several_kernels(), "softmax");
}

/// The counter of its blocks is a part of the image: nothing is passed for it or cleared, but calls must not overlap.
TEST_F(ExportCuda, OneKernelThatItsLastBlockFinishes) {
  const runtime::KernelImage& image = last_block().built.image;
  ASSERT_EQ(image.launches.size(), 1u);
  EXPECT_EQ(image.launches[0].arguments.size(), 3u);  // rows, sums and the parts in the workspace
  EXPECT_TRUE(image.zero_ranges.empty());
  builds_and_launches(last_block(), "row_sums");
  EXPECT_NE(read_file(out() + "/row_sums.h").find("must not overlap"), std::string::npos);
  EXPECT_NE(launch_json("row_sums")["preconditions"].dump().find("one stream"), std::string::npos);
}

TEST_F(ExportCuda, MuchSharedMemoryIsAskedFor) {
  const runtime::Launch& l = much_shared().built.image.launches.front();
  builds_and_launches(much_shared(), "matmul");
  EXPECT_EQ(recorded("attribute"), std::vector<std::string>{l.entry + " 8 " + std::to_string(l.shared_bytes)});
}

/// Constants are packed by a function of their own, and ranges of the workspace are cleared before every run.
TEST_F(ExportCuda, PreparesAndClears) {
  CudaCase c = one_kernel();
  runtime::KernelImage& image = c.built.image;
  image.arguments[1].role = runtime::ArgumentRole::kConstant;
  runtime::ArgumentContract packed = image.arguments[1];
  packed.name = "B_packed";
  packed.role = runtime::ArgumentRole::kPrepared;
  image.arguments.push_back(packed);
  runtime::Launch run = image.launches[0];
  image.launches[0].phase = runtime::Phase::kPrepare;
  image.launches[0].arguments = {{Kind::kTensor, 1}, {Kind::kTensor, 3}};
  run.arguments = {{Kind::kTensor, 0}, {Kind::kTensor, 3}, {Kind::kTensor, 2}, {Kind::kWorkspace, 256}, {Kind::kScalar, 7}};
  run.cluster = {2, 1, 1};
  image.launches.push_back(run);
  image.workspace_bytes = 1024;
  image.zero_ranges = {{512, 64}};
  do_export(c, "dense");
  shell(out(), kC99 + std::string("example.c dense_launcher.c -ldl -o example"));
  shell(out(), kCpp + std::string("-c dense_launcher.c -o ../launcher_cpp.o"));
  // Of both launches the fake driver reads two parameters, as many as the first has.
  on_fake_driver(c, "./example");
  const std::vector<std::uint64_t> at = allocations(recorded("alloc"));  // A, B, C, workspace, prepared
  ASSERT_EQ(at.size(), 5u);
  const std::vector<std::string> launches = recorded("launch");
  ASSERT_EQ(launches.size(), 2u);
  EXPECT_TRUE(launches[0].ends_with(" 1 1 1 0 0 " + hexadecimal(at[1]) + " " + hexadecimal(at[4]))) << launches[0];
  const std::string run_begins = " 2 1 1 0 0 " + hexadecimal(at[0]) + " " + hexadecimal(at[4]);
  EXPECT_NE(launches[1].find(run_begins), std::string::npos) << launches[1];
  EXPECT_EQ(recorded("fill"), std::vector<std::string>{hexadecimal(at[3] + 512) + " 0 64 0"});
  const Json j = launch_json("dense");
  EXPECT_EQ(j["prepared"]["bytes"], 2752);  // 17 x 40 floats, up to a multiple of 64
  EXPECT_EQ(j["params"][3]["role"], "prepared");
  EXPECT_EQ(j["launches"][1]["arguments"],
            parse_json(R"([{"param":"A"},{"param":"B_packed"},{"param":"C"},{"workspace":256},{"scalar":7}])").or_throw());
  EXPECT_EQ(j["workspace"]["zero"], parse_json(R"([{"offset":512,"bytes":64}])").or_throw());
}

TEST_F(ExportCuda, FilesAreWhatTheManifestAndTheLaunchesSay) {
  do_export(several_kernels(), "softmax");
  const runtime::KernelImage& image = several_kernels().built.image;
  const Json j = launch_json("softmax");
  EXPECT_EQ(j["schema"], "tessera-launch/1");
  EXPECT_EQ(j["tuned_on"], nullptr);
  std::vector<Json> files{j["source"]};
  files.insert(files.end(), j["images"].begin(), j["images"].end());
  for (const Json& file : files) {
    const std::string name = file["file"];
    EXPECT_EQ(shell(out(), "sha256sum " + name), file["sha256"].get<std::string>() + "  " + name + "\n");
  }
  const Json manifest = parse_json(read_file(out() + "/manifest.json")).or_throw();
  for (const auto& [name, hash] : manifest["sha256"].items()) {
    EXPECT_EQ(shell(out(), "sha256sum " + name), hash.get<std::string>() + "  " + name + "\n");
  }
  const std::string cubin = read_file(out() + "/softmax.sm_90a.cubin");
  EXPECT_EQ(cubin, std::string(reinterpret_cast<const char*>(image.object.data()), image.object.size()));
  EXPECT_NE(read_file(out() + "/softmax.ptx").find(".version " + j["images"][1]["isa"].get<std::string>()), std::string::npos);
  ASSERT_EQ(j["launches"].size(), image.launches.size());
  ASSERT_EQ(j["kernels"].size(), image.entries.size());
  for (const Json& k : j["kernels"]) EXPECT_GT(k["registers"], 0) << k;
  for (std::size_t i = 0; i < image.arguments.size(); ++i) {
    EXPECT_EQ(j["params"][i]["shape"], Json(image.arguments[i].shape));
    EXPECT_EQ(j["params"][i]["alignment"], image.arguments[i].alignment);
  }
}

/// Runs the kernels' text in the order, on the grids and with the arguments that NAME.launch.json states, and
/// holds the outputs against the definition.
void ExportCuda::runs_as_described(const CudaCase& c, const std::string& name) const {
  do_export(c, name);
  const Json j = launch_json(name);
  std::string text;
  for (const codegen::CudaKernel& k : codegen::print_cuda(c.finished).or_throw()) text += (text.empty() ? "" : "\n") + k.text;
  ASSERT_TRUE(read_file(out() + "/" + name + ".cu").ends_with(text));
  const auto inputs = dsl::make_inputs(c.dag, 3, dsl::InputKind::kRandom);
  std::map<std::string, std::vector<std::byte>> memory;  // by parameter, and "@OFFSET" of the workspace
  for (const Json& p : j["params"]) {
    auto& bytes = memory[p["name"]];
    bytes.resize(p["bytes"].get<std::size_t>());
    if (p["role"] == "input") std::memcpy(bytes.data(), inputs.at(p["name"]).bytes.data(), bytes.size());
  }
  // A part of the workspace ends where the next begins.
  std::set<std::int64_t> offsets{j["workspace"]["bytes"].get<std::int64_t>()};
  for (const Json& l : j["launches"]) {
    for (const Json& a : l["arguments"]) {
      if (a.contains("workspace")) offsets.insert(a["workspace"].get<std::int64_t>());
    }
  }
  const auto part = [](std::int64_t offset) { return "@" + std::to_string(offset); };
  const auto key = [&](const Json& a) { return a.contains("param") ? a["param"].get<std::string>() : part(a["workspace"]); };
  for (auto at = offsets.begin(); std::next(at) != offsets.end(); ++at) {
    memory[part(*at)].resize(static_cast<std::size_t>(*std::next(at) - *at));
  }
  for (const Json& l : j["launches"]) {
    const auto extent = [&](const char* of) { return emulator::Extent3{l[of][0], l[of][1], l[of][2]}; };
    emulator::EmulationRequest request;
    request.text = text;
    request.entry = l["kernel"];
    request.grid = extent("grid");
    request.block = extent("block");
    request.shared_bytes = l["dynamic_shared_bytes"];
    for (const Json& a : l["arguments"]) request.arguments.push_back({emulator::ArgumentUse::kReadWrite, memory.at(key(a)), {}});
    const auto report = emulator::emulate(request);
    ASSERT_TRUE(report.ok()) << report.reason();
    ASSERT_TRUE(report->findings.empty()) << emulator::to_string(report->findings[0]);
    for (std::size_t i = 0; i < l["arguments"].size(); ++i) memory[key(l["arguments"][i])] = report->outputs[i];
  }
  dsl::Evaluator reference(c.dag, inputs, dsl::EvaluateMode::kBounded);
  for (const ir::Buffer& b : c.dag.outputs()) {
    ir::Tensor y(b->dtype, b.extents());
    std::memcpy(y.bytes.data(), memory.at(b->name).data(), y.bytes.size());
    const auto verdict = reference.compare(b->name, y);
    ASSERT_TRUE(verdict.ok()) << verdict.reason();
    EXPECT_TRUE(verdict->ok()) << verdict->first;
  }
}

TEST_F(ExportCuda, LaunchJsonIsEnoughToRunOneKernel) { runs_as_described(one_kernel(), "matmul"); }
TEST_F(ExportCuda, LaunchJsonIsEnoughToRunSeveral) { runs_as_described(several_kernels(), "softmax"); }
TEST_F(ExportCuda, LaunchJsonIsEnoughToRunOneThatItsLastBlockFinishes) { runs_as_described(last_block(), "row_sums"); }

TEST_F(ExportCuda, NvccCompilesTheText) {
  const std::string nvcc = shell(directory_.file(""), "PATH=$PATH:/usr/local/cuda/bin command -v nvcc || true");
  if (nvcc.empty()) GTEST_SKIP() << "no nvcc on PATH or in /usr/local/cuda/bin";
  do_export(several_kernels(), "softmax");
  shell(out(), "PATH=$PATH:/usr/local/cuda/bin nvcc -arch=sm_90a -cubin softmax.cu -o ../softmax.cubin");
}

/// Whatever a kernel is called, all that is written of it compiles.
TEST_F(ExportCuda, NamesThatTheGeneratedFilesUse) {
  for (const char* name : {"kernels", "workspace", "i", "host", "init", "launch_config", "size_t", "CHECK", "all", "sum"}) {
    SCOPED_TRACE(name);
    EXPECT_EQ(kernel_identifier(name), std::string(name) + "_kernel");
    do_export(one_kernel(), name);
    builds_and_launches(one_kernel(), std::string(name) + "_kernel");
  }
  shell(out(), "cmake -S . -B ../build >/dev/null");
  do_export(one_kernel(), "all");
  shell(out(), "cmake -S . -B ../build_all >/dev/null");
}

TEST_F(ExportCuda, OperandsThatTheGeneratedFilesName) {
  using namespace dsl;
  auto a = placeholder({8}, ir::f32, "X"), b = placeholder({8}, ir::f32, "X_on_device"), c = placeholder({8}, ir::f32, "sum"), d = placeholder({8}, ir::f32, "kernels");
  auto y = compute({8}, [&](Var v) { return a(v) * b(v) + c(v) - d(v); }, "names");
  const ComputeDag dag = ComputeDag::from_outputs({y}, "names");
  builds_and_launches(cuda_case(dag, driver::default_plan(dag, cuda_target())), "names");
}

TEST_F(ExportCuda, MistakesAreCodesWithTexts) {
  do_export(several_kernels(), "softmax");
  const std::string workspace = std::to_string(several_kernels().built.image.workspace_bytes);
  write_file(directory_.file("main.c"), R"(#include <stdio.h>
#include <stdlib.h>
#include "softmax.h"
static softmax_kernels kernels, unloaded;
int main(void) {
  char* memory = (char*)(((uintptr_t)malloc(1 << 20) + 255) & ~(uintptr_t)255);
  float *x = (float*)memory, *y = x + 4096;
  char* w = memory + (1 << 16);
  int32_t loaded = softmax_load(&kernels);
  printf("load: %s\n", softmax_error(&kernels, loaded));
  if (loaded != 0) return softmax_unload(&kernels) != 0;
  if (softmax_workspace_bytes() != )" + workspace + R"() return 1;
  printf("null: %s\n", softmax_error(NULL, softmax(&kernels, NULL, y, w, NULL)));
  printf("misaligned: %s\n", softmax_error(NULL, softmax(&kernels, x + 1, y, w, NULL)));
  printf("workspace: %s\n", softmax_error(NULL, softmax(&kernels, x, y, NULL, NULL)));
  printf("workspace: %s\n", softmax_error(NULL, softmax(&kernels, x, y, w + 16, NULL)));
  printf("unloaded: %s\n", softmax_error(NULL, softmax(&unloaded, x, y, w, NULL)));
  printf("run: %s\n", softmax_error(&kernels, softmax(&kernels, x, y, w, NULL)));
  return softmax_unload(&kernels) != 0 || softmax_unload(&kernels) != 0;
}
)");
  shell(out(), "gcc -std=c99 -Wall -Werror -I. ../main.c softmax_launcher.c -ldl -o ../main");
  const std::string workspace_mistake = "workspace: the workspace is null or not aligned to 256 bytes\n";
  const std::string mistakes = "load: success\nnull: an argument is null\n"
                               "misaligned: an argument has less alignment than the header asks for\n" + workspace_mistake + workspace_mistake +
                               "unloaded: the kernels are not loaded\n";
  EXPECT_EQ(on_fake_driver(several_kernels(), "../main"), mistakes + "run: success\n");
  EXPECT_EQ(recorded("launch").size(), several_kernels().built.image.launches.size());
  // What the driver refuses ends a run where it stands.
  EXPECT_EQ(on_fake_driver(several_kernels(), "../main", "FAKE_CUDA_FAIL='cuLaunchKernelEx 1 1'"), mistakes + "run: made on demand\n");
  EXPECT_TRUE(recorded("launch").empty());
  EXPECT_EQ(on_fake_driver(several_kernels(), "../main", "FAKE_CUDA_FAIL='cuModuleLoadData 209 1'"), "load: made on demand\n");
  EXPECT_EQ(on_fake_driver(several_kernels(), "../main", "FAKE_CUDA_FAIL='cuModuleGetFunction 500 2'"), "load: made on demand\n");
  EXPECT_EQ(recorded("unload").size(), 1u);
  // A driver that is too old, and none.
  fs::create_directory(directory_.file("other"));
  shell(directory_.file("other"), "echo 'int cuInit(unsigned x) { return x != 0; }' >old.c && gcc -shared -fPIC old.c -o libcuda.so.1");
  EXPECT_EQ(shell(out(), "env LD_LIBRARY_PATH=../other ../main"), "load: the CUDA driver is older than CUDA 11.8\n");
  write_file(directory_.file("other/libcuda.so.1"), "no library");
  EXPECT_EQ(shell(out(), "env LD_LIBRARY_PATH=../other ../main"), "load: there is no CUDA driver on this machine (libcuda.so.1)\n");
}

TEST_F(ExportCuda, SameKernelSameBytesAndNoPaths) {
  do_export(one_kernel(), "matmul");
  std::map<std::string, std::string> first;
  for (const auto& e : fs::directory_iterator(out())) first[e.path().filename()] = read_file(e.path());
  EXPECT_EQ(first.size(), 10u);
  do_export(one_kernel(), "matmul");  // replaces an earlier export
  for (const auto& [name, bytes] : first) {
    EXPECT_EQ(bytes, read_file(out() + "/" + name)) << name;
    for (const std::string& path : {directory_.file(""), std::string(TESSERA_SOURCE_DIR)}) EXPECT_EQ(bytes.find(path), std::string::npos) << name;
  }
}

TEST_F(ExportCuda, WhatChoseAKernelIsTold) {
  const TunedOn tuned{"NVIDIA H200", "tessera 0.1.0", "C.tile", 17, 12345, 15};
  export_cuda(one_kernel().built, cuda_target(), {.name = "matmul", .directory = out()}, tuned);
  EXPECT_EQ(launch_json("matmul")["tuned_on"],
            parse_json(R"({"device":"NVIDIA H200","tool":"tessera 0.1.0","sketch":"C.tile","trial":17,"median_ns":12345,"samples":15})").or_throw());
}

TEST_F(ExportCuda, RefusesWhatItCannotWrite) {
  const auto to = [&](const ir::Target& target, const std::string& directory) {
    return failure_of([&] { export_cuda(one_kernel().built, target, {.name = "matmul", .directory = directory}, std::nullopt); });
  };
  EXPECT_EQ(to(host_target(), out()).exit_code, 2);
  write_file(directory_.file("file"), "kept");
  EXPECT_EQ(to(cuda_target(), directory_.file("file")).exit_code, 1);
  CudaCase with_map = one_kernel();
  with_map.built.image.launches[0].arguments[0].kind = runtime::LaunchArgumentKind::kTensorMap;
  EXPECT_NE(failure_of([&] { do_export(with_map, "matmul"); }).message.find("tensor map"), std::string::npos);
}

}  // namespace
}  // namespace tessera::exporter
