#include "tuning_logs/failures.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <tuple>

namespace tessera::tuning_logs {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

/// Past a number that begins at `i`: hexadecimal, or decimal with fraction and exponent.
std::size_t number_end(const std::string& s, std::size_t i) {
  const auto at = [&](std::size_t k) { return k < s.size() ? s[k] : '\0'; };
  const auto hex = [&](std::size_t k) { return std::isxdigit(static_cast<unsigned char>(at(k))) != 0; };
  if (at(i) == '0' && (at(i + 1) == 'x' || at(i + 1) == 'X') && hex(i + 2)) i += 2;
  while (hex(i) || (at(i) == '.' && is_digit(at(i + 1))) || ((at(i) == '-' || at(i) == '+') && (at(i - 1) == 'e' || at(i - 1) == 'E') && is_digit(at(i + 1)))) ++i;
  return i;
}

}  // namespace

std::string cause_of(const std::string& message) {
  std::string out;
  for (std::size_t i = 0; i < message.size();) {
    const char before = i == 0 ? ' ' : message[i - 1];
    const bool sign = message[i] == '-' && i + 1 < message.size() && is_digit(message[i + 1]) && !is_word(before);
    if (sign || (is_digit(message[i]) && !is_word(before))) {
      out += '#';
      i = number_end(message, sign ? i + 1 : i);
    } else {
      out += message[i++];
    }
  }
  return out;
}

std::vector<FailureGroup> group_failures(const std::vector<const Record*>& trials) {
  std::map<std::tuple<runtime::MeasureStatus, std::string, std::string>, std::size_t> place;
  std::vector<FailureGroup> groups;
  for (const Record* r : trials) {
    if (r->ok()) continue;
    std::string cause = cause_of(r->message);
    const auto [it, fresh] = place.emplace(std::tuple(r->status, r->phase, cause), groups.size());
    if (fresh) groups.push_back({r->status, r->phase, std::move(cause), 0, {}});
    FailureGroup& g = groups[it->second];
    ++g.count;
    if (g.examples.size() < kMaxExamples) g.examples.push_back(r);
  }
  std::stable_sort(groups.begin(), groups.end(), [](const FailureGroup& a, const FailureGroup& b) { return a.count > b.count; });
  return groups;
}

}  // namespace tessera::tuning_logs
