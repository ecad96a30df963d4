// Problems that compilers are compared on: ordered lists of presets.
#pragma once

#include <string>
#include <vector>

#include "support/result.h"

namespace tessera::ops {

struct SuiteEntry {
  std::string preset;  // find_preset() knows it
  std::string label;   // under which libraries have been measured on the same problem ("C2D_56_64_64_1_1_0")
};

struct Suite {
  std::string name;
  std::string doc;
  std::vector<SuiteEntry> entries;
};

/// In the order in which they are shown.
const std::vector<Suite>& suites();
/// Refuses with the names near it.
Result<const Suite*> find_suite(const std::string& name);

}  // namespace tessera::ops
