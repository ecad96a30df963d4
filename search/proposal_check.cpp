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

/// Empty when the point is what a proposal must be.
std::string why_wrong(const Task& task, const std::vector<Sketch>& sketches, const Point& p, bool lower) {
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

/// Empty when the compiler takes it, and what it says of it is no reason against it.
std::string why_refused(const Task& task, const std::vector<Sketch>& sketches, const Point& p) {
  const auto image = driver::compile(task.dag, steps_of(sketches, p).or_throw(), task.target);
  return image.ok() ? "" : image.reason();
}

std::string text_of(const Sketch& s, const Values& values) {
  std::string out = s.name;
  for (const auto& [hole, value] : s.space.decisions(values)) out += " " + hole + "=" + std::to_string(value);
  return out;
}

/// "spills 24 bytes in 'matmul'" -> "spills # bytes in ''"
std::string without_names(const std::string& reason) {
  std::string out;
  bool quoted = false;
  for (const char c : reason) {
    const bool digit = c >= '0' && c <= '9';
    if (c == '\'') quoted = !quoted;
    if ((quoted && c != '\'') || (digit && !out.empty() && out.back() == '#')) continue;
    out += digit ? '#' : c;
  }
  return out;
}

}  // namespace

std::string sketch_kind(const std::string& sketch) {
  std::string out;
  for (std::size_t at = 0; at <= sketch.size();) {
    const std::size_t end = std::min(sketch.find(' ', at), sketch.size());
    const std::string part = sketch.substr(at, end - at);
    const std::size_t dot = part.find('.');
    if (!part.empty()) out += (out.empty() ? "" : " ") + (dot == std::string::npos ? part : part.substr(dot + 1));
    at = end + 1;
  }
  return out;
}

ProposalCheck& ProposalCheck::operator+=(const ProposalCheck& o) {
  proposals += o.proposals;
  lowered += o.lowered;
  failed += o.failed;
  compiled += o.compiled;
  accepted += o.accepted;
  for (const std::string& f : o.failures) {
    if (failures.size() < kMostFailures) failures.push_back(f);
  }
  for (const auto& [name, n] : o.sketches) {
    OfSketch& to = sketches[name];
    to.proposals += n.proposals;
    to.failed += n.failed;
    to.compiled += n.compiled;
    to.accepted += n.accepted;
  }
  for (const auto& [reason, n] : o.reasons) reasons[reason] += n;
  return *this;
}

ProposalCheck check_proposals(const Task& task, const ProposalCount& count, std::uint64_t seed) {
  const std::vector<Sketch> sketches = generate_sketches(task);
  const Mutator mutator(sketches);
  ProposalCheck out;
  std::vector<std::vector<Point>> parents(sketches.size());
  Rng rng(seed, {task.hash()});
  const auto every = [&](std::int64_t n) { return n > 0 ? std::max<std::int64_t>(1, count.proposals / n) : 0; };
  const std::int64_t lower_each = every(count.lowered), compile_each = every(count.compiled);
  const std::int64_t first_compiled = compile_each > 0 ? static_cast<std::int64_t>(seed % static_cast<std::uint64_t>(compile_each)) : 0;
  while (out.proposals < count.proposals) {
    const std::size_t sketch = static_cast<std::size_t>(out.proposals) % sketches.size();
    std::vector<Point>& bred_from = parents[sketch];
    const double kind = rng.uniform();
    std::optional<Point> p;
    if (!bred_from.empty() && kind < 1.0 / 3) p = mutator.mutate(rng.pick(bred_from), rng);
    if (!bred_from.empty() && kind > 2.0 / 3) p = mutator.cross(rng.pick(bred_from), rng.pick(bred_from), rng);
    if (!p) p = mutator.fresh(sketch, rng);
    if (!p) {
      ++out.failed;
      out.failures.push_back("sketch " + sketches[sketch].name + " has no point");
      return out;
    }
    const std::string& name = sketches[p->sketch].name;
    ProposalCheck::OfSketch& of_sketch = out.sketches[sketch_kind(name)];
    const bool lower = lower_each > 0 && out.proposals % lower_each == 0;
    const std::string why = why_wrong(task, sketches, *p, lower);
    // One sketch further each time: `compile_each` may be a multiple of how many there are.
    const bool compile = why.empty() && compile_each > 0 && out.proposals % compile_each == (first_compiled + out.proposals / compile_each) % compile_each;
    ++out.proposals;
    ++of_sketch.proposals;
    out.lowered += lower ? 1 : 0;
    if (!why.empty()) {
      ++out.failed;
      ++of_sketch.failed;
      ++out.reasons[without_names(why)];
      if (out.failures.size() < kMostFailures) out.failures.push_back(text_of(sketches[p->sketch], p->values) + ": " + why);
      continue;
    }
    if (compile) {
      const std::string refused = why_refused(task, sketches, *p);
      ++out.compiled;
      ++of_sketch.compiled;
      out.accepted += refused.empty() ? 1 : 0;
      of_sketch.accepted += refused.empty() ? 1 : 0;
      if (!refused.empty()) ++out.reasons[without_names(refused)];
    }
    std::vector<Point>& family = parents[p->sketch];
    if (family.size() < kParents) {
      family.push_back(*p);
    } else {
      family[static_cast<std::size_t>(rng.below(kParents))] = *p;
    }
  }
  return out;
}

}  // namespace tessera::search
