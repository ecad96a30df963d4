// The passes of `finish` as rows of one table: name, function. Dumping (TESSERA_DUMP), timing
// (TESSERA_TIME) and checking (TESSERA_CHECK) are the driver's of the table and come for free.
#pragma once

#include <functional>
#include <vector>

#include "lower/lower.h"

namespace tessera::lower {

struct Pass {
  const char* name;
  Result<ir::Program> (*run)(const ir::Program&, const Options&);
  bool flat;  // buffers take one flat index afterwards
};

/// In order. Each row says in its header what it needs and leaves true.
const std::vector<Pass>& finish_passes(ir::TargetKind target);

/// Applies a statement pass to every function.
Result<ir::Program> map_functions(const ir::Program& p, const std::function<Result<ir::Stmt>(const ir::Stmt&)>& f);

}  // namespace tessera::lower
