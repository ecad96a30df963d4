#include "tests/support/command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace tessera::test {

namespace fs = std::filesystem;

namespace {

using Clock = std::chrono::steady_clock;
constexpr unsigned kNobody = 65534;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct Ends {
  int ours = -1, theirs = -1;
};

Ends make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
  return {ends[0], ends[1]};
}

Ends make_terminal() {
  const int ours = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (ours < 0 || ::grantpt(ours) != 0 || ::unlockpt(ours) != 0)
    throw std::runtime_error("posix_openpt");
  const int theirs = ::open(::ptsname(ours), O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (theirs < 0) throw std::runtime_error("ptsname");
  return {ours, theirs};
}

/// In the child, between fork and exec.
[[noreturn]] void become(int program, const std::vector<char*>& words,
                         const std::vector<char*>& environment, const CommandOptions& o, int out,
                         int err) {
  ::setpgid(0, 0);
  const int in = ::open("/dev/null", O_RDONLY);
  if (!o.out.empty()) out = ::open(o.out.c_str(), O_WRONLY);
  ::dup2(in, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  if (!o.folder.empty() && ::chdir(o.folder.c_str()) != 0) _exit(126);
  if (o.file_bytes > 0) {
    const rlimit limit{static_cast<rlim_t>(o.file_bytes), static_cast<rlim_t>(o.file_bytes)};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  if (o.as_nobody && ::geteuid() == 0 && (::setgid(kNobody) != 0 || ::setuid(kNobody) != 0))
    _exit(126);
  // By descriptor: the folder that holds the program may be closed to nobody.
  ::fexecve(program, words.data(), environment.data());
  _exit(127);
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  path_ = (fs::temp_directory_path() / "tessera-test-XXXXXX").string();
  if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("mkdtemp " + path_);
  ::chmod(path_.c_str(), 0755);
  path_ = fs::canonical(path_).string();
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::vector<std::string> TemporaryFolder::entries() const {
  std::vector<std::string> out;
  for (const auto& entry : fs::directory_iterator(path_))
    out.push_back(entry.path().filename().string());
  std::sort(out.begin(), out.end());
  return out;
}

std::string read_text(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

void write_text(const std::string& file, const std::string& text) {
  std::ofstream(file, std::ios::binary) << text;
}

std::string program_path(const std::string& name) {
  return std::string(TESSERA_BINARY_DIR) + "/bin/" + name;
}

Command::Command(const std::vector<std::string>& words, const CommandOptions& options) {
  std::vector<std::string> texts;
  for (char** e = environ; *e != nullptr; ++e) {
    const std::string entry = *e;
    if (!options.environment.contains(entry.substr(0, entry.find('=')))) texts.push_back(entry);
  }
  for (const auto& [name, value] : options.environment) texts.push_back(name + "=" + value);
  std::vector<char*> environment, arguments;
  for (std::string& t : texts) environment.push_back(t.data());
  environment.push_back(nullptr);
  std::vector<std::string> copies = words;
  for (std::string& w : copies) arguments.push_back(w.data());
  arguments.push_back(nullptr);

  const int program = ::open(words[0].c_str(), O_PATH | O_CLOEXEC);
  if (program < 0) throw std::runtime_error("no program " + words[0]);
  const Ends out = make_pipe(), err = options.terminal ? make_terminal() : make_pipe();
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("fork");
  if (pid_ == 0) become(program, arguments, environment, options, out.theirs, err.theirs);
  ::setpgid(pid_, pid_);
  ::close(program);
  ::close(out.theirs);
  ::close(err.theirs);
  out_ = out.ours;
  err_ = err.ours;
}

Command::~Command() {
  if (!ended_) {
    send_group(SIGKILL);
    reap();
  }
  if (out_ >= 0) ::close(out_);
  if (err_ >= 0) ::close(err_);
}

void Command::send(int signal) const {
  if (!ended_) ::kill(pid_, signal);
}
void Command::send_group(int signal) const {
  if (!ended_) ::kill(-pid_, signal);
}

void Command::reap() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  ended_ = true;
  result_.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool Command::running() {
  siginfo_t info{};
  if (!ended_ &&
      ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
      info.si_pid == pid_)
    reap();
  return !ended_;
}

/// False when both ends are closed.
bool Command::read_some(int timeout_ms) {
  std::array<pollfd, 2> ends{{{out_, POLLIN, 0}, {err_, POLLIN, 0}}};
  if (out_ < 0 && err_ < 0) return false;
  ::poll(ends.data(), ends.size(), timeout_ms);
  const auto take = [](const pollfd& end, int& fd, std::string& text) {
    if (fd < 0 || end.revents == 0) return;
    std::array<char, 4096> buffer;
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n > 0) {
      text.append(buffer.data(), static_cast<std::size_t>(n));
    } else {  // a terminal whose other side is closed says EIO
      ::close(fd);
      fd = -1;
    }
  };
  take(ends[0], out_, result_.out);
  take(ends[1], err_, result_.err);
  return true;
}

void Command::collect(double seconds) {
  const auto start = Clock::now();
  while (running() && seconds_since(start) < seconds) {
    if (!read_some(5)) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

CommandResult Command::wait(double seconds) {
  collect(seconds);
  if (running()) {
    send_group(SIGKILL);
    reap();
    result_.err += "\n[killed after " + std::to_string(seconds) + " s]\n";
  }
  const auto start =
      Clock::now();  // what is still in the pipes; a child that lives on may hold them
  while (seconds_since(start) < 1 && read_some(100)) {
  }
  return result_;
}

CommandResult autotune(const std::vector<std::string>& words, const CommandOptions& options) {
  std::vector<std::string> all{program_path("autotune")};
  all.insert(all.end(), words.begin(), words.end());
  return Command(all, options).wait();
}

std::vector<pid_t> processes_of(const std::string& folder, double seconds) {
  const auto start = Clock::now();
  for (;;) {
    std::vector<pid_t> found;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator("/proc", error)) {
      const std::string name = entry.path().filename().string();
      if (name.find_first_not_of("0123456789") != std::string::npos) continue;
      const bool there = fs::read_symlink(entry.path() / "cwd", error) == fs::path(folder);
      const bool marked = read_text((entry.path() / "environ").string()).find("TMPDIR=" + folder) !=
                          std::string::npos;
      const std::string stat = read_text((entry.path() / "stat").string());
      const std::size_t state = stat.rfind(") ");
      const bool zombie = state != std::string::npos && stat.compare(state, 3, ") Z") == 0;
      if ((there || marked) && !zombie) found.push_back(static_cast<pid_t>(std::stol(name)));
    }
    if (found.empty() || seconds_since(start) > seconds) return found;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

}  // namespace tessera::test
