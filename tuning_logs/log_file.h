// Files of records: an appender that loses nothing it has acknowledged, and a reader that survives
// anything. Several processes may append to one file at the same time.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tuning_logs/record.h"

namespace tessera::tuning_logs {

enum class Durability {
  kProcess,  // survives the death of this process (kill -9)
  kPower,    // also the death of the machine: fdatasync; for best and final records
};

/// Appends to a log. A record is "\n" + JSON + "\n" in one write() on an O_APPEND descriptor: two
/// writers never mix, and the leading line break fences off what a killed writer left torn.
/// Every problem is a UserError of exit code 1 that names the file and says what would work; after
/// one the writer takes no more records.
class LogWriter {
 public:
  /// Opens `path` or creates it (0644, with its directory entry on disk), and writes `header`. What
  /// the file holds stays: a file that is not a log is refused, not appended to.
  LogWriter(std::string path, const Record& header);
  ~LogWriter();
  LogWriter(LogWriter&& other) noexcept;
  LogWriter& operator=(LogWriter&&) = delete;

  /// Returns when the record is acknowledged: written in full, and on disk with kPower. Thread-safe
  /// between processes, not between threads.
  void append(const Record& record, Durability durability = Durability::kProcess);

  const std::string& path() const { return path_; }
  /// A sentence for the user where the file system does not keep appends whole between machines
  /// (NFS); empty otherwise.
  const std::string& warning() const { return warning_; }

 private:
  void write_line(const std::string& line, Durability durability);
  [[noreturn]] void fail(const char* doing, int error);

  std::string path_, warning_;
  int fd_ = -1;
  bool failed_ = false;
};

/// Why a piece of a file was not read.
struct Damage {
  std::int64_t offset = 0;  // of the line's first byte in the file
  std::string reason;
};

/// What a scan met besides records.
struct ScanResult {
  std::int64_t records = 0, headers = 0;  // headers are not counted as records
  std::int64_t damaged = 0;               // lines that hold something and do not read cleanly
  std::int64_t foreign = 0;               // of these: lines without a trace of a record
  std::int64_t newer_schema = 0;
  std::vector<Damage> first_damaged;      // up to 8
};

/// Calls `visit(record, line)` for every intact record and header, in order; `line` is the record's
/// own bytes. Streams: memory is bounded whatever the file holds. A file that is missing, unreadable,
/// no regular file, empty or larger than 1 GiB is a UserError of exit code 1.
using Visitor = std::function<void(Record&& record, std::string_view line)>;
/// Lines of a newer schema, which cannot be read but can be kept.
using RawVisitor = std::function<void(std::string_view line)>;
ScanResult scan_log(const std::string& path, const Visitor& visit, const RawVisitor& newer = {});

/// The same for text in memory; throws nothing but what `visit` throws.
ScanResult scan_text(std::string_view text, const Visitor& visit, const RawVisitor& newer = {});

struct LogContents {
  std::string path;
  std::vector<Record> records;  // trials and finals, in the order of the file
  std::vector<Record> headers;
  ScanResult scan;
};

/// All records of a log in memory; at most a million, the rest is a UserError.
LogContents read_log(const std::string& path);

/// As read_log, and a UserError of exit code 1 when not a single record could be read.
LogContents read_records(const std::string& path);

/// "3 of its lines are damaged, the first at byte 812: its checksum does not hold"; empty when none.
std::string describe_damage(const ScanResult& scan);

}  // namespace tessera::tuning_logs
