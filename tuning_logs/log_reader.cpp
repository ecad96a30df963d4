#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "tuning_logs/log_file.h"

namespace tessera::tuning_logs {

namespace {

constexpr std::int64_t kMaxFileBytes = std::int64_t{1} << 30;
constexpr std::size_t kMaxRecords = 1'000'000;
// A damaged line break may leave a few bytes beside an intact record of full length.
constexpr std::size_t kMaxLineBytes = kMaxRecordBytes + 4096;
constexpr std::size_t kChunkBytes = 256 << 10;
constexpr std::size_t kDamageKept = 8;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

[[noreturn]] void raise(const std::string& path, const std::string& why) {
  throw UserError("cannot read log '" + path + "': " + why, 1);
}

/// Cuts a stream of bytes into lines and reads each; holds one line at most.
class LineScanner {
 public:
  LineScanner(const Visitor& visit, const RawVisitor& newer) : visit_(visit), newer_(newer) {}

  void feed(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto* end = static_cast<const char*>(std::memchr(bytes.data(), '\n', bytes.size()));
      const bool whole = end != nullptr;
      const std::string_view part = bytes.substr(0, whole ? static_cast<std::size_t>(end - bytes.data()) : bytes.size());
      position_ += static_cast<std::int64_t>(part.size());
      if (whole && held_.empty()) {
        line(part);
      } else {
        if (held_.size() <= kMaxLineBytes) held_.append(part.substr(0, kMaxLineBytes + 1 - held_.size()));
        if (whole) line(held_);
      }
      if (!whole) return;
      held_.clear();
      line_start_ = ++position_;
      bytes.remove_prefix(part.size() + 1);
    }
  }
  ScanResult finish() {
    if (!held_.empty()) line(held_);  // a torn tail, or a last line without its break
    return std::move(result_);
  }

 private:
  void line(std::string_view text) {
    if (text.empty()) return;
    if (text.size() > kMaxLineBytes) return damage("longer than 64 KiB");
    DecodedLine d = decode_line(text);
    switch (d.kind) {
      case LineKind::kBlank: return;
      case LineKind::kForeign: ++result_.foreign; [[fallthrough]];
      case LineKind::kDamaged: return damage(d.reason);
      case LineKind::kNewerSchema: ++result_.newer_schema; break;
      case LineKind::kRecord: ++(d.record.kind == RecordKind::kHeader ? result_.headers : result_.records); break;
    }
    if (!d.fenced) damage("other bytes beside a record");
    if (d.kind == LineKind::kRecord) {
      visit_(std::move(d.record), d.line);
    } else if (newer_) {
      newer_(d.line);
    }
  }
  void damage(std::string reason) {
    ++result_.damaged;
    if (result_.first_damaged.size() < kDamageKept) result_.first_damaged.push_back({line_start_, std::move(reason)});
  }

  const Visitor& visit_;
  const RawVisitor& newer_;
  ScanResult result_;
  std::string held_;  // the beginning of a line that goes on in the next chunk
  std::int64_t position_ = 0, line_start_ = 0;
};

}  // namespace

ScanResult scan_log(const std::string& path, const Visitor& visit, const RawVisitor& newer) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (fd.get() < 0) raise(path, std::strerror(errno));
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) raise(path, std::strerror(errno));
  if (S_ISDIR(st.st_mode)) raise(path, "it is a directory; name a file inside it");
  if (!S_ISREG(st.st_mode)) raise(path, "it is not a regular file");
  if (st.st_size == 0) raise(path, "it is empty; it holds no record to work on");
  if (st.st_size > kMaxFileBytes) raise(path, "it is larger than 1 GiB; split it at a line break");
  LineScanner scanner(visit, newer);
  std::string chunk(kChunkBytes, '\0');
  // A writer may be appending: what came after the start is left for the next time.
  for (std::int64_t left = st.st_size; left > 0;) {
    const ssize_t n = ::read(fd.get(), chunk.data(), std::min<std::size_t>(chunk.size(), static_cast<std::size_t>(left)));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) raise(path, std::strerror(errno));
    if (n == 0) break;
    scanner.feed(std::string_view(chunk.data(), static_cast<std::size_t>(n)));
    left -= n;
  }
  return scanner.finish();
}

ScanResult scan_text(std::string_view text, const Visitor& visit, const RawVisitor& newer) {
  LineScanner scanner(visit, newer);
  scanner.feed(text);
  return scanner.finish();
}

LogContents read_log(const std::string& path) {
  LogContents out;
  out.path = path;
  ProgramText last;  // neighbours are of one program: they share its text
  out.scan = scan_log(path, [&](Record&& r, std::string_view) {
    if (out.records.size() + out.headers.size() >= kMaxRecords) raise(path, "it holds more than a million records; split it at a line break");
    if (r.task.dag == last) {
      r.task.dag = last;
    } else {
      last = r.task.dag;
    }
    (r.kind == RecordKind::kHeader ? out.headers : out.records).push_back(std::move(r));
  });
  return out;
}

std::string describe_damage(const ScanResult& scan) {
  if (scan.damaged == 0) return "";
  std::string out = std::to_string(scan.damaged) + (scan.damaged == 1 ? " of its lines is damaged" : " of its lines are damaged");
  if (!scan.first_damaged.empty()) {
    const Damage& first = scan.first_damaged.front();
    out += (scan.damaged == 1 ? ", at byte " : ", the first at byte ") + std::to_string(first.offset) + ": " + first.reason;
  }
  return out;
}

LogContents read_records(const std::string& path) {
  LogContents out = read_log(path);
  if (!out.records.empty()) return out;
  if (out.scan.newer_schema > 0) {
    raise(path, "its records are of a newer version of the format than " + std::to_string(kSchemaMajor) +
                    "; use the version of the tool that wrote it");
  }
  if (out.scan.headers > 0 && out.scan.damaged == 0) raise(path, "it holds no measurement yet");
  raise(path, "it holds no readable record; " + describe_damage(out.scan));
}

}  // namespace tessera::tuning_logs
