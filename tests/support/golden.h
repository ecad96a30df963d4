// Expected texts, one file each, under tests/golden/.
#pragma once

#include <string>

namespace tessera::test {

/// Fails the running test unless tests/golden/<file> holds `text`; with --update-golden writes it.
void expect_golden(const std::string& file, const std::string& text);

}  // namespace tessera::test
