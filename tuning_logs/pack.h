// Packs: candidates of one task that were compiled where no device is, to be measured where one is. JSON
// lines like a log, each with its checksum: a header, then a line a candidate, failed ones included.
// FORMAT.md describes them for people outside.
#pragma once

#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/kernel_image.h"
#include "tuning_logs/record.h"

namespace tessera::tuning_logs {

inline constexpr int kPackMajor = 1;

struct PackHeader {
  int pack = kPackMajor;  // a reader refuses another number
  Task task;
  std::string target;   // resolved
  Machine machine;      // that compiled
  std::int64_t seed = 0;  // of the choice of candidates
  static constexpr auto fields() {
    return std::tuple{field("pack", &PackHeader::pack), field("task", &PackHeader::task),
                      field("target", &PackHeader::target), field("machine", &PackHeader::machine),
                      field("seed", &PackHeader::seed)};
  }
  bool operator==(const PackHeader&) const = default;
};

struct PackedCandidate {
  int trial = 0;  // its number in the pack
  std::string sketch;
  std::map<std::string, std::int64_t> decisions;
  schedule::Plan plan;
  runtime::MeasureStatus status = runtime::MeasureStatus::kOk;  // of building; kOk: `image` is there
  std::string message;                                          // why not
  double compile_ms = 0;                                        // lowering and compiling
  std::optional<runtime::KernelImage> image;
  static constexpr auto fields() {
    return std::tuple{field("trial", &PackedCandidate::trial),         field("sketch", &PackedCandidate::sketch),
                      field("decisions", &PackedCandidate::decisions), field("plan", &PackedCandidate::plan),
                      field("status", &PackedCandidate::status),       defaulted("message", &PackedCandidate::message),
                      field("compile_ms", &PackedCandidate::compile_ms), defaulted("image", &PackedCandidate::image)};
  }
  bool operator==(const PackedCandidate&) const = default;
};

struct Pack {
  PackHeader header;
  std::vector<PackedCandidate> candidates;
};

/// UserError of exit code 1 where no pack can be written, or a file would be lost that is none.
void check_pack_writable(const std::string& path);

/// Writes a new pack line by line, so that an interrupted run leaves what it compiled. Problems are
/// UserErrors of exit code 1 that name the file.
class PackWriter {
 public:
  /// Replaces a pack; refuses as check_pack_writable does.
  PackWriter(std::string path, const PackHeader& header);
  void append(const PackedCandidate& candidate);

 private:
  void write(const std::string& line);

  std::string path_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
};

/// Whether a file begins as packs do, of whatever version.
bool is_pack(const std::string& path);

/// UserError of exit code 1: a file that is missing or no pack, and one of another version. A candidate's
/// line that is damaged is left out and counted in `damaged`.
Pack read_pack(const std::string& path, std::int64_t& damaged);

}  // namespace tessera::tuning_logs
