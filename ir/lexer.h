// Tokens of the printed IR (ir/print.h) and of expression text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "support/result.h"

namespace tessera::ir {

struct Token {
  enum class Kind : std::uint8_t { kWord, kInteger, kFloat, kString, kSymbol, kEnd };
  Kind kind = Kind::kEnd;
  std::string text;  // the word, the symbol, the unescaped string, the digits
  std::uint64_t integer = 0;
  double real = 0;
  std::size_t offset = 0;  // in bytes from the start of the text
  int line = 1;
};

inline constexpr std::size_t kMaxText = 1 << 20;

/// Splits `text`; the last token is kEnd. Dots belong to a word when a letter, digit or underscore
/// follows, so `block.x` is one word and `0..n` is three tokens.
Result<std::vector<Token>> lex(std::string_view text);

/// "line 2 column 7: what, at `... spot ...`" with the spot between >< marks; the line is left out
/// for text of one line.
std::string located(std::string_view text, std::size_t offset, std::size_t length,
                    const std::string& what);

/// `word` itself when lex() reads it back as one word, else a quoted string that lex() reads back.
std::string quoted_unless_word(const std::string& word);
std::string quoted(const std::string& text);

}  // namespace tessera::ir
