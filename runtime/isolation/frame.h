// Messages over a stream socket between our own processes: a fixed header (magic, version, kind,
// request id, length, checksum of the payload, checksum of the header), then the payload.
// One bad byte makes a stream broken for good: the reader never resynchronises, the process at the
// other end is declared dead instead.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "runtime/isolation/file_descriptor.h"

namespace tessera::runtime {

inline constexpr std::uint64_t kLongestFrame = std::uint64_t{64} << 20;

enum class FrameKind : std::uint16_t {
  kHello,    // server -> client, once, when it is ready
  kAttach,   // client -> server, with a descriptor: keep it for the handlers to come
  kCall,     // client -> server: limits and request bytes
  kReply,    // server -> client: outcome and reply bytes
  kStage,    // handler -> server: what it is about to do
  kNote,     // handler -> server: opaque bytes, sent from a signal handler
  kResult,   // handler -> server: its reply bytes
  kFailure,  // handler -> server: outcome and a message
};
inline constexpr FrameKind kLastFrameKind = FrameKind::kFailure;

struct FrameHeader {
  std::uint32_t magic;
  std::uint16_t version;
  FrameKind kind;
  std::uint64_t request;
  std::uint64_t length;
  std::uint32_t payload_crc;
  std::uint32_t header_crc;  // of the fields above
};
static_assert(sizeof(FrameHeader) == 32);

/// Allocates nothing; usable in a signal handler.
FrameHeader make_header(FrameKind kind, std::uint64_t request, std::span<const std::byte> payload);

struct Frame {
  FrameKind kind{};
  std::uint64_t request = 0;
  std::vector<std::byte> payload;
};

/// Collects bytes as they arrive and cuts them into frames.
class FrameBuffer {
 public:
  void append(std::span<const std::byte> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  /// The next whole frame; nothing when more bytes are needed or the stream is broken.
  std::optional<Frame> next();
  bool broken() const { return broken_; }
  /// True when part of a frame has arrived: the rest must follow within a deadline.
  bool partial() const { return !bytes_.empty(); }

 private:
  std::vector<std::byte> bytes_;
  bool broken_ = false;
};

enum class IoStatus { kOk, kAgain, kClosed };

/// Reads what is there without waiting. Descriptors that came along are added to `descriptors`
/// when it is given and closed otherwise. kAgain: nothing was there. kClosed: end or error.
IoStatus receive_some(int fd, FrameBuffer& buffer, std::vector<FileDescriptor>* descriptors);

/// Sends one frame, waiting until `deadline_ns` (monotonic) while the other end is slow.
/// `descriptor` >= 0 travels with it. Never raises SIGPIPE.
bool send_frame(int fd, FrameKind kind, std::uint64_t request, std::span<const std::byte> payload,
                std::int64_t deadline_ns, int descriptor = -1);

std::int64_t monotonic_now_ns();
/// Milliseconds for poll(2) until `deadline_ns`, rounded up, within [0, an hour].
int poll_timeout_ms(std::int64_t deadline_ns);

}  // namespace tessera::runtime
