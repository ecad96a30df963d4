#include "driver/verify.h"

#include <iterator>

#include "driver/detail/on_large_stack.h"
#include "driver/detail/options_for.h"
#include "lower/passes/insert_barriers.h"
#include "lower/passes/pipeline_loops.h"

namespace tessera::driver {

namespace {

void add(polyhedral::Verdict& to, polyhedral::Verdict from) {
  std::move(from.violations.begin(), from.violations.end(), std::back_inserter(to.violations));
  std::move(from.unknown.begin(), from.unknown.end(), std::back_inserter(to.unknown));
}

Result<polyhedral::Verdict> verify_here(const dsl::ComputeDag& dag, const schedule::Plan& plan, const ir::Target& target,
                                        const polyhedral::VerifyOptions& options) {
  TESSERA_TRY(state, scheduled(dag, plan));
  const lower::Options lowering = detail::options_for(dag, target);
  TESSERA_TRY(loops, lower::build(state, lowering));
  const auto equations = polyhedral::equations_of(state);
  if (!equations.ok()) return polyhedral::Verdict{{}, {{"program", equations.reason()}}};
  polyhedral::Verdict out = polyhedral::verify(*equations, loops, options);
  if (target.kind != ir::TargetKind::kCuda || !out.ok()) return out;
  TESSERA_TRY(pipelined, lower::pipeline_loops(loops, lowering));
  TESSERA_TRY(with_barriers, lower::insert_barriers(pipelined, lowering));
  polyhedral::VerifyOptions waiting = options;
  waiting.barriers = true;
  add(out, polyhedral::verify(*equations, with_barriers, waiting));
  return out;
}

}  // namespace

Result<polyhedral::Verdict> verify(const dsl::ComputeDag& dag, const schedule::Plan& plan, const ir::Target& target, const polyhedral::VerifyOptions& options) {
  return detail::on_large_stack<polyhedral::Verdict>([&] { return verify_here(dag, plan, target, options); });
}

}  // namespace tessera::driver
