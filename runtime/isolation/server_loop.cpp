#include "runtime/isolation/server_loop.h"

#include <poll.h>

namespace tessera::runtime {

namespace {

constexpr std::int64_t kFramePatience_ns = 30'000'000'000;  // from its first byte to its last

class Server {
 public:
  Server(int fd, const AnswerCall& answer) : fd_(fd), answer_(answer) {}

  int run() {
    if (!send_to_client(fd_, FrameKind::kHello, 0, {})) return kEndedByClient;
    for (;;) {
      int ended = 0;
      const auto frame = next_frame(ended);
      if (!frame) return ended;
      if (frame->kind == FrameKind::kAttach) {
        if (!attach()) return kEndedByGarbage;
      } else if (frame->kind == FrameKind::kCall) {
        const auto call = decode_call(frame->payload);
        if (!call) return kEndedByGarbage;
        if (!answer_({*call, frame->request, fd_, attachment_.get()})) return kEndedByClient;
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

  int fd_;
  const AnswerCall& answer_;
  FrameBuffer frames_;
  std::vector<FileDescriptor> received_;
  FileDescriptor attachment_;
};

}  // namespace

int serve_calls(int fd, const AnswerCall& answer) { return Server(fd, answer).run(); }

bool send_to_client(int fd, FrameKind kind, std::uint64_t request, std::span<const std::byte> payload) {
  return send_frame(fd, kind, request, payload, monotonic_now_ns() + kFramePatience_ns);
}

}  // namespace tessera::runtime
