#include "runtime/isolation/frame.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "runtime/isolation/crc32c.h"

namespace tessera::runtime {

namespace {

constexpr std::uint32_t kMagic = 0x31525354;  // "TSR1"
constexpr std::uint16_t kVersion = 1;
constexpr std::size_t kReadStep = 64 << 10;
constexpr std::size_t kMostDescriptors = 4;

std::uint32_t header_crc(const FrameHeader& h) {
  return crc32c(std::as_bytes(std::span(&h, 1)).first(offsetof(FrameHeader, header_crc)));
}

bool sound(const FrameHeader& h) {
  return h.magic == kMagic && h.version == kVersion && h.kind <= kLastFrameKind &&
         h.length <= kLongestFrame && h.header_crc == header_crc(h);
}

void take_descriptors(msghdr& m, std::vector<FileDescriptor>* out) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&m); c != nullptr; c = CMSG_NXTHDR(&m, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
      FileDescriptor owned(fd);
      if (out != nullptr) out->push_back(std::move(owned));
    }
  }
}

/// Bytes sent, 0 when the other end is full, -1 on error.
ssize_t send_some(int fd, std::span<const std::byte> bytes, int descriptor) {
  iovec io{const_cast<std::byte*>(bytes.data()), bytes.size()};
  msghdr m{};
  m.msg_iov = &io;
  m.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  if (descriptor >= 0) {
    m.msg_control = control.data();
    m.msg_controllen = control.size();
    cmsghdr* c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(c), &descriptor, sizeof descriptor);
  }
  const ssize_t n = ::sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n >= 0) return n;
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -1;
}

bool send_all(int fd, std::span<const std::byte> bytes, std::int64_t deadline_ns, int descriptor) {
  while (!bytes.empty()) {
    const ssize_t n = send_some(fd, bytes, descriptor);
    if (n < 0) return false;
    if (n > 0) descriptor = -1;  // travels with the first byte
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    if (n > 0) continue;
    pollfd p{fd, POLLOUT, 0};
    if (monotonic_now_ns() >= deadline_ns) return false;
    ::poll(&p, 1, poll_timeout_ms(deadline_ns));
  }
  return true;
}

}  // namespace

FrameHeader make_header(FrameKind kind, std::uint64_t request, std::span<const std::byte> payload) {
  FrameHeader h{kMagic, kVersion, kind, request, payload.size(), crc32c(payload), 0};
  h.header_crc = header_crc(h);
  return h;
}

std::optional<Frame> FrameBuffer::next() {
  if (broken_ || bytes_.size() < sizeof(FrameHeader)) return std::nullopt;
  FrameHeader h;
  std::memcpy(&h, bytes_.data(), sizeof h);
  if (!sound(h)) {
    broken_ = true;
    return std::nullopt;
  }
  const std::size_t whole = sizeof h + static_cast<std::size_t>(h.length);
  if (bytes_.size() < whole) return std::nullopt;
  Frame f{h.kind,
          h.request,
          {bytes_.begin() + sizeof h, bytes_.begin() + static_cast<std::ptrdiff_t>(whole)}};
  bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(whole));
  if (crc32c(f.payload) != h.payload_crc) {
    broken_ = true;
    return std::nullopt;
  }
  return f;
}

IoStatus receive_some(int fd, FrameBuffer& buffer, std::vector<FileDescriptor>* descriptors) {
  std::array<std::byte, kReadStep> step;
  iovec io{step.data(), step.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMostDescriptors * sizeof(int))> control{};
  msghdr m{};
  m.msg_iov = &io;
  m.msg_iovlen = 1;
  m.msg_control = control.data();
  m.msg_controllen = control.size();
  const ssize_t n = ::recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (n < 0)
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? IoStatus::kAgain
                                                                     : IoStatus::kClosed;
  take_descriptors(m, descriptors);
  if (n == 0) return IoStatus::kClosed;
  buffer.append(std::span(step).first(static_cast<std::size_t>(n)));
  return IoStatus::kOk;
}

bool send_frame(int fd, FrameKind kind, std::uint64_t request, std::span<const std::byte> payload,
                std::int64_t deadline_ns, int descriptor) {
  const FrameHeader h = make_header(kind, request, payload);
  return send_all(fd, std::as_bytes(std::span(&h, 1)), deadline_ns, descriptor) &&
         send_all(fd, payload, deadline_ns, -1);
}

std::int64_t monotonic_now_ns() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

int poll_timeout_ms(std::int64_t deadline_ns) {
  const std::int64_t left = deadline_ns - monotonic_now_ns();
  return static_cast<int>(std::clamp<std::int64_t>((left + 999'999) / 1'000'000, 0, 3'600'000));
}

}  // namespace tessera::runtime
