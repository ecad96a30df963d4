#include "polyhedral/equations.h"

#include <algorithm>

#include "schedule/scan.h"

namespace tessera::polyhedral {

std::size_t Equation::data_rank() const {
  return static_cast<std::size_t>(std::count_if(coordinates.begin(), coordinates.end(), [](const Coordinate& c) { return !c.reduce; }));
}

int Equation::output_of(int index) const {
  for (std::size_t v = 0; v < body.size(); ++v) {
    const auto* r = body[v].as<ir::Reduce>();
    if (r != nullptr && r->index == index) return static_cast<int>(v);
  }
  return -1;
}

const Equation* Equations::find(const std::string& stage) const {
  const auto it = std::find_if(stages.begin(), stages.end(), [&](const Equation& e) { return e.stage == stage; });
  return it == stages.end() ? nullptr : &*it;
}

const Equation* Equations::producer(const ir::BufferNode* tensor) const {
  for (const Equation& e : stages) {
    for (const ir::Buffer& b : e.outputs) {
      if (b.get() == tensor) return &e;
    }
  }
  return nullptr;
}

Result<Equations> equations_of(const schedule::State& state) {
  if (state.dag().is_symbolic()) return refuse("the program has symbolic extents; give them numbers with with_symbols");
  Equations out;
  out.outputs = state.dag().outputs();
  for (std::size_t i = 0; i < state.size(); ++i) {
    const schedule::Stage& s = state.stage(i);
    if (s.placement == schedule::Placement::kInline) continue;
    Equation e;
    e.stage = s.name;
    e.outputs = s.outputs;
    e.code = s.code;
    if (const dsl::Stage* input = state.dag().find(s.name); input != nullptr && input->is_input()) e.values = input->values;
    if (!s.is_input()) e.body = s.body;
    for (const schedule::RootAxis& r : s.roots) {
      e.coordinates.push_back({r.coordinate, r.extent, r.kind == schedule::AxisKind::kReduce});
    }
    if (s.is_scan()) {
      const auto step = std::find_if(s.roots.begin(), s.roots.end(), [&](const schedule::RootAxis& r) { return r.axis == s.step_axis; });
      e.step_dimension = static_cast<int>(step - s.roots.begin());
      e.given_rows = s.given_rows;
      for (const schedule::Stage* part : schedule::step_of(state, s)) e.step.push_back(part->name);
    }
    out.stages.push_back(std::move(e));
  }
  return out;
}

Result<Equations> equations_of(const dsl::ComputeDag& dag) {
  TESSERA_TRY(state, schedule::State::initial(std::make_shared<const dsl::ComputeDag>(dag)));
  return equations_of(state);
}

}  // namespace tessera::polyhedral
