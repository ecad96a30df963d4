#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "tuning_logs/log_file.h"
#include "tuning_logs/pack.h"

namespace tessera::tuning_logs {

namespace {

constexpr long kNfsMagic = 0x6969;
constexpr std::size_t kSniffBytes = 128 << 10;

/// What somebody can do about an errno.
const char* advice(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT: return "free some space, or name a file on another disk; what was written stays readable, and --resume goes on from it";
    case EFBIG: return "the file may not grow further (ulimit -f or the file system's limit); name another file";
    case EIO: return "the disk reports an error; name a file on another disk";
    case EACCES:
    case EPERM:
    case EROFS: return "name a file that you may write";
    case EISDIR: return "name a file inside it";
    case ENOENT: return "its directory does not exist; make it first";
    case ENOTDIR: return "a part of its path is not a directory";
    case ENAMETOOLONG: return "name a shorter one";
    default: return "name another file";
  }
}

[[noreturn]] void raise(const std::string& path, const char* doing, int error) {
  throw UserError("cannot " + std::string(doing) + " log '" + path + "': " + std::strerror(error) + "; " + advice(error), 1);
}

void sync_directory_of(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  const int fd = ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;  // a directory that may be written but not read: nothing to be done
  ::fsync(fd);
  ::close(fd);
}

/// Appending to somebody's source file because of a mistyped flag would be damage.
bool may_be_log(int fd) {
  std::string head(kSniffBytes, '\0');
  const ssize_t n = ::pread(fd, head.data(), head.size(), 0);
  if (n <= 0) return n == 0;
  head.resize(static_cast<std::size_t>(n));
  return head.find_first_not_of(" \t\r\n") == std::string::npos || head.find("{\"crc\":\"") != std::string::npos;
}

}  // namespace

LogWriter::LogWriter(std::string path, const Record& header) : path_(std::move(path)) {
  struct stat before {};
  const bool existed = ::stat(path_.c_str(), &before) == 0;
  // Opening a pipe to write would wait for a reader for ever.
  if (existed && (S_ISFIFO(before.st_mode) || S_ISSOCK(before.st_mode) || S_ISBLK(before.st_mode))) {
    throw UserError("cannot open log '" + path_ + "': not a regular file; name another file", 1);
  }
  fd_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
  if (fd_ < 0) raise(path_, "open", errno);
  try {
    if (existed && S_ISREG(before.st_mode) && before.st_size > 0) {
      const int reader = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
      const bool fits = (reader < 0 || may_be_log(reader)) && !is_pack(path_);  // write-only files are taken at their word
      if (reader >= 0) ::close(reader);
      if (!fits) {
        throw UserError("'" + path_ + "' exists and is not a tuning log; nothing was written to it; name another file", 1);
      }
    }
    if (!existed) sync_directory_of(path_);
    struct statfs fs {};
    if (::fstatfs(fd_, &fs) == 0 && static_cast<long>(fs.f_type) == kNfsMagic) {
      warning_ = "log '" + path_ + "' is on NFS: one writer only; merge logs of several machines with 'log merge'";
    }
    append(header);
  } catch (...) {
    ::close(fd_);
    throw;
  }
}

LogWriter::~LogWriter() {
  if (fd_ >= 0) ::close(fd_);
}

LogWriter::LogWriter(LogWriter&& other) noexcept
    : path_(std::move(other.path_)), warning_(std::move(other.warning_)), fd_(other.fd_), failed_(other.failed_) {
  other.fd_ = -1;
}

void LogWriter::fail(const char* doing, int error) {
  failed_ = true;
  raise(path_, doing, error);
}

void LogWriter::append(const Record& record, Durability durability) {
  const auto line = encode_record(record);
  if (!line.ok()) throw UserError("log '" + path_ + "': " + line.reason(), 1);
  write_line("\n" + *line + "\n", durability);
}

void LogWriter::write_line(const std::string& line, Durability durability) {
  if (fd_ < 0 || failed_) throw UserError("log '" + path_ + "' takes no more records after an error", 1);
  // A short write leaves a torn piece that the next leading line break fences off, so the record is
  // written again as a whole. A disk that is filling up gives its error at the second attempt.
  int short_writes = 0;
  for (;;) {
    const ssize_t n = ::write(fd_, line.data(), line.size());
    if (n == static_cast<ssize_t>(line.size())) break;
    if (n < 0 && errno != EINTR) fail("write to", errno);
    if (n >= 0 && ++short_writes == 3) fail("write to", ENOSPC);
  }
  // After a failed sync the kernel may have dropped the pages: asking again would hide the loss.
  if (durability == Durability::kPower && ::fdatasync(fd_) != 0 && errno != EINVAL && errno != EROFS && errno != ENOTSUP) {
    fail("sync", errno);
  }
}

}  // namespace tessera::tuning_logs
