// A point of the whole search space: which sketch, and the values of its holes.
#pragma once

#include <compare>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "search/sketch.h"

namespace tessera::search {

struct Point {
  std::size_t sketch = 0;
  Values values;
  auto operator<=>(const Point&) const = default;
};

/// Steps without holes.
inline Result<schedule::StepList> steps_of(const std::vector<Sketch>& sketches, const Point& p) {
  const Sketch& s = sketches[p.sketch];
  return schedule::fill_holes(s.steps, s.space.decisions(p.values));
}

/// The point that a log names; nullopt where no sketch of that name has it.
inline std::optional<Point> point_of(const std::vector<Sketch>& sketches, const std::string& name, const Decisions& decisions) {
  for (std::size_t s = 0; s < sketches.size(); ++s) {
    if (sketches[s].name != name) continue;
    const auto values = sketches[s].space.values(decisions);
    if (values && sketches[s].space.contains(*values)) return Point{s, *values};
  }
  return std::nullopt;
}

/// How many decisions differ; points of two sketches differ in all of theirs.
inline std::size_t distance(const Point& a, const Point& b) {
  if (a.sketch != b.sketch) return std::max(a.values.size(), b.values.size()) + 1;
  std::size_t n = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) n += a.values[i] != b.values[i] ? 1 : 0;
  return n;
}

}  // namespace tessera::search
