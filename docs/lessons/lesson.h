// What the lessons share: they print what they talk about, and hold it against what they quote, so
// that no lesson tells of an output that the program no longer has.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

#include "support/error.h"

namespace tessera::lesson {

/// Prints `text` below a title.
inline void show(const std::string& title, const std::string& text) {
  std::printf("--- %s\n%s%s", title.c_str(), text.c_str(),
              text.empty() || text.back() != '\n' ? "\n" : "");
}

/// The same, and stops the lesson unless it is what the lesson quotes. A quotation starts on the
/// line after R"(.
inline void show(const std::string& title, const std::string& text, const std::string& quoted) {
  show(title, text);
  const std::string expected = quoted.substr(quoted.find('\n') + 1);
  if (text == expected || text + "\n" == expected) return;
  std::fprintf(stderr, "the lesson quotes another text:\n%s", expected.c_str());
  std::exit(1);
}

/// Stops the lesson when `holds` is false.
inline void require(bool holds, const std::string& what) {
  if (holds) return;
  std::fprintf(stderr, "this lesson says what does not hold: %s\n", what.c_str());
  std::exit(1);
}

/// Runs what must be refused and prints the reason, which must be the quoted one.
template <class F>
void refused(const F& f, const std::string& quoted) {
  try {
    f();
  } catch (const UserError& e) {
    show("refused", e.what(), "\n" + quoted);
    return;
  }
  require(false, "refused: " + quoted);
}

}  // namespace tessera::lesson
