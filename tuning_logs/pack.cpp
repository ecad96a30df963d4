#include "tuning_logs/pack.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "runtime/image_json.h"
#include "tuning_logs/detail/checked_line.h"

namespace tessera::tuning_logs {

namespace {

constexpr std::size_t kMostLineBytes = 64 << 20;  // of machine code as text; kernels have some tens of KiB

[[noreturn]] void fail(const std::string& path, const char* doing) {
  throw UserError("cannot " + std::string(doing) + " pack '" + path + "': " + std::strerror(errno) + "; name another file", 1);
}

template <class T>
Result<T> read_line(std::string_view line) {
  TESSERA_TRY(body, detail::checked_body(line));
  TESSERA_TRY(j, parse_json("{" + std::string(body), {.string_bytes = kMostLineBytes, .text_bytes = kMostLineBytes}));
  T out;
  TESSERA_TRY_DONE(read_json(j, out));
  return out;
}

Result<PackHeader> read_header(std::string_view line) {
  TESSERA_TRY(header, read_line<PackHeader>(line));
  if (header.pack != kPackMajor) return refuse("its version is ", header.pack, ", this program reads ", kPackMajor);
  return header;
}

Result<PackedCandidate> read_candidate(std::string_view line) {
  TESSERA_TRY(candidate, read_line<PackedCandidate>(line));
  if ((candidate.status == runtime::MeasureStatus::kOk) != candidate.image.has_value()) return refuse("its status and its image disagree");
  return candidate;
}

/// Without its end. Of one that is longer than any candidate's nothing is kept, so that whatever file is read takes bounded
/// memory. False at the end of the file.
bool next_line(std::istream& in, std::string& line) {
  line.clear();
  std::streambuf& bytes = *in.rdbuf();
  constexpr auto kEnd = std::char_traits<char>::eof();
  bool any = false;
  std::size_t length = 0;
  for (auto c = bytes.sbumpc(); c != kEnd; c = bytes.sbumpc()) {
    any = true;
    if (c == '\n') break;
    if (++length <= kMostLineBytes) line += static_cast<char>(c);
  }
  if (length > kMostLineBytes) line.clear();
  return any;
}

/// Opening a pipe would wait, and a device has no end.
void check_regular(const std::string& path, const char* doing) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0 || S_ISREG(info.st_mode)) return;
  const char* const what = S_ISDIR(info.st_mode) ? "it is a directory" : "it is not a regular file";
  throw UserError("cannot " + std::string(doing) + " pack '" + path + "': " + what + "; name a file", 1);
}

/// An empty file, or a pack.
bool may_be_replaced(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string first;
  return !next_line(in, first) || read_header(first).ok();
}

}  // namespace

void check_pack_writable(const std::string& path) {
  check_regular(path, "write");
  if (!may_be_replaced(path)) throw UserError("'" + path + "' exists and is not a pack; nothing was written to it; name another file", 1);
  const std::string parent = std::filesystem::path(path).parent_path().string();
  const bool exists = ::access(path.c_str(), F_OK) == 0;
  if (::access(exists ? path.c_str() : parent.empty() ? "." : parent.c_str(), W_OK) != 0) fail(path, "write");
}

PackWriter::PackWriter(std::string path, const PackHeader& header) : path_(std::move(path)), file_(nullptr, std::fclose) {
  check_pack_writable(path_);
  file_.reset(std::fopen(path_.c_str(), "wbe"));
  if (!file_) fail(path_, "open");
  write(detail::checked_line(dump_json(write_json(header))));
}

void PackWriter::append(const PackedCandidate& candidate) { write(detail::checked_line(dump_json(write_json(candidate)))); }

void PackWriter::write(const std::string& line) {
  const bool written = std::fwrite(line.data(), 1, line.size(), file_.get()) == line.size() && std::fputc('\n', file_.get()) != EOF;
  if (!written || std::fflush(file_.get()) != 0) fail(path_, "write to");
}

bool is_pack(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return false;
  // {"crc":"01234567","pack":1,...
  constexpr std::string_view kChecksum = R"({"crc":"01234567")", kNext = R"(,"pack":)";
  std::ifstream in(path, std::ios::binary);
  std::string begin(kChecksum.size() + kNext.size(), '\0');
  in.read(begin.data(), static_cast<std::streamsize>(begin.size()));
  return in && begin.ends_with(kNext);
}

Pack read_pack(const std::string& path, std::int64_t& damaged) {
  check_regular(path, "open");
  std::ifstream in(path, std::ios::binary);
  std::string line;
  if (!in.is_open()) fail(path, "open");
  if (!next_line(in, line)) throw UserError("'" + path + "' is not a pack: it is empty; --build-only makes one", 1);
  auto header = read_header(line);
  if (!header.ok()) throw UserError("'" + path + "' is not a pack: " + header.reason() + "; --build-only makes one", 1);
  Pack out;
  out.header = std::move(*header);
  damaged = 0;
  while (next_line(in, line)) {
    auto candidate = read_candidate(line);
    if (candidate.ok()) {
      out.candidates.push_back(std::move(*candidate));
    } else {
      ++damaged;
    }
  }
  return out;
}

}  // namespace tessera::tuning_logs
