#include "runtime/emulator/host_compiler.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>
#include <vector>

#include "support/hash.h"

extern char** environ;

namespace tessera::runtime::emulator {

namespace fs = std::filesystem;

namespace {

// -O1: the time goes into the emulator, and compiling a kernel counts. Contraction is off so that a
// multiply and an add round twice unless the text says ts_fma; integers wrap, as on a GPU. No
// library is linked: what the text calls is in this process.
const std::vector<std::string> kFlags{"-std=c++17",
                                      "-O1",
                                      "-fPIC",
                                      "-shared",
                                      "-nostdlib",
                                      "-w",
                                      "-ffp-contract=off",
                                      "-fno-exceptions",
                                      "-fno-rtti",
                                      "-fno-strict-aliasing",
                                      "-fwrapv",
                                      "-fno-stack-protector"};

bool has_fma() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("fma");
#else
  return false;
#endif
}

std::vector<std::string> flags() {
  std::vector<std::string> all = kFlags;
  if (has_fma()) all.push_back("-mfma");
  return all;
}

fs::path cache_directory() {
  std::error_code error;
  fs::path base;
  if (const char* xdg = std::getenv("XDG_CACHE_HOME"); xdg != nullptr && *xdg != 0)
    base = xdg;
  else if (const char* home = std::getenv("HOME"); home != nullptr && *home != 0)
    base = fs::path(home) / ".cache";
  else
    base = fs::temp_directory_path(error);
  fs::path directory = base / "tessera" / "emulator";
  fs::create_directories(directory, error);
  if (error || ::access(directory.c_str(), W_OK) != 0) {
    directory = fs::temp_directory_path() / ("tessera-emulator-" + std::to_string(::getuid()));
    fs::create_directories(directory, error);
  }
  return directory;
}

std::string hex(std::uint64_t x) {
  std::ostringstream out;
  out << std::hex << x;
  return out.str();
}

/// Halves the cache when it holds too many objects, the oldest first.
void trim(const fs::path& directory) {
  constexpr std::size_t kMostObjects = 4096;
  std::vector<std::pair<fs::file_time_type, fs::path>> objects;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error))
    if (entry.path().extension() == ".so")
      objects.emplace_back(entry.last_write_time(error), entry.path());
  if (objects.size() <= kMostObjects) return;
  std::sort(objects.begin(), objects.end());
  for (std::size_t i = 0; i < objects.size() / 2; ++i) fs::remove(objects[i].second, error);
}

/// The first line of what the compiler said that tells of an error.
std::string first_error(const fs::path& log) {
  std::ifstream in(log);
  std::string line, first;
  while (std::getline(in, line)) {
    if (first.empty()) first = line;
    if (line.find("error") != std::string::npos) return line;
  }
  return first.empty() ? "it said nothing" : first;
}

/// Runs a command with its output in `log`; the exit status, or -1.
int run_command(const std::vector<std::string>& command, const fs::path& log) {
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 2, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&files, 2, 1);
  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid, arguments[0], &files, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) return -1;
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return -1;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

Result<std::string> find_host_compiler() {
  const char* path = std::getenv("PATH");
  for (const char* name : {"c++", "g++", "clang++"}) {
    std::istringstream directories(path != nullptr ? path : "/usr/bin:/bin");
    for (std::string directory; std::getline(directories, directory, ':');) {
      const fs::path candidate = fs::path(directory) / name;
      if (::access(candidate.c_str(), X_OK) == 0) return candidate.string();
    }
  }
  return refuse(
      "emulation needs a C++ compiler on PATH (c++, g++ or clang++): apt-get install -y g++");
}

Result<std::string> shared_object_of(const std::string& text) {
  TESSERA_TRY(compiler, find_host_compiler());
  std::uint64_t key = hash_bytes(text), second = mix64(key ^ text.size());
  for (const std::string& flag : flags()) key = hash_combine(key, hash_bytes(flag));
  key = hash_combine(key, hash_bytes(compiler));
  for (const char c : text) second = second * 31 + static_cast<unsigned char>(c);
  const fs::path directory = cache_directory();
  const fs::path object = directory / ("kernel-" + hex(key) + hex(mix64(second)) + ".so");
  if (::access(object.c_str(), R_OK) == 0) return object.string();

  // Written under a name of its own and renamed: a reader never sees half an object.
  const fs::path own = directory / (object.stem().string() + "." + std::to_string(::getpid()));
  const fs::path source = own.string() + ".cpp", log = own.string() + ".log",
                 fresh = own.string() + ".so";
  std::ofstream(source) << text;
  std::vector<std::string> command{compiler};
  for (std::string& flag : flags()) command.push_back(std::move(flag));
  command.insert(command.end(), {source.string(), "-o", fresh.string()});
  const int status = run_command(command, log);
  const std::string said = status == 0 ? "" : first_error(log);
  std::error_code error;
  fs::remove(source, error);
  fs::remove(log, error);
  if (status != 0) return refuse("the host compiler refuses the text: ", said);
  fs::rename(fresh, object, error);
  if (error) return refuse("cannot keep ", object.string(), ": ", error.message());
  if (key % 64 == 0) trim(directory);
  return object.string();
}

}  // namespace tessera::runtime::emulator
