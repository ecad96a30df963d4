#include <algorithm>
#include <cmath>
#include <optional>
#include <tuple>

#include "polyhedral/tiles.h"

namespace tessera::polyhedral {

namespace {

using Sizes = std::vector<std::int64_t>;

constexpr std::int64_t kLineBytes = 64;
constexpr double kFew = 4096;  // points that are all tried

/// Powers of two of `step`, even parts of the axis in steps, and the axis.
Sizes candidates(std::int64_t extent, std::int64_t step) {
  Sizes out;
  const std::int64_t most = (extent + step - 1) / step;  // in steps
  for (std::int64_t k = 1; k <= most; k *= 2) out.push_back(std::min(k * step, extent));
  for (std::int64_t parts = 1; parts <= 8; ++parts) out.push_back(std::min((most + parts - 1) / parts * step, extent));
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

class Chooser {
 public:
  Chooser(const TileFootprints& footprints, const TileLimits& limits) : f_(footprints), limits_(limits) {
    const auto& axes = f_.axes();
    for (std::size_t a = 0; a < axes.size(); ++a) {
      last_ = axes[a].reduce ? last_ : a;
      domains_.push_back(candidates(axes[a].extent, limits.steps.empty() ? 1 : limits.steps[a]));
    }
  }

  Result<TileChoice> run() {
    const std::vector<Sizes> all = domains_;
    Sizes& columns = domains_[last_];
    columns.erase(columns.begin(), std::lower_bound(columns.begin(), columns.end() - 1, kLineBytes / f_.accesses()[0].element_bytes));
    search();
    if (!best_) {
      domains_ = all;
      search();
    }
    if (!best_) return refuse("no tile of ", f_.accesses()[0].tensor, " fits ", limits_.capacity, " bytes with at least ", limits_.least_tiles, " tiles");
    return TileChoice{best_->sizes, best_->traffic, f_.lines(best_->sizes) * kLineBytes};
  }

 private:
  struct Found {
    double traffic = 0, tiles = 0;
    Sizes sizes;
  };

  void search() {
    std::vector<std::size_t> at(domains_.size(), 0);
    double points = 1;
    for (const Sizes& d : domains_) points *= static_cast<double>(d.size());
    if (points <= kFew) {
      do consider(sizes(at));
      while (next(at));
    } else {
      consider(sizes(at));
      // Also from tiles that are whole along the last axes, as rows are.
      for (std::size_t whole = domains_.size(); whole-- > 0;) {
        at[whole] = domains_[whole].size() - 1;
        consider(sizes(at));
      }
      while (improve()) continue;
    }
  }

  Sizes sizes(const std::vector<std::size_t>& at) const {
    Sizes out;
    for (std::size_t a = 0; a < at.size(); ++a) out.push_back(domains_[a][at[a]]);
    return out;
  }

  bool next(std::vector<std::size_t>& at) const {
    for (std::size_t a = at.size(); a-- > 0;) {
      if (++at[a] < domains_[a].size()) return true;
      at[a] = 0;
    }
    return false;
  }

  /// Whether `s` is better than all before: less traffic, or as little in fewer tiles or longer rows.
  bool consider(const Sizes& s) {
    double data = 1, all = 1;
    for (std::size_t a = 0; a < s.size(); ++a) {
      const double tiles = std::ceil(static_cast<double>(f_.axes()[a].extent) / static_cast<double>(s[a]));
      all *= tiles;
      if (!f_.axes()[a].reduce) data *= tiles;
    }
    if (data < limits_.least_tiles || f_.lines(s) * kLineBytes > limits_.capacity) return false;
    const double traffic = f_.traffic(s, limits_.order);
    if (best_ && std::tuple(best_->traffic, best_->tiles, -best_->sizes[last_]) <= std::tuple(traffic, all, -s[last_])) return false;
    best_ = Found{traffic, all, s};
    return true;
  }

  /// Whether other sizes of one axis, or of two, are better.
  bool improve() {
    const Sizes from = best_ ? best_->sizes : sizes(std::vector<std::size_t>(domains_.size(), 0));
    bool better = false;
    for (std::size_t a = 0; a < domains_.size(); ++a) {
      for (std::size_t b = a + 1; b < domains_.size(); ++b) {
        Sizes s = from;
        for (const std::int64_t x : domains_[a]) {
          for (const std::int64_t y : domains_[b]) {
            s[a] = x;
            s[b] = y;
            better |= consider(s);
          }
        }
      }
    }
    return better;
  }

  const TileFootprints& f_;
  const TileLimits& limits_;
  std::vector<Sizes> domains_;
  std::size_t last_ = 0;  // data axis
  std::optional<Found> best_;
};

}  // namespace

Result<TileChoice> choose_tiles(const TileFootprints& footprints, const TileLimits& limits) {
  if (footprints.axes().empty()) return refuse("'", footprints.accesses()[0].tensor, "' is a single element");
  if (!limits.steps.empty() && limits.steps.size() != footprints.axes().size()) {
    return refuse(limits.steps.size(), " steps for ", footprints.axes().size(), " axes");
  }
  if (!limits.order.empty() && limits.order.size() != footprints.axes().size()) {
    return refuse("an order of ", limits.order.size(), " loops for ", footprints.axes().size(), " axes");
  }
  return Chooser(footprints, limits).run();
}

}  // namespace tessera::polyhedral
