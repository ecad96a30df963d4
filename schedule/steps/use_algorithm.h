#pragma once

#include <map>
#include <string>

#include "schedule/plan.h"
#include "schedule/state.h"

namespace tessera::schedule {

/// Replaces the stage's computation by stages of another algorithm that compute the same (the table
/// in schedule/algorithms.h). The program stays the log key and the oracle.
///
///   C[i, j] = sum(A[i, k] * B[k, j], k)   ->   C.partial[chunk, i, j] = sum(A[i, k'] * B[k', j], k)
///                                               C[i, j] = sum(C.partial[chunk, i, j], chunk)
///                                                 use_algorithm C, split_k, chunks 4; k' = chunk * 10 + k
///
/// `params` gives every parameter of the algorithm a value. Refuses: a stage that does not have the
/// algorithm's form, unknown, missing and impossible parameters, any other step before it.
struct UseAlgorithm {
  static constexpr const char* kName = "use_algorithm";
  std::string stage;
  std::string algorithm;
  std::map<std::string, Param> params;
  static constexpr auto fields() {
    return std::tuple{field("stage", &UseAlgorithm::stage), field("algorithm", &UseAlgorithm::algorithm),
                      defaulted("params", &UseAlgorithm::params)};
  }
  Result<State> apply(const State& state) const;
  bool operator==(const UseAlgorithm&) const = default;
};

}  // namespace tessera::schedule
