#include "search/recording.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>

#include "tuning_logs/query.h"

namespace tessera::search {

namespace {

/// One line of a file: either a list of steps, or a task that refers to lists by their numbers.
struct StepsLine {
  std::int64_t steps_id = 0;
  schedule::StepList steps;
  static constexpr auto fields() { return std::tuple{field("steps_id", &StepsLine::steps_id), field("steps", &StepsLine::steps)}; }
};

struct SketchLine {
  std::string name;
  std::int64_t steps_id = 0;
  std::vector<Hole> holes;
  std::vector<Constraint> constraints;
  std::vector<std::int64_t> points;                // positions in the domains, point after point
  std::vector<std::vector<std::int64_t>> ns;
  static constexpr auto fields() {
    return std::tuple{field("name", &SketchLine::name),     field("steps_id", &SketchLine::steps_id),
                      field("holes", &SketchLine::holes),   field("constraints", &SketchLine::constraints),
                      field("points", &SketchLine::points), field("ns", &SketchLine::ns)};
  }
  bool operator==(const SketchLine&) const = default;
};

struct TaskLine {
  tuning_logs::Task task;
  std::string target;
  std::int64_t threads = 1;
  tuning_logs::Machine machine;
  std::string date;
  std::vector<SketchLine> sketches;
  static constexpr auto fields() {
    return std::tuple{field("task", &TaskLine::task),       field("target", &TaskLine::target), field("threads", &TaskLine::threads),
                      field("machine", &TaskLine::machine), field("date", &TaskLine::date),     field("sketches", &TaskLine::sketches)};
  }
};

Result<RecordedSketch> sketch_of(SketchLine& line, const std::map<std::int64_t, schedule::StepList>& steps) {
  const auto list = steps.find(line.steps_id);
  if (list == steps.end()) return refuse("sketch '", line.name, "' refers to steps ", line.steps_id, ", which no line above holds");
  for (const Hole& h : line.holes) {
    const bool ascending = !h.domain.empty() && h.domain.front() >= 1 && std::adjacent_find(h.domain.begin(), h.domain.end(), std::greater_equal<>()) == h.domain.end();
    if (!ascending) return refuse("hole '", h.name, "' of sketch '", line.name, "' has no ascending domain");
  }
  for (const Constraint& c : line.constraints) {
    for (const Monomial& m : c.terms) {
      for (const std::string& h : m.holes) {
        const bool known = std::any_of(line.holes.begin(), line.holes.end(), [&](const Hole& x) { return x.name == h; });
        if (!known) return refuse("a limit of sketch '", line.name, "' names the unknown hole '", h, "'");
      }
    }
  }
  const std::size_t width = line.holes.size();
  const std::size_t count = line.ns.size();
  if (line.points.size() != count * width) return refuse("sketch '", line.name, "' has ", line.points.size(), " positions for ", count, " points of ", width, " holes");
  RecordedSketch out;
  out.sketch = {line.name, list->second, Space(line.holes, line.constraints)};
  for (std::size_t i = 0; i < count; ++i) {
    Values v;
    for (std::size_t h = 0; h < width; ++h) {
      const std::int64_t at = line.points[i * width + h];
      const auto& domain = line.holes[h].domain;
      if (at < 0 || at >= static_cast<std::int64_t>(domain.size())) return refuse("sketch '", line.name, "', point ", i, ": position ", at, " is outside hole '", line.holes[h].name, "'");
      v.push_back(domain[static_cast<std::size_t>(at)]);
    }
    out.points.push_back(std::move(v));
  }
  out.ns = std::move(line.ns);
  return out;
}

Result<Recording> recording_of(TaskLine line, const std::map<std::int64_t, schedule::StepList>& steps) {
  Recording out;
  out.task = std::move(line.task);
  out.target = std::move(line.target);
  out.threads = static_cast<int>(line.threads);
  out.machine = std::move(line.machine);
  out.date = std::move(line.date);
  for (SketchLine& s : line.sketches) {
    TESSERA_TRY(made, sketch_of(s, steps));
    out.sketches.push_back(std::move(made));
  }
  return out;
}

SketchLine line_of(const RecordedSketch& s, std::int64_t steps_id) {
  SketchLine out{s.sketch.name, steps_id, s.sketch.space.holes(), s.sketch.space.constraints(), {}, s.ns};
  for (const Values& v : s.points) {
    for (std::size_t h = 0; h < v.size(); ++h) {
      const auto& domain = out.holes[h].domain;
      out.points.push_back(std::lower_bound(domain.begin(), domain.end(), v[h]) - domain.begin());
    }
  }
  return out;
}

}  // namespace

std::size_t Recording::points() const {
  std::size_t n = 0;
  for (const RecordedSketch& s : sketches) n += s.points.size();
  return n;
}

Result<Task> Recording::to_task() const {
  Task out;
  tuning_logs::Record r;
  r.task = task;
  TESSERA_TRY(dag, tuning_logs::dag(r));
  out.dag = std::move(dag);
  TESSERA_TRY(parsed, target_of_text(target));
  out.target = std::move(parsed);
  out.threads = threads;
  out.op = task.name;
  out.request = task.request;
  return out;
}

Result<std::vector<Recording>> read_recordings(const std::string& path) {
  std::ifstream in(path);
  if (!in) return refuse("cannot read '", path, "'");
  std::vector<Recording> out;
  std::map<std::int64_t, schedule::StepList> steps;
  std::string text;
  constexpr std::int64_t kMostNumbers = 2'000'000;
  for (int number = 1; std::getline(in, text); ++number) {
    if (text.empty()) continue;
    JsonLimits limits;
    limits.values = kMostNumbers;
    const auto read = [&]() -> Status {
      TESSERA_TRY(json, parse_json(text, limits));
      if (json.contains("steps_id")) {
        StepsLine line;
        TESSERA_TRY_DONE(read_json(json, line));
        steps[line.steps_id] = std::move(line.steps);
        return Done{};
      }
      TaskLine line;
      TESSERA_TRY_DONE(read_json(json, line));
      TESSERA_TRY(made, recording_of(std::move(line), steps));
      out.push_back(std::move(made));
      return Done{};
    };
    if (const Status s = read(); !s.ok()) return refuse(path, ":", number, ": ", s.reason());
  }
  return out;
}

Status write_recordings(const std::string& path, const std::vector<Recording>& recordings) {
  std::ostringstream text;
  std::map<std::string, std::int64_t> known;
  for (const Recording& r : recordings) {
    TaskLine line{r.task, r.target, r.threads, r.machine, r.date, {}};
    for (const RecordedSketch& s : r.sketches) {
      const auto [it, fresh] = known.emplace(dump_json(write_json(s.sketch.steps)), static_cast<std::int64_t>(known.size()));
      if (fresh) text << dump_json(write_json(StepsLine{it->second, s.sketch.steps})) << "\n";
      line.sketches.push_back(line_of(s, it->second));
    }
    text << dump_json(write_json(line)) << "\n";
  }
  // Beside it first: an interrupted run leaves the old file whole.
  const std::string beside = path + ".new";
  std::ofstream file(beside, std::ios::trunc);
  file << text.str();
  file.close();
  if (!file || std::rename(beside.c_str(), path.c_str()) != 0) {
    std::remove(beside.c_str());
    return refuse("cannot write '", path, "'");
  }
  return Done{};
}

Hole thinned(const Hole& h, std::size_t values) {
  Hole out{h.name, {}};
  const std::size_t n = h.domain.size(), keep = std::min(n, std::max<std::size_t>(values, 1));
  // One value: the middle one, since the ends are mostly extreme.
  for (std::size_t i = 0; i < keep; ++i) out.domain.push_back(h.domain[keep == 1 ? n / 2 : (i * (n - 1) + (keep - 1) / 2) / (keep - 1)]);
  return out;
}

namespace {

/// Values kept of each hole, by name: sketches share their holes.
using Kept = std::map<std::string, std::size_t>;

std::vector<Sketch> thinned_by(const std::vector<Sketch>& sketches, const Kept& kept) {
  std::vector<Sketch> out;
  for (const Sketch& s : sketches) {
    std::vector<Hole> holes;
    for (const Hole& h : s.space.holes()) holes.push_back(thinned(h, kept.at(h.name)));
    out.push_back({s.name, s.steps, Space(std::move(holes), s.space.constraints())});
  }
  return out;
}

std::int64_t count_all(const std::vector<Sketch>& sketches, std::int64_t limit) {
  std::int64_t n = 0;
  for (const Sketch& s : sketches) n += s.space.count(limit);
  return n;
}

}  // namespace

std::vector<Sketch> thinned_to(const std::vector<Sketch>& sketches, std::int64_t points) {
  Kept kept;
  std::map<std::string, std::size_t> most;
  for (const Sketch& s : sketches) {
    for (const Hole& h : s.space.holes()) {
      kept[h.name] = 1;
      most[h.name] = std::max(most[h.name], h.domain.size());
    }
  }
  // One more value for one hole after the other, as long as some hole can have one.
  for (bool more = true; more;) {
    more = false;
    for (auto& [name, n] : kept) {
      if (n >= most[name]) continue;
      ++n;
      if (count_all(thinned_by(sketches, kept), points + 1) <= points) {
        more = true;
      } else {
        --n;
      }
    }
  }
  std::vector<Sketch> out = thinned_by(sketches, kept);
  std::erase_if(out, [](const Sketch& s) { return s.space.empty(); });
  return out;
}

}  // namespace tessera::search
