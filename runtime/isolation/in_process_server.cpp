#include "runtime/isolation/in_process_server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <mutex>
#include <new>
#include <string>
#include <thread>

#include "runtime/isolation/server_loop.h"

namespace tessera::runtime {

namespace {

/// One call: its answer is sent once, by the handler's thread or by the watch.
class Answering {
 public:
  explicit Answering(const ServedCall& served)
      : served_(served),
        begin_ns_(monotonic_now_ns()),
        done_(::eventfd(0, EFD_CLOEXEC)),
        watch_([this] { watch(); }) {}
  ~Answering() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t told = ::write(done_.get(), &one, sizeof one);
    watch_.join();
  }
  Answering(const Answering&) = delete;
  Answering& operator=(const Answering&) = delete;

  void stage(std::string_view name) {
    const std::lock_guard lock(mutex_);
    stage_ = name;
    send_to_client(served_.client, FrameKind::kStage, served_.request,
                   std::as_bytes(std::span(name.data(), name.size())));
  }

  /// False when the client is gone.
  bool send(Reply reply) {
    const std::lock_guard lock(mutex_);
    if (sent_) return true;
    sent_ = true;
    reply.stage = stage_;
    reply.wall_ns = monotonic_now_ns() - begin_ns_;
    return send_to_client(served_.client, FrameKind::kReply, served_.request, encode_reply(reply));
  }

 private:
  void watch() {
    const std::int64_t deadline = begin_ns_ + served_.call.limits.wall_ns;
    std::array<pollfd, 2> fds{{{done_.get(), POLLIN, 0}, {served_.client, 0, 0}}};
    for (;;) {
      ::poll(fds.data(), fds.size(), poll_timeout_ms(deadline));
      if ((fds[0].revents & POLLIN) != 0) return;
      if ((fds[1].revents & (POLLHUP | POLLERR)) != 0) ::_exit(kEndedByClient);
      if (monotonic_now_ns() < deadline) continue;
      Reply late;
      late.outcome = Outcome::kTimeout;
      send(std::move(late));
      ::_exit(kEndedByClient);
    }
  }

  const ServedCall& served_;
  std::int64_t begin_ns_;
  FileDescriptor done_;
  std::mutex mutex_;
  std::string stage_;
  bool sent_ = false;
  std::thread watch_;  // last: it uses the others
};

}  // namespace

int serve_in_process(int fd, const InProcessHandler& handler) {
  return serve_calls(fd, [&](const ServedCall& served) {
    Answering answering(served);
    Reply reply;
    try {
      reply.bytes = handler(
          {served.call.request, served.attachment, [&](std::string_view name) { answering.stage(name); }});
      reply.outcome = Outcome::kOk;
    } catch (const std::bad_alloc&) {
      reply.outcome = Outcome::kResource;
      reply.message = "out of memory";
    } catch (const std::exception& e) {
      reply.outcome = Outcome::kExited;
      reply.message = e.what();
    }
    return answering.send(std::move(reply));
  });
}

}  // namespace tessera::runtime
