// A server that answers calls in its own process, for state that is dear to make and cannot be forked: a
// CUDA context. What a call leaves behind the next one finds; a client that learns from an answer that the
// state is lost replaces the server (Worker::replace_server).
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace tessera::runtime {

struct InProcessCall {
  std::span<const std::byte> request;
  int attachment = -1;  // the descriptor the client attached last, or -1
  std::function<void(std::string_view)>
      stage;  // names what comes next; a failure is blamed on the last name sent
};

/// Returns the reply bytes. Exceptions are reported: std::bad_alloc as kResource, others as kExited; the
/// server goes on.
using InProcessHandler = std::function<std::vector<std::byte>(const InProcessCall&)>;

/// Serves requests on `fd` until its other end closes, then returns 0; returns 3 after garbage. A second
/// thread watches: past the wall limit of a call it sends kTimeout and ends the process, whatever the
/// handler hangs in; it also ends it when the client is gone. Other limits of a call are not applied.
int serve_in_process(int fd, const InProcessHandler& handler);

}  // namespace tessera::runtime
