#include "polyhedral/decisions.h"

#include <algorithm>
#include <memory>
#include <set>

#include "schedule/state.h"
#include "support/nearest.h"

namespace tessera::polyhedral {

namespace {

using schedule::GroupDecision;
using schedule::MemberDecision;

schedule::State initial_state(const dsl::ComputeDag& dag) { return schedule::State::initial(std::make_shared<const dsl::ComputeDag>(dag)).or_throw(); }

/// One group after the other.
class Reader {
 public:
  explicit Reader(const dsl::ComputeDag& dag) : state_(initial_state(dag)) {
    for (std::size_t i = 0; i < state_.size(); ++i) {
      if (!state_.stage(i).is_input()) stages_.push_back(state_.stage(i).name);
    }
  }

  Result<AlignedNest> nest(const GroupDecision& g) {
    if (g.stages.empty()) return refuse("a group has no stages");
    AlignedNest out;
    for (const MemberDecision& m : g.stages) {
      if (std::find(stages_.begin(), stages_.end(), m.stage) == stages_.end()) return refuse("the program computes no stage '", m.stage, "'", nearest_text(m.stage, stages_));
      if (!taken_.insert(m.stage).second) return refuse("stage '", m.stage, "' stands twice");
    }
    const std::string& last = g.stages.back().stage;
    for (const std::string& a : g.shared) {
      TESSERA_TRY(c, coordinate(last, a));
      if (std::any_of(out.shared.begin(), out.shared.end(), [&](const SharedAxis& s) { return s.coordinate == c; })) return refuse("axis '", a, "' of stage '", last, "' is shared twice");
      out.shared.push_back({a, c, stage(last).roots[static_cast<std::size_t>(c)].extent});
    }
    for (const MemberDecision& m : g.stages) {
      TESSERA_TRY(member, this->member(g, m));
      out.members.push_back(std::move(member));
      TESSERA_TRY_DONE(ready(m.stage));
      computed_.insert(m.stage);
    }
    return out;
  }

  Status complete(const std::vector<GroupDecision>& groups) const {
    for (const std::string& s : stages_) {
      const auto has = [&](const GroupDecision& g) { return std::any_of(g.stages.begin(), g.stages.end(), [&](const MemberDecision& m) { return m.stage == s; }); };
      if (std::none_of(groups.begin(), groups.end(), has)) return refuse("stage '", s, "' is in no group");
    }
    return Done{};
  }

 private:
  const schedule::Stage& stage(const std::string& name) const { return *state_.find(name); }

  Result<int> coordinate(const std::string& stage_name, const std::string& axis) const {
    const std::vector<std::string> axes = stage(stage_name).data_axes();
    const auto at = std::find(axes.begin(), axes.end(), axis);
    if (at == axes.end()) return refuse("stage '", stage_name, "' has no axis '", axis, "'", nearest_text(axis, axes));
    return static_cast<int>(at - axes.begin());
  }

  Result<Member> member(const GroupDecision& g, const MemberDecision& m) const {
    if (m.along.size() != g.shared.size()) return refuse("stage '", m.stage, "' is along ", m.along.size(), " loops, and its group shares ", g.shared.size());
    Member out{m.stage, {}, 1};
    for (const std::string& a : m.along) {
      if (a == MemberDecision::kSliding || a == MemberDecision::kEach) {
        out.coordinates.push_back(a == MemberDecision::kEach ? Member::kRepeated : Member::kWindow);
        continue;
      }
      TESSERA_TRY(c, coordinate(m.stage, a));
      if (std::find(out.coordinates.begin(), out.coordinates.end(), c) != out.coordinates.end()) return refuse("stage '", m.stage, "' is along its axis '", a, "' twice");
      out.coordinates.push_back(c);
    }
    if (&m == &g.stages.back() && m.along != g.shared) return refuse("stage '", m.stage, "' is the last of its group, whose shared loops are its axes: it is along ", joined(g.shared));
    return out;
  }

  /// Whether what a stage reads is computed before it; a scan and the stages of its step read each other.
  Status ready(const std::string& name) const {
    for (const std::string& producer : stages_) {
      if (producer == name || computed_.count(producer) != 0 || stage(producer).is_scan()) continue;
      for (const schedule::Stage* reader : state_.consumers(stage(producer))) {
        if (reader->name == name) return refuse("stage '", name, "' stands before '", producer, "', which it reads");
      }
    }
    return Done{};
  }

  schedule::State state_;
  std::vector<std::string> stages_;
  std::set<std::string> taken_, computed_;
};

}  // namespace

schedule::PolyhedralDecisions decisions_of(const dsl::ComputeDag& dag, const Alignment& alignment, const std::string& strategy, const std::string& target) {
  const schedule::State state = initial_state(dag);
  schedule::PolyhedralDecisions out{target, strategy, {}, {}};
  for (const AlignedNest& n : alignment.nests) {
    GroupDecision g;
    for (const SharedAxis& a : n.shared) g.shared.push_back(a.name);
    for (const Member& m : n.members) {
      const std::vector<std::string> axes = state.find(m.stage)->data_axes();
      MemberDecision d{m.stage, {}};
      for (const int c : m.coordinates) d.along.push_back(c == Member::kWindow ? MemberDecision::kSliding : c == Member::kRepeated ? MemberDecision::kEach : axes[static_cast<std::size_t>(c)]);
      g.stages.push_back(std::move(d));
    }
    out.groups.push_back(std::move(g));
  }
  return out;
}

Result<Alignment> alignment_of(const dsl::ComputeDag& dag, const schedule::PolyhedralDecisions& decisions) {
  Reader reader(dag);
  TESSERA_TRY_DONE(reader.complete(decisions.groups));
  Alignment out;
  for (const GroupDecision& g : decisions.groups) {
    TESSERA_TRY(nest, reader.nest(g));
    out.nests.push_back(std::move(nest));
  }
  return out;
}

}  // namespace tessera::polyhedral
