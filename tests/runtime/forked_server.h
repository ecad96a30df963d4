// Servers that are forked from a test instead of exec'd, and requests as text.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/isolation/worker.h"

namespace tessera::runtime::testing {

inline std::vector<std::byte> bytes_of(std::string_view s) {
  std::vector<std::byte> out(s.size());
  if (!s.empty()) std::memcpy(out.data(), s.data(), s.size());
  return out;
}
inline std::string text_of(std::span<const std::byte> b) {
  return {reinterpret_cast<const char*>(b.data()), b.size()};
}

/// A server forked from the test instead of exec'd; `speak` is its whole life.
inline Spawner forked(std::function<int(int fd)> speak) {
  return [speak = std::move(speak)] {
    std::array<int, 2> pair{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0)
      throw std::runtime_error("socketpair");
    ServerProcess server;
    server.pid = ::fork();
    if (server.pid == 0) {
      ::close(pair[0]);
      ::_exit(speak(pair[1]));
    }
    ::close(pair[1]);
    server.socket = FileDescriptor(pair[0]);
    return server;
  };
}

}  // namespace tessera::runtime::testing
