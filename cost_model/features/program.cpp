// The program's row: totals and the draft.
#include <algorithm>

#include "cost_model/features/group.h"

namespace tessera::cost_model {

using detail::NestView;
using detail::StatementView;

std::vector<std::string> program_columns() {
  std::vector<std::string> out{"is_program", "statements", "prepared", "flops", "bytes", "copied_bytes", "accumulators", "waste"};
  for (std::size_t t = 0; t < kDraftTerms; ++t) out.push_back(std::string("cycles_") + draft_term_name(t));
  for (std::size_t t = 0; t < kDraftTerms; ++t) out.push_back(std::string("share_") + draft_term_name(t));
  out.push_back("draft_ns");
  return out;
}

void fill_program(const NestView& nest, const Machine& m, const DraftTerms& terms, float* out) {
  double prepared = 0, flops = 0, copied = 0, accumulators = 0, waste = 1;
  for (std::size_t i = 0; i < nest.count; ++i) {
    const StatementView& v = nest.statements[i];
    if (v.summary->prepared) {
      ++prepared;
      continue;
    }
    flops += v.flops;
    if (v.copies) copied += v.access[0].whole.elements * v.element_bytes;
    accumulators = std::max(accumulators, v.accumulators);
    waste = std::max(waste, v.waste);
  }
  *out++ = 1;
  *out++ = static_cast<float>(nest.count);
  *out++ = static_cast<float>(prepared);
  *out++ = scaled(flops);
  *out++ = scaled(nest.bytes);
  *out++ = scaled(copied);
  *out++ = static_cast<float>(accumulators);
  *out++ = static_cast<float>(waste);
  for (const double t : terms) *out++ = scaled(t);
  const DraftCoefficients& c = default_draft(m);
  const double ns = draft_ns(terms, c);
  for (std::size_t t = 0; t < kDraftTerms; ++t) *out++ = static_cast<float>(c[t] * terms[t] / ns);
  *out = scaled(ns);
}

}  // namespace tessera::cost_model
