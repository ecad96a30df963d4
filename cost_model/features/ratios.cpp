// Ratios: what a statement's time is made of, whatever its size, so that one task tells of another.
#include <algorithm>

#include "cost_model/features/group.h"

namespace tessera::cost_model {

using detail::StatementView;

namespace {

constexpr std::array<DraftTerm, 11> kShares{kArithmetic, kLoadStore, kChain, kL2, kL3, kDram, kPages, kLoops, kSpill, kStrided, kGuard};

float ratio(double part, double whole) { return static_cast<float>(std::min(64.0, part / std::max(1e-9, whole))); }

}  // namespace

std::vector<std::string> ratio_columns() {
  std::vector<std::string> out;
  for (const DraftTerm t : kShares) out.push_back(std::string("over_bound_") + draft_term_name(t));
  for (const char* column : {"bound", "loads", "stores", "products", "sums", "divisions", "compares", "calls", "selects", "reductions",
                             "tile_waste", "column_tail", "variants", "border_guards", "tail_guards", "guarded", "l1_filled", "l2_filled", "l3_filled", "program_l2", "block_vectors"}) {
    out.push_back(column);
  }
  return out;
}

void fill_ratios(const StatementView& v, const Machine& m, float* out) {
  if (v.summary->prepared) return;
  for (const DraftTerm t : kShares) *out++ = ratio(v.terms[t], v.terms[kBound]);
  double loads = 0, stores = 0;
  for (std::size_t k = 0; k < static_cast<std::size_t>(v.accesses); ++k) (v.access[k].summary->write ? stores : loads) += v.access[k].instructions;
  const ir::OpCounts& o = v.summary->ops;
  *out++ = ratio(v.terms[kBound], v.instructions / (v.waste * v.speedup));
  *out++ = ratio(loads, v.instructions);
  *out++ = ratio(stores, v.instructions);
  for (const int count : {o.float_mul, o.float_add, o.float_div, o.float_compare, o.float_call, o.select}) *out++ = static_cast<float>(count);
  *out++ = static_cast<float>(v.reductions);
  *out++ = static_cast<float>(v.tile_waste);
  *out++ = flag(v.column_tail);
  *out++ = static_cast<float>(v.variants);
  *out++ = static_cast<float>(v.guards.border);
  *out++ = static_cast<float>(v.guards.tail);
  *out++ = ratio(v.guarded, v.instructions);
  *out++ = ratio(v.bytes_at[static_cast<std::size_t>(v.level[0])], static_cast<double>(m.l1_bytes));
  *out++ = ratio(v.bytes_at[static_cast<std::size_t>(v.level[1])], static_cast<double>(m.l2_bytes));
  *out++ = ratio(v.bytes_at[static_cast<std::size_t>(v.level[2])], static_cast<double>(m.l3_bytes));
  *out++ = ratio(v.bytes_at[0], static_cast<double>(m.l2_bytes));
  *out = scaled(v.instructions / v.trips * v.block_trips);
}

}  // namespace tessera::cost_model
