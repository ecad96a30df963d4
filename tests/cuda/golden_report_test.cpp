// What the compiler makes of the kernels that are ranked first: registers, shared memory and instructions, in
// tests/golden/cuda/report.json. The assembler's figures are those of one version of NVRTC, which the file
// names: under that version they are equal, under another one within bounds.
#include <fstream>
#include <sstream>

#include "codegen/cuda/opcodes.h"
#include "codegen/cuda/source.h"
#include "driver/compile.h"
#include "ops/catalog.h"
#include "search/pack.h"
#include "tests/cuda/nvrtc_fixture.h"
#include "tests/support/golden.h"
#include "tests/support/options.h"

namespace tessera::codegen {
namespace {

constexpr const char* kFile = "cuda/report.json";
constexpr const char* kOpcodes[] = {"FFMA", "LDS", "LDG", "LDGSTS", "STS", "STG", "BAR", "SHFL", "MUFU"};

/// The kernel that is tried first, after the default plan.
Json report_of(const std::string& name, const ops::Request& request) {
  search::Task task;
  task.op = request.op;
  task.dag = ops::build(request).or_throw();
  task.target = driver::resolve_target("cuda -arch=sm_90a");
  const search::Candidate best = search::pack_candidates(task, {.count = 16, .seed = 1, .jobs = 1}, {}).at(1);
  const CudaSource source = cuda_source(driver::finished_program(task.dag, best.steps, task.target).or_throw()).or_throw();
  const Cubin cubin = compile_cuda(*nvrtc(), source.text, source.name, task.target.arch).or_throw();
  const auto opcodes = count_opcodes(cubin.bytes).or_throw();
  Json j;
  j["program"] = name;
  j["sketch"] = best.sketch;
  for (const auto& [hole, value] : best.decisions) j["decisions"][hole] = value;
  j["kernels"] = Json::array();
  for (const runtime::Launch& l : source.image.launches) {
    const EntryReport* e = cubin.report.find(l.entry);
    Json k;
    k["grid"] = l.grid.x * l.grid.y * l.grid.z;
    k["threads"] = l.block.x * l.block.y * l.block.z;
    k["shared_bytes"] = l.shared_bytes + e->shared_bytes;
    k["registers"] = e->registers;
    k["spill_bytes"] = e->spill_bytes();
    k["instructions"] = opcodes.at(l.entry).instructions;
    for (const char* o : kOpcodes) k["opcodes"][o] = opcodes.at(l.entry).count(o);
    j["kernels"].push_back(std::move(k));
  }
  return j;
}

/// A kernel to a line, so that a change is seen at a glance.
std::string text_of(const Json& report) {
  std::string out = "{\"nvrtc\": " + report["nvrtc"].dump() + ", \"programs\": [\n";
  for (std::size_t i = 0; i < report["programs"].size(); ++i) out += (i > 0 ? ",\n" : "") + report["programs"][i].dump();
  return out + "\n]}\n";
}

Json golden() {
  std::ifstream in(std::string(TESSERA_SOURCE_DIR) + "/tests/golden/" + kFile);
  std::ostringstream text;
  text << in.rdbuf();
  return parse_json(text.str()).or_throw();
}

class GoldenReport : public NvrtcTest {
 protected:
  static Json report() {
    Json j;
    j["nvrtc"] = nvrtc()->version();
    j["programs"] = Json::array();
    j["programs"].push_back(report_of("GMM.4", ops::find_preset("GMM.4").or_throw()));
    j["programs"].push_back(report_of("C2D.3", ops::find_preset("C2D.3").or_throw()));
    j["programs"].push_back(report_of("softmax 4096x4096", {"softmax", {{"m", 4096}, {"n", 4096}}, "", ""}));
    return j;
  }
};

/// What another version may differ by: a fifth, or a few.
void expect_near(const Json& got, const Json& expected, const std::string& what) {
  const double a = got.get<double>(), b = expected.get<double>();
  EXPECT_NEAR(a, b, 16 + 0.2 * b) << what;
}

TEST_F(GoldenReport, OfTheFirstCandidates) {
  const Json now = report();
  for (const Json& program : now["programs"]) {
    for (const Json& k : program["kernels"]) EXPECT_EQ(k["spill_bytes"], 0) << program["program"];
  }
  if (test::options().update_golden || golden()["nvrtc"] == now["nvrtc"]) return test::expect_golden(kFile, text_of(now));
  const Json expected = golden();
  ASSERT_EQ(now["programs"].size(), expected["programs"].size());
  for (std::size_t p = 0; p < now["programs"].size(); ++p) {
    const Json &a = now["programs"][p], &b = expected["programs"][p];
    EXPECT_EQ(a["decisions"], b["decisions"]);  // ours alone
    ASSERT_EQ(a["kernels"].size(), b["kernels"].size());
    for (std::size_t k = 0; k < a["kernels"].size(); ++k) {
      const Json &x = a["kernels"][k], &y = b["kernels"][k];
      for (const char* same : {"grid", "threads", "shared_bytes"}) EXPECT_EQ(x[same], y[same]) << same;
      for (const char* near : {"registers", "instructions"}) expect_near(x[near], y[near], near);
      for (const char* o : kOpcodes) expect_near(x["opcodes"][o], y["opcodes"][o], o);
    }
  }
}

}  // namespace
}  // namespace tessera::codegen
