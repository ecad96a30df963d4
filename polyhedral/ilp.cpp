#include "polyhedral/ilp.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <set>

#include "polyhedral/detail/bands.h"
#include "polyhedral/detail/stage_reads.h"

namespace tessera::polyhedral {

namespace {

using detail::BandGroup;
using detail::StageReads;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

/// What the stages of a program read of each other, and which of them make a scan.
class Stages {
 public:
  Stages(const Equations& program, const StageReads& reads) : program_(program), reads_(reads) {}

  int count() const { return static_cast<int>(program_.stages.size()); }
  const Equation& equation(int stage) const { return program_.stages[static_cast<std::size_t>(stage)]; }
  const StageReads& reads() const { return reads_; }

  /// The scan in whose step a stage is, itself included; -1: none.
  int scan_of(int stage) const {
    for (int s = 0; s < count(); ++s) {
      const auto& step = equation(s).step;
      if (equation(s).is_scan() && (s == stage || std::find(step.begin(), step.end(), equation(stage).stage) != step.end())) return s;
    }
    return -1;
  }
  /// The stages of its step, then the scan.
  std::vector<int> unit_of(int scan) const {
    std::vector<int> out;
    for (int s = 0; s < count(); ++s) {
      if (s != scan && scan_of(s) == scan) out.push_back(s);
    }
    out.push_back(scan);
    return out;
  }
  bool is_output(int stage) const {
    return std::any_of(program_.outputs.begin(), program_.outputs.end(),
                       [&](const ir::Buffer& b) { return program_.producer(b.get()) == &equation(stage); });
  }
  std::vector<int> readers(int stage) const {
    std::vector<int> out;
    for (int r = 0; r < count(); ++r) {
      if (r != stage && reads_.between(stage, r) != nullptr) out.push_back(r);
    }
    return out;
  }

  /// Stages that hang together.
  std::vector<std::vector<int>> components() const {
    std::vector<int> of(static_cast<std::size_t>(count()));
    std::iota(of.begin(), of.end(), 0);
    for (int a = 0; a < count(); ++a) {
      for (const int b : readers(a)) {
        const int from = of[static_cast<std::size_t>(b)], to = of[static_cast<std::size_t>(a)];
        std::replace(of.begin(), of.end(), from, to);
      }
    }
    std::map<int, std::vector<int>> out;
    for (int s = 0; s < count(); ++s) {
      if (!equation(s).is_input()) out[of[static_cast<std::size_t>(s)]].push_back(s);
    }
    std::vector<std::vector<int>> all;
    for (auto& [first, members] : out) all.push_back(std::move(members));
    return all;
  }

 private:
  const Equations& program_;
  const StageReads& reads_;
};

/// The nests of one group of ISL's schedule: one where its last stage is all that others read.
class GroupNests {
 public:
  GroupNests(const Stages& stages, const BandGroup& group) : stages_(stages), group_(group) {}

  std::vector<AlignedNest> run() {
    for (auto s = group_.stages.rbegin(); s != group_.stages.rend(); ++s) {
      if (nest_of(*s) >= 0) continue;
      if (const int scan = stages_.scan_of(*s); scan >= 0) {
        if (scan == *s) start(stages_.unit_of(scan), reason(*s));
      } else if (const int nest = nest_of_readers(*s); nest >= 0) {
        nests_[static_cast<std::size_t>(nest)].members.insert(nests_[static_cast<std::size_t>(nest)].members.begin(), *s);
      } else {
        start({*s}, reason(*s));
      }
    }
    std::vector<AlignedNest> out;
    for (auto n = nests_.rbegin(); n != nests_.rend(); ++n) out.push_back(finish(*n));
    return out;
  }

 private:
  struct Draft {
    std::vector<int> members;
    std::string apart;
  };

  void start(std::vector<int> members, std::string apart) { nests_.push_back({std::move(members), std::move(apart)}); }

  int nest_of(int stage) const {
    for (std::size_t n = 0; n < nests_.size(); ++n) {
      if (std::find(nests_[n].members.begin(), nests_[n].members.end(), stage) != nests_[n].members.end()) return static_cast<int>(n);
    }
    return -1;
  }

  /// The nest that holds all readers of a stage; -1 when there is none that may compute it inside.
  int nest_of_readers(int stage) const {
    const std::vector<int> readers = stages_.readers(stage);
    if (stages_.is_output(stage) || readers.empty() || group_.rows.empty()) return -1;
    const int nest = nest_of(readers[0]);
    if (nest < 0 || stages_.scan_of(readers[0]) >= 0) return -1;
    return std::all_of(readers.begin(), readers.end(), [&](int r) { return nest_of(r) == nest; }) ? nest : -1;
  }

  std::string reason(int stage) const {
    if (stages_.is_output(stage) || stages_.readers(stage).empty()) return "";
    const std::vector<int> readers = stages_.readers(stage);
    const bool inside = std::all_of(readers.begin(), readers.end(),
                                    [&](int r) { return std::find(group_.stages.begin(), group_.stages.end(), r) != group_.stages.end(); });
    if (inside && group_.rows.empty()) return "ISL's schedule has no parallel loop that its readers share";
    return inside ? "stages of several nests read it" : "ISL's schedule has it apart from its readers";
  }

  /// The coordinate of a stage that row `k` is; nothing when it is not in the group.
  std::optional<int> coordinate(std::size_t k, int stage) const {
    const auto at = std::find(group_.stages.begin(), group_.stages.end(), stage);
    if (at == group_.stages.end()) return std::nullopt;
    return group_.rows[k][static_cast<std::size_t>(at - group_.stages.begin())];
  }

  /// Whether row `k` is kept by all dependences among `members`.
  bool kept(std::size_t k, const std::vector<int>& members) const {
    return std::all_of(members.begin(), members.end(), [&](int a) {
      return std::all_of(members.begin(), members.end(), [&](int b) {
        const auto from = coordinate(k, a), to = coordinate(k, b);
        return from && to && stages_.reads().keeps(a, *from, b, *to);
      });
    });
  }

  AlignedNest finish(const Draft& draft) const {
    const int last = draft.members.back();
    const Equation& e = stages_.equation(last);
    std::vector<std::map<int, int>> axes;  // a shared loop: the coordinate of every stage
    if (draft.members.size() == 1 && !e.is_scan()) {
      for (int d = 0; d < static_cast<int>(e.data_rank()); ++d) axes.push_back({{last, d}});
    } else {
      for (std::size_t k = 0; k < group_.rows.size(); ++k) {
        if (!kept(k, draft.members)) continue;
        axes.emplace_back();
        for (const int s : draft.members) axes.back()[s] = *coordinate(k, s);
      }
    }
    std::sort(axes.begin(), axes.end(), [&](const auto& a, const auto& b) { return a.at(last) < b.at(last); });
    AlignedNest out{{}, {}, draft.apart};
    for (const auto& axis : axes) {
      const Coordinate& c = e.coordinates[static_cast<std::size_t>(axis.at(last))];
      out.shared.push_back({c.var.name(), axis.at(last), c.extent});
    }
    for (const int s : draft.members) {
      out.members.push_back({stages_.equation(s).stage, {}, 1});
      for (const auto& axis : axes) out.members.back().coordinates.push_back(axis.at(s));
    }
    return out;
  }

  const Stages& stages_;
  const BandGroup& group_;
  std::vector<Draft> nests_;  // consumers first
};

class Scheduler {
 public:
  Scheduler(const Scop& scop, const IlpOptions& options) : scop_(scop), options_(options), end_(Clock::now() + options.limit) {}

  Result<IlpAlignment> run() {
    TESSERA_TRY(reads, scop_.sets().isl.within(options_.limit, [&] { return StageReads(scop_.sets()); }));
    const Stages stages(scop_.program(), reads);
    for (const std::vector<int>& component : stages.components()) {
      if (!schedule(stages, component)) split(stages, component);
    }
    // A nest reads what the last stages of others store, so their order is one in which they can run.
    std::sort(nests_.begin(), nests_.end(), [&](const AlignedNest& a, const AlignedNest& b) { return position(a) < position(b); });
    return IlpAlignment{{std::move(nests_)}, std::move(notes_)};
  }

 private:
  std::ptrdiff_t position(const AlignedNest& n) const { return scop_.program().find(n.members.back().stage) - scop_.program().stages.data(); }

  /// Half of what is left: what follows a group that takes too long has time too.
  milliseconds share() const { return std::max(milliseconds(1), std::chrono::duration_cast<milliseconds>(end_ - Clock::now()) / 2); }

  std::string names(const Stages& stages, const std::vector<int>& group) const {
    std::string out;
    for (const int s : group) out += (out.empty() ? "" : ", ") + stages.equation(s).stage;
    return out;
  }

  /// Whether ISL scheduled the group.
  bool schedule(const Stages& stages, const std::vector<int>& group) {
    const auto found = scop_.sets().isl.within(share(), [&] {
      std::pair<std::vector<AlignedNest>, std::vector<std::string>> out;
      for (const BandGroup& g : detail::scheduled_bands(scop_.sets().isl, stages.reads(), group, options_.grouping)) {
        for (AlignedNest& n : GroupNests(stages, g).run()) out.first.push_back(std::move(n));
        if (g.left_out == 0) continue;
        out.second.push_back(names(stages, g.stages) + ": " + std::to_string(g.left_out) + " parallel rows are no coordinate of every stage");
      }
      return out;
    });
    if (!found.ok()) {
      notes_.push_back(names(stages, group) + ": " + found.reason());
      return false;
    }
    nests_.insert(nests_.end(), found->first.begin(), found->first.end());
    notes_.insert(notes_.end(), found->second.begin(), found->second.end());
    return true;
  }

  /// The nests of align() one after the other, each by ISL where it is a smaller group than before.
  void split(const Stages& stages, const std::vector<int>& group) {
    AlignOptions options;
    options.grouping = options_.grouping;
    options.limit = share();
    const auto aligned = align(scop_, options);
    if (!aligned.ok()) {
      notes_.push_back(names(stages, group) + ": " + aligned.reason());
      return alone(stages, group);
    }
    for (const AlignedNest& n : aligned->nests) {
      std::vector<int> part;
      for (const Member& m : n.members) part.push_back(static_cast<int>(scop_.program().find(m.stage) - scop_.program().stages.data()));
      if (std::find(group.begin(), group.end(), part.back()) == group.end()) continue;
      std::sort(part.begin(), part.end());
      if (part.size() == 1 || part.size() == group.size() || !schedule(stages, part)) nests_.push_back(n);
    }
  }

  /// Every stage in a nest of its own; the rows of a scan one after the other.
  void alone(const Stages& stages, const std::vector<int>& group) {
    for (const int s : group) {
      const int scan = stages.scan_of(s);
      if (scan >= 0 && scan != s) continue;
      const BandGroup none{scan >= 0 ? stages.unit_of(scan) : std::vector<int>{s}, {}, 0};
      for (AlignedNest& n : GroupNests(stages, none).run()) nests_.push_back(std::move(n));
    }
  }

  const Scop& scop_;
  const IlpOptions& options_;
  Clock::time_point end_;
  std::vector<AlignedNest> nests_;
  std::vector<std::string> notes_;
};

}  // namespace

Result<IlpAlignment> ilp_alignment(const Scop& scop, const IlpOptions& options) { return Scheduler(scop, options).run(); }

}  // namespace tessera::polyhedral
