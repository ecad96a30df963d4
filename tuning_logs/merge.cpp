#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>

#include "tuning_logs/query.h"

namespace tessera::tuning_logs {

namespace {

[[noreturn]] void raise(const std::string& path, const std::string& why) {
  throw UserError("cannot write merged log '" + path + "': " + why, 1);
}

/// A file under a name of its own beside `target`; gone unless published.
class NewFile {
 public:
  explicit NewFile(const std::string& target) : target_(target) {
    name_ = target + ".new." + std::to_string(::getpid()) + "." + std::to_string(now_ns());
    fd_ = ::open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd_ < 0) {
      const int error = errno;
      name_.clear();
      raise(target_, std::strerror(error));
    }
  }
  ~NewFile() {
    if (fd_ >= 0) ::close(fd_);
    if (!name_.empty()) ::unlink(name_.c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  void write(std::string_view text) {
    pending_.append(text);
    if (pending_.size() >= (1 << 20)) flush();
  }
  void publish() {
    flush();
    if (::fsync(fd_) != 0) raise(target_, std::strerror(errno));
    // link, not rename: it refuses where a file has appeared meanwhile.
    if (::link(name_.c_str(), target_.c_str()) != 0) {
      if (errno == EEXIST || ::rename(name_.c_str(), target_.c_str()) != 0) raise(target_, std::strerror(errno));
      name_.clear();
    }
    const std::string parent = std::filesystem::path(target_).parent_path().string();
    const int directory = ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory >= 0) {
      ::fsync(directory);
      ::close(directory);
    }
  }

 private:
  void flush() {
    std::string_view rest = pending_;
    while (!rest.empty()) {
      const ssize_t n = ::write(fd_, rest.data(), rest.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) raise(target_, n < 0 ? std::strerror(errno) : "nothing could be written");
      rest.remove_prefix(static_cast<std::size_t>(n));
    }
    pending_.clear();
  }
  std::string target_, name_, pending_;
  int fd_ = -1;
};

}  // namespace

MergeResult merge_logs(const std::vector<std::string>& inputs, const std::string& output) {
  struct stat st {};
  if (::lstat(output.c_str(), &st) == 0) {
    raise(output, "it exists; merging writes a new file, remove it or name another");
  }
  NewFile file(output);
  MergeResult result;
  std::set<std::pair<std::uint64_t, std::uint64_t>> seen;  // the checksum is inside; two hashes of the line
  const auto take = [&](std::string_view line) {
    if (!seen.emplace(hash_bytes(line), hash_combine(line.size(), hash_bytes(line.substr(line.size() / 2)))).second) {
      ++result.duplicates;
      return;
    }
    file.write("\n");
    file.write(line);
    file.write("\n");
    ++result.written;
  };
  for (const std::string& path : inputs) {
    result.damaged += scan_log(path, [&](Record&&, std::string_view line) { take(line); }, take).damaged;
  }
  if (result.written == 0) raise(output, "the logs hold no readable record");
  file.publish();
  return result;
}

}  // namespace tessera::tuning_logs
