#pragma once

#include <string>
#include <vector>

#include "schedule/plan.h"
#include "schedule/state.h"

namespace tessera::schedule {

/// Puts a copy of a tensor between it and the named readers.
///
///   C[i, j] += A[i, k] * B[k, j]   ->   Bc[k, j] = B[k, j];  C[i, j] += A[i, k] * Bc[k, j]
///
/// `readers` empty means all. Refuses: a reader that does not read the tensor, a taken name.
struct CacheRead {
  static constexpr const char* kName = "cache_read";
  std::string stage;
  std::vector<std::string> readers;
  std::string into;
  ir::Scope scope = ir::Scope::kGlobal;
  static constexpr auto fields() {
    return std::tuple{field("stage", &CacheRead::stage), defaulted("readers",
                          &CacheRead::readers), field("into", &CacheRead::into),
                          defaulted("scope", &CacheRead::scope)};
  }
  Result<State> apply(const State& state) const;
  bool operator==(const CacheRead&) const = default;
};

}  // namespace tessera::schedule
