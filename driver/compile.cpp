#include "driver/compile.h"

#include <algorithm>
#include <cctype>

#include "codegen/cuda/nvrtc.h"
#include "codegen/llvm/compile.h"
#include "codegen/llvm/target.h"
#include "schedule/scan.h"
#include "support/large_stack.h"

namespace tessera::driver {

namespace {

lower::Options options_for(const dsl::ComputeDag& dag, const ir::Target& target) {
  lower::Options o;
  o.name = kernel_name(dag);
  o.vector_bytes = target.vector_bytes;
  return o;
}

/// Deep expressions recurse: every road through the compiler runs on a large stack.
template <class T, class F>
Result<T> on_large_stack(F f) {
  std::optional<Result<T>> out;
  run_with_large_stack([&] { out.emplace(f()); });
  return std::move(*out);
}

/// Applies a step when it is legal; default plans skip what does not fit a stage.
bool try_step(schedule::State& state, schedule::StepList& steps, schedule::Step step) {
  auto next = schedule::apply_step(state, step);
  if (!next.ok()) return false;
  state = std::move(*next);
  steps.push_back(std::move(step));
  return true;
}

/// An elementwise stage read at one place: substituting it moves work, it does not repeat it.
bool is_cheap_to_inline(const schedule::State& state, const schedule::Stage& s) {
  const auto readers = state.consumers(s);
  return !s.is_output && !s.is_reduction() && !s.is_scan() && s.outputs.size() == 1 && readers.size() == 1 && !readers[0]->is_reduction();
}

}  // namespace

std::string kernel_name(const dsl::ComputeDag& dag) {
  std::string name = dag.name().empty() ? "kernel" : dag.name();
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  if (std::isdigit(static_cast<unsigned char>(name[0])) != 0) name = "_" + name;
  return "tessera_" + name;
}

ir::Target resolve_target(const std::string& text) {
  const ir::Target parsed = ir::parse_target(text).or_throw();
  if (parsed.kind == ir::TargetKind::kCuda) {
    (void)codegen::needed_nvrtc();
    throw UserError("target 'cuda' is not tuned for in this version; use --target cpu", 4);
  }
  return codegen::resolve_cpu_target(parsed).or_throw();
}

Result<schedule::State> scheduled(const dsl::ComputeDag& dag, const schedule::Plan& plan) {
  const auto* steps = std::get_if<schedule::StepList>(&plan);
  if (steps == nullptr) return refuse("polyhedral plans cannot be replayed in this version");
  TESSERA_TRY(initial, schedule::State::initial(std::make_shared<const dsl::ComputeDag>(dag)));
  return schedule::replay(initial, *steps);
}

Result<ir::Program> structured_loops(const dsl::ComputeDag& dag, const schedule::Plan& plan, const ir::Target& target) {
  return on_large_stack<ir::Program>([&]() -> Result<ir::Program> {
    TESSERA_TRY(state, scheduled(dag, plan));
    return lower::build(state, options_for(dag, target));
  });
}

Result<ir::Program> finished_program(const dsl::ComputeDag& dag, const schedule::Plan& plan, const ir::Target& target) {
  return on_large_stack<ir::Program>([&]() -> Result<ir::Program> {
    TESSERA_TRY(state, scheduled(dag, plan));
    return lower::lower(state, options_for(dag, target));
  });
}

Result<runtime::KernelImage> compile(const dsl::ComputeDag& dag, const schedule::Plan& plan, const ir::Target& target) {
  return on_large_stack<runtime::KernelImage>([&]() -> Result<runtime::KernelImage> {
    TESSERA_TRY(state, scheduled(dag, plan));
    TESSERA_TRY(program, lower::lower(state, options_for(dag, target)));
    TESSERA_TRY(image, codegen::compile_cpu(program, target));
    image.error_factor = state.error_factor();
    const double work = dag.multiply_adds();
    if (work > 0) image.work_share = std::clamp(1 - state.saved_multiply_adds() / work, 0.01, 1.0);
    return image;
  });
}

namespace {

/// The last dimension in vectors, directly on the stage's own memory.
bool vectorize_stage(schedule::State& state, schedule::StepList& steps, const std::string& name, int lanes) {
  const std::string last = state.find(name)->data_axes().back(), outer = last + ".o", inner = last + ".v";
  if (!try_step(state, steps, schedule::Split{name, last, {outer, inner}, {lanes}, ir::Tail::kPartition})) return false;
  std::vector<std::string> order;
  for (const std::string& leaf : state.find(name)->leaves) {
    if (leaf != inner) order.push_back(leaf);
  }
  order.push_back(inner);
  return try_step(state, steps, schedule::Reorder{name, order}) && try_step(state, steps, schedule::Vectorize{name, inner});
}

/// A reduction through four vector registers: ten times faster than through memory, which is what
/// makes references of large programs affordable.
bool accumulate_in_registers(schedule::State& state, schedule::StepList& steps, const std::string& name, int lanes) {
  schedule::State s = state;
  schedule::StepList more;
  const std::string last = s.find(name)->data_axes().back(), acc = name + ".acc";
  const auto step = [&](schedule::Step x) { return try_step(s, more, std::move(x)); };
  if (!step(schedule::CacheWrite{name, acc, ir::Scope::kGlobal})) return false;
  std::vector<std::string> order;
  for (const schedule::RootAxis& r : s.find(acc)->roots) {
    if (r.axis != last) order.push_back(r.axis);
  }
  order.push_back(last + ".u");
  order.push_back(last + ".v");
  const bool done = step(schedule::Split{name, last, {last + ".o", last + ".u", last + ".v"}, {4, lanes}, ir::Tail::kPartition}) &&
                    step(schedule::ComputeAt{acc, name, last + ".o"}) &&
                    step(schedule::SetScope{acc, ir::Scope::kRegister}) &&
                    step(schedule::Split{acc, last, {last + ".u", last + ".v"}, {lanes}, ir::Tail::kPartition}) &&
                    step(schedule::Reorder{acc, order}) && step(schedule::Unroll{acc, last + ".u"}) &&
                    step(schedule::Vectorize{acc, last + ".v"}) && step(schedule::Unroll{name, last + ".u"}) &&
                    step(schedule::Vectorize{name, last + ".v"});
  if (!done) return false;
  state = std::move(s);
  steps.insert(steps.end(), more.begin(), more.end());
  return true;
}

}  // namespace

schedule::StepList default_plan(const dsl::ComputeDag& dag, const ir::Target& target) {
  schedule::State state = schedule::State::initial(std::make_shared<const dsl::ComputeDag>(dag)).or_throw();
  schedule::StepList steps;
  for (const dsl::Stage& d : dag.stages()) {
    if (!d.is_input() && is_cheap_to_inline(state, *state.find(d.name))) try_step(state, steps, schedule::ComputeInline{d.name});
  }
  for (const dsl::Stage& d : dag.stages()) {
    const schedule::Stage& s = *state.find(d.name);
    const bool placed = s.placement == schedule::Placement::kRoot || schedule::scan_around(state, s) != nullptr;
    if (d.is_input() || d.code || !placed || s.data_axes().empty()) continue;
    if (s.find_axis(s.data_axes().back())->extent < 2) continue;
    const int lanes = std::min(64, target.lanes(std::max(1, s.outputs[0]->dtype.bytes())));
    const bool single = s.outputs.size() == 1;
    if (s.is_reduction() && single && accumulate_in_registers(state, steps, d.name, lanes)) continue;
    vectorize_stage(state, steps, d.name, lanes);
  }
  return steps;
}

}  // namespace tessera::driver
