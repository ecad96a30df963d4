// What every server does with its socket: greet, take descriptors and calls, answer. How a call is
// answered is the server's own.
#pragma once

#include <functional>

#include "runtime/isolation/call.h"
#include "runtime/isolation/frame.h"

namespace tessera::runtime {

/// What a server ends with.
inline constexpr int kEndedByClient = 0, kEndedByGarbage = 3;

struct ServedCall {
  const Call& call;
  std::uint64_t request;
  int client;      // the server's socket
  int attachment;  // the descriptor the client attached last, or -1
};

/// Answers one call with a kReply frame. False: the server ends.
using AnswerCall = std::function<bool(const ServedCall&)>;

/// Serves `fd` until its other end closes (kEndedByClient), sends garbage (kEndedByGarbage) or `answer`
/// ends it (kEndedByClient).
int serve_calls(int fd, const AnswerCall& answer);

/// Sends a frame of a server to its client; false when that is gone.
bool send_to_client(int fd, FrameKind kind, std::uint64_t request, std::span<const std::byte> payload);

}  // namespace tessera::runtime
