// Names to offer when a word is not known: "did you mean".
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tessera {

/// Insertions, deletions, changes and swaps of neighbours that turn one word into the other; letters
/// of different case cost nothing.
int edit_distance(std::string_view a, std::string_view b);

/// The candidates near `word`, nearest first, at most `count`; empty when none is near. A candidate
/// that contains the word, or begins with it, is near.
std::vector<std::string> nearest_names(std::string_view word, const std::vector<std::string>& candidates,
                                       std::size_t count = 3);

/// "; near it: a, b", or "; known are ..." when nothing is near and the list is short; "" otherwise.
std::string nearest_text(std::string_view word, const std::vector<std::string>& candidates);

/// "a, b, c".
std::string joined(const std::vector<std::string>& words, const char* between = ", ");

}  // namespace tessera
