// The shared library, by the system's own compiler: it knows where libm and the start files are.
#include <elf.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <sstream>

#include "exporter/detail/bundle.h"

extern char** environ;

namespace tessera::exporter {

namespace {

bool on_path(const std::string& program) {
  if (program.find('/') != std::string::npos) return ::access(program.c_str(), X_OK) == 0;
  const char* path = ::getenv("PATH");
  std::istringstream in(path != nullptr ? path : "/usr/bin:/bin");
  for (std::string directory; std::getline(in, directory, ':');) {
    if (::access(((directory.empty() ? "." : directory) + "/" + program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

/// What a compiler said, shortened to the line that says most.
std::string first_error(const std::string& output) {
  std::istringstream in(output);
  std::string first;
  for (std::string line; std::getline(in, line);) {
    const bool telling = line.find("error:") != std::string::npos || line.find("cannot") != std::string::npos;
    if (telling && line.rfind("collect2:", 0) != 0) return line.substr(0, 200);
    if (first.empty()) first = line.substr(0, 200);
  }
  return first;
}

/// Whether the object is for the kind of processor that this machine's compiler links for.
bool is_native(const std::string& object) {
#if defined(__x86_64__)
  constexpr unsigned kMachine = EM_X86_64;
#elif defined(__aarch64__)
  constexpr unsigned kMachine = EM_AARCH64;
#else
  return true;
#endif
  Elf64_Ehdr header{};
  if (object.size() < sizeof header) return false;
  std::memcpy(&header, object.data(), sizeof header);
  return header.e_machine == kMachine;
}

struct Outcome {
  int status = 0;      // of waitpid
  std::string output;  // stdout and stderr, the first 64 KiB
};

/// Runs a program in a directory, its output in a pipe, no input.
Result<Outcome> run(const std::vector<std::string>& words, const std::string& directory) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return refuse(std::strerror(errno));
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addchdir_np(&actions, directory.c_str());
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
  std::vector<char*> argv, environment;
  for (const std::string& w : words) argv.push_back(const_cast<char*>(w.c_str()));
  argv.push_back(nullptr);
  std::string locale = "LC_ALL=C";  // the same bytes and messages whatever the user's language
  for (char** e = environ; *e != nullptr; ++e) {
    if (std::strncmp(*e, "LC_ALL=", 7) != 0) environment.push_back(*e);
  }
  environment.push_back(locale.data());
  environment.push_back(nullptr);
  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environment.data());
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  Outcome out;
  if (error == 0) {
    char buffer[4096];
    for (;;) {
      const ssize_t n = ::read(ends[0], buffer, sizeof buffer);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;
      if (out.output.size() < 65536) out.output.append(buffer, static_cast<std::size_t>(n));
    }
    while (::waitpid(pid, &out.status, 0) < 0 && errno == EINTR) {
    }
  }
  ::close(ends[0]);
  if (error != 0) return refuse("'", words[0], "' cannot be started: ", std::strerror(error));
  return out;
}

}  // namespace

Status link_shared_library(const Bundle& b, const std::string& directory, const std::string& compiler) {
  static constexpr const char* kInstall = "; install a C compiler and linker (Debian: apt-get install gcc libc6-dev)";
  if (compiler.empty() && !is_native(b.object)) {
    return refuse("this machine's compiler does not link for '", b.target, "'; compile ", b.name, "_launcher.c there and link it with ",
                  b.name, ".o");
  }
  std::string cc = compiler;
  for (const char* known : {"cc", "gcc", "clang"}) {
    if (cc.empty() && on_path(known)) cc = known;
  }
  if (cc.empty() || !on_path(cc)) {
    return refuse("there is no C compiler", cc.empty() ? "" : " '" + cc + "'", " here", kInstall);
  }
  const std::string library = "lib" + b.name + ".so";
  const std::vector<std::string> words = {cc, "-std=c11", "-O2", "-fPIC", "-shared", "-o", library, b.name + "_launcher.c", b.name + ".o",
                                          "-Wl,-soname," + library, "-Wl,-Bsymbolic", "-Wl,-z,now", "-Wl,-z,noexecstack",
                                          "-Wl,--build-id=none", "-Wl,--as-needed", "-lm"};
  TESSERA_TRY(outcome, run(words, directory));
  if (WIFEXITED(outcome.status) && WEXITSTATUS(outcome.status) == 0) return Done{};
  const std::string said = first_error(outcome.output);
  return refuse("'", cc, "' failed", said.empty() ? "" : ": " + said, kInstall);
}

}  // namespace tessera::exporter
