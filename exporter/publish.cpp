#include "exporter/detail/publish.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "support/json/json.h"

namespace tessera::exporter {

namespace {

namespace fs = std::filesystem;

[[noreturn]] void raise(const std::string& directory, const std::string& why) {
  throw UserError("cannot export to '" + directory + "': " + why, 1);
}
[[noreturn]] void raise_errno(const std::string& directory, int error) {
  const char* advice = error == ENOSPC || error == EDQUOT ? "; free some space or name a directory on another disk"
                                                          : "; name a directory that you may write";
  raise(directory, std::strerror(error) + std::string(advice));
}

std::string read_small(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string out(1 << 20, '\0');
  in.read(out.data(), static_cast<std::streamsize>(out.size()));
  out.resize(static_cast<std::size_t>(in.gcount()));
  return out;
}

/// Names that the manifest in `directory` lists; empty when there is no manifest of ours.
std::set<std::string> manifest_files(const fs::path& directory) {
  const auto j = parse_json(read_small(directory / kManifestName));
  if (!j.ok() || !j->is_object() || !j->contains("tessera_export") || !j->contains("sha256") || !(*j)["sha256"].is_object()) return {};
  std::set<std::string> out = {kManifestName};
  for (const auto& [name, hash] : (*j)["sha256"].items()) out.insert(name);
  return out;
}

/// A directory of somebody else is refused. In an earlier export, what the user has put beside its
/// files (a build directory, say) stays: publish() moves it over.
void check_replaceable(const std::string& given, const std::string& target) {
  std::error_code e;
  const fs::file_status status = fs::symlink_status(target, e);
  if (status.type() == fs::file_type::not_found) return;
  if (status.type() != fs::file_type::directory) raise(given, "it exists and is not a directory");
  const bool empty = fs::is_empty(target, e);
  if (e) raise(given, e.message());
  if (!empty && manifest_files(target).empty()) {
    raise(given, "it is not empty and no export wrote it; name a new directory");
  }
}

/// Names in `old` that no export wrote.
std::vector<std::string> added_by_user(const std::string& old) {
  const std::set<std::string> ours = manifest_files(old);
  std::vector<std::string> out;
  std::error_code e;
  for (const fs::directory_entry& entry : fs::directory_iterator(old, e)) {
    const std::string name = entry.path().filename().string();
    if (ours.count(name) == 0) out.push_back(name);
  }
  return out;
}

void sync(const std::string& given, const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
  if (fd < 0) raise_errno(given, errno);
  const int failed = ::fsync(fd) != 0 && errno != EINVAL ? errno : 0;
  ::close(fd);
  if (failed != 0) raise_errno(given, failed);
}

}  // namespace

NewDirectory::NewDirectory(const std::string& target) : given_(target) {
  if (target.empty()) throw UserError("no directory to export to was named");
  // What is given as "." or through a link has to be renamed by its own name.
  std::error_code e;
  fs::path full = fs::weakly_canonical(fs::absolute(target, e), e);
  if (e) raise_errno(target, e.value());
  if (!full.has_filename()) full = full.parent_path();
  check_replaceable(given_, full.string());
  fs::create_directories(full.parent_path(), e);
  if (e) raise_errno(target, e.value());
  target_ = full.string();
  const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
  path_ = (full.parent_path() / ("." + full.filename().string() + ".new." + std::to_string(::getpid()) + "." + std::to_string(now))).string();
  if (::mkdir(path_.c_str(), 0755) != 0) {
    const int error = errno;
    path_.clear();
    raise_errno(target, error);
  }
}

NewDirectory::~NewDirectory() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

void NewDirectory::write(const std::string& name, const std::string& bytes) {
  const std::string path = path_ + "/" + name;
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fd < 0) raise_errno(given_, errno);
  int error = 0;
  for (std::size_t at = 0; at < bytes.size() && error == 0;) {
    const ssize_t n = ::write(fd, bytes.data() + at, bytes.size() - at);
    if (n > 0) at += static_cast<std::size_t>(n);
    else if (n == 0) error = ENOSPC;
    else if (errno != EINTR) error = errno;
  }
  if (error == 0 && ::fsync(fd) != 0 && errno != EINVAL) error = errno;
  ::close(fd);
  if (error != 0) raise_errno(given_, error);
  files_.push_back(name);
}

std::string NewDirectory::adopt(const std::string& name) {
  const std::string path = path_ + "/" + name;
  sync(given_, path, O_RDONLY);
  files_.push_back(name);
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void NewDirectory::publish() {
  std::error_code e;
  for (const fs::directory_entry& entry : fs::directory_iterator(path_, e)) {  // what a linker left
    if (std::find(files_.begin(), files_.end(), entry.path().filename().string()) == files_.end()) fs::remove_all(entry.path(), e);
  }
  sync(given_, path_, O_RDONLY | O_DIRECTORY);
  // An empty or missing target takes a plain rename; an earlier export is exchanged and then removed.
  if (::rename(path_.c_str(), target_.c_str()) == 0) {
    path_.clear();
  } else if (errno == ENOTEMPTY || errno == EEXIST) {
    check_replaceable(given_, target_);
    const std::vector<std::string> keep = added_by_user(target_);
    for (const std::string& name : keep) {
      if (std::find(files_.begin(), files_.end(), name) != files_.end()) {
        raise(given_, "it holds '" + name + "', which no export wrote; move that or name a new directory");
      }
    }
    if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) != 0) {
      // A file system without exchange: for a moment there is no directory, never half of one.
      const std::string old = path_ + ".old";
      if (::rename(target_.c_str(), old.c_str()) != 0) raise_errno(given_, errno);
      if (::rename(path_.c_str(), target_.c_str()) != 0) {
        const int error = errno;
        ::rename(old.c_str(), target_.c_str());
        raise_errno(given_, error);
      }
      path_ = old;
    }
    bool all_moved = true;
    for (const std::string& name : keep) {
      fs::rename(path_ + "/" + name, target_ + "/" + name, e);
      all_moved &= !e;
    }
    // What could not be moved stays where it is rather than being deleted.
    if (all_moved) fs::remove_all(path_, e);
    path_.clear();
  } else {
    raise_errno(given_, errno);
  }
  sync(given_, fs::path(target_).parent_path().string(), O_RDONLY | O_DIRECTORY);
}

std::vector<std::string> NewDirectory::written() const {
  const std::string prefix = given_.ends_with('/') ? given_ : given_ + "/";
  std::vector<std::string> out;
  for (const std::string& name : files_) out.push_back(prefix + name);
  return out;
}

}  // namespace tessera::exporter
