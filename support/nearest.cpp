#include "support/nearest.h"

#include <algorithm>
#include <cctype>

namespace tessera {

namespace {

constexpr std::size_t kLongest = 64;

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

std::string lowered(std::string_view s) {
  std::string out(s);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

}  // namespace

int edit_distance(std::string_view x, std::string_view y) {
  const std::string a = lowered(x.substr(0, kLongest)), b = lowered(y.substr(0, kLongest));
  std::vector<std::vector<int>> d(a.size() + 1, std::vector<int>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = static_cast<int>(i + j);
        continue;
      }
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

std::vector<std::string> nearest_names(std::string_view word, const std::vector<std::string>& candidates,
                                       std::size_t count) {
  if (word.empty() || word.size() > kLongest) return {};
  const std::string w = lowered(word);
  std::vector<std::pair<int, std::string>> ranked;
  for (const std::string& c : candidates) {
    const std::string k = lowered(c);
    int rank = edit_distance(w, k);
    const bool near = rank <= std::max(1, static_cast<int>(w.size()) / 3);
    const bool part = w.size() >= 3 && k.find(w) != std::string::npos;
    const bool whole = k.size() >= 4 && w.find(k) != std::string::npos;
    if (!near && !part && !whole) continue;
    if (part && k.rfind(w, 0) == 0) rank = std::min(rank, 1);
    ranked.emplace_back(rank, c);
  }
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> out;
  for (const auto& [rank, name] : ranked) {
    if (out.size() == count) break;
    out.push_back(name);
  }
  return out;
}

std::string nearest_text(std::string_view word, const std::vector<std::string>& candidates) {
  const std::vector<std::string> near = nearest_names(word, candidates);
  if (!near.empty()) return "; near it: " + joined(near);
  return candidates.empty() || candidates.size() > 24 ? "" : "; known are " + joined(candidates);
}

std::string joined(const std::vector<std::string>& words, const char* between) {
  std::string out;
  for (const std::string& w : words) out += (out.empty() ? "" : between) + w;
  return out;
}

}  // namespace tessera
