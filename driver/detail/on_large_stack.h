#pragma once

#include <optional>

#include "support/large_stack.h"
#include "support/result.h"

namespace tessera::driver::detail {

/// Deep expressions recurse: every road through the compiler runs on a large stack.
template <class T, class F>
Result<T> on_large_stack(F f) {
  std::optional<Result<T>> out;
  run_with_large_stack([&] { out.emplace(f()); });
  return std::move(*out);
}

}  // namespace tessera::driver::detail
