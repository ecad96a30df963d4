// Footprints: what a statement touches at which loop, what fits where, what crosses the boundaries.
#include <algorithm>

#include "cost_model/features/group.h"

namespace tessera::cost_model {

using detail::StatementView;

std::vector<std::string> footprint_columns() {
  std::vector<std::string> out{"bytes", "block_bytes", "pages"};
  for (const char* cache : {"l1", "l2", "l3"}) {
    for (const char* column : {"_runs", "_bytes", "_next_over", "_lines_below"}) out.push_back(std::string(cache) + column);
  }
  return out;
}

void fill_footprints(const StatementView& v, const Machine& m, float* out) {
  *out++ = scaled(v.bytes_at[0]);
  *out++ = scaled(v.bytes_at[static_cast<std::size_t>(v.block)]);
  double pages = 0;
  for (std::size_t k = 0; k < static_cast<std::size_t>(v.accesses); ++k) pages += v.access[k].pages;
  *out++ = scaled(pages);
  const std::array<double, detail::kCaches> capacity{double(m.l1_bytes), double(m.l2_bytes), double(m.l3_bytes)};
  for (std::size_t c = 0; c < detail::kCaches; ++c) {
    const auto l = static_cast<std::size_t>(v.level[c]);
    double lines = 0;
    for (std::size_t k = 0; k < static_cast<std::size_t>(v.accesses); ++k) lines += v.access[k].traffic[c];
    *out++ = scaled(v.outside[l]);  // times the loops that fit are run
    *out++ = scaled(v.bytes_at[l]);
    // How far one loop more would be from fitting, in capacities.
    *out++ = l == 0 ? 0 : static_cast<float>(std::min(64.0, v.bytes_at[l - 1] / capacity[c]));
    *out++ = scaled(lines);
  }
}

}  // namespace tessera::cost_model
