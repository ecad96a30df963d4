#include "runtime/isolation/worker.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include <array>
#include <cstring>

#include "runtime/isolation/fork_server.h"
#include "support/error.h"

extern char** environ;

namespace tessera::runtime {

namespace {

constexpr std::int64_t kStartPatience_ns =
    30'000'000'000;                                 // exec and dynamic linking, machine busy
constexpr std::int64_t kGrace_ns = 10'000'000'000;  // the server's own deadline comes first
constexpr std::size_t kLongestStage = 4096;
constexpr std::int64_t kExitPatience_ns = 3'000'000'000;

struct SpawnSettings {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;

  explicit SpawnSettings(int socket) {
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&files, socket, kServerFd);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&files, kServerFd + 1);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
};

/// Waits for the end of a process we started; true when it is gone.
bool wait_for_exit(pid_t pid, std::int64_t deadline_ns) {
  for (;;) {
    const pid_t got = ::waitpid(pid, nullptr, WNOHANG);
    if (got == pid || (got < 0 && errno != EINTR)) return true;  // ECHILD: somebody else reaped it
    if (monotonic_now_ns() > deadline_ns) return false;
    const timespec pause{0, 200'000};
    ::nanosleep(&pause, nullptr);
  }
}

}  // namespace

Spawner spawn_program(std::string path) {
  return [path = std::move(path)] {
    std::array<int, 2> pair{};
    TESSERA_ENVIRONMENT_CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) ==
                              0)
        << "cannot start '" << path << "': no socket: " << std::strerror(errno);
    FileDescriptor ours(pair[0]), theirs(pair[1]);
    const SpawnSettings settings(theirs.get());
    std::array<char*, 2> argv{const_cast<char*>(path.c_str()), nullptr};
    ServerProcess server;
    const int error = ::posix_spawn(&server.pid, path.c_str(), &settings.files,
                                    &settings.attributes, argv.data(), environ);
    TESSERA_ENVIRONMENT_CHECK(error == 0)
        << "cannot start '" << path << "': " << std::strerror(error);
    server.socket = std::move(ours);
    return server;
  };
}

Worker::Worker(Spawner spawn) : spawn_(std::move(spawn)) {}

Worker::~Worker() { stop(false); }

void Worker::stop(bool at_once) {
  server_.socket.reset();  // the server sees the end, kills what it runs and exits
  if (server_.pid > 0) {
    const bool gone = !at_once && wait_for_exit(server_.pid, monotonic_now_ns() + kExitPatience_ns);
    if (!gone) {
      ::kill(server_.pid, SIGKILL);  // its children follow by their parent-death signal
      wait_for_exit(server_.pid, monotonic_now_ns() + kExitPatience_ns);
    }
  }
  server_ = {};
  frames_ = {};
}

void Worker::replace_server() {
  TESSERA_CHECK(!busy_) << "replacing the server while a request is in flight";
  stop(true);
}

void Worker::attach(int fd) {
  TESSERA_CHECK(!busy_) << "attach while a request is in flight";
  attachment_ = FileDescriptor(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  TESSERA_ENVIRONMENT_CHECK(attachment_) << "cannot keep a descriptor: " << std::strerror(errno);
  if (server_.socket && !send(FrameKind::kAttach, {}, attachment_.get())) stop(true);
}

bool Worker::send(FrameKind kind, std::span<const std::byte> payload, int descriptor) {
  return send_frame(server_.socket.get(), kind, request_, payload, monotonic_now_ns() + kGrace_ns,
                    descriptor);
}

/// Spawns a server where there is none (or a dead one), waits until it is ready and attached.
bool Worker::ensure_running() {
  if (server_.socket) {
    const bool idle = receive_some(server_.socket.get(), frames_, nullptr) == IoStatus::kAgain;
    if (idle && !frames_.partial()) return true;
    stop(true);  // dead, or speaking out of turn
  }
  server_ = spawn_();
  ++servers_started_;
  const std::int64_t deadline = monotonic_now_ns() + kStartPatience_ns;
  for (;;) {
    const auto hello = frames_.next();
    if (hello && hello->kind == FrameKind::kHello) break;
    pollfd p{server_.socket.get(), POLLIN, 0};
    ::poll(&p, 1, poll_timeout_ms(deadline));
    const bool closed = receive_some(server_.socket.get(), frames_, nullptr) == IoStatus::kClosed;
    if (hello || closed || frames_.broken() || monotonic_now_ns() > deadline) return false;
  }
  return !attachment_ || send(FrameKind::kAttach, {}, attachment_.get());
}

bool Worker::send_call() {
  if (!ensure_running()) return false;
  deadline_ns_ = monotonic_now_ns() + limits_.wall_ns + kGrace_ns;
  return send(FrameKind::kCall, payload_, -1);
}

void Worker::start(std::span<const std::byte> request, const Limits& limits) {
  TESSERA_CHECK(!busy_) << "two requests at once";
  busy_ = true;
  ready_ = false;
  reply_ = {};
  ++request_;
  limits_ = limits;
  payload_ = encode_call(limits, request);
  try {
    if (payload_.size() > kLongestFrame) return give_up("the request is longer than 64 MiB");
    if (send_call()) return;
    stop(true);  // once more with a fresh server: the old one may have died between two requests
    if (!send_call()) give_up("the server process did not start");
  } catch (...) {
    busy_ = false;
    throw;
  }
}

void Worker::give_up(std::string why) {
  stop(true);
  Reply failed;
  failed.stage = std::move(reply_.stage);  // servers that answer in their own process say how far they are
  failed.message = std::move(why);
  reply_ = std::move(failed);
  ready_ = true;
}

void Worker::step(int timeout_ms) {
  pollfd p{server_.socket.get(), POLLIN, 0};
  ::poll(&p, 1, timeout_ms);
  const IoStatus status = receive_some(server_.socket.get(), frames_, nullptr);
  while (const auto f = frames_.next()) {
    if (f->kind == FrameKind::kStage && f->request == request_) {
      reply_.stage.assign(reinterpret_cast<const char*>(f->payload.data()), std::min<std::size_t>(f->payload.size(), kLongestStage));
      continue;
    }
    auto reply = decode_reply(f->payload);
    if (f->kind != FrameKind::kReply || f->request != request_ || !reply)
      return give_up("the server sent an answer that fits no request");
    reply_ = std::move(*reply);
    ready_ = true;
    return;
  }
  if (frames_.broken()) {
    give_up("the server sent damaged data");
  } else if (status == IoStatus::kClosed) {
    give_up("the server process ended");
  } else if (monotonic_now_ns() > deadline_ns_) {
    give_up("the server process did not answer in time");
  }
}

bool Worker::poll(int timeout_ms) {
  TESSERA_CHECK(busy_) << "no request is in flight";
  const std::int64_t until = monotonic_now_ns() + std::int64_t{timeout_ms} * 1'000'000;
  do {
    if (!ready_) step(poll_timeout_ms(std::min(until, deadline_ns_)));
  } while (!ready_ && monotonic_now_ns() < until);
  return ready_;
}

Reply Worker::finish() {
  while (!poll(1000)) {
  }
  busy_ = false;
  payload_.clear();
  return std::move(reply_);
}

Reply Worker::call(std::span<const std::byte> request, const Limits& limits) {
  start(request, limits);
  return finish();
}

}  // namespace tessera::runtime
