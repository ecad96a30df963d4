#include "runtime/isolation/find_tool.h"

#include <unistd.h>

#include <filesystem>
#include <vector>

#include "support/env.h"
#include "support/error.h"

namespace tessera::runtime {

namespace fs = std::filesystem;

namespace {

std::vector<fs::path> places() {
  if (const auto given = env(EnvVar::kLibexec)) return {fs::path(*given)};
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (error) return {};
  const fs::path here = program.parent_path(), above = here.parent_path();
  return {here, above / "libexec" / "tessera", above / "bin"};
}

}  // namespace

std::string find_tool(std::string_view name) {
  std::string looked;
  for (const fs::path& place : places()) {
    const fs::path candidate = place / name;
    std::error_code error;
    if (fs::is_regular_file(candidate, error) && ::access(candidate.c_str(), X_OK) == 0)
      return candidate.string();
    looked += (looked.empty() ? "" : ", ") + place.string();
  }
  throw UserError("the program '" + std::string(name) + "' was not found in " + looked +
                      "; set TESSERA_LIBEXEC to the directory that holds it",
                  1);
}

}  // namespace tessera::runtime
