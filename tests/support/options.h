// What the command line of a test program asked for: `build/release/tests/golden_tests
// --update-golden`, `fuzz_tests --seed 7`.
#pragma once

#include <cstdint>
#include <string>

namespace tessera::test {

struct Options {
  bool update_golden = false;  // rewrite the expected texts instead of comparing with them
  std::uint64_t seed = 1;      // of random tests; each prints the one it used
};

const Options& options();

/// The text of a file of the source tree ("docs/reference/environment.md"); throws when unreadable.
std::string read_source_file(const std::string& path);

}  // namespace tessera::test
