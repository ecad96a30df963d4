#include "polyhedral/detail/places.h"

#include <isl/map.h>
#include <isl/point.h>

#include <algorithm>

#include "polyhedral/detail/stores.h"

namespace tessera::polyhedral::detail {

namespace {

bool runs_at_once(ir::ForKind k) { return k != ir::ForKind::kSerial && k != ir::ForKind::kUnroll && k != ir::ForKind::kVThread; }

class Races {
 public:
  Races(const Judged& j, Verdict& verdict) : j_(j), verdict_(verdict) {}

  void run() {
    for (std::size_t l = 0; l < j_.nest.loops.size(); ++l) {
      if (runs_at_once(j_.nest.loops[l].kind)) check(static_cast<int>(l));
    }
  }

 private:
  struct Inside {
    const Leaf* leaf;
    const Touch* touch;
  };

  void check(int loop) {
    const Loop& l = j_.nest.loops[static_cast<std::size_t>(loop)];
    std::map<const ir::BufferNode*, std::vector<Inside>> by_buffer;
    for (std::size_t i = 0; i < j_.nest.leaves.size(); ++i) {
      const Leaf& leaf = j_.nest.leaves[i];
      if (std::find(leaf.loops.begin(), leaf.loops.end(), loop) == leaf.loops.end()) continue;
      for (const Touch& t : j_.matches[i].touches) {
        const auto allocated = j_.nest.allocated.find(t.buffer->id);
        const bool own = allocated != j_.nest.allocated.end() && allocated->second > l.depth;
        if (!own) by_buffer[t.buffer].push_back({&leaf, &t});
      }
    }
    for (const auto& [buffer, touches] : by_buffer) {
      if (std::any_of(touches.begin(), touches.end(), [](const Inside& t) { return t.touch->store; })) check(l, *buffer, touches);
    }
  }

  /// Threads that add up parts of one result do so by a pass of its own.
  static bool is_joined(const Loop& l, const Inside& t) {
    return l.joins && ir::is_thread_level(l.kind) && t.leaf->phase == ir::Phase::kUpdate &&
           std::any_of(t.leaf->stores.begin(), t.leaf->stores.end(), [&](const StoredValue& s) { return s.buffer.get() == t.touch->buffer; });
  }

  void check(const Loop& l, const ir::BufferNode& buffer, std::vector<Inside> touches) {
    if (std::all_of(touches.begin(), touches.end(), [&](const Inside& t) { return is_joined(l, t); })) return;
    try {
      std::optional<isl::map> all, stores;
      for (const Inside& t : touches) {
        const isl::map at = iteration_at(*t.leaf, *t.touch, l.depth);
        all = all ? all->unite(at) : at;
        if (t.touch->store) stores = stores ? stores->unite(at) : at;
      }
      // The same place from another iteration: at . stores^-1 off the diagonal.
      const isl::map meet = stores->reverse().apply_range(*all);
      const isl::map other = meet.subtract(isl::set(meet.domain()).identity());
      if (!other.is_empty()) report(l, buffer, touches, *stores, *all);
    } catch (const NotAffine& e) {
      verdict_.unknown.push_back({"index", "buffer '" + buffer.name + "' has the index " + e.what});
    }
  }

  /// [loops outside, index] -> the iteration of the loop.
  static isl::map iteration_at(const Leaf& leaf, const Touch& t, int depth) {
    const isl::map at = key_of(leaf.space, {depth, t.index, {}, {}}).as_map().intersect_domain(t.where);
    return at.reverse().apply_range(isl::multi_aff(leaf.space.dimension(depth)).as_map());
  }

  void report(const Loop& l, const ir::BufferNode& buffer, const std::vector<Inside>& touches, const isl::map& stores, const isl::map& all) {
    // [place] -> [iteration that stores, iteration that touches].
    isl::map both = isl::manage(isl_map_flat_range_product(stores.copy(), all.copy()));
    isl::map apart = isl::manage(isl_map_order_lt(both.copy(), isl_dim_out, 0, isl_dim_out, 1)).unite(isl::manage(isl_map_order_gt(both.copy(), isl_dim_out, 0, isl_dim_out, 1)));
    const isl::point x = isl::manage(isl_set_sample_point(isl_map_wrap(apart.release())));
    const auto coordinate = [&](int d) {
      const isl::val v = isl::manage(isl_point_get_coordinate_val(x.get(), isl_dim_set, d));
      return std::to_string(v.num_si());
    };
    const int rank = static_cast<int>(touches[0].touch->index.size());
    std::string place = buffer.name + "[";
    for (int d = 0; d < rank; ++d) place += (d ? ", " : "") + coordinate(l.depth + d);
    std::string around;
    for (int d = 0; d < l.depth; ++d) around += (d ? ", " : " in ") + j_.nest.loops[static_cast<std::size_t>(touches[0].leaf->loops[static_cast<std::size_t>(d)])].label() + " = " + coordinate(d);
    const auto writer = std::find_if(touches.begin(), touches.end(), [](const Inside& t) { return t.touch->store; });
    verdict_.violations.push_back({Fault::kRace, writer->leaf->stage, l.name,
                                   "iterations " + coordinate(l.depth + rank) + " and " + coordinate(l.depth + rank + 1) + " of the " + ir::to_string(l.kind) + " loop '" + l.name + "'" + (l.digit.empty() ? "" : " (" + l.digit + ")") +
                                       " both touch " + place + "], and one writes it" + around});
  }

  const Judged& j_;
  Verdict& verdict_;
};

}  // namespace

void check_bounds(const Judged& judged, Verdict& verdict) {
  for (std::size_t i = 0; i < judged.nest.leaves.size(); ++i) {
    const Leaf& leaf = judged.nest.leaves[i];
    if (leaf.is_extern) continue;
    for (const Touch& t : judged.matches[i].touches) {
      try {
        for (std::size_t d = 0; d < t.index.size(); ++d) {
          const isl::set outside = t.where.subtract(leaf.space.within(t.index[d], 0, t.buffer->shape[d]));
          if (outside.is_empty()) continue;
          const isl::point x = outside.sample_point();
          verdict.violations.push_back({Fault::kBounds, leaf.stage, "", "in " + iteration_text(leaf, x) + " stage '" + leaf.stage + "' " + (t.store ? "stores to " : "reads ") +
                                                                            element_text(t.buffer->name, leaf, t.index, x) + ", outside of its extents"});
          break;
        }
      } catch (const NotAffine& e) {
        verdict.unknown.push_back({"index", "stage '" + leaf.stage + "' has the index " + e.what});
      }
    }
  }
}

void check_races(const Judged& judged, Verdict& verdict) { Races(judged, verdict).run(); }

}  // namespace tessera::polyhedral::detail
