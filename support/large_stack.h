// A stack deep enough for recursion over trees of any size a user can write. Visitors, parsers and
// code generators recurse once per nesting level; the default 8 MiB end at some ten thousand
// levels.
#pragma once

#include <cstddef>
#include <functional>

namespace tessera {

inline constexpr std::size_t kLargeStackBytes = std::size_t{256} << 20;

/// Runs `f` on a stack of kLargeStackBytes and returns when it is done; what it throws is thrown
/// here. A nested call runs `f` directly. `f` runs on a thread of its own: thread-local values of
/// the caller are not seen in it. Pages that `f` never reaches cost nothing.
void run_with_large_stack(const std::function<void()>& f);

}  // namespace tessera
