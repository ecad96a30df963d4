// Operations on values: how many of each class, and in how many instructions.
#include "cost_model/features/group.h"

namespace tessera::cost_model {

using detail::StatementView;

std::vector<std::string> operation_columns() {
  return {"float_mul", "float_add", "float_div", "float_compare", "float_call", "integer", "select",
          "total",     "scalar",    "instructions", "per_trip",   "intensity",  "copies"};
}

void fill_operations(const StatementView& v, const Machine&, float* out) {
  const ir::OpCounts& o = v.summary->ops;
  for (const int count : {o.float_mul, o.float_add, o.float_div, o.float_compare, o.float_call, o.integer, o.select}) {
    *out++ = count == 0 ? 0 : scaled(v.trips * count);
  }
  double bytes = 0;
  for (std::size_t k = 0; k < static_cast<std::size_t>(v.accesses); ++k) {
    if (!v.access[k].register_scope) bytes += v.access[k].whole.lines * detail::kLineBytes;
  }
  *out++ = scaled(v.flops);
  *out++ = v.vector_extent > 1 ? 0 : scaled(v.flops);
  *out++ = scaled(v.instructions);
  *out++ = static_cast<float>(v.flops / v.trips);
  *out++ = scaled(v.flops / (bytes + 1));  // operations for each byte that is touched at least once
  *out = flag(v.copies);
}

}  // namespace tessera::cost_model
