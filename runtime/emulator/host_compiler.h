// Emulated text becomes a shared object here: found compiler, compiled once, kept by content.
#pragma once

#include <string>

#include "support/result.h"

namespace tessera::runtime::emulator {

/// The host compiler: `c++`, `g++` or `clang++`, the first on PATH. Refused where there is none.
Result<std::string> find_host_compiler();

/// A shared object of `text` (C++17), from the cache (the user's cache directory,
/// tessera/emulator) or compiled now. Refused with what the compiler says first.
Result<std::string> shared_object_of(const std::string& text);

}  // namespace tessera::runtime::emulator
