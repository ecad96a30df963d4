// The emulation prelude: what the names of docs/reference/cuda_text.md mean to a host compiler.
#pragma once

#include <string>
#include <string_view>

namespace tessera::runtime::emulator {

/// C++17 text, without includes, that goes above a kernel. Lines of the kernel count from 1.
std::string emulation_prelude();

/// What goes below it: `ts_emulated_entry(void** arguments)`, which calls `entry`.
std::string emulation_epilogue(std::string_view entry);

}  // namespace tessera::runtime::emulator
