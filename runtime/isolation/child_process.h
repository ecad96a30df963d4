// One forked child of a fork server, from fork to the last reaped descendant.
#pragma once

#include "runtime/isolation/fork_server.h"

namespace tessera::runtime {

struct ChildOrder {
  const Call* call = nullptr;
  std::uint64_t request = 0;
  int client = -1;  // the server's socket: watched for its end, closed in the child
  int attachment = -1;
};

/// Forks, supervises, kills, reaps. `client_gone` is set when the client closed its end meanwhile.
Reply run_in_child(const ChildOrder& order, const Handler& handler, bool& client_gone);

}  // namespace tessera::runtime
