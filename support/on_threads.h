// Independent pieces of work on several threads.
#pragma once

#include <cstddef>
#include <functional>

namespace tessera {

/// Calls `work` with 0 to count - 1 on `jobs` threads, this one among them; each takes the next number when it is free.
/// `stop` is asked before each. What `work` throws ends it, and the first of that is thrown here.
void on_threads(std::size_t count, int jobs, const std::function<bool()>& stop, const std::function<void(std::size_t)>& work);

}  // namespace tessera
