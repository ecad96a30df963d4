// The client side of isolation: one server process, at most one request in flight.
//
// The server is spawned when first needed and replaced when it dies, answers garbage or stays
// silent past the deadline. It ends when its socket closes, so it never outlives this process,
// however that ends. It does not ask for a parent-death signal (that would fire when only the
// spawning *thread* ends), therefore a Worker may be used from any thread, one at a time.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "runtime/isolation/call.h"
#include "runtime/isolation/frame.h"

namespace tessera::runtime {

struct ServerProcess {
  pid_t pid = -1;
  FileDescriptor socket;
};
/// Starts a server. Throws UserError when that is impossible.
using Spawner = std::function<ServerProcess()>;

/// Runs the program at `path` with its socket as descriptor kServerFd, everything else closed,
/// standard streams to /dev/null, in its own process group (Ctrl-C in the terminal is the tuner's).
Spawner spawn_program(std::string path);

class Worker {
 public:
  explicit Worker(Spawner spawn);
  ~Worker();  // ends the server, killing what it runs
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Gives every request from now on a descriptor (duplicated here; also given to a replacement of
  /// the server). Not while a request is in flight.
  void attach(int fd);

  /// Sends a request and waits. Never throws for what the request does; throws UserError only when
  /// no server can be spawned.
  Reply call(std::span<const std::byte> request, const Limits& limits);

  /// The same in three parts, so that two workers overlap. Exactly one finish() per start().
  void start(std::span<const std::byte> request, const Limits& limits);
  /// True when finish() will not wait. Waits at most `timeout_ms`; 0 looks only.
  bool poll(int timeout_ms);
  Reply finish();
  bool busy() const { return busy_; }

  /// Ends the server, as if it had died; the next request starts another. Not while one is in flight.
  void replace_server();

  /// To wait on several workers with poll(2); readable when there is something for poll(). -1: no
  /// server.
  int descriptor() const { return server_.socket.get(); }
  pid_t server_pid() const { return server_.pid; }
  int servers_started() const { return servers_started_; }

 private:
  bool ensure_running();
  bool send(FrameKind kind, std::span<const std::byte> payload, int descriptor);
  bool send_call();
  void step(int timeout_ms);
  void give_up(std::string why);
  void stop(bool at_once);

  Spawner spawn_;
  ServerProcess server_;
  FrameBuffer frames_;
  FileDescriptor attachment_;
  std::uint64_t request_ = 0;
  std::vector<std::byte> payload_;  // of the request in flight
  Limits limits_;
  std::int64_t deadline_ns_ = 0;
  bool busy_ = false, ready_ = false;
  Reply reply_;
  int servers_started_ = 0;
};

}  // namespace tessera::runtime
