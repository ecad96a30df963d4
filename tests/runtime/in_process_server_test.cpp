// A server that answers in its own process, with handlers that misbehave in every way.
#include "runtime/isolation/in_process_server.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <new>

#include "tests/runtime/forked_server.h"

namespace tessera::runtime {
namespace {

using testing::bytes_of;
using testing::forked;
using testing::text_of;

/// Counts its calls, so that one sees which process answers.
std::vector<std::byte> count(const InProcessCall& call) {
  static int calls = 0;
  const std::string how = text_of(call.request);
  call.stage(how);
  ++calls;
  if (how == "loop") {
    for (;;) ::pause();
  }
  if (how == "crash") ::raise(SIGSEGV);
  if (how == "throw") throw std::runtime_error("no such thing");
  if (how == "bad_alloc") throw std::bad_alloc();
  return bytes_of(std::to_string(calls));
}

class InProcess : public ::testing::Test {
 protected:
  Reply call(std::string_view what) { return worker_.call(bytes_of(what), {.wall_ns = 300'000'000}); }
  Worker worker_{forked([](int fd) { return serve_in_process(fd, count); })};
};

TEST_F(InProcess, StateStaysFromCallToCall) {
  for (const char* n : {"1", "2", "3"}) EXPECT_EQ(text_of(call("x").bytes), n);
  EXPECT_EQ(worker_.servers_started(), 1);
}

TEST_F(InProcess, ExceptionsAreReportedAndTheServerGoesOn) {
  const Reply thrown = call("throw"), starved = call("bad_alloc");
  EXPECT_EQ(thrown.outcome, Outcome::kExited);
  EXPECT_EQ(thrown.message, "no such thing");
  EXPECT_EQ(thrown.stage, "throw");
  EXPECT_EQ(starved.outcome, Outcome::kResource);
  EXPECT_EQ(text_of(call("x").bytes), "3");
}

TEST_F(InProcess, LoopsEndAtTheDeadlineWithTheServer) {
  const Reply r = call("loop");
  EXPECT_EQ(r.outcome, Outcome::kTimeout);
  EXPECT_EQ(r.stage, "loop");
  EXPECT_GE(r.wall_ns, 300'000'000);
  EXPECT_LT(r.wall_ns, 2'000'000'000);
  worker_.replace_server();
  EXPECT_EQ(text_of(call("x").bytes), "1");
}

TEST_F(InProcess, CrashesAreBlamedOnTheLastStage) {
  const Reply r = call("crash");
  EXPECT_EQ(r.outcome, Outcome::kProtocol);
  EXPECT_EQ(r.stage, "crash");
  EXPECT_EQ(r.message, "the server process ended");
  EXPECT_EQ(call("x").stage, "x");
  EXPECT_EQ(worker_.servers_started(), 2);
}

TEST_F(InProcess, ClientsReplaceTheirServer) {
  EXPECT_EQ(text_of(call("x").bytes), "1");
  worker_.replace_server();
  EXPECT_EQ(text_of(call("x").bytes), "1");
  EXPECT_EQ(worker_.servers_started(), 2);
}

TEST(InProcessServer, EndsWithItsClientWhateverItHangsIn) {
  pid_t server = -1;
  {
    Worker worker(forked([](int fd) { return serve_in_process(fd, count); }));
    worker.start(bytes_of("loop"), {.wall_ns = 60'000'000'000});
    server = worker.server_pid();
    EXPECT_FALSE(worker.poll(50));
  }
  EXPECT_NE(::kill(server, 0), 0);
}

}  // namespace
}  // namespace tessera::runtime
