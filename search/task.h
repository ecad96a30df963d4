// What is tuned: a program, for a target, on a number of threads.
#pragma once

#include <string>

#include "dsl/dag.h"
#include "ir/target.h"
#include "support/hash.h"
#include "tuning_logs/record.h"

namespace tessera::search {

struct Task {
  dsl::ComputeDag dag;
  ir::Target target;  // resolved
  int threads = 1;
  std::string op;                              // for people and queries: "matmul", an expression
  tuning_logs::Request request;                // as it was asked for: shape, layout, dtype, ...

  /// Equal for equal programs on equal targets and thread counts.
  std::uint64_t hash() const {
    return hash_combine(hash_combine(dag.hash(), hash_bytes(target.text())), static_cast<std::uint64_t>(threads));
  }
};

/// A target as logs and recordings hold it, resolved: its vectors and registers are known. Refuses what no
/// code generator here knows.
Result<ir::Target> target_of_text(const std::string& text);

}  // namespace tessera::search
