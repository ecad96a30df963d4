// The main function of every test program.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string_view>

#include "tests/support/options.h"

namespace tessera::test {

namespace {
Options parsed;
}  // namespace

const Options& options() { return parsed; }

std::string read_source_file(const std::string& path) {
  std::ifstream in(std::string(TESSERA_SOURCE_DIR) + "/" + path);
  if (!in) throw std::runtime_error("cannot read " + path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// What ./test puts into the build folder where the machine has no NVRTC.
void use_own_nvrtc() {
  const std::string folder = TESSERA_BINARY_DIR "/nvrtc";
  if (std::filesystem::exists(folder)) ::setenv("TESSERA_NVRTC", folder.c_str(), 0);
}

}  // namespace tessera::test

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  tessera::test::use_own_nvrtc();
  auto& options = tessera::test::parsed;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--update-golden") {
      options.update_golden = true;
    } else if (flag == "--seed" && i + 1 < argc) {
      options.seed = std::strtoull(argv[++i], nullptr, 10);
    } else {
      std::cerr << "unknown flag " << flag << "; known are --update-golden and --seed N\n";
      return 2;
    }
  }
  return RUN_ALL_TESTS();
}
