// The flags that describe a program, on a command line and in a file of tasks.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "tools/autotune/commands.h"

namespace tessera::autotune {

void add_problem(CLI::App& app, ProblemArgs& p);

}  // namespace tessera::autotune
