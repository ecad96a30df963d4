#include "ir/lexer.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace tessera::ir {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool starts_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool in_word(char c) { return starts_word(c) || is_digit(c); }

// Longest first.
constexpr std::array<std::string_view, 30> kSymbols{
    "==", "!=", "<=", ">=", "&&", "||", "//", "..", "+:", "(", ")", "[", "]", "{", "}",
    ",",  ";",  ":",  "=",  "<",  ">",  "+",  "-",  "*",  "/", "%", "!", "@", "^", "?"};

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Result<std::vector<Token>> run() {
    if (text_.size() > kMaxText)
      return refuse("the text has ", text_.size(), " bytes; at most ", kMaxText, " are read");
    for (;;) {
      skip_space();
      Token t;
      t.offset = at_;
      t.line = line_;
      if (at_ == text_.size()) {
        tokens_.push_back(std::move(t));
        return std::move(tokens_);
      }
      std::string why;
      const char c = text_[at_];
      if (starts_word(c)) {
        word(t);
      } else if (is_digit(c)) {
        why = number(t);
      } else if (c == '"') {
        why = string(t);
      } else if (!symbol(t)) {
        why = "no expression or statement holds this character";
      }
      if (!why.empty())
        return Refusal{located(text_, t.offset, std::max<std::size_t>(at_ - t.offset, 1), why)};
      tokens_.push_back(std::move(t));
    }
  }

 private:
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }

  void skip_space() {
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '\n') ++line_;
      if (c != ' ' && c != '\n' && c != '\t' && c != '\r') return;
    }
  }

  void word(Token& t) {
    t.kind = Token::Kind::kWord;
    while (in_word(peek()) || (peek() == '.' && in_word(peek(1)))) ++at_;
    t.text = text_.substr(t.offset, at_ - t.offset);
  }

  std::string number(Token& t) {
    while (is_digit(peek())) ++at_;
    bool real = false;
    if (peek() == '.' && peek(1) != '.') {
      real = true;
      ++at_;
      while (is_digit(peek())) ++at_;
    }
    const std::size_t sign = peek(1) == '+' || peek(1) == '-' ? 1 : 0;
    if ((peek() == 'e' || peek() == 'E') && is_digit(peek(1 + sign))) {
      real = true;
      at_ += 1 + sign;
      while (is_digit(peek())) ++at_;
    }
    const std::string_view digits = text_.substr(t.offset, at_ - t.offset);
    t.text = digits;
    t.kind = real ? Token::Kind::kFloat : Token::Kind::kInteger;
    const char *first = digits.data(), *last = first + digits.size();
    if (starts_word(peek())) return "a number is followed by a letter";
    const auto [end, err] =
        real ? std::from_chars(first, last, t.real) : std::from_chars(first, last, t.integer);
    if (err != std::errc() || end != last)
      return real ? "this number is outside the range of f64"
                  : "this integer needs more than 64 bits";
    return {};
  }

  std::string string(Token& t) {
    t.kind = Token::Kind::kString;
    for (++at_; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '\n') break;
      if (c == '"') {
        ++at_;
        return {};
      }
      if (c != '\\') {
        t.text += c;
        continue;
      }
      const char escape = peek(1);
      if (escape != 'n' && escape != '"' && escape != '\\')
        return "unknown escape in a string; it knows \\n, \\\" and \\\\";
      t.text += escape == 'n' ? '\n' : escape;
      ++at_;
    }
    return "this string has no closing quote on its line";
  }

  bool symbol(Token& t) {
    for (const std::string_view s : kSymbols) {
      if (text_.substr(at_, s.size()) != s) continue;
      t.kind = Token::Kind::kSymbol;
      t.text = s;
      at_ += s.size();
      return true;
    }
    return false;
  }

  std::string_view text_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int line_ = 1;
};

std::string printable(std::string_view s) {
  std::string out(s);
  for (char& c : out) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  return out;
}

}  // namespace

Result<std::vector<Token>> lex(std::string_view text) { return Lexer(text).run(); }

std::string located(std::string_view text, std::size_t offset, std::size_t length,
                    const std::string& what) {
  constexpr std::size_t kAround = 24;
  offset = std::min(offset, text.size());
  const std::size_t before = text.substr(0, offset).rfind('\n');
  const std::size_t start = before == std::string_view::npos ? 0 : before + 1;
  const std::size_t end = std::min(text.find('\n', offset), text.size());
  const std::size_t spot = std::min({length, end - offset, kAround});
  const std::size_t from = offset - std::min(offset - start, kAround);
  const std::size_t to = std::min(end, offset + spot + kAround);
  std::string where;
  if (text.find('\n') < text.size() - std::min<std::size_t>(text.size(), 1)) {
    where = "line " +
            std::to_string(
                std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(offset), '\n') +
                1) +
            " ";
  }
  return where + "column " + std::to_string(offset - start + 1) + ": " + what + ", at `" +
         (from > start ? "..." : "") + printable(text.substr(from, offset - from)) + ">" +
         printable(text.substr(offset, spot)) + "<" +
         printable(text.substr(offset + spot, to - offset - spot)) + (to < end ? "..." : "") + "`";
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string quoted_unless_word(const std::string& word) {
  bool plain = !word.empty() && starts_word(word[0]);
  for (std::size_t i = 0; plain && i < word.size(); ++i) {
    plain = in_word(word[i]) || (word[i] == '.' && i + 1 < word.size() && in_word(word[i + 1]));
  }
  return plain ? word : quoted(word);
}

}  // namespace tessera::ir
