#include "codegen/cuda/prelude.h"

#include <algorithm>
#include <cctype>
#include <functional>
#include <map>

#include "codegen/cuda/prelude/rows.h"
#include "support/error.h"

namespace tessera::codegen::cuda {

PreludeRows read_rows(std::string_view text) {
  constexpr std::string_view kMark = "//: ";
  PreludeRows rows;
  for (std::size_t at = text.find(kMark); at != std::string_view::npos;) {
    const std::size_t line_end = text.find('\n', at), next = text.find(kMark, line_end);
    std::string name(text.substr(at + kMark.size(), line_end - at - kMark.size()));
    int arch = 70;
    if (const std::size_t needs = name.find(" sm_"); needs != std::string::npos) {
      arch = std::stoi(name.substr(needs + 4));
      name.resize(needs);
    }
    rows.push_back({name, std::string(text.substr(line_end + 1, next - line_end - 1)), arch});
    at = next;
  }
  return rows;
}

std::string with(std::string text, const std::vector<std::pair<std::string, std::string>>& words) {
  for (const auto& [from, to] : words)
    for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
      text.replace(at, from.size(), to);
  return text;
}

namespace {

/// What follows a dot is a member or part of a PTX instruction, not a name of ours.
void for_each_identifier(std::string_view text, const std::function<void(std::string_view)>& f) {
  const auto part = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
  for (std::size_t i = 0; i < text.size();) {
    if (!part(text[i])) {
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < text.size() && part(text[end])) ++end;
    if (i == 0 || text[i - 1] != '.') f(text.substr(i, end - i));
    i = end;
  }
}

/// The rows with, for each, the rows above that its text names.
struct Table {
  PreludeRows rows;
  std::vector<std::vector<std::size_t>> uses;
  std::map<std::string, std::size_t, std::less<>> at;

  Table() {
    for (auto family : {scalar_rows, conversion_rows, vector_rows, memory_rows, sync_rows,
                        mma_rows, atomic_rows, math_rows})
      for (PreludeRow& row : family()) rows.push_back(std::move(row));
    for (std::size_t i = 0; i < rows.size(); ++i) at[rows[i].name] = i;
    TESSERA_CHECK(at.size() == rows.size()) << "a name has two rows in the CUDA prelude";
    uses.resize(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      for_each_identifier(rows[i].text, [&](std::string_view word) {
        const auto found = at.find(word);
        if (found == at.end() || found->second == i) return;
        TESSERA_CHECK(found->second < i) << "row '" << rows[i].name << "' of the CUDA prelude uses '"
                                         << rows[found->second].name << "', which is below it";
        uses[i].push_back(found->second);
      });
    }
  }
};

const Table& table() {
  static const Table t;
  return t;
}

std::vector<bool> needed_rows(std::string_view kernel) {
  const Table& t = table();
  std::vector<bool> needed(t.rows.size(), false);
  for_each_identifier(kernel, [&](std::string_view word) {
    if (const auto found = t.at.find(word); found != t.at.end()) needed[found->second] = true;
  });
  for (std::size_t i = t.rows.size(); i-- > 0;) {  // uses point up the table
    if (!needed[i]) continue;
    for (const std::size_t u : t.uses[i]) needed[u] = true;
  }
  return needed;
}

}  // namespace

std::string cuda_prelude(std::string_view kernel) {
  const std::vector<bool> needed = needed_rows(kernel);
  std::string text;
  for (std::size_t i = 0; i < needed.size(); ++i)
    if (needed[i]) text += table().rows[i].text;
  return text;
}

std::vector<std::string> cuda_prelude_names() {
  std::vector<std::string> names;
  for (const PreludeRow& row : table().rows) names.push_back(row.name);
  return names;
}

int cuda_prelude_arch(std::string_view kernel) {
  const std::vector<bool> needed = needed_rows(kernel);
  int arch = 70;
  for (std::size_t i = 0; i < needed.size(); ++i)
    if (needed[i]) arch = std::max(arch, table().rows[i].arch);
  return arch;
}

}  // namespace tessera::codegen::cuda
