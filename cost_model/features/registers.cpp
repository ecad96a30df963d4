// Registers: the tile of accumulators, what is alive beside it, what waits for what.
#include <algorithm>

#include "cost_model/features/group.h"

namespace tessera::cost_model {

using detail::StatementView;

std::vector<std::string> register_columns() {
  return {"accumulators", "demand", "excess", "chains", "chain_steps", "chain_in_memory", "loads_per_operation"};
}

void fill_registers(const StatementView& v, const Machine& m, float* out) {
  double loads = 0;
  for (std::size_t k = 0; k < static_cast<std::size_t>(v.accesses); ++k) loads += v.access[k].instructions;
  *out++ = static_cast<float>(v.accumulators);
  *out++ = static_cast<float>(std::min(16.0, v.registers / m.vector_registers));
  *out++ = scaled(std::max(0.0, v.registers - m.vector_registers));
  *out++ = static_cast<float>(std::min(256.0, v.chains));
  *out++ = scaled(v.chain_steps);
  *out++ = flag(v.chain_in_memory);
  *out = static_cast<float>(std::min(64.0, loads / v.instructions));
}

}  // namespace tessera::cost_model
