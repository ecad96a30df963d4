#include "cost_model/draft.h"

#include <algorithm>

#include "cost_model/detail/draft_terms.h"
#include "cost_model/detail/gpu_terms.h"

namespace tessera::cost_model {

namespace {

using detail::AccessView;
using detail::StatementView;

constexpr double kStartCycles = 1000, kParallelCycles = 2000;

struct Lines {
  double l2 = 0, l3 = 0, dram = 0, pages = 0;
};

double arithmetic_cycles(const StatementView& v) {
  const ir::OpCounts& o = v.summary->ops;
  // A product and a sum are one instruction.
  const double simple = std::max(o.float_mul, o.float_add) + o.float_compare + o.integer;
  return v.instructions * (simple / 2 + 8.0 * o.float_div + 16.0 * o.float_call);
}

Lines lines_of(const StatementView& v) {
  Lines out;
  for (int k = 0; k < v.accesses; ++k) {
    const AccessView& a = v.access[static_cast<std::size_t>(k)];
    out.l2 += a.traffic[0];
    out.l3 += a.traffic[1];
    out.dram += a.traffic[2];
    out.pages += a.pages;
  }
  return out;
}

DraftTerms terms_of(const StatementView& v, const Machine& m) {
  DraftTerms terms{};
  const double share = 1 / (v.speedup * v.waste);
  double loads = 0, stores = 0, strided = 0;
  for (int k = 0; k < v.accesses; ++k) {
    const AccessView& a = v.access[static_cast<std::size_t>(k)];
    (a.summary->write ? stores : loads) += a.instructions;
    strided += a.strided;
  }
  const Lines lines = lines_of(v);
  const double arithmetic = arithmetic_cycles(v);
  const double load_store = std::max(loads / 2, stores);
  // The last tile has less work but waits as long as a full one.
  const double chain = v.tile_waste * v.chain_steps * (v.chain_in_memory ? 10 : 4);
  const double l2 = 2 * lines.l2, l3 = 4 * lines.l3, dram = 16 * lines.dram;
  if (v.ragged) strided += v.trips / 4;
  const double excess = std::max(0.0, v.registers - m.vector_registers);
  terms[kBound] = share * std::max({arithmetic, load_store, chain, l2, l3, dram});
  terms[kArithmetic] = share * arithmetic;
  terms[kLoadStore] = share * load_store;
  terms[kChain] = share * chain;
  terms[kL2] = share * l2;
  terms[kL3] = share * l3;
  terms[kDram] = share * dram;
  terms[kPages] = share * 20 * lines.pages;
  terms[kLoops] = share * v.serial_iterations;
  terms[kSpill] = share * 2 * excess * v.trips / v.block_trips;
  terms[kStrided] = share * strided;
  terms[kGuard] = share * v.guarded;
  if (v.parallel_extent > 1 && m.threads > 1) terms[kStart] = kParallelCycles;
  return terms;
}

}  // namespace

const char* draft_term_name(std::size_t term) {
  constexpr std::array<const char*, kDraftTerms> kNames{"bound", "arithmetic", "load_store", "chain", "l2",    "l3",
                                                        "dram",  "pages",      "loops",      "spill", "strided", "guard", "start"};
  return kNames[term];
}

namespace detail {

void draft_terms(NestView& nest, const Machine& machine, DraftTerms& terms, std::vector<DraftTerms>& parts) {
  terms = {};
  if (machine.gpu.empty()) {
    terms[kStart] = kStartCycles;
    for (std::size_t i = 0; i < nest.count; ++i) {
      StatementView& v = nest.statements[i];
      v.terms = v.summary->prepared ? DraftTerms{} : terms_of(v, machine);
    }
  } else {
    gpu_terms(nest, machine, terms);
  }
  parts.resize(nest.count);
  for (std::size_t i = 0; i < nest.count; ++i) {
    parts[i] = nest.statements[i].terms;
    for (std::size_t t = 0; t < kDraftTerms; ++t) terms[t] += parts[i][t];
  }
}

}  // namespace detail

DraftTerms draft_terms(const ir::NestSummary& nest, const Machine& machine) {
  detail::NestView view;
  detail::analyze(nest, machine, view);
  DraftTerms terms;
  std::vector<DraftTerms> parts;
  detail::draft_terms(view, machine, terms, parts);
  return terms;
}

double draft_ns(const DraftTerms& terms, const DraftCoefficients& coefficients) {
  double ns = 0;
  for (std::size_t i = 0; i < kDraftTerms; ++i) ns += coefficients[i] * terms[i];
  return std::max(1.0, ns);
}

const DraftCoefficients& default_draft(const Machine& machine) {
  // What does not bound a kernel overlaps with what does, all but a little; private arrays and unasked-for
  // bytes are paid in its bounds already.
  static const DraftCoefficients kGpu{1, 0.05, 0.05, 0.02, 0.05, 0, 0.05, 0, 0.05, 0.2, 0.02, 0, 1};
  if (!machine.gpu.empty()) return kGpu;
  // Terms without a coefficient say nothing more than `bound` on these recordings.
  static const DraftCoefficients kFitted{0.1103, 0.0784, 0, 0.0451, 0.0106, 0, 0.0443, 0, 0.0080, 0.0313, 0.2403, 0.0092, 1.1307};
  return kFitted;
}

}  // namespace tessera::cost_model
