#include "search/space.h"

#include <algorithm>
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

bool Space::decided_fits(const std::vector<Range>& ranges, std::size_t hole) const {
  return std::all_of(constrains_[hole].begin(), constrains_[hole].end(), [&](std::size_t c) { return possible(ranges, c); });
}

std::optional<Values> Space::solve(const std::vector<std::vector<std::int64_t>>& domains, Rng& rng) const {
  std::vector<Range> ranges;
  for (const std::vector<std::int64_t>& d : domains) ranges.push_back({d.front(), d.back()});
  if (!possible(ranges)) return std::nullopt;
  std::vector<std::size_t> order(holes_.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return domains[a].size() < domains[b].size(); });
  const auto decide = [&](const auto& self, std::size_t depth) -> bool {
    if (depth == order.size()) return true;
    const std::size_t h = order[depth];
    const Range whole = ranges[h];
    std::vector<std::int64_t> values = domains[h];
    // Fisher-Yates one value at a time: mostly the first possible one is kept.
    for (std::size_t n = values.size(); n > 0; --n) {
      const auto pick = static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(n)));
      std::swap(values[pick], values[n - 1]);
      ranges[h] = {values[n - 1], values[n - 1]};
      if (decided_fits(ranges, h) && self(self, depth + 1)) return true;
    }
    ranges[h] = whole;
    return false;
  };
  if (!decide(decide, 0)) return std::nullopt;
  Values out;
  for (const Range& r : ranges) out.push_back(r.low);
  return out;
}

std::optional<Values> Space::sample(Rng& rng) const {
  std::vector<std::vector<std::int64_t>> domains;
  for (const Hole& h : holes_) domains.push_back(h.domain);
  return solve(domains, rng);
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

/// Calls `visit` for every point in lexicographic order until it answers false.
template <class Visit>
bool Space::enumerate(std::vector<Range>& ranges, Values& point, std::size_t depth, const Visit& visit) const {
  if (depth == holes_.size()) return visit(point);
  const Range whole = ranges[depth];
  for (const std::int64_t v : holes_[depth].domain) {
    ranges[depth] = {v, v};
    point[depth] = v;
    if (decided_fits(ranges, depth) && !enumerate(ranges, point, depth + 1, visit)) return false;
  }
  ranges[depth] = whole;
  return true;
}

std::int64_t Space::count(std::int64_t limit) const {
  std::vector<Range> ranges;
  for (const Hole& h : holes_) ranges.push_back({h.domain.front(), h.domain.back()});
  Values point(holes_.size());
  std::int64_t n = 0;
  if (possible(ranges)) enumerate(ranges, point, 0, [&](const Values&) { return ++n < limit; });
  return n;
}

std::vector<Values> Space::points(std::size_t limit) const {
  std::vector<Range> ranges;
  for (const Hole& h : holes_) ranges.push_back({h.domain.front(), h.domain.back()});
  Values point(holes_.size());
  std::vector<Values> out;
  if (possible(ranges) && limit > 0) {
    enumerate(ranges, point, 0, [&](const Values& v) {
      out.push_back(v);
      return out.size() < limit;
    });
  }
  return out;
}

}  // namespace tessera::search
