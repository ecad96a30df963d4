// How the reads of a stage move through memory: what vectors and the order of loops are chosen by.
#pragma once

#include <optional>
#include <string>

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

/// A tensor that a product reads along its columns alone, the same for every row: what panels are made of.
struct Panel {
  const ir::BufferNode* tensor = nullptr;
  std::size_t dimension = 0;  // of the tensor: its index is the column
  double reuse = 1;           // points of other data axes that read the same element
};
/// The largest of them; nothing where there is none.
std::optional<Panel> panel_of(const schedule::Stage& product);

/// Whether vectors fit along the columns once that tensor is in panels.
bool fits_with_panel(const schedule::Stage& product, const Panel& panel);

/// Whether some read of `s` is the same for all values of `v`.
bool rereads(const schedule::Stage& s, const ir::Var& v);

/// Whether `s` shows a tensor in another order, or with a border around it: one read, where a condition on coordinates holds,
/// else a number.
bool is_view(const schedule::Stage& s);
/// Of a view.
bool has_border(const schedule::Stage& s);

/// The data axis along which memory is read that lies across the last one: of a transpose. Empty where all reads fit
/// the last.
std::string axis_of_lines(const schedule::Stage& s);

/// Whether `reader` reads `s` at its own coordinates alone; true when it does not read it.
bool reads_in_place(const schedule::Stage& reader, const schedule::Stage& s);

}  // namespace tessera::polyhedral::detail
