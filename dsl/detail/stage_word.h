#pragma once

#include "dsl/dag.h"

namespace tessera::dsl::detail {

/// The key under which the JSON of a program names a stage of this kind.
inline const char* stage_word(OperationKind kind) {
  static constexpr const char* kWords[] = {"placeholder", "constant", "compute", "scan", "extern"};
  return kWords[static_cast<std::size_t>(kind)];
}

}  // namespace tessera::dsl::detail
