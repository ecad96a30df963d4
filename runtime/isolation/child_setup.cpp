#include "runtime/isolation/child_setup.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <string>

#include "runtime/isolation/frame.h"
#include "runtime/wire.h"

namespace tessera::runtime {

namespace {

constexpr int kHandlerThrew = 70;  // EX_SOFTWARE
constexpr int kOutOfMemory = 71;   // EX_OSERR
constexpr std::int64_t kSendPatience_ns = 30'000'000'000;
constexpr std::size_t kLongestNote = 4096;

int g_channel = -1;  // of this child, for the out-of-memory handler
std::uint64_t g_request = 0;

void limit(int resource, std::int64_t soft, std::int64_t hard) {
  const rlimit r{static_cast<rlim_t>(soft), static_cast<rlim_t>(hard)};
  ::setrlimit(static_cast<__rlimit_resource>(resource), &r);
}

void apply_limits(const Limits& limits, std::int64_t address_space_cap) {
  limit(RLIMIT_CORE, 0, 0);
  limit(RLIMIT_FSIZE, limits.file_bytes, limits.file_bytes);
  if (limits.cpu_ns > 0) {
    const std::int64_t seconds =
        std::max<std::int64_t>(1, (limits.cpu_ns + 999'999'999) / 1'000'000'000);
    limit(RLIMIT_CPU, seconds, seconds + 1);
  }
  if (address_space_cap > 0) limit(RLIMIT_AS, address_space_cap, address_space_cap);
}

void send_failure(Outcome outcome, std::string_view message) {
  WireWriter w;
  w.put(outcome);
  w.text(message.substr(0, 4096));
  send_frame(g_channel, FrameKind::kFailure, g_request, w.take(),
             monotonic_now_ns() + kSendPatience_ns);
}

/// Any failing operator new ends here, also inside code built without exceptions (LLVM).
void out_of_memory() {
  std::set_new_handler(nullptr);
  static std::array<std::byte, 64> payload;  // the encoding of send_failure, without allocating
  constexpr std::string_view kText = "out of memory";
  const Outcome outcome = Outcome::kResource;
  const std::uint64_t length = kText.size();
  std::memcpy(payload.data(), &outcome, 1);
  std::memcpy(payload.data() + 1, &length, 8);
  std::memcpy(payload.data() + 9, kText.data(), kText.size());
  send_frame(g_channel, FrameKind::kFailure, g_request, std::span(payload).first(9 + kText.size()),
             monotonic_now_ns() + kSendPatience_ns);
  ::_exit(kOutOfMemory);
}

/// Dies with the server. False when the server died before the request for it took effect.
bool tie_to(pid_t server) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::prctl(PR_SET_DUMPABLE, 0);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return ::getppid() == server;
}

}  // namespace

void HandlerContext::stage(std::string_view name) const {
  send_frame(channel_, FrameKind::kStage, g_request,
             std::as_bytes(std::span(name.data(), name.size())),
             monotonic_now_ns() + kSendPatience_ns);
}

void HandlerContext::note(std::span<const std::byte> bytes) const noexcept {
  const auto body = bytes.first(std::min(bytes.size(), kLongestNote));
  FrameHeader h = make_header(FrameKind::kNote, g_request, body);
  std::array<iovec, 2> io{{{&h, sizeof h}, {const_cast<std::byte*>(body.data()), body.size()}}};
  msghdr m{};
  m.msg_iov = io.data();
  m.msg_iovlen = io.size();
  // One call: a note is far below the socket buffer, and there is nothing left to do if it fails.
  [[maybe_unused]] const ssize_t sent = ::sendmsg(channel_, &m, MSG_NOSIGNAL);
}

void run_child(const ChildSide& side, const Call& call, const Handler& handler) {
  g_channel = side.channel;
  g_request = side.request;
  if (!tie_to(side.server)) ::_exit(0);
  for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGTERM})
    ::signal(signal, SIG_DFL);
  ::dup2(side.diagnostics, STDERR_FILENO);
  apply_limits(call.limits, side.address_space_cap);
  std::set_new_handler(out_of_memory);
  int status = 0;
  try {
    const std::vector<std::byte> result =
        handler(call.request, HandlerContext(side.channel, side.attachment));
    send_frame(side.channel, FrameKind::kResult, side.request, result,
               monotonic_now_ns() + kSendPatience_ns);
  } catch (const std::bad_alloc&) {
    send_failure(Outcome::kResource, "out of memory");
    status = kOutOfMemory;
  } catch (const std::exception& e) {
    send_failure(Outcome::kExited, e.what());
    status = kHandlerThrew;
  }
  ::_exit(status);  // no destructors of the server's state, no flush of inherited buffers
}

bool address_space_can_be_limited() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return false;  // sanitizers reserve terabytes
#else
  return true;
#endif
}

std::int64_t address_space_bytes(pid_t pid) {
  const std::string path =
      pid == 0 ? "/proc/self/statm" : "/proc/" + std::to_string(pid) + "/statm";
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 64> text{};
  if (!file || ::read(file.get(), text.data(), text.size() - 1) <= 0) return 0;
  return std::strtoll(text.data(), nullptr, 10) * ::sysconf(_SC_PAGESIZE);
}

}  // namespace tessera::runtime
