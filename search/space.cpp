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
    : holes_(std::move(holes)), constraints_(std::move(constraints)), order_(holes_.size()) {
  std::iota(order_.begin(), order_.end(), 0);
  std::stable_sort(order_.begin(), order_.end(),
                   [&](std::size_t a, std::size_t b) { return holes_[a].domain.size() < holes_[b].domain.size(); });
  for (std::size_t i = 0; i < holes_.size(); ++i) {
    TESSERA_CHECK(!holes_[i].domain.empty()) << "hole '" << holes_[i].name << "' has no values";
    TESSERA_CHECK(holes_[i].domain.front() >= 1) << "hole '" << holes_[i].name << "' has a value below 1";
    index_[holes_[i].name] = i;
  }
  for (const Constraint& c : constraints_) {
    for (const Monomial& m : c.terms) {
      for (const std::string& h : m.holes) TESSERA_CHECK(index_.count(h) == 1) << "constraint on the unknown hole '" << h << "'";
    }
  }
}

bool Space::possible(const Decisions& partial) const {
  for (const Constraint& c : constraints_) {
    std::int64_t low = 0, high = 0;
    for (const Monomial& m : c.terms) {
      std::int64_t lo = m.weight, hi = m.weight;
      for (const std::string& h : m.holes) {
        const auto it = partial.find(h);
        const Hole& hole = holes_[index_.at(h)];
        lo = saturating_product(lo, it != partial.end() ? it->second : hole.domain.front());
        hi = saturating_product(hi, it != partial.end() ? it->second : hole.domain.back());
      }
      low = saturating_sum(low, lo);
      high = saturating_sum(high, hi);
    }
    if (low > c.at_most || high < c.at_least) return false;
  }
  return true;
}

bool Space::search(Decisions& partial, std::size_t depth, Rng& rng) const {
  if (depth == order_.size()) return true;
  const Hole& hole = holes_[order_[depth]];
  std::vector<std::int64_t> values = hole.domain;
  // Fisher-Yates one value at a time: mostly the first possible one is kept.
  for (std::size_t n = values.size(); n > 0; --n) {
    const auto pick = static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(n)));
    std::swap(values[pick], values[n - 1]);
    partial[hole.name] = values[n - 1];
    if (possible(partial) && search(partial, depth + 1, rng)) return true;
  }
  partial.erase(hole.name);
  return false;
}

std::optional<Decisions> Space::sample(Rng& rng) const {
  Decisions point;
  if (!possible(point) || !search(point, 0, rng)) return std::nullopt;
  return point;
}

bool Space::contains(const Decisions& point) const {
  if (point.size() != holes_.size()) return false;
  for (const Hole& h : holes_) {
    const auto it = point.find(h.name);
    if (it == point.end() || !std::binary_search(h.domain.begin(), h.domain.end(), it->second)) return false;
  }
  return possible(point);
}

std::int64_t Space::count_from(Decisions& partial, std::size_t depth, std::int64_t limit) const {
  if (depth == order_.size()) return 1;
  const Hole& hole = holes_[order_[depth]];
  std::int64_t n = 0;
  for (const std::int64_t v : hole.domain) {
    partial[hole.name] = v;
    if (possible(partial)) n += count_from(partial, depth + 1, limit - n);
    if (n >= limit) break;
  }
  partial.erase(hole.name);
  return std::min(n, limit);
}

std::int64_t Space::count(std::int64_t limit) const {
  Decisions partial;
  return possible(partial) ? count_from(partial, 0, limit) : 0;
}

}  // namespace tessera::search
