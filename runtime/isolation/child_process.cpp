#include "runtime/isolation/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "runtime/isolation/child_setup.h"
#include "runtime/isolation/frame.h"
#include "runtime/wire.h"

namespace tessera::runtime {

namespace {

constexpr std::size_t kDiagnosticsKept = 16 << 10;
constexpr std::int64_t kReapPatience_ns = 2'000'000'000;
constexpr int kWithoutPidfd_ms = 5;  // how often to look where pidfd_open does not exist

struct Running {
  pid_t pid = -1;
  FileDescriptor pidfd, channel, diagnostics;
  FrameBuffer frames;
  std::int64_t deadline_ns = 0, address_space_cap = 0;
  bool answered = false, failed = false, garbage = false, timed_out = false, starved = false;
  int status = 0;
  bool channel_open = true, diagnostics_open = true;
};

void take_frame(const Frame& f, Running& r, Reply& reply) {
  const auto text = [&] {
    return std::string(reinterpret_cast<const char*>(f.payload.data()),
                       std::min<std::size_t>(f.payload.size(), 4096));
  };
  switch (f.kind) {
    case FrameKind::kStage:
      reply.stage = text();
      return;
    case FrameKind::kNote:
      reply.note = f.payload;
      return;
    case FrameKind::kResult:
      reply.bytes = f.payload;
      r.answered = true;
      return;
    case FrameKind::kFailure: {
      WireReader in(f.payload);
      reply.outcome = in.choice(Outcome::kProtocol);
      reply.message = in.text(4096);
      r.failed = in.done();
      r.garbage = r.garbage || !r.failed;
      return;
    }
    default:
      r.garbage = true;
  }
}

void drain_channel(Running& r, Reply& reply, std::uint64_t request) {
  IoStatus status = IoStatus::kOk;
  while (r.channel_open &&
         (status = receive_some(r.channel.get(), r.frames, nullptr)) == IoStatus::kOk) {
    while (const auto f = r.frames.next()) {
      if (f->request != request)
        r.garbage = true;
      else
        take_frame(*f, r, reply);
    }
    if (r.frames.broken()) r.garbage = true;
    if (r.garbage) break;
  }
  if (status == IoStatus::kClosed) r.channel_open = false;
}

void drain_diagnostics(Running& r, Reply& reply) {
  std::array<char, 4096> step;
  ssize_t n = 0;
  while (r.diagnostics_open && (n = ::read(r.diagnostics.get(), step.data(), step.size())) > 0) {
    reply.diagnostics.append(step.data(), static_cast<std::size_t>(n));
    if (reply.diagnostics.size() > 2 * kDiagnosticsKept)
      reply.diagnostics.erase(0, reply.diagnostics.size() - kDiagnosticsKept);
  }
  if (n == 0) r.diagnostics_open = false;
}

bool has_ended(const Running& r) {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(r.pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == r.pid;
}

/// True when the process has used up the address space it was given: it then hangs or dies for
/// want of memory, whatever it looks like.
bool is_starved(const Running& r) {
  return r.address_space_cap > 0 && address_space_bytes(r.pid) > r.address_space_cap / 16 * 15;
}

void supervise(Running& r, Reply& reply, const ChildOrder& order, bool& client_gone) {
  for (;;) {
    std::array<pollfd, 4> p{{{r.channel_open ? r.channel.get() : -1, POLLIN, 0},
                             {r.diagnostics_open ? r.diagnostics.get() : -1, POLLIN, 0},
                             {r.pidfd.get(), POLLIN, 0},
                             {order.client, POLLRDHUP, 0}}};
    const int wait = poll_timeout_ms(r.deadline_ns);
    ::poll(p.data(), p.size(), r.pidfd ? wait : std::min(wait, kWithoutPidfd_ms));
    drain_channel(r, reply, order.request);
    drain_diagnostics(r, reply);
    client_gone = (p[3].revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
    if (client_gone || r.garbage || has_ended(r)) return;
    if (monotonic_now_ns() >= r.deadline_ns) {
      r.timed_out = true;
      r.starved = is_starved(r);
      return;
    }
  }
}

/// Kills by process id the children this process has left: orphans that fell to it as subreaper.
void kill_orphans() {
  std::ifstream list("/proc/self/task/" + std::to_string(::gettid()) + "/children");
  for (pid_t child = 0; list >> child;) ::kill(child, SIGKILL);
}

void reap_everything(Running& r) {
  ::kill(-r.pid, SIGKILL);  // before the wait: the unreaped child keeps the group's id from reuse
  while (::waitpid(r.pid, &r.status, 0) < 0 && errno == EINTR) {
  }
  const std::int64_t patience = monotonic_now_ns() + kReapPatience_ns;
  for (;;) {
    const pid_t found = ::waitpid(-1, nullptr, WNOHANG);
    if (found > 0) continue;
    if (found < 0 || monotonic_now_ns() > patience) return;
    kill_orphans();
    const timespec pause{0, 200'000};
    ::nanosleep(&pause, nullptr);
  }
}

void classify_signal(const Running& r, Reply& reply) {
  reply.code = WTERMSIG(r.status);
  const bool aborted_for_memory =
      reply.code == SIGABRT && reply.diagnostics.find("out of memory") != std::string::npos;
  if (reply.code == SIGXCPU) reply.outcome = Outcome::kTimeout;
  // Nobody here sends SIGKILL before the deadline: the kernel's out-of-memory killer does, and
  // RLIMIT_CPU when SIGXCPU was not enough.
  else if (reply.code == SIGKILL || aborted_for_memory)
    reply.outcome = Outcome::kResource;
  else
    reply.outcome = Outcome::kCrashed;
}

void classify(const Running& r, Reply& reply) {
  if (r.garbage) {
    reply.outcome = Outcome::kProtocol;
    reply.message = "the child sent damaged data";
  } else if (r.answered) {
    reply.outcome = Outcome::kOk;
  } else if (r.failed) {
    reply.code = WIFEXITED(r.status) ? WEXITSTATUS(r.status) : 0;
  } else if (r.timed_out) {
    reply.outcome = r.starved ? Outcome::kResource : Outcome::kTimeout;
    reply.message = r.starved ? "the address space limit was reached" : "";
  } else if (WIFSIGNALED(r.status)) {
    classify_signal(r, reply);
  } else {
    reply.outcome = Outcome::kExited;
    reply.code = WEXITSTATUS(r.status);
  }
  if (reply.outcome != Outcome::kOk) reply.bytes.clear();
  if (reply.diagnostics.size() > kDiagnosticsKept)
    reply.diagnostics.erase(0, reply.diagnostics.size() - kDiagnosticsKept);
}

Reply could_not_start(const char* what) {
  Reply reply;
  reply.outcome = Outcome::kResource;
  reply.message = std::string(what) + ": " + std::strerror(errno);
  return reply;
}

}  // namespace

Reply run_in_child(const ChildOrder& order, const Handler& handler, bool& client_gone) {
  const Limits& limits = order.call->limits;
  const std::int64_t begin = monotonic_now_ns();
  std::array<int, 2> channel{}, diagnostics{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel.data()) != 0)
    return could_not_start("socketpair");
  FileDescriptor ours(channel[0]), theirs(channel[1]);
  if (::pipe2(diagnostics.data(), O_CLOEXEC) != 0) return could_not_start("pipe");
  FileDescriptor read_end(diagnostics[0]), write_end(diagnostics[1]);
  ::fcntl(read_end.get(), F_SETFL, O_NONBLOCK);

  Running r;
  if (limits.address_space_bytes > 0 && address_space_can_be_limited())
    r.address_space_cap = address_space_bytes(0) + limits.address_space_bytes;
  const pid_t server = ::getpid();
  r.pid = ::fork();
  if (r.pid < 0) return could_not_start("fork");
  if (r.pid == 0) {
    ::close(order.client);
    ours.reset();
    read_end.reset();
    run_child({server, theirs.get(), write_end.get(), order.request, order.attachment,
               r.address_space_cap},
              *order.call, handler);
  }
  ::setpgid(r.pid, r.pid);  // also here: whoever comes first
  theirs.reset();
  write_end.reset();
  r.pidfd = FileDescriptor(static_cast<int>(::syscall(SYS_pidfd_open, r.pid, 0)));
  r.channel = std::move(ours);
  r.diagnostics = std::move(read_end);
  r.deadline_ns = begin + limits.wall_ns;

  Reply reply;
  supervise(r, reply, order, client_gone);
  reap_everything(r);
  drain_channel(r, reply, order.request);
  drain_diagnostics(r, reply);
  classify(r, reply);
  reply.wall_ns = monotonic_now_ns() - begin;
  return reply;
}

}  // namespace tessera::runtime
