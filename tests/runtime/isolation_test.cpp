// The protocol between a tuner and its servers, with handlers that misbehave in every way, and with
// servers that do.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <array>
#include <cstring>
#include <new>
#include <stdexcept>

#include "runtime/isolation/crc32c.h"
#include "runtime/isolation/fork_server.h"
#include "runtime/isolation/frame.h"
#include "runtime/isolation/worker.h"
#include "support/error.h"
#include "tests/runtime/forked_server.h"

namespace tessera::runtime {
namespace {

using testing::bytes_of;
using testing::forked;
using testing::text_of;

void misbehave(const std::string& how, const HandlerContext& context) {
  context.stage(how);
  if (how == "crash") ::raise(SIGSEGV);
  if (how == "exit") ::_exit(7);
  if (how == "throw") throw std::runtime_error("no such thing");
  if (how == "bad_alloc") throw std::bad_alloc();
  if (how == "loop")
    for (;;) asm volatile("");
  if (how == "ignore") {
    ::signal(SIGTERM, SIG_IGN);
    for (;;) ::pause();
  }
  if (how == "stderr") {
    const std::string text(100'000, 'x');
    std::fprintf(stderr, "%sEND", text.c_str());
    ::abort();
  }
  if (how == "note") {
    context.note(bytes_of("last words"));
    ::raise(SIGILL);
  }
  if (how == "allocate") {
    std::vector<std::unique_ptr<char[]>> all;
    for (;;) all.push_back(std::make_unique_for_overwrite<char[]>(16 << 20));
  }
  if (how == "scribble") {  // garbage on every descriptor but the standard ones
    for (int fd = 3; fd < 64; ++fd)
      [[maybe_unused]] const ssize_t n =
          ::send(fd, "garbage, garbage, garbage, garbage!", 35, MSG_NOSIGNAL);
    ::_exit(0);
  }
  if (how == "fork") {
    for (int i = 0; i < 3; ++i)
      if (::fork() == 0) {
        ::setsid();
        for (;;) ::pause();
      }
  }
  if (how == "file") {
    std::FILE* f = std::tmpfile();
    for (int i = 0; f != nullptr && i < 100; ++i) std::fputs("data", f), std::fflush(f);
  }
}

std::vector<std::byte> echo(std::span<const std::byte> request, const HandlerContext& context) {
  misbehave(text_of(request), context);
  return {request.begin(), request.end()};
}

class Isolation : public ::testing::Test {
 protected:
  Reply call(std::string_view what) {
    Limits limits;
    limits.wall_ns = 300'000'000;
    limits.address_space_bytes = 256 << 20;
    return worker_.call(bytes_of(what), limits);
  }
  void expect_alive() {
    const Reply r = call("hello");
    EXPECT_EQ(r.outcome, Outcome::kOk) << r.message;
    EXPECT_EQ(text_of(r.bytes), "hello");
    EXPECT_EQ(worker_.servers_started(), 1);
  }
  Worker worker_{forked([](int fd) { return serve(fd, echo); })};
};

TEST_F(Isolation, AnswersWithWhatTheHandlerReturns) {
  expect_alive();
  EXPECT_EQ(call("").bytes.size(), 0U);
  const std::string large(3 << 20, 'y');
  EXPECT_EQ(text_of(call(large).bytes), large);
  EXPECT_GT(call("x").wall_ns, 0);
}
TEST_F(Isolation, CrashesAreAttributed) {
  const Reply r = call("crash");
  EXPECT_EQ(r.outcome, Outcome::kCrashed);
  EXPECT_EQ(r.code, SIGSEGV);
  EXPECT_EQ(r.stage, "crash");
  EXPECT_TRUE(r.bytes.empty());
  expect_alive();
}
TEST_F(Isolation, ExitsAndExceptions) {
  EXPECT_EQ(call("exit").outcome, Outcome::kExited);
  EXPECT_EQ(call("exit").code, 7);
  EXPECT_EQ(call("throw").outcome, Outcome::kExited);
  EXPECT_EQ(call("throw").message, "no such thing");
  expect_alive();
}
TEST_F(Isolation, NotesSurviveTheDead) {
  const Reply r = call("note");
  EXPECT_EQ(r.code, SIGILL);
  EXPECT_EQ(text_of(r.note), "last words");
}
TEST_F(Isolation, LoopsEndAtTheDeadline) {
  for (const char* how : {"loop", "ignore"}) {
    const Reply r = call(how);
    EXPECT_EQ(r.outcome, Outcome::kTimeout) << how;
    EXPECT_GE(r.wall_ns, 300'000'000);
    EXPECT_LT(r.wall_ns, 800'000'000);
  }
  expect_alive();
}
TEST_F(Isolation, MemoryIsLimited) {
  EXPECT_EQ(call("bad_alloc").outcome, Outcome::kResource);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_EQ(call("allocate").outcome, Outcome::kResource);
#endif
  expect_alive();
}
TEST_F(Isolation, FilesAreLimited) {
  const Reply r = call("file");
  EXPECT_EQ(r.outcome, Outcome::kCrashed);
  EXPECT_EQ(r.code, SIGXFSZ);
}
TEST_F(Isolation, StandardErrorIsKept) {
  const Reply r = call("stderr");
  EXPECT_EQ(r.code, SIGABRT);
  EXPECT_EQ(r.diagnostics.size(), 16U << 10);
  EXPECT_TRUE(r.diagnostics.ends_with("END"));
}
TEST_F(Isolation, GarbageFromAChildKillsOnlyTheChild) {
  EXPECT_EQ(call("scribble").outcome, Outcome::kProtocol);
  expect_alive();
}
TEST_F(Isolation, DescendantsAreReaped) {
  EXPECT_EQ(call("fork").outcome, Outcome::kOk);
  std::FILE* f = std::fopen(("/proc/" + std::to_string(worker_.server_pid()) + "/task/" +
                             std::to_string(worker_.server_pid()) + "/children")
                                .c_str(),
                            "r");
  ASSERT_NE(f, nullptr);
  EXPECT_EQ(std::fgetc(f), EOF);
  std::fclose(f);
}
TEST(Worker, EndsItsServerEvenInTheMiddle) {
  pid_t server = 0;
  const std::int64_t begin = monotonic_now_ns();
  {
    Worker worker(forked([](int fd) { return serve(fd, echo); }));
    worker.start(bytes_of("loop"), {});
    EXPECT_FALSE(worker.poll(50));
    server = worker.server_pid();
    EXPECT_EQ(::kill(server, 0), 0);
  }
  EXPECT_EQ(::kill(server, 0), -1);  // gone and reaped
  EXPECT_LT(monotonic_now_ns() - begin, 2'000'000'000);
}
TEST(Worker, ServesAttachmentsAlsoAfterARestart) {
  const Handler handler = [](std::span<const std::byte>, const HandlerContext& context) {
    std::array<char, 8> text{};
    const ssize_t n = ::pread(context.attachment(), text.data(), text.size(), 0);
    return bytes_of(
        std::string_view(text.data(), static_cast<std::size_t>(std::max<ssize_t>(n, 0))));
  };
  Worker worker(forked([&](int fd) { return serve(fd, handler); }));
  std::FILE* f = std::tmpfile();
  std::fputs("shared", f);
  std::fflush(f);
  worker.attach(::fileno(f));
  std::fclose(f);
  EXPECT_EQ(text_of(worker.call({}, {}).bytes), "shared");
  ::kill(worker.server_pid(), SIGKILL);
  siginfo_t dead{};
  ::waitid(P_PID, static_cast<id_t>(worker.server_pid()), &dead, WEXITED | WNOWAIT);
  EXPECT_EQ(text_of(worker.call({}, {}).bytes), "shared");
  EXPECT_EQ(worker.servers_started(), 2);
}
TEST(Worker, TwoWorkersOverlap) {
  Worker a(forked([](int fd) { return serve(fd, echo); })),
      b(forked([](int fd) { return serve(fd, echo); }));
  a.start(bytes_of("one"), {});
  b.start(bytes_of("two"), {});
  EXPECT_EQ(text_of(b.finish().bytes), "two");
  EXPECT_EQ(text_of(a.finish().bytes), "one");
}
TEST(Worker, MissingProgramIsAUserErrorOrNoAnswer) {
  Worker worker(spawn_program("/nonexistent/program"));
  try {
    EXPECT_NE(worker.call({}, {}).outcome, Outcome::kOk);
  } catch (const UserError& e) {
    EXPECT_EQ(e.exit_code(), 1);
  }
  Worker wrong(spawn_program("/bin/true"));
  EXPECT_EQ(wrong.call({}, {}).outcome, Outcome::kProtocol);
}

// Servers that speak wrongly: each is replaced, the caller only sees kProtocol.

std::vector<std::byte> frame_bytes(FrameKind kind, std::uint64_t request,
                                   std::span<const std::byte> payload) {
  const FrameHeader h = make_header(kind, request, payload);
  std::vector<std::byte> out(sizeof h);
  std::memcpy(out.data(), &h, sizeof h);
  out.insert(out.end(), payload.begin(), payload.end());
  return out;
}
void say(int fd, std::span<const std::byte> bytes) {
  [[maybe_unused]] const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

Outcome outcome_against(const std::function<void(int fd)>& answer) {
  Worker worker(forked([&](int fd) {
    say(fd, frame_bytes(FrameKind::kHello, 0, {}));
    std::array<char, 4096> request;
    [[maybe_unused]] const ssize_t n = ::recv(fd, request.data(), request.size(), 0);
    answer(fd);
    while (::recv(fd, request.data(), request.size(), 0) > 0) {
    }
    return 0;
  }));
  const Outcome outcome = worker.call(bytes_of("x"), {}).outcome;
  EXPECT_EQ(worker.descriptor(),
            outcome == Outcome::kOk ? worker.descriptor() : -1);  // declared dead
  return outcome;
}

TEST(Protocol, EveryFlippedByteOfAReplyIsNoticed) {
  Reply good;
  good.outcome = Outcome::kOk;
  good.bytes = bytes_of("result");
  const std::vector<std::byte> bytes = frame_bytes(FrameKind::kReply, 1, encode_reply(good));
  EXPECT_EQ(outcome_against([&](int fd) { say(fd, bytes); }), Outcome::kOk);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    FrameBuffer buffer;
    std::vector<std::byte> flipped = bytes;
    flipped[i] ^= std::byte{0x10};
    buffer.append(flipped);
    EXPECT_FALSE(buffer.next().has_value()) << i;
    EXPECT_TRUE(buffer.broken()) << i;
  }
  for (const std::size_t i : {std::size_t{0}, std::size_t{20}, bytes.size() - 1}) {
    std::vector<std::byte> flipped = bytes;
    flipped[i] ^= std::byte{1};
    EXPECT_EQ(outcome_against([&](int fd) { say(fd, flipped); }), Outcome::kProtocol);
  }
}
TEST(Protocol, TruncatedReply) {
  const std::vector<std::byte> bytes = frame_bytes(FrameKind::kReply, 1, encode_reply({}));
  for (std::size_t n = 0; n < bytes.size(); n += 13) {
    FrameBuffer buffer;
    buffer.append(std::span(bytes).first(n));
    EXPECT_FALSE(buffer.next().has_value());
    EXPECT_FALSE(buffer.broken());
  }
  EXPECT_EQ(outcome_against([&](int fd) {
              say(fd, std::span(bytes).first(bytes.size() - 1));
              ::shutdown(fd, SHUT_WR);
            }),
            Outcome::kProtocol);
}
TEST(Protocol, OversizedLengthIsRefusedBeforeAnythingIsAllocated) {
  FrameHeader h = make_header(FrameKind::kReply, 1, {});
  h.length = kLongestFrame + 1;
  h.header_crc = crc32c(std::as_bytes(std::span(&h, 1)).first(offsetof(FrameHeader, header_crc)));
  EXPECT_EQ(outcome_against([&](int fd) { say(fd, std::as_bytes(std::span(&h, 1))); }),
            Outcome::kProtocol);
}
TEST(Protocol, AnswerToAnotherRequestOrOfAnotherKind) {
  const std::vector<std::byte> reply = encode_reply({});
  EXPECT_EQ(outcome_against([&](int fd) { say(fd, frame_bytes(FrameKind::kReply, 2, reply)); }),
            Outcome::kProtocol);
  EXPECT_EQ(outcome_against([&](int fd) { say(fd, frame_bytes(FrameKind::kStage, 1, reply)); }),
            Outcome::kProtocol);
  EXPECT_EQ(outcome_against(
                [&](int fd) { say(fd, frame_bytes(FrameKind::kReply, 1, bytes_of("no reply"))); }),
            Outcome::kProtocol);
}
TEST(Protocol, ServerRefusesGarbage) {
  for (const bool truncated : {false, true}) {
    const ServerProcess server = forked([](int fd) { return serve(fd, echo); })();
    const std::vector<std::byte> call =
        frame_bytes(FrameKind::kCall, 1, encode_call({}, bytes_of("hello")));
    say(server.socket.get(), truncated ? std::vector<std::byte>(call.begin(), call.end() - 1)
                                       : bytes_of("this is not a frame, only some text"));
    ::shutdown(server.socket.get(), SHUT_WR);
    int status = 0;
    ASSERT_EQ(::waitpid(server.pid, &status, 0), server.pid);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 3);
  }
}
TEST(Crc32c, KnownValue) { EXPECT_EQ(crc32c(bytes_of("123456789")), 0xe3069283U); }

}  // namespace
}  // namespace tessera::runtime
