// Which buffers statements touch, and how.
#pragma once

#include <cstdint>
#include <set>

#include "ir/stmt.h"

namespace tessera::ir {

/// Ids of the buffers that `s` stores to.
std::set<std::uint64_t> stored_buffers(const Stmt& s);

/// Whether `v` occurs in an index of a buffer of scope register: such a loop is unrolled, as registers have no
/// addresses.
bool chooses_registers(const Stmt& s, const Var& v);

}  // namespace tessera::ir
