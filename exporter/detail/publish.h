// A directory that appears whole or not at all.
#pragma once

#include <string>
#include <vector>

namespace tessera::exporter {

/// The file that says that a directory is an export, and which files belong to it.
inline constexpr const char* kManifestName = "manifest.json";

/// Files are written under a temporary name beside the target; `publish` puts them on the disk and
/// renames. Without it the destructor removes everything. Every problem is a UserError of exit code 1.
class NewDirectory {
 public:
  /// Checks that the target may be replaced: it does not exist, is empty, or holds an earlier export.
  /// What a user has added to that one is kept.
  explicit NewDirectory(const std::string& target);
  ~NewDirectory();
  NewDirectory(const NewDirectory&) = delete;
  NewDirectory& operator=(const NewDirectory&) = delete;

  const std::string& path() const { return path_; }
  void write(const std::string& name, const std::string& bytes);
  /// Takes in a file that another program has written into path(); gives its bytes.
  std::string adopt(const std::string& name);
  void publish();
  /// What was written, in order, as paths below the target as the user named it.
  std::vector<std::string> written() const;

 private:
  std::string given_;   // as the user wrote it, for messages
  std::string target_;  // the same, absolute and without links
  std::string path_;
  std::vector<std::string> files_;
};

}  // namespace tessera::exporter
