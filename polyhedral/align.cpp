#include "polyhedral/align.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>

#include "polyhedral/detail/stage_reads.h"

namespace tessera::polyhedral {

namespace {

using detail::StageReads;

std::string decimal(double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", v);
  return text;
}

std::int64_t iterations(const std::vector<SharedAxis>& loops) {
  std::int64_t out = 1;
  for (const SharedAxis& a : loops) out *= a.extent;
  return out;
}

/// A stage in a nest that is being put together.
struct Part {
  std::vector<int> coordinates;  // as in Member
  isl::map need;                 // shared loops -> elements
};

/// One nest, from the stage that it stores backwards.
class NestBuilder {
 public:
  NestBuilder(const Equations& program, const StageReads& reads, const AlignOptions& options, int last)
      : program_(program), reads_(reads), options_(options), last_(last) {
    const Equation& e = equation(last);
    if (e.is_scan()) {
      start_with_scan();
      return;
    }
    std::vector<int> all;
    for (int d = 0; d < static_cast<int>(e.data_rank()); ++d) all.push_back(d);
    start(all);
  }

  /// Adds a stage all of whose readers are in the nest. Why not, or nothing when it is in.
  std::optional<std::string> add(int stage, const std::vector<int>& readers) {
    if (options_.grouping == Grouping::kMin) return "strategy min";
    if (equation(last_).is_scan() || equation(stage).is_scan()) return "rows of a scan are computed one after the other";
    Part part{{}, need_of(stage, readers)};
    std::vector<int> lost;
    for (int k = 0; k < static_cast<int>(shared_.size()); ++k) {
      const std::optional<int> kept = coordinate_of(stage, readers, k);
      part.coordinates.push_back(kept.value_or(slides(part.need, k) ? Member::kWindow : Member::kRepeated));
      if (part.coordinates.back() == Member::kRepeated) lost.push_back(k);
    }
    if (recompute(stage, part, shared_) * work(stage) <= options_.cheap * nest_work()) {
      parts_.emplace(stage, std::move(part));
      return std::nullopt;
    }
    std::vector<SharedAxis> left = shared_;
    for (auto k = lost.rbegin(); k != lost.rend(); ++k) {
      forget(part, *k);
      left.erase(left.begin() + *k);
    }
    const std::int64_t now = iterations(shared_), then = iterations(left);
    if (then < std::min(now, options_.grouping == Grouping::kMax ? std::int64_t{2} : options_.parallelism)) {
      return "every point of " + names(lost) + " needs the same elements, and without them " + std::to_string(then) + " of " + std::to_string(now) + " iterations are left";
    }
    if (const double factor = recompute(stage, part, left); factor > options_.most_recompute) {
      return "recompute of windows would be " + decimal(factor) + ", above " + decimal(options_.most_recompute);
    }
    for (auto k = lost.rbegin(); k != lost.rend(); ++k) {
      for (auto& [other, p] : parts_) forget(p, *k);
    }
    shared_ = std::move(left);
    parts_.emplace(stage, std::move(part));
    return std::nullopt;
  }

  bool has(int stage) const { return parts_.count(stage) != 0; }

  AlignedNest finish(std::string apart) const {
    AlignedNest out{shared_, {}, std::move(apart)};
    for (const auto& [stage, part] : parts_) {
      if (stage != last_) out.members.push_back({equation(stage).stage, part.coordinates, recompute(stage, part, shared_)});
    }
    out.members.push_back({equation(last_).stage, parts_.at(last_).coordinates, 1});
    return out;
  }

 private:
  const Equation& equation(int stage) const { return program_.stages[static_cast<std::size_t>(stage)]; }

  void start(const std::vector<int>& coordinates) {
    for (const int d : coordinates) {
      const Coordinate& c = equation(last_).coordinates[static_cast<std::size_t>(d)];
      shared_.push_back({c.var.name(), d, c.extent});
    }
    parts_.emplace(last_, Part{coordinates, detail::at_coordinates(reads_.elements(last_), coordinates)});
  }

  /// A scan and the stages of its step are one: each dependence between them keeps the shared axes, also those
  /// from one row to the next.
  void start_with_scan() {
    const Equation& scan = equation(last_);
    std::vector<int> unit, kept;
    for (int s = 0; s < static_cast<int>(program_.stages.size()); ++s) {
      if (std::find(scan.step.begin(), scan.step.end(), equation(s).stage) != scan.step.end()) unit.push_back(s);
    }
    if (std::find(unit.begin(), unit.end(), last_) == unit.end()) unit.push_back(last_);
    std::map<int, std::vector<int>> coordinates;
    for (int d = 0; d < static_cast<int>(scan.data_rank()); ++d) {
      const auto found = thread(unit, d);
      if (!found) continue;
      kept.push_back(d);
      for (const auto& [stage, at] : *found) coordinates[stage].push_back(at);
    }
    start(kept);
    for (const int s : unit) {
      if (s != last_) parts_.emplace(s, Part{coordinates[s], detail::at_coordinates(reads_.elements(s), coordinates[s])});
    }
  }

  /// Coordinate `d` of the last of `unit` in the others, when all dependences among them keep it.
  std::optional<std::map<int, int>> thread(const std::vector<int>& unit, int d) const {
    std::map<int, int> at{{last_, d}};
    for (auto s = unit.rbegin(); s != unit.rend(); ++s) {
      if (*s == last_) continue;
      std::optional<int> found;
      for (int p = 0; p < static_cast<int>(equation(*s).data_rank()) && !found; ++p) {
        if (std::all_of(at.begin(), at.end(), [&](const auto& reader) { return reads_.keeps(*s, p, reader.first, reader.second); })) found = p;
      }
      if (!found) return std::nullopt;
      at[*s] = *found;
    }
    for (const auto& [a, from] : at) {
      for (const auto& [b, to] : at) {
        if (!reads_.keeps(a, from, b, to)) return std::nullopt;
      }
    }
    return at;
  }

  isl::map need_of(int stage, const std::vector<int>& readers) const {
    std::optional<isl::map> out;
    for (const int r : readers) {
      const isl::map one = parts_.at(r).need.apply_range(reads_.between(stage, r)->reverse());
      out = out ? out->unite(one) : one;
    }
    return out->coalesce();
  }

  /// The coordinate of `stage` that shared loop `k` is for all its readers.
  std::optional<int> coordinate_of(int stage, const std::vector<int>& readers, int k) const {
    for (int p = 0; p < static_cast<int>(equation(stage).data_rank()); ++p) {
      const bool all = std::all_of(readers.begin(), readers.end(), [&](int r) {
        const int to = parts_.at(r).coordinates[static_cast<std::size_t>(k)];
        return to >= 0 && reads_.keeps(stage, p, r, to);
      });
      if (all) return p;
    }
    return std::nullopt;
  }

  /// Whether one point of loop `k` needs at most half of what all its points need, in the middle of the others.
  bool slides(const isl::map& need, int k) const {
    isl::map middle = need;
    for (int d = 0; d < static_cast<int>(shared_.size()); ++d) {
      const std::int64_t at = shared_[static_cast<std::size_t>(d)].extent / 2;
      if (d != k) middle = detail::between_points(middle, d, at, at + 1);
    }
    const std::int64_t at = shared_[static_cast<std::size_t>(k)].extent / 2;
    return 2 * detail::box_volume(detail::between_points(middle, k, at, at + 1).range()) <= detail::box_volume(middle.range());
  }

  /// Member::recompute in a nest with these shared loops.
  double recompute(int stage, const Part& part, const std::vector<SharedAxis>& shared) const {
    isl::map tile = part.need;
    double tiles = 1;
    bool again = false;
    for (int k = 0; k < static_cast<int>(shared.size()); ++k) {
      const std::int64_t n = shared[static_cast<std::size_t>(k)].extent;
      const bool is_loop = part.coordinates[static_cast<std::size_t>(k)] >= 0;
      const std::int64_t size = is_loop ? 1 : std::min(n, options_.tile), origin = n / size / 2 * size;
      tile = detail::between_points(tile, k, origin, origin + size);
      tiles *= static_cast<double>(n) / static_cast<double>(size);
      again |= !is_loop;
    }
    if (!again) return 1;
    return std::max(1.0, detail::box_volume(tile.range()) * tiles / detail::box_volume(reads_.elements(stage)));
  }

  /// Points of its coordinates, those of its reduction included.
  double work(int stage) const {
    double out = 1;
    for (const Coordinate& c : equation(stage).coordinates) out *= static_cast<double>(c.extent);
    return out;
  }
  double nest_work() const {
    double out = 0;
    for (const auto& [stage, part] : parts_) out += work(stage);
    return out;
  }

  static void forget(Part& part, int k) {
    part.coordinates.erase(part.coordinates.begin() + k);
    part.need = detail::without_loop(part.need, k);
  }

  std::string names(const std::vector<int>& loops) const {
    std::string out;
    for (const int k : loops) out += (out.empty() ? "" : ", ") + shared_[static_cast<std::size_t>(k)].name;
    return out;
  }

  const Equations& program_;
  const StageReads& reads_;
  const AlignOptions& options_;
  int last_;
  std::vector<SharedAxis> shared_;
  std::map<int, Part> parts_;
};

Alignment align_stages(const Equations& program, const StageReads& reads, const AlignOptions& options) {
  std::vector<std::pair<NestBuilder, std::string>> nests;  // consumers first, each with why it stands apart
  const auto nest_of = [&](int stage) {
    return std::find_if(nests.begin(), nests.end(), [&](const auto& n) { return n.first.has(stage); });
  };
  const auto count = static_cast<int>(program.stages.size());
  for (int stage = count; stage-- > 0;) {
    const Equation& e = program.stages[static_cast<std::size_t>(stage)];
    if (e.is_input() || nest_of(stage) != nests.end()) continue;
    std::vector<int> readers;
    for (int r = 0; r < count; ++r) {
      if (r != stage && reads.between(stage, r) != nullptr) readers.push_back(r);
    }
    const bool is_output = std::any_of(program.outputs.begin(), program.outputs.end(), [&](const ir::Buffer& b) {
      return std::any_of(e.outputs.begin(), e.outputs.end(), [&](const ir::Buffer& own) { return own.get() == b.get(); });
    });
    std::optional<std::string> apart = "";
    if (!is_output && !readers.empty()) {
      const auto nest = nest_of(readers[0]);
      const auto other = std::find_if(readers.begin(), readers.end(), [&](int r) { return nest_of(r) != nest; });
      apart = other == readers.end() ? nest->first.add(stage, readers) : std::optional<std::string>("stages of several nests read it");
    }
    if (apart) nests.emplace_back(NestBuilder(program, reads, options, stage), *apart);
  }
  Alignment out;
  for (auto n = nests.rbegin(); n != nests.rend(); ++n) out.nests.push_back(n->first.finish(n->second));
  return out;
}

}  // namespace

const char* to_string(Grouping g) {
  static constexpr const char* kNames[] = {"max", "keep-parallel", "min"};
  return kNames[static_cast<std::size_t>(g)];
}

bool Member::is_aligned() const {
  return std::all_of(coordinates.begin(), coordinates.end(), [](int c) { return c >= 0; });
}

std::int64_t AlignedNest::parallelism() const { return iterations(shared); }

Result<Alignment> align(const Scop& scop, const AlignOptions& options) {
  return scop.sets().isl.within(options.limit, [&] { return align_stages(scop.program(), StageReads(scop.sets()), options); });
}

std::string to_string(const Alignment& alignment) {
  std::string out;
  for (const AlignedNest& n : alignment.nests) {
    out += "nest " + n.members.back().stage + ":";
    for (const SharedAxis& a : n.shared) out += std::string(&a == &n.shared[0] ? " " : ", ") + a.name + " " + std::to_string(a.extent);
    out += n.shared.empty() ? " no shared loop\n" : "\n";
    if (!n.apart.empty()) out += "  apart: " + n.apart + "\n";
    for (const Member& m : n.members) {
      out += "  " + m.stage + " ";
      for (std::size_t k = 0; k < m.coordinates.size(); ++k) {
        const char* how = m.coordinates[k] == Member::kWindow ? "~" : m.coordinates[k] == Member::kRepeated ? "each " : "";
        out += std::string(k == 0 ? " " : ", ") + how + n.shared[k].name;
      }
      if (!m.is_aligned()) out += "  recompute " + decimal(m.recompute);
      out += "\n";
    }
  }
  return out;
}

}  // namespace tessera::polyhedral
