#include "codegen/cuda/cubin_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "codegen/cuda/detail/compile_once.h"
#include "runtime/isolation/crc32c.h"
#include "runtime/isolation/file_descriptor.h"
#include "runtime/wire.h"
#include "support/env.h"
#include "support/hash.h"

namespace tessera::codegen {

namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kMagic = 0x31627563;  // "cub1": the layout below
constexpr const char* kSuffix = ".cubin-entry";
constexpr std::size_t kLongestText = 16 << 20;
constexpr std::int64_t kMostEntryBytes = 64 << 20;

/// Everything that determines the result. It is kept in the entry and compared, so that two keys with one
/// hash cost a compilation and no wrong kernel.
std::string key_of(const Nvrtc& nvrtc, const std::string& text, const std::string& name,
                   const std::string& arch, const CudaCompileOptions& options) {
  std::string out = "nvrtc " + nvrtc.version() + "\n" + name + "\n" + (options.keep_ptx ? "with ptx\n" : "");
  for (const std::string& flag : nvrtc_flags(arch, options)) out += flag + "\n";
  return out + text;
}

std::vector<std::byte> encode(const std::string& key, const Result<Cubin>& result) {
  runtime::WireWriter w;
  w.text(key);
  w.put<std::uint8_t>(result.ok() ? 1 : 0);
  w.text(result.ok() ? "" : result.reason());
  w.blob(result.ok() ? std::span<const std::byte>(result->bytes) : std::span<const std::byte>());
  w.text(result.ok() ? result->ptx : "");
  w.text(result.ok() ? result->log : "");
  const std::vector<std::byte> payload = w.take();
  runtime::WireWriter file;
  file.put(kMagic);
  file.put(runtime::crc32c(payload));
  file.blob(payload);
  return file.take();
}

struct Entry {
  std::string key;
  Result<Cubin> result;
};

std::optional<Entry> decode(std::span<const std::byte> bytes) {
  runtime::WireReader file(bytes);
  const auto magic = file.get<std::uint32_t>(), crc = file.get<std::uint32_t>();
  const auto payload = file.blob();
  if (!file.done() || magic != kMagic || runtime::crc32c(payload) != crc) return std::nullopt;
  runtime::WireReader r(payload);
  std::string key = r.text(kLongestText);
  const bool ok = r.flag();
  std::string reason = r.text(kLongestText);
  const auto code = r.blob();
  Cubin cubin{{code.begin(), code.end()}, r.text(kLongestText), r.text(kLongestText), {}};
  if (!r.done()) return std::nullopt;
  if (!ok) return Entry{std::move(key), Refusal{std::move(reason)}};
  cubin.report = parse_report(cubin.log);
  return Entry{std::move(key), std::move(cubin)};
}

std::optional<std::vector<std::byte>> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  const std::streamoff size = in ? static_cast<std::streamoff>(in.tellg()) : -1;
  if (size < 0 || size > kMostEntryBytes) return std::nullopt;
  std::vector<std::byte> out(static_cast<std::size_t>(size));
  in.seekg(0);
  in.read(reinterpret_cast<char*>(out.data()), size);
  return in ? std::optional(std::move(out)) : std::nullopt;
}

bool write_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

/// Whole under its name or not at all, also after a power failure. False when it cannot be written.
bool publish(const std::string& path, std::span<const std::byte> bytes) {
  static std::atomic<int> serial = 0;
  const std::string beside = path + ".new." + std::to_string(::getpid()) + "." + std::to_string(++serial);
  runtime::FileDescriptor file(
      ::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!file) return false;
  const bool written = write_all(file.get(), bytes) && ::fsync(file.get()) == 0;
  if (written && ::rename(beside.c_str(), path.c_str()) == 0) return true;
  ::unlink(beside.c_str());
  return false;
}

}  // namespace

std::string default_cubin_cache() {
  if (const auto cache = env(EnvVar::kCacheHome)) return *cache + "/tessera/cubin";
  const auto home = env(EnvVar::kHome);
  return home ? *home + "/.cache/tessera/cubin" : "";
}

CubinCache::CubinCache(std::string folder, std::int64_t most_bytes)
    : folder_(std::move(folder)), most_bytes_(most_bytes) {}

std::string CubinCache::file_of(const std::string& key) const {
  std::array<char, 20> name{};
  std::snprintf(name.data(), name.size(), "%016llx", static_cast<unsigned long long>(hash_bytes(key)));
  return folder_ + "/" + name.data() + kSuffix;
}

std::optional<Result<Cubin>> CubinCache::find(const std::string& key) {
  const std::string path = file_of(key);
  const auto bytes = read_file(path);
  if (!bytes) return std::nullopt;
  auto entry = decode(*bytes);
  if (!entry) {
    ++damaged_;
    ::unlink(path.c_str());
    return std::nullopt;
  }
  if (entry->key != key) return std::nullopt;
  ::utimensat(AT_FDCWD, path.c_str(), nullptr, 0);  // the oldest use goes first
  return std::move(entry->result);
}

void CubinCache::keep(const std::string& key, const Result<Cubin>& result) {
  std::error_code failed;
  fs::create_directories(folder_, failed);
  const std::vector<std::byte> bytes = encode(key, result);
  const auto size = static_cast<std::int64_t>(bytes.size());
  if (size > std::min(kMostEntryBytes, most_bytes_) || !publish(file_of(key), bytes)) return;
  const std::int64_t known = bytes_;
  if (known < 0 || (bytes_ += size) > most_bytes_) make_room();
}

void CubinCache::make_room() {
  struct File {
    fs::file_time_type used;
    std::int64_t bytes;
    fs::path path;
  };
  std::vector<File> files;
  std::int64_t sum = 0;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(folder_, failed)) {
    std::error_code gone;  // another process makes room too
    const auto bytes = static_cast<std::int64_t>(entry.file_size(gone));
    const auto used = entry.last_write_time(gone);
    if (gone || entry.path().filename().string().find(kSuffix) == std::string::npos) continue;
    files.push_back({used, bytes, entry.path()});
    sum += bytes;
  }
  std::sort(files.begin(), files.end(), [](const File& a, const File& b) { return a.used < b.used; });
  const std::int64_t enough = sum > most_bytes_ ? most_bytes_ / 4 * 3 : most_bytes_;
  for (std::size_t i = 0; i + 1 < files.size() && sum > enough; ++i) {
    ::unlink(files[i].path.c_str());
    sum -= files[i].bytes;
    ++evicted_;
  }
  bytes_ = sum;
}

Result<Cubin> CubinCache::compile(const Nvrtc& nvrtc, const std::string& text, const std::string& name,
                                  const std::string& arch, const CudaCompileOptions& options) {
  TESSERA_TRY_DONE(check_architecture(nvrtc, arch));
  const std::string key = key_of(nvrtc, text, name, arch, options);
  if (!folder_.empty()) {
    if (auto found = find(key)) {
      ++hits_;
      return std::move(*found);
    }
  }
  ++misses_;
  detail::Compiled compiled = detail::compile_once(nvrtc, text, name, arch, options);
  if (compiled.repeatable && !folder_.empty()) keep(key, compiled.result);
  return std::move(compiled.result);
}

}  // namespace tessera::codegen
