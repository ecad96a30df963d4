// Where NVRTC is looked for, and in which order.
#include "codegen/cuda/nvrtc.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "tests/cuda/nvrtc_fixture.h"
#include "tests/support/command.h"
#include "tests/support/environment.h"

namespace tessera::codegen {
namespace {

using test::SetVariable;
using test::TemporaryFolder;

/// The folder of the NVRTC at hand appears below `root` as `below`.
void plant(const std::string& root, const std::string& below) {
  const std::filesystem::path at = std::filesystem::path(root) / below;
  std::filesystem::create_directories(at.parent_path());
  std::filesystem::create_directory_symlink(std::filesystem::path(nvrtc()->path).parent_path(), at);
}

/// A program `python3` that says that packages lie in `site`.
void plant_python(const std::string& folder, const std::string& site) {
  std::filesystem::create_directories(folder);
  test::write_text(folder + "/python3", "#!/bin/sh\necho /nowhere\necho '" + site + "'\n");
  std::filesystem::permissions(folder + "/python3", std::filesystem::perms::owner_all);
}

TEST_F(NvrtcTest, SaysWhatItIs) {
  EXPECT_GE(nvrtc()->major, 12);
  const auto& archs = nvrtc()->architectures;
  for (const int capability : {80, 90})
    EXPECT_NE(std::find(archs.begin(), archs.end(), capability), archs.end()) << capability;
}

TEST_F(NvrtcTest, VariableNamesAFileOrAFolder) {
  const std::string file = nvrtc()->path;
  for (const std::string& value : {file, std::filesystem::path(file).parent_path().string()}) {
    const SetVariable named("TESSERA_NVRTC", value);
    const auto found = find_nvrtc({"/nowhere", false});
    ASSERT_TRUE(found.ok()) << found.reason();
    EXPECT_EQ(found->origin, "TESSERA_NVRTC");
    EXPECT_TRUE(compile_cuda(*found, kAxpy, "axpy", "sm_80").ok());
  }
}

TEST_F(NvrtcTest, ToolkitComesBeforeTheWheel) {
  const TemporaryFolder folder;
  const SetVariable unnamed("TESSERA_NVRTC", "");
  plant(folder / "site", "nvidia/cu13/lib");
  plant_python(folder / "bin", folder / "site");
  const SetVariable path("PATH", folder / "bin" + ":/usr/bin:/bin");
  const auto wheel = find_nvrtc({folder.path(), false});
  ASSERT_TRUE(wheel.ok()) << wheel.reason();
  EXPECT_EQ(wheel->origin.rfind("wheel of ", 0), 0U) << wheel->origin;
  EXPECT_NE(wheel->path.find("site/nvidia/cu13/lib"), std::string::npos) << wheel->path;
  EXPECT_TRUE(compile_cuda(*wheel, kAxpy, "axpy", "sm_80").ok());

  plant(folder.path(), "cuda-99/lib64");
  const auto toolkit = find_nvrtc({folder.path(), false});
  ASSERT_TRUE(toolkit.ok()) << toolkit.reason();
  EXPECT_EQ(toolkit->origin, "toolkit");
}

TEST(NvrtcSearch, AbsenceIsOneLineWithTheCommandThatGetsOne) {
  const SetVariable unnamed("TESSERA_NVRTC", ""), path("PATH", "/nowhere");
  const auto found = find_nvrtc({"/nowhere", false});
  ASSERT_FALSE(found.ok());
  EXPECT_NE(found.reason().find(kNvrtcCommand), std::string::npos) << found.reason();
  EXPECT_EQ(found.reason().find('\n'), std::string::npos) << found.reason();
}

TEST(NvrtcSearch, VariableThatNamesNothingIsRefusedWhateverElseThereIs) {
  const TemporaryFolder folder;
  test::write_text(folder / "libnvrtc.so.13", "no library");
  for (const std::string& value : {std::string("/nowhere/libnvrtc.so"), folder.path(),
                                   folder / "libnvrtc.so.13", std::string("libc.so.6"), std::string("/")}) {
    const SetVariable named("TESSERA_NVRTC", value);
    const auto found = find_nvrtc();
    ASSERT_FALSE(found.ok()) << value;
    EXPECT_NE(found.reason().find("TESSERA_NVRTC"), std::string::npos) << found.reason();
    EXPECT_NE(found.reason().find(kNvrtcCommand), std::string::npos) << found.reason();
  }
}

}  // namespace
}  // namespace tessera::codegen
