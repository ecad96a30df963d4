// How the reads of a stage move through memory: what vectors and the order of loops are chosen by.
#pragma once

#include <optional>

#include "schedule/state.h"

namespace tessera::polyhedral::detail {

/// All reads in the body of a stage, which they live as long as.
std::vector<const ir::Load*> reads_of(const schedule::Stage& s);

/// Elements that a read moves by in memory when `v` grows by one; nothing where that is not constant.
std::optional<std::int64_t> stride_along(const ir::Load& read, const ir::Var& v);

/// Whether the place of a read depends on `v`.
bool moves_with(const ir::Load& read, const ir::Var& v);

/// Along one variable of a stage.
struct Contiguity {
  bool fits = true;    // every read stands still or goes to the next element
  bool moves = false;  // and some read goes to the next element
};
/// `v` is a coordinate of `s`; tensors are row-major.
Contiguity contiguity(const schedule::Stage& s, const ir::Var& v);

/// Bytes of the tensors that `s` reads, those whose place depends on coordinate `v` and not on `other`.
double bytes_along(const schedule::Stage& s, const ir::Var& v, const ir::Var& other);

/// Whether `reader` reads `s` at its own coordinates alone; true when it does not read it.
bool reads_in_place(const schedule::Stage& reader, const schedule::Stage& s);

}  // namespace tessera::polyhedral::detail
