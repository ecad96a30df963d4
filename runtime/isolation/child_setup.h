// What a forked child does before and after its handler. Split from the supervising side because
// it runs in another process.
#pragma once

#include <sys/types.h>

#include "runtime/isolation/fork_server.h"

namespace tessera::runtime {

struct ChildSide {
  pid_t server = 0;      // who must still be our parent
  int channel = -1;      // to the server
  int diagnostics = -1;  // becomes standard error
  std::uint64_t request = 0;
  int attachment = -1;
  std::int64_t address_space_cap = 0;  // RLIMIT_AS in bytes, 0: none
};

/// Applies the limits, runs the handler, sends the result, ends the process.
[[noreturn]] void run_child(const ChildSide& side, const Call& call, const Handler& handler);

/// False under sanitizers, which reserve terabytes.
bool address_space_can_be_limited();

/// Bytes of address space of a process (self when 0); 0 when it cannot be read.
std::int64_t address_space_bytes(pid_t pid);

}  // namespace tessera::runtime
