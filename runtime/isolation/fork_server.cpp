#include "runtime/isolation/fork_server.h"

#include <poll.h>
#include <sys/prctl.h>

#include "runtime/isolation/child_process.h"
#include "runtime/isolation/frame.h"

namespace tessera::runtime {

namespace {

constexpr int kEndedByClient = 0, kEndedByGarbage = 3;
constexpr std::int64_t kFramePatience_ns = 30'000'000'000;  // from its first byte to its last

class Server {
 public:
  Server(int fd, const Handler& handler) : fd_(fd), handler_(handler) {}

  int run() {
    if (!send(FrameKind::kHello, 0, {})) return kEndedByClient;
    for (;;) {
      int ended = 0;
      const auto frame = next_frame(ended);
      if (!frame) return ended;
      if (frame->kind == FrameKind::kAttach) {
        if (!attach()) return kEndedByGarbage;
      } else if (frame->kind == FrameKind::kCall) {
        if (!answer(*frame, ended)) return ended;
      } else {
        return kEndedByGarbage;
      }
    }
  }

 private:
  std::optional<Frame> next_frame(int& ended) {
    ended = kEndedByGarbage;
    std::int64_t deadline = 0;
    for (;;) {
      if (auto f = frames_.next()) return f;
      if (frames_.broken()) return std::nullopt;
      if (!frames_.partial())
        deadline = 0;
      else if (deadline == 0)
        deadline = monotonic_now_ns() + kFramePatience_ns;
      pollfd p{fd_, POLLIN, 0};
      ::poll(&p, 1, deadline == 0 ? -1 : poll_timeout_ms(deadline));
      if (receive_some(fd_, frames_, &received_) == IoStatus::kClosed) {
        ended = frames_.partial() ? kEndedByGarbage : kEndedByClient;
        return std::nullopt;
      }
      if (deadline != 0 && monotonic_now_ns() > deadline) return std::nullopt;
    }
  }

  bool attach() {
    if (received_.empty()) return false;
    attachment_ = std::move(received_.front());
    received_.clear();
    return true;
  }

  bool answer(const Frame& frame, int& ended) {
    const auto call = decode_call(frame.payload);
    ended = kEndedByGarbage;
    if (!call) return false;
    bool client_gone = false;
    const Reply reply =
        run_in_child({&*call, frame.request, fd_, attachment_.get()}, handler_, client_gone);
    ended = kEndedByClient;
    return !client_gone && send(FrameKind::kReply, frame.request, encode_reply(reply));
  }

  bool send(FrameKind kind, std::uint64_t request, std::span<const std::byte> payload) {
    return send_frame(fd_, kind, request, payload, monotonic_now_ns() + kFramePatience_ns);
  }

  int fd_;
  const Handler& handler_;
  FrameBuffer frames_;
  std::vector<FileDescriptor> received_;
  FileDescriptor attachment_;
};

}  // namespace

int serve(int fd, const Handler& handler) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  return Server(fd, handler).run();
}

}  // namespace tessera::runtime
