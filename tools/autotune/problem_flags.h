// The flags that describe a program, on a command line and in a file of tasks, and how values are checked.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "tools/autotune/commands.h"

namespace tessera::autotune {

/// For values that must hold something: an empty one is mostly a shell variable that is not set.
inline const CLI::Validator kNotEmpty([](std::string& s) { return s.empty() ? std::string("is empty") : std::string(); }, "", "not_empty");

void add_problem(CLI::App& app, ProblemArgs& p);

}  // namespace tessera::autotune
