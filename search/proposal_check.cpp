#include "search/proposal_check.h"

#include "driver/compile.h"
#include "ir/check.h"
#include "search/mutation.h"

namespace tessera::search {

namespace {

constexpr std::size_t kParents = 64;
constexpr std::size_t kMostFailures = 10;
constexpr std::int64_t kStackBytes = 512 << 10;  // of a thread, what codegen grants scratch memory

std::int64_t bytes_of(const schedule::Stage& s) {
  std::int64_t n = 0;
  for (const ir::Buffer& b : s.outputs) {
    std::int64_t size = b->dtype.bytes();
    for (const std::int64_t e : s.region.bound) size *= e;
    n += size;
  }
  return n;
}

/// Empty when the state fits the target.
std::string over_limits(const schedule::State& state, const ir::Target& target, int threads) {
  for (std::size_t i = 0; i < state.size(); ++i) {
    const schedule::Stage& s = state.stage(i);
    if (s.is_input() || s.placement != schedule::Placement::kAt) continue;
    const std::int64_t bytes = bytes_of(s);
    const std::int64_t registers = static_cast<std::int64_t>(target.vector_registers) * target.vector_bytes;
    // A few values over the register file are spilled; twice the file is no register tile any more.
    if (s.scope == ir::Scope::kRegister && bytes > 2 * registers) {
      return "register tile '" + s.name + "' has " + std::to_string(bytes) + " bytes, the registers " + std::to_string(registers);
    }
    if (s.scope != ir::Scope::kRegister && threads > 1 && bytes > kStackBytes) {
      return "scratch memory of '" + s.name + "' is " + std::to_string(bytes) + " bytes, a thread has " + std::to_string(kStackBytes);
    }
  }
  return "";
}

std::string check(const Task& task, const std::vector<Sketch>& sketches, const Point& p, bool lower) {
  if (!sketches[p.sketch].space.contains(p.values)) return "outside its space";
  const auto steps = steps_of(sketches, p);
  if (!steps.ok()) return steps.reason();
  const auto state = driver::scheduled(task.dag, *steps);
  if (!state.ok()) return state.reason();
  const bool cpu = task.target.kind == ir::TargetKind::kCpu;
  if (std::string why = !cpu ? "" : over_limits(*state, task.target, task.threads); !why.empty()) return why;
  if (!lower) return "";
  const auto program = driver::finished_program(task.dag, *steps, task.target);
  if (!program.ok()) return program.reason();
  const Status sound = ir::check_well_formed(*program, {.flat = true});
  if (!sound.ok()) return sound.reason();
  const Status fits = driver::check_launchable(*program, task.target);
  return fits.ok() ? "" : fits.reason();
}

std::string text_of(const Sketch& s, const Values& values) {
  std::string out = s.name;
  for (const auto& [hole, value] : s.space.decisions(values)) out += " " + hole + "=" + std::to_string(value);
  return out;
}

}  // namespace

ProposalCheck& ProposalCheck::operator+=(const ProposalCheck& o) {
  proposals += o.proposals;
  lowered += o.lowered;
  failed += o.failed;
  for (const std::string& f : o.failures) {
    if (failures.size() < kMostFailures) failures.push_back(f);
  }
  return *this;
}

ProposalCheck check_proposals(const Task& task, std::int64_t count, std::int64_t lowered, std::uint64_t seed) {
  const std::vector<Sketch> sketches = generate_sketches(task);
  const Mutator mutator(sketches);
  ProposalCheck out;
  std::vector<Point> parents;
  Rng rng(seed, {task.hash()});
  const std::int64_t each = lowered > 0 ? std::max<std::int64_t>(1, count / lowered) : 0;
  while (out.proposals < count) {
    const double kind = rng.uniform();
    std::optional<Point> p;
    if (!parents.empty() && kind < 1.0 / 3) p = mutator.mutate(rng.pick(parents), rng);
    if (!parents.empty() && kind > 2.0 / 3) p = mutator.cross(rng.pick(parents), rng.pick(parents), rng);
    if (!p) p = mutator.fresh(static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(sketches.size()))), rng);
    if (!p) {
      ++out.failed;
      out.failures.push_back("a sketch without a point");
      return out;
    }
    const bool lower = each > 0 && out.proposals % each == 0;
    const std::string why = check(task, sketches, *p, lower);
    ++out.proposals;
    out.lowered += lower ? 1 : 0;
    if (!why.empty()) {
      ++out.failed;
      if (out.failures.size() < kMostFailures) out.failures.push_back(text_of(sketches[p->sketch], p->values) + ": " + why);
      continue;
    }
    if (parents.size() < kParents) {
      parents.push_back(*p);
    } else {
      parents[static_cast<std::size_t>(rng.below(kParents))] = *p;
    }
  }
  return out;
}

}  // namespace tessera::search
