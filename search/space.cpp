#include "search/space.h"

#include <algorithm>
#include <functional>
#include <numeric>

namespace tessera::search {

namespace {

std::int64_t saturating_product(std::int64_t a, std::int64_t b) {
  std::int64_t r = 0;
  return __builtin_mul_overflow(a, b, &r) ? INT64_MAX : r;
}

std::int64_t saturating_sum(std::int64_t a, std::int64_t b) {
  std::int64_t r = 0;
  return __builtin_add_overflow(a, b, &r) ? INT64_MAX : r;
}

}  // namespace

Space::Space(std::vector<Hole> holes, std::vector<Constraint> constraints)
    : holes_(std::move(holes)), constraints_(std::move(constraints)), constrains_(holes_.size()) {
  for (std::size_t i = 0; i < holes_.size(); ++i) {
    TESSERA_CHECK(!holes_[i].domain.empty()) << "hole '" << holes_[i].name << "' has no values";
    TESSERA_CHECK(holes_[i].domain.front() >= 1) << "hole '" << holes_[i].name << "' has a value below 1";
    index_[holes_[i].name] = i;
  }
  for (std::size_t c = 0; c < constraints_.size(); ++c) {
    std::vector<Term>& terms = terms_.emplace_back();
    for (const Monomial& m : constraints_[c].terms) {
      Term& t = terms.emplace_back();
      t.weight = m.weight;
      for (const std::string& h : m.holes) {
        TESSERA_CHECK(index_.count(h) == 1) << "constraint on the unknown hole '" << h << "'";
        t.holes.push_back(index_.at(h));
        std::vector<std::size_t>& of_hole = constrains_[t.holes.back()];
        if (of_hole.empty() || of_hole.back() != c) of_hole.push_back(c);
      }
    }
  }
}

std::optional<std::size_t> Space::find(const std::string& hole) const {
  const auto it = index_.find(hole);
  if (it == index_.end()) return std::nullopt;
  return it->second;
}

Decisions Space::decisions(const Values& values) const {
  Decisions out;
  for (std::size_t i = 0; i < holes_.size(); ++i) out[holes_[i].name] = values[i];
  return out;
}

std::optional<Values> Space::values(const Decisions& d) const {
  if (d.size() != holes_.size()) return std::nullopt;
  Values out;
  for (const Hole& h : holes_) {
    const auto it = d.find(h.name);
    if (it == d.end()) return std::nullopt;
    out.push_back(it->second);
  }
  return out;
}

bool Space::possible(const std::vector<Range>& ranges, std::size_t constraint) const {
  std::int64_t low = 0, high = 0;
  for (const Term& t : terms_[constraint]) {
    std::int64_t lo = t.weight, hi = t.weight;
    for (const std::size_t h : t.holes) {
      lo = saturating_product(lo, ranges[h].low);
      hi = saturating_product(hi, ranges[h].high);
    }
    low = saturating_sum(low, lo);
    high = saturating_sum(high, hi);
  }
  return low <= constraints_[constraint].at_most && high >= constraints_[constraint].at_least;
}

bool Space::possible(const std::vector<Range>& ranges) const {
  for (std::size_t c = 0; c < constraints_.size(); ++c) {
    if (!possible(ranges, c)) return false;
  }
  return true;
}

std::optional<std::size_t> Space::broken_by(const std::vector<Range>& ranges, std::size_t hole) const {
  const auto it = std::find_if(constrains_[hole].begin(), constrains_[hole].end(), [&](std::size_t c) { return !possible(ranges, c); });
  if (it == constrains_[hole].end()) return std::nullopt;
  return *it;
}

void Space::blame(std::size_t constraint, std::vector<bool>& holes) const {
  for (const Term& t : terms_[constraint]) {
    for (const std::size_t h : t.holes) holes[h] = true;
  }
}

Values Space::point_of(const std::vector<Range>& ranges) {
  Values out;
  for (const Range& r : ranges) out.push_back(r.low);
  return out;
}

/// Visits the points under the decided holes, deciding order[depth] next, its values in the order that
/// `arrange(values, tried)` puts them: it brings the next one to values[tried]. Where there is no point,
/// `conflict` has the holes that took part; a hole outside it is backed over whole, since none of its
/// other values would help.
template <class Arrange, class Visit>
Space::Walk Space::walk(Search<Arrange, Visit>& search, std::size_t depth, std::vector<bool>& conflict) const {
  if (depth == search.order.size()) return search.visit(point_of(search.ranges)) ? Walk::kSome : Walk::kStopped;
  const std::size_t h = search.order[depth];
  const Range whole = search.ranges[h];
  std::vector<std::int64_t> values = search.domains[h];
  Walk found = Walk::kNone;
  for (std::size_t tried = 0; tried < values.size(); ++tried) {
    search.arrange(values, tried);
    search.ranges[h] = {values[tried], values[tried]};
    if (const std::optional<std::size_t> broken = broken_by(search.ranges, h)) {
      blame(*broken, conflict);
      continue;
    }
    std::vector<bool> below(holes_.size());
    const Walk in = walk(search, depth + 1, below);
    if (in == Walk::kStopped) return in;
    if (in == Walk::kSome) found = in;
    if (in == Walk::kNone && !below[h]) {
      conflict = std::move(below);
      break;
    }
    std::transform(below.begin(), below.end(), conflict.begin(), conflict.begin(), std::logical_or<>());
  }
  search.ranges[h] = whole;
  conflict[h] = false;
  return found;
}

template <class Arrange, class Visit>
void Space::search(std::vector<std::vector<std::int64_t>> domains, bool smallest_first, Arrange arrange, Visit visit) const {
  Search<Arrange, Visit> s{std::move(domains), {}, std::vector<std::size_t>(holes_.size()), std::move(arrange), std::move(visit)};
  for (const std::vector<std::int64_t>& d : s.domains) s.ranges.push_back({d.front(), d.back()});
  std::iota(s.order.begin(), s.order.end(), 0);
  if (smallest_first) {
    std::stable_sort(s.order.begin(), s.order.end(), [&](std::size_t a, std::size_t b) { return s.domains[a].size() < s.domains[b].size(); });
  }
  std::vector<bool> conflict(holes_.size());
  if (possible(s.ranges)) walk(s, 0, conflict);
}

std::vector<std::vector<std::int64_t>> Space::domains() const {
  std::vector<std::vector<std::int64_t>> out;
  for (const Hole& h : holes_) out.push_back(h.domain);
  return out;
}

std::optional<Values> Space::solve(const std::vector<std::vector<std::int64_t>>& domains, Rng& rng) const {
  std::optional<Values> out;
  // Fisher-Yates one value at a time: mostly the first one is kept.
  const auto draw = [&](std::vector<std::int64_t>& values, std::size_t tried) {
    std::swap(values[tried], values[tried + static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(values.size() - tried)))]);
  };
  search(domains, true, draw, [&](Values point) {
    out = std::move(point);
    return false;
  });
  return out;
}

std::optional<Values> Space::sample(Rng& rng) const { return solve(domains(), rng); }

bool Space::empty() const {
  Rng rng(0);
  return !sample(rng);
}

bool Space::contains(const Values& point) const {
  if (point.size() != holes_.size()) return false;
  std::vector<Range> ranges;
  for (std::size_t i = 0; i < holes_.size(); ++i) {
    if (!std::binary_search(holes_[i].domain.begin(), holes_[i].domain.end(), point[i])) return false;
    ranges.push_back({point[i], point[i]});
  }
  return possible(ranges);
}

void Space::enumerate(const std::function<bool(Values)>& visit) const {
  search(domains(), false, [](std::vector<std::int64_t>&, std::size_t) {}, visit);
}

std::int64_t Space::count(std::int64_t limit) const {
  std::int64_t n = 0;
  enumerate([&](const Values&) { return ++n < limit; });
  return n;
}

std::vector<Values> Space::points(std::size_t limit) const {
  std::vector<Values> out;
  if (limit == 0) return out;
  enumerate([&](Values v) {
    out.push_back(std::move(v));
    return out.size() < limit;
  });
  return out;
}

}  // namespace tessera::search
