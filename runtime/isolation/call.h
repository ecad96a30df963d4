// What travels with a request to a fork server, and what comes back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tessera::runtime {

/// What one request may consume.
struct Limits {
  std::int64_t wall_ns = 10'000'000'000;  // from fork to result; then SIGKILL
  std::int64_t cpu_ns = 0;                // all threads together, rounded up to a second; 0: any
  std::int64_t address_space_bytes = 0;   // on top of what the server has mapped; 0: any
  std::int64_t file_bytes = 0;            // longest file it may write

  bool operator==(const Limits&) const = default;
};

enum class Outcome : std::uint8_t {
  kOk,        // bytes: the handler's result
  kCrashed,   // code: the signal
  kExited,    // code: the exit status; the handler threw or called exit
  kTimeout,   // the wall or CPU limit
  kResource,  // out of memory
  kProtocol,  // garbage or silence instead of a result; the server is replaced if it was its own
};
std::string_view to_string(Outcome outcome);

struct Reply {
  Outcome outcome = Outcome::kProtocol;
  int code = 0;                  // signal or exit status
  std::string stage;             // the last marker the handler sent
  std::vector<std::byte> note;   // the last note a signal handler sent
  std::string message;           // one line: what the handler threw, or what the protocol lacked
  std::string diagnostics;       // the end of what it wrote to standard error, at most 16 KiB
  std::vector<std::byte> bytes;  // only with kOk
  std::int64_t wall_ns = 0;      // fork to reaped, as the server saw it
};

std::vector<std::byte> encode_call(const Limits& limits, std::span<const std::byte> request);
struct Call {
  Limits limits;
  std::vector<std::byte> request;
};
std::optional<Call> decode_call(std::span<const std::byte> payload);

std::vector<std::byte> encode_reply(const Reply& reply);
std::optional<Reply> decode_reply(std::span<const std::byte> payload);

}  // namespace tessera::runtime
