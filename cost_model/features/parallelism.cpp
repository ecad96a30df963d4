// Parallel loops: how many pieces, how even, how large.
#include <algorithm>
#include <cmath>

#include "cost_model/features/group.h"

namespace tessera::cost_model {

using detail::StatementView;

std::vector<std::string> parallelism_columns() { return {"extent", "per_thread", "speedup", "idle_share", "grain"}; }

void fill_parallelism(const StatementView& v, const Machine& m, float* out) {
  if (v.parallel_extent <= 1) return;
  *out++ = scaled(v.parallel_extent);
  *out++ = scaled(v.parallel_extent / m.threads);
  *out++ = static_cast<float>(v.speedup);
  *out++ = static_cast<float>(1 - v.speedup / m.threads);
  *out = scaled(std::max(v.flops, v.trips) / v.parallel_extent);
}

}  // namespace tessera::cost_model
