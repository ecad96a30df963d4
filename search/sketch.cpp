#include "search/sketch.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "search/rules/sketch_builder.h"

namespace tessera::search {

Json Sketch::json() const {
  Json j = Json::object();
  j["name"] = name;
  j["steps"] = write_json(steps);
  j["holes"] = write_json(space.holes());
  j["constraints"] = write_json(space.constraints());
  return j;
}

std::string Sketch::text() const {
  std::string out = name + "\n";
  for (const schedule::Step& s : steps) out += "  " + schedule::to_string(s) + "\n";
  for (const Hole& h : space.holes()) {
    out += "  " + h.name + " in {";
    for (std::size_t i = 0; i < h.domain.size(); ++i) out += (i > 0 ? ", " : "") + std::to_string(h.domain[i]);
    out += "}\n";
  }
  for (const Constraint& c : space.constraints()) {
    std::string sum;
    for (const Monomial& m : c.terms) {
      sum += sum.empty() ? "" : " + ";
      if (m.weight != 1 || m.holes.empty()) sum += std::to_string(m.weight) + (m.holes.empty() ? "" : " ");
      for (std::size_t i = 0; i < m.holes.size(); ++i) sum += (i > 0 ? " * " : "") + m.holes[i];
    }
    out += "  ";
    if (c.at_least > 0) out += std::to_string(c.at_least) + " <= ";
    out += sum;
    if (c.at_most < INT64_MAX) out += " <= " + std::to_string(c.at_most);
    out += "   (" + c.reason + ")\n";
  }
  return out;
}

namespace {

using Builders = std::vector<SketchBuilder>;

/// The next stage no rule has seen, consumers first; empty when all are done.
std::string next_stage(const SketchBuilder& b) {
  for (std::size_t i = b.state().size(); i-- > 0;) {
    const schedule::Stage& s = b.state().stage(i);
    if (!s.is_input() && s.placement != schedule::Placement::kInline && !b.done(s.name)) return s.name;
  }
  return "";
}

/// What the rules of a row that comes first make of every stage, consumers first.
Builders after(Builders all, When when, const std::vector<const Rule*>& rules) {
  if (all.size() > 1) {  // each with stages of its own
    Builders out;
    for (SketchBuilder& b : all) {
      Builders made = after({std::move(b)}, when, rules);
      std::move(made.begin(), made.end(), std::back_inserter(out));
    }
    return out;
  }
  std::vector<std::string> stages;
  for (std::size_t i = all[0].state().size(); i-- > 0;) {
    if (!all[0].state().stage(i).is_input()) stages.push_back(all[0].state().stage(i).name);
  }
  for (const std::string& stage : stages) {
    Builders next;
    for (SketchBuilder& b : all) {
      bool stays = true;
      Builders made_here;
      for (const Rule* rule : rules) {
        const bool asked = rule->when == when && b.state().find(stage) != nullptr && !b.done(stage);
        const Verdict v = asked ? rule->meets(b, stage) : Verdict::kPass;
        if (v == Verdict::kPass) continue;
        Builders made = rule->expand(b, stage);
        if (v == Verdict::kApplyAndSkipRest && !made.empty()) stays = false;
        std::move(made.begin(), made.end(), std::back_inserter(made_here));
        if (!stays) break;
      }
      if (stays) next.push_back(std::move(b));
      std::move(made_here.begin(), made_here.end(), std::back_inserter(next));
    }
    all = std::move(next);
  }
  return all;
}

Builders alternatives(const SketchBuilder& b, const std::string& stage, const std::vector<const Rule*>& rules) {
  Builders out;
  for (const Rule* rule : rules) {
    if (rule->when != When::kUsual) continue;
    const Verdict v = rule->meets(b, stage);
    if (v == Verdict::kPass) continue;
    Builders made = rule->expand(b, stage);
    const bool fitted = !made.empty();  // else it did not fit after all: the next rule may
    std::move(made.begin(), made.end(), std::back_inserter(out));
    if (fitted && v == Verdict::kApplyAndSkipRest) break;
  }
  return out;
}

std::vector<Sketch> expand_all(const Task& task, const std::vector<const Rule*>& rules) {
  constexpr std::size_t kMost = 64;
  std::vector<Sketch> out;
  std::set<std::string> names;
  Builders work = after(after({SketchBuilder(task)}, When::kAlgorithms, rules), When::kEarly, rules);
  std::reverse(work.begin(), work.end());
  while (!work.empty() && out.size() < kMost) {
    const SketchBuilder b = std::move(work.back());
    work.pop_back();
    const std::string stage = next_stage(b);
    if (stage.empty()) {
      Sketch s = b.build();
      if (s.space.empty()) continue;  // limits that nothing of this shape fits
      // Sketches that differ in a stage without a name of its own are told apart by number.
      const std::string name = s.name;
      for (int n = 2; !names.insert(s.name).second; ++n) s.name = name + "." + std::to_string(n);
      out.push_back(std::move(s));
      continue;
    }
    Builders made = alternatives(b, stage, rules);
    std::move(made.rbegin(), made.rend(), std::back_inserter(work));
  }
  return out;
}

}  // namespace

std::vector<Sketch> generate_sketches(const Task& task, const std::vector<Rule>& user_rules) {
  std::vector<const Rule*> rules;
  for (const Rule& r : user_rules) rules.push_back(&r);
  for (const Rule& r : task.target.kind == ir::TargetKind::kCuda ? cuda_rules() : builtin_rules()) rules.push_back(&r);
  std::vector<Sketch> out = expand_all(task, rules);
  // Programs of some tens of microseconds may lose more to waking threads than they win.
  constexpr double kSmall = 2e7;
  if (task.target.kind == ir::TargetKind::kCuda || task.threads == 1 || task.dag.flops() > kSmall) return out;
  Task serial = task;
  serial.threads = 1;
  for (Sketch& s : expand_all(serial, rules)) {
    s.name += ".serial";
    out.push_back(std::move(s));
  }
  return out;
}

std::vector<Sketch> generate_sketches(const Task& task) { return generate_sketches(task, {}); }

}  // namespace tessera::search
