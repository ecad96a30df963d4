// Loops: how often the statement runs and what the innermost loops of each kind are.
#include "cost_model/features/group.h"

namespace tessera::cost_model {

using detail::StatementView;
using ir::ForKind;

namespace {

constexpr int kInnermost = 4;

// The n-th serial loop from inside; 0 when there are fewer.
double serial_extent(const StatementView& v, int n) {
  for (int l = v.loops - 1; l >= 0; --l) {
    const auto i = static_cast<std::size_t>(l);
    if (v.kind[i] == ForKind::kSerial && n-- == 0) return v.extent[i];
  }
  return 0;
}

double product_of(const StatementView& v, ForKind kind) {
  double out = 1;
  for (std::size_t l = 0; l < static_cast<std::size_t>(v.loops); ++l) {
    if (v.kind[l] == kind) out *= v.extent[l];
  }
  return out;
}

}  // namespace

std::vector<std::string> loop_columns() {
  return {"is_statement", "is_init",       "is_update",      "is_prepared",    "trips",           "depth",
          "waste",        "ragged",        "vector_extent",  "vector_product", "vector_width",    "unroll_product",
          "serial_product", "block_trips",  "serial_inner0", "serial_inner1",  "serial_inner2",  "serial_inner3",   "serial_iterations", "unroll", "copied_trips"};
}

void fill_loops(const StatementView& v, const Machine& m, float* out) {
  *out++ = 1;
  *out++ = flag(v.summary->phase == ir::Phase::kInit);
  *out++ = flag(v.summary->phase == ir::Phase::kUpdate);
  *out++ = flag(v.summary->prepared);
  *out++ = scaled(v.trips);
  *out++ = static_cast<float>(v.loops);
  *out++ = static_cast<float>(v.waste);
  *out++ = flag(v.ragged);
  *out++ = v.vector_extent > 1 ? scaled(v.vector_extent) : 0;
  *out++ = scaled(product_of(v, ForKind::kVector));
  *out++ = static_cast<float>(v.vector_extent * v.element_bytes / m.vector_bytes);
  *out++ = scaled(product_of(v, ForKind::kUnroll));
  *out++ = scaled(product_of(v, ForKind::kSerial));
  *out++ = scaled(v.block_trips);
  for (int n = 0; n < kInnermost; ++n) *out++ = scaled(serial_extent(v, n));
  *out++ = scaled(v.serial_iterations);
  *out++ = static_cast<float>(v.unroll);
  *out = scaled(v.block_trips * v.unroll);
}

}  // namespace tessera::cost_model
