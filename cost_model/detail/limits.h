// Sizes of the fixed arrays with which nests are analysed.
#pragma once

namespace tessera::cost_model::detail {

inline constexpr int kMaxLoops = 24;     // innermost of a statement
inline constexpr int kMaxAccesses = 12;  // first of a statement
inline constexpr double kLineBytes = 64;
inline constexpr double kPageBytes = 4096;

}  // namespace tessera::cost_model::detail
