#include "search/mutation.h"

#include <algorithm>
#include <cmath>

namespace tessera::search {

namespace {

/// Position of `v` in the domain of a hole.
std::ptrdiff_t position(const Hole& h, std::int64_t v) {
  return std::lower_bound(h.domain.begin(), h.domain.end(), v) - h.domain.begin();
}

/// The values `by` places away, as far as there are any.
std::vector<std::int64_t> moved(const Hole& h, std::int64_t v, std::ptrdiff_t by) {
  const std::ptrdiff_t at = position(h, v) + by;
  if (at < 0 || at >= static_cast<std::ptrdiff_t>(h.domain.size())) return {};
  return {h.domain[static_cast<std::size_t>(at)]};
}

std::vector<std::int64_t> without(std::vector<std::int64_t> domain, std::int64_t v) {
  std::erase(domain, v);
  return domain;
}

double log_distance(std::int64_t a, std::int64_t b) { return std::abs(std::log2(static_cast<double>(a)) - std::log2(static_cast<double>(b))); }

/// The `n` values closest to `wanted` by ratio, ascending.
std::vector<std::int64_t> closest(const Hole& h, std::int64_t wanted, std::size_t n) {
  std::vector<std::int64_t> out = h.domain;
  const std::int64_t target = std::max<std::int64_t>(wanted, 1);
  std::stable_sort(out.begin(), out.end(), [&](std::int64_t a, std::int64_t b) { return log_distance(a, target) < log_distance(b, target); });
  out.resize(std::min(n, out.size()));
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

Mutator::Domains Mutator::fixed(const Point& p) const {
  Domains out;
  for (const std::int64_t v : p.values) out.push_back({v});
  return out;
}

std::optional<Point> Mutator::solved(std::size_t sketch, const Domains& domains, const Point& not_this, Rng& rng) const {
  for (const auto& d : domains) {
    if (d.empty()) return std::nullopt;
  }
  auto values = space(sketch).solve(domains, rng);
  if (!values) return std::nullopt;
  Point out{sketch, std::move(*values)};
  if (out == not_this) return std::nullopt;
  return out;
}

std::optional<Point> Mutator::fresh(std::size_t sketch, Rng& rng) const {
  auto values = space(sketch).sample(rng);
  if (!values) return std::nullopt;
  return Point{sketch, std::move(*values)};
}

std::optional<Point> Mutator::mutate(const Point& p, MutationKind kind, Rng& rng) const {
  const Space& s = space(p.sketch);
  const auto holes = static_cast<std::int64_t>(s.holes().size());
  Domains domains = fixed(p);
  const auto pick_hole = [&] { return static_cast<std::size_t>(rng.below(holes)); };
  if (kind == MutationKind::kStructure) {
    if (sketches_->size() < 2) return std::nullopt;
    auto other = static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(sketches_->size()) - 1));
    if (other >= p.sketch) ++other;
    return project(other, s.decisions(p.values), rng);
  }
  if (holes == 0) return std::nullopt;
  if (kind == MutationKind::kNeighbour) {
    const std::size_t h = pick_hole();
    domains[h] = moved(s.holes()[h], p.values[h], rng.chance(0.5) ? 1 : -1);
    return solved(p.sketch, domains, p, rng);
  }
  if (kind == MutationKind::kTrade) {
    std::vector<std::vector<std::size_t>> pairs;
    for (const Constraint& c : s.constraints()) {
      for (const Monomial& m : c.terms) {
        if (m.holes.size() < 2) continue;
        std::vector<std::size_t>& of = pairs.emplace_back();
        for (const std::string& name : m.holes) of.push_back(*s.find(name));
      }
    }
    if (pairs.empty()) return std::nullopt;
    const std::vector<std::size_t>& term = rng.pick(pairs);
    const std::size_t up = rng.pick(term), down = rng.pick(term);
    if (up == down) return std::nullopt;
    domains[up] = moved(s.holes()[up], p.values[up], 1);
    domains[down] = moved(s.holes()[down], p.values[down], -1);
    return solved(p.sketch, domains, p, rng);
  }
  const std::size_t h = pick_hole();
  domains[h] = without(s.holes()[h].domain, p.values[h]);
  if (rng.chance(0.5)) {
    const std::size_t second = pick_hole();
    if (second != h) domains[second] = s.holes()[second].domain;
  }
  return solved(p.sketch, domains, p, rng);
}

std::optional<Point> Mutator::mutate(const Point& p, Rng& rng) const {
  const double u = rng.uniform();
  const MutationKind kind = u < 0.35   ? MutationKind::kNeighbour
                            : u < 0.70 ? MutationKind::kRedraw
                            : u < 0.85 ? MutationKind::kTrade
                                       : MutationKind::kStructure;
  if (auto child = mutate(p, kind, rng)) return child;
  return mutate(p, MutationKind::kRedraw, rng);
}

std::optional<Point> Mutator::cross(const Point& a, const Point& b, Rng& rng) const {
  const Space& s = space(a.sketch);
  const Decisions other = space(b.sketch).decisions(b.values);
  Domains domains = fixed(a);
  for (std::size_t i = 0; i < domains.size(); ++i) {
    const auto it = other.find(s.holes()[i].name);
    const auto& domain = s.holes()[i].domain;
    if (it == other.end() || it->second == a.values[i] || !std::binary_search(domain.begin(), domain.end(), it->second)) continue;
    domains[i].push_back(it->second);
    std::sort(domains[i].begin(), domains[i].end());
  }
  return solved(a.sketch, domains, a, rng);
}

std::vector<Point> Mutator::neighbours(const Point& p) const {
  const Space& s = space(p.sketch);
  std::vector<Point> out;
  for (std::size_t h = 0; h < p.values.size(); ++h) {
    for (const std::ptrdiff_t by : {-1, 1}) {
      const auto to = moved(s.holes()[h], p.values[h], by);
      if (to.empty()) continue;
      Point q = p;
      q.values[h] = to[0];
      if (s.contains(q.values)) out.push_back(std::move(q));
    }
  }
  return out;
}

std::optional<Point> Mutator::project(std::size_t sketch, const Decisions& wanted, Rng& rng) const {
  const Space& s = space(sketch);
  for (const std::size_t width : {1, 2, 4, 1 << 20}) {
    Domains domains;
    for (const Hole& h : s.holes()) {
      const auto it = wanted.find(h.name);
      domains.push_back(it == wanted.end() ? h.domain : closest(h, it->second, width));
    }
    if (auto values = s.solve(domains, rng)) return Point{sketch, std::move(*values)};
  }
  return std::nullopt;
}

}  // namespace tessera::search
