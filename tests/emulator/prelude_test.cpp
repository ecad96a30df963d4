// The page, the GPU prelude and the emulation prelude name the same things.
#include "runtime/emulator/prelude.h"

#include <regex>
#include <set>

#include "codegen/cuda/prelude.h"
#include "tests/emulator/fixture.h"

namespace tessera::test {
namespace {

std::set<std::string> matches(const std::string& text, const char* pattern) {
  const std::regex expression(pattern);
  std::set<std::string> all;
  for (auto i = std::sregex_iterator(text.begin(), text.end(), expression);
       i != std::sregex_iterator(); ++i)
    all.insert(i->str(1));
  return all;
}

/// The functions of the page's table and its types.
std::set<std::string> documented_names() {
  const std::string page = read_source_file("docs/reference/cuda_text.md");
  std::set<std::string> names;
  for (const std::string& row : matches(page, R"(\n(\| `[^\n]*))")) {
    const std::string first_cell = row.substr(0, row.find(" | "));
    names.merge(matches(first_cell, R"(\b(ts_\w+))"));
  }
  for (std::string family : {"ts_ldmatrix_x2", "ts_ldmatrix_x4"})
    names.insert(family);  // "_x2", "_x4" there
  names.merge(matches(page.substr(page.find("## Types"), 500), R"(`([iuf](?:8|16|32|64)|bf16)`)"));
  return names;
}

TEST(CudaPrelude, PageAndBothPreludesHaveTheSameNames) {
  const std::vector<std::string> rows = codegen::cuda::cuda_prelude_names();
  const std::set<std::string> gpu(rows.begin(), rows.end());
  const std::set<std::string> emulated =
      matches(runtime::emulator::emulation_prelude(), R"(\b(\w+)\b)");
  const std::set<std::string> used_once =
      matches(read_source_file("tests/emulator/kernels/every_name.cu"), R"(\b(\w+)\b)");
  const std::set<std::string> page = documented_names();
  EXPECT_GE(page.size(), 90u);
  for (const std::string& name : page) {
    EXPECT_TRUE(gpu.contains(name)) << name << " is not in the GPU prelude";
    EXPECT_TRUE(emulated.contains(name)) << name << " is not in the emulation prelude";
    EXPECT_TRUE(used_once.contains(name) || !name.starts_with("ts_") || name == "ts_vec")
        << name << " is not in every_name.cu";
  }
  // What the page does not name is a helper of another row or a vector.
  for (const std::string& name : rows) {
    if (page.contains(name) || std::regex_match(name, std::regex(R"((bf|[iuf])\d+x\d+)"))) continue;
    bool used = false;
    for (const std::string& other : rows)
      used = used || (other != name &&
                      matches(codegen::cuda::cuda_prelude(other), R"(\b(\w+)\b)").contains(name));
    EXPECT_TRUE(used) << name << " is neither documented nor used";
  }
}

TEST(CudaPrelude, EveryNameCompilesOnTheHost) {
  EmulationRequest q;
  q.text = read_source_file("tests/emulator/kernels/every_name.cu");
  q.entry = "every_name";
  q.arguments.assign(8, {ArgumentUse::kReadWrite, std::vector<std::byte>(64), {}});
  const auto report = runtime::emulator::emulate(q);
  EXPECT_TRUE(report.ok()) << report.reason();
}

TEST(CudaPrelude, HoldsWhatIsUsedAndNothingElse) {
  const std::string text =
      codegen::cuda::cuda_prelude("f32x4 v = ts_load_global<f32x4>(A); // not ts_shuffle2");
  for (const char* name :
       {"typedef float f32;", "ts_vec", "f32x4;", "ts_load_global", "ts_plain_load", "TS_DEVICE"})
    EXPECT_NE(text.find(name), std::string::npos) << name;
  for (const char* name : {"ts_shuffle", "f16", "ts_store", "asm"})
    EXPECT_EQ(text.find(name), std::string::npos) << name << " in\n" << text;
  EXPECT_EQ(codegen::cuda::cuda_prelude("int main;"), "");
  EXPECT_EQ(codegen::cuda::cuda_prelude_arch("ts_sync_block();"), 70);
  EXPECT_EQ(codegen::cuda::cuda_prelude_arch("ts_ldmatrix_x4(r, 0, p);"), 75);
  EXPECT_EQ(codegen::cuda::cuda_prelude_arch("ts_async_commit();"), 80);
}

}  // namespace
}  // namespace tessera::test
