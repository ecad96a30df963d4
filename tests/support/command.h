// Our programs as a user runs them: processes in folders of their own, with what they said.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tessera::test {

/// A folder of its own that goes with the object. Anyone may enter it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  /// Names of what lies in it, sorted.
  std::vector<std::string> entries() const;

 private:
  std::string path_;
};

std::string read_text(const std::string& file);
void write_text(const std::string& file, const std::string& text);

/// "<build>/bin/<name>".
std::string program_path(const std::string& name);

struct CommandOptions {
  std::string folder{};                              // to run in; empty: here
  std::map<std::string, std::string> environment{};  // added to ours
  bool as_nobody = false;                            // when we are root, who may write everywhere
  std::int64_t file_bytes = 0;                       // no file may grow beyond this; 0: no limit
  bool terminal = false;                             // stderr is a terminal
  std::string out{};  // file for stdout ("/dev/full"); empty: it is collected
};

struct CommandResult {
  int code = -1;  // exit code, 128 + signal when killed by one
  std::string out, err;
};

/// A running program in a process group of its own, without standard input.
class Command {
 public:
  Command(const std::vector<std::string>& words, const CommandOptions& options);
  ~Command();  // kills the group of what still runs
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  pid_t pid() const { return pid_; }
  bool running();
  void send(int signal) const;        // to the program alone
  void send_group(int signal) const;  // to all it has started too, as a terminal's Ctrl-C is
  /// Collects output until the program ends; kills it after `seconds`.
  CommandResult wait(double seconds = 120);
  /// Collects what it says for so long, or until it ends.
  void collect(double seconds);
  const std::string& err() const { return result_.err; }

 private:
  bool read_some(int timeout_ms);
  void reap();

  pid_t pid_ = -1;
  int out_ = -1, err_ = -1;
  bool ended_ = false;
  CommandResult result_;
};

/// Runs `autotune` with `words` to its end.
CommandResult autotune(const std::vector<std::string>& words, const CommandOptions& options = {});

/// Processes whose current directory or temporary directory is `folder` (programs of ours inherit
/// both), zombies left out; asks again for up to `seconds` before it says that some are left.
std::vector<pid_t> processes_of(const std::string& folder, double seconds = 3);

}  // namespace tessera::test
