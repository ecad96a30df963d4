#include "polyhedral/verify.h"

#include <algorithm>

#include "polyhedral/detail/barriers.h"
#include "polyhedral/detail/places.h"

namespace tessera::polyhedral {

namespace {

using detail::IslContext;
using detail::Judged;

/// All checks, each on what the ones before have left; `verdict` keeps what was found when one is stopped.
void judge(const IslContext& isl, const Equations& program, const ir::Program& loops, const VerifyOptions& options, Verdict& verdict) {
  detail::Nest nest = detail::nest_of(isl, loops, program);
  for (const std::string& what : nest.unknown) verdict.unknown.push_back({"statement", what});
  if (!nest.unknown.empty()) return;
  Judged judged{program, loops, nest, detail::holders_of(nest, program, verdict.unknown), {}};
  if (!verdict.unknown.empty()) return;
  for (detail::Leaf& leaf : nest.leaves) {
    judged.matches.push_back(detail::match(leaf, judged.holders, program));
    for (const Undecided& u : judged.matches.back().unknown) verdict.unknown.push_back(u);
  }
  if (!verdict.unknown.empty()) return;
  detail::check_bounds(judged, verdict);
  detail::check_races(judged, verdict);
  const bool waits = std::any_of(nest.events.begin(), nest.events.end(), [](const detail::Event& e) { return e.kind != detail::Event::Kind::kCommit; });
  if (options.barriers || waits) detail::check_barriers(judged, verdict);
  const std::size_t before = verdict.violations.size();
  detail::check_values(judged, verdict);
  // Where it is not sure that an expression is wrong, neither is what follows from it.
  std::vector<Undecided> doubts;
  for (const detail::Match& m : judged.matches) doubts.insert(doubts.end(), m.doubts.begin(), m.doubts.end());
  if (verdict.violations.size() == before || doubts.empty()) return;
  verdict.violations.resize(before);
  verdict.unknown.insert(verdict.unknown.end(), doubts.begin(), doubts.end());
}

}  // namespace

const char* to_string(Fault f) {
  static constexpr const char* kNames[] = {"coverage", "order", "value", "reduction", "bounds", "race", "barrier"};
  return kNames[static_cast<std::size_t>(f)];
}

std::string to_string(const Verdict& v) {
  if (v.ok()) return "ok";
  std::string out;
  for (const Violation& x : v.violations) {
    out += std::string(out.empty() ? "" : "\n") + "illegal: " + to_string(x.fault) + ": " + x.what;
    if (!x.loop.empty() && x.what.find("'" + x.loop + "'") == std::string::npos) out += " (loop '" + x.loop + "')";
  }
  for (const Undecided& u : v.unknown) out += std::string(out.empty() ? "" : "\n") + "unknown: " + u.primitive + ": " + u.what;
  return out;
}

std::ostream& operator<<(std::ostream& os, const Verdict& v) { return os << to_string(v); }

Verdict verify(const Equations& program, const ir::Program& loops, const VerifyOptions& options) {
  Verdict verdict;
  IslContext isl;
  const Status done = isl.within(options.limit, [&] { judge(isl, program, loops, options, verdict); });
  if (!done.ok()) {
    const std::size_t colon = done.reason().find(": ");  // "timeout: ..." and "ISL: ..."
    verdict.unknown.push_back({done.reason().substr(0, colon), done.reason().substr(colon + 2)});
  }
  return verdict;
}

}  // namespace tessera::polyhedral
