#include <functional>

#include "driver/compile.h"
#include "search/rules/rules.h"

namespace tessera::search {

const std::vector<Rule>& builtin_rules() {
  static const std::vector<Rule> kRules{
      {"inline_elementwise", inline_elementwise_applies, inline_elementwise_expand},
      {"row_fusion", row_fusion_applies, row_fusion_expand},  // before the rules that take its stages one by one
      {"register_tile", register_tile_applies, register_tile_expand},
      {"vector_reduction", vector_reduction_applies, vector_reduction_expand},
      {"elementwise", elementwise_applies, elementwise_expand},
      {"leave", leave_applies, leave_expand},  // last: it always applies
  };
  return kRules;
}

Json Sketch::json() const {
  Json j = Json::object();
  j["name"] = name;
  j["steps"] = write_json(steps);
  j["holes"] = write_json(space.holes());
  j["constraints"] = write_json(space.constraints());
  return j;
}

namespace {

/// The next stage no rule has seen, consumers first; empty when all are done.
std::string next_stage(const SketchBuilder& b) {
  for (std::size_t i = b.state().size(); i-- > 0;) {
    const schedule::Stage& s = b.state().stage(i);
    if (!s.is_input() && s.placement != schedule::Placement::kInline && !b.done(s.name)) return s.name;
  }
  return "";
}

/// Elementwise stages are inlined first: the rules for reductions then see their true epilogues.
std::vector<SketchBuilder> inlined(SketchBuilder b) {
  for (std::size_t i = b.state().size(); i-- > 0;) {
    const std::string name = b.state().stage(i).name;
    if (b.state().stage(i).is_input() || !inline_elementwise_applies(b, name)) continue;
    std::vector<SketchBuilder> next = inline_elementwise_expand(b, name);
    if (!next.empty()) b = std::move(next.front());
  }
  return {std::move(b)};
}

std::vector<Sketch> expand_all(const Task& task) {
  constexpr std::size_t kMost = 32;
  std::vector<Sketch> out;
  std::vector<SketchBuilder> work = inlined(SketchBuilder(task));
  while (!work.empty() && out.size() < kMost) {
    const SketchBuilder b = std::move(work.back());
    work.pop_back();
    const std::string stage = next_stage(b);
    if (stage.empty()) {
      out.push_back(b.build());
      continue;
    }
    for (const Rule& rule : builtin_rules()) {
      if (!rule.applies(b, stage)) continue;
      std::vector<SketchBuilder> alternatives = rule.expand(b, stage);
      if (alternatives.empty()) continue;  // did not fit after all: the next rule may
      for (auto a = alternatives.rbegin(); a != alternatives.rend(); ++a) work.push_back(std::move(*a));
      break;
    }
  }
  return out;
}

}  // namespace

std::vector<Sketch> generate_sketches(const Task& task) {
  std::vector<Sketch> out = expand_all(task);
  // Programs of some tens of microseconds may lose more to waking threads than they win.
  constexpr double kSmall = 2e7;
  if (task.threads == 1 || task.dag.flops() > kSmall) return out;
  Task serial = task;
  serial.threads = 1;
  for (Sketch& s : expand_all(serial)) {
    s.name += ".serial";
    out.push_back(std::move(s));
  }
  return out;
}

}  // namespace tessera::search
