// The reference pages name everything that they promise to name.
#include <gtest/gtest.h>

#include <filesystem>

#include "ir/intrinsics.h"
#include "ir/kinds.h"
#include "ops/catalog.h"
#include "ops/suites.h"
#include "runtime/measurement.h"
#include "support/env.h"
#include "tests/support/options.h"

namespace tessera::test {
namespace {

void expect_named(const std::string& page, const std::string& word) {
  static std::map<std::string, std::string> pages;
  if (!pages.contains(page)) pages[page] = read_source_file(page);
  EXPECT_NE(pages[page].find("`" + word + "`"), std::string::npos)
      << page << " does not name `" << word << "`";
}

TEST(Reference, EveryNodeKindAndIntrinsic) {
  const std::string page = "docs/reference/ir.md";
#define TESSERA_KIND(name) expect_named(page, #name);
  TESSERA_EXPR_KINDS(TESSERA_KIND)
  TESSERA_STMT_KINDS(TESSERA_KIND)
#undef TESSERA_KIND
  for (int i = 0; i < static_cast<int>(ir::Intrinsic::kCount); ++i)
    expect_named(page, ir::intrinsic_info(static_cast<ir::Intrinsic>(i)).name);
}

TEST(Reference, EveryStatus) {
  for (int i = 0; i < runtime::kMeasureStatusCount; ++i)
    expect_named("docs/reference/errors.md",
                 std::string(runtime::to_string(static_cast<runtime::MeasureStatus>(i))));
}

TEST(Reference, EveryOperatorAndSuite) {
  const std::string page = "docs/reference/operators.md";
  for (const ops::Operator* op : ops::catalog()) expect_named(page, op->name);
  for (const ops::Suite& s : ops::suites()) expect_named(page, s.name);
}

/// Links between pages lead to files that exist.
TEST(Reference, RelativeLinks) {
  namespace fs = std::filesystem;
  const fs::path root = TESSERA_SOURCE_DIR;
  std::vector<fs::path> pages{root / "README.md", root / "CHANGELOG.md"};
  for (const auto& entry : fs::recursive_directory_iterator(root / "docs"))
    if (entry.path().extension() == ".md") pages.push_back(entry.path());
  for (const fs::path& page : pages) {
    const std::string text = read_source_file(fs::relative(page, root).string());
    for (std::size_t at = 0; (at = text.find("](", at)) != std::string::npos;) {
      at += 2;
      std::string link = text.substr(at, text.find(')', at) - at);
      link = link.substr(0, link.find('#'));
      if (link.empty() || link.find("://") != std::string::npos ||
          link.find(' ') != std::string::npos)
        continue;
      EXPECT_TRUE(fs::exists(page.parent_path() / link))
          << fs::relative(page, root) << " links to " << link;
    }
  }
}

}  // namespace
}  // namespace tessera::test
