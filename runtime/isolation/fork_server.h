// The server side of isolation: a process exec'd clean, that forks one child per request, so that
// whatever a request does (crash, loop, scribble, allocate) is gone with its child and the next one
// starts from a known state. It knows nothing of what the bytes mean.
//
// Why fork here and not in the tuner: forking a process with a large heap costs 40 to 130 ms, and
// OpenMP libraries deadlock in the child; a small single-threaded server forks in 2 ms.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "runtime/isolation/call.h"

namespace tessera::runtime {

/// The descriptor on which a spawned server finds its socket.
inline constexpr int kServerFd = 3;

/// What a handler, running in the forked child, can say to the server while it works.
class HandlerContext {
 public:
  HandlerContext(int channel, int attachment) : channel_(channel), attachment_(attachment) {}

  /// Names what comes next; a crash is blamed on the last name sent.
  void stage(std::string_view name) const;
  /// Opaque bytes for the client that survive the death of this process: the last one sent is in
  /// Reply::note. At most 4 KiB. Allocates nothing: for signal handlers.
  void note(std::span<const std::byte> bytes) const noexcept;
  /// The descriptor the client attached last, or -1.
  int attachment() const { return attachment_; }

 private:
  int channel_;
  int attachment_;
};

/// Runs in the child. Returns the reply bytes. May throw: std::bad_alloc (and any failing operator
/// new) is reported as kResource, other exceptions as kExited with their message.
using Handler = std::function<std::vector<std::byte>(std::span<const std::byte> request,
                                                     const HandlerContext&)>;

/// Serves requests on `fd` until its other end closes, then returns 0; returns 3 after garbage.
/// Call it from a single-threaded process that owns no other children.
/// Children get: their own process group, SIGKILL when the server dies, no core file, no new
/// privileges, the request's limits, standard error collected by the server. All descendants are
/// killed and reaped before the reply is sent.
int serve(int fd, const Handler& handler);

}  // namespace tessera::runtime
