#include "dsl/detail/ranges.h"

#include <algorithm>

#include "ir/rewrite.h"

namespace tessera::dsl::detail {

namespace {

using ir::Interval;

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0); }
std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return -floor_div(-a, b); }

}  // namespace

void Ranges::infer(const Expr& body) {
  std::vector<std::pair<ir::AffineSum, std::int64_t>> limits;  // 0 <= sum < extent
  for_each_read(body, [&](const ir::Load& l, const Expr&, const Exprs& conditions) {
    if (!conditions.empty()) return;
    for (std::size_t d = 0; d < l.indices.size(); ++d) {
      std::int64_t extent = 0;
      if (!is_looked_up(l.indices[d]) && ir::is_const_int(l.buffer->shape[d], &extent)) limits.emplace_back(ir::affine_sum(l.indices[d]), extent);
    }
  });
  for (std::size_t before = known_.size() + 1; before != known_.size();) {
    before = known_.size();
    std::map<std::string, Interval> found;
    for (const auto& [sum, extent] : limits) restrict_one(sum, extent, found);
    for (auto& [name, r] : found) known_[name] = {std::max<std::int64_t>(r.lo, 0), r.hi};
  }
}

void Ranges::restrict_one(const ir::AffineSum& sum, std::int64_t extent, std::map<std::string, Interval>& found) const {
  const std::string* open = nullptr;
  std::int64_t factor = 0;
  Interval rest{sum.constant, sum.constant};
  for (const auto& [term, k] : sum.terms) {
    const auto* v = term.as<ir::VarNode>();
    if (v == nullptr) return;  // a quotient, a remainder
    const auto named = std::find_if(var_.begin(), var_.end(), [&](const auto& n) { return n.second.id() == v->id; });
    if (named == var_.end()) return;
    if (const Interval* r = find(named->first)) {
      rest.lo += k > 0 ? k * r->lo : k * r->hi;
      rest.hi += k > 0 ? k * r->hi : k * r->lo;
    } else if (open != nullptr) {
      return;
    } else {
      open = &named->first;
      factor = k;
    }
  }
  if (open == nullptr) return;
  // 0 <= factor * x + rest <= extent - 1 for every value of the rest.
  const std::int64_t low = -rest.lo, high = extent - 1 - rest.hi;
  const Interval r = factor > 0 ? Interval{ceil_div(low, factor), floor_div(high, factor)} : Interval{ceil_div(-high, -factor), floor_div(-low, -factor)};
  const auto [it, fresh] = found.emplace(*open, r);
  if (!fresh) it->second = {std::max(it->second.lo, r.lo), std::min(it->second.hi, r.hi)};
}

}  // namespace tessera::dsl::detail
