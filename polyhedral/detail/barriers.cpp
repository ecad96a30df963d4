#include "polyhedral/detail/barriers.h"

#include <isl/aff.h>
#include <isl/map.h>
#include <isl/point.h>
#include <isl/set.h>

#include <algorithm>
#include <set>

namespace tessera::polyhedral::detail {

namespace {

/// Positions and loop variables down to the first loop over threads, in turn: what is one time to a block.
struct BlockTime {
  std::vector<Branch> path;
  int loops = 0;
};

class Barriers {
 public:
  Barriers(const Judged& j, Verdict& verdict) : j_(j), verdict_(verdict) {}

  void run() {
    for (const Event& b : j_.nest.events) {
      if (b.kind != Event::Kind::kBarrier) continue;
      const auto at = std::find_if(b.loops.begin(), b.loops.end(), [&](int l) { return ir::is_thread_level(loop(l).kind); });
      if (at == b.loops.end()) continue;
      verdict_.violations.push_back({Fault::kBarrier, "", loop(*at).name, "a barrier stands inside of the loop '" + loop(*at).name + "' over threads, where not all of them reach it together"});
    }
    for (std::size_t i = 0; i < j_.nest.leaves.size(); ++i) {
      for (const Touch& t : j_.matches[i].touches) {
        if (t.buffer->scope == ir::Scope::kShared) by_buffer_[t.buffer].push_back({&j_.nest.leaves[i], &t});
      }
    }
    for (const auto& [buffer, touches] : by_buffer_) check(*buffer, touches);
  }

 private:
  struct Inside {
    const Leaf* leaf;
    const Touch* touch;
  };

  const Loop& loop(int id) const { return j_.nest.loops[static_cast<std::size_t>(id)]; }

  BlockTime block_time(const std::vector<Branch>& path) const {
    BlockTime out;
    for (const Branch& b : path) {
      if (b.kind == Branch::Kind::kLoop && ir::is_thread_level(loop(b.index).kind)) break;
      out.path.push_back(b);
      out.loops += b.kind == Branch::Kind::kLoop ? 1 : 0;
    }
    return out;
  }

  isl::map time_map(const Space& space, const BlockTime& time, std::size_t length) const {
    isl::pw_aff_list list = isl::manage(isl_pw_aff_list_alloc(space.ctx().get(), static_cast<int>(length)));
    int l = 0;
    for (std::size_t i = 0; i < length; ++i) {
      const bool inside = i < time.path.size();
      const bool is_loop = inside && time.path[i].kind == Branch::Kind::kLoop;
      list = list.add(is_loop ? isl::pw_aff(space.dimension(l++)) : space.constant(inside ? time.path[i].index : 0));
    }
    return isl::multi_pw_aff(isl::manage(isl_space_alloc(space.ctx().get(), 0, static_cast<unsigned>(space.size()), static_cast<unsigned>(length))), list).as_map();
  }

  /// [block, index] -> time. One block has one copy of the buffer, however often it is allocated.
  isl::map times_of(const Inside& t, int allocated, std::size_t length) const {
    const Space& space = t.leaf->space;
    isl::pw_aff_list list = isl::manage(isl_pw_aff_list_alloc(space.ctx().get(), 8));
    for (int l = 0; l < allocated; ++l) {
      if (ir::is_block_level(loop(t.leaf->loops[static_cast<std::size_t>(l)]).kind)) list = list.add(isl::pw_aff(space.dimension(l)));
    }
    for (const ir::Expr& e : t.touch->index) list = list.add(space.value(e));
    const auto size = static_cast<unsigned>(isl_pw_aff_list_n_pw_aff(list.get()));
    const isl::multi_pw_aff place(isl::manage(isl_space_alloc(space.ctx().get(), 0, static_cast<unsigned>(space.size()), size)), list);
    return place.as_map().intersect_domain(t.touch->where).reverse().apply_range(time_map(space, block_time(t.leaf->path), length));
  }

  void check(const ir::BufferNode& buffer, const std::vector<Inside>& touches) {
    const auto found = j_.nest.allocated.find(buffer.id);
    const int allocated = found == j_.nest.allocated.end() ? 0 : found->second;
    std::size_t length = 1;
    for (const Inside& t : touches) length = std::max(length, block_time(t.leaf->path).path.size());
    for (const Event& e : j_.nest.events) length = std::max(length, e.path.size());
    const Times times{length, isl::manage(isl_map_lex_lt(isl_space_set_alloc(j_.nest.ctx.get(), 0, static_cast<unsigned>(length))))};
    try {
      for (const Inside& a : touches) {
        for (const Inside& b : touches) {
          if ((a.touch->store || b.touch->store) && !apart(buffer, a, b, allocated, times)) return;
        }
      }
    } catch (const NotAffine& e) {
      verdict_.unknown.push_back({"index", "shared buffer '" + buffer.name + "' has the index " + e.what});
    }
  }

  struct Times {
    std::size_t length;
    isl::map later;
  };

  /// Times of one kind of events; of waits, those that let `unfinished` commits be.
  isl::set times_of_events(Event::Kind kind, const Times& times, std::int64_t unfinished = 0) const {
    isl::set out = isl::set::empty(times.later.domain().space());
    for (const Event& e : j_.nest.events) {
      if (e.kind == kind && e.unfinished == unfinished) out = out.unite(e.domain.apply(time_map(e.space, block_time(e.path), times.length)));
    }
    return out;
  }

  /// From the times of `from` to later times of `to` in the same block as leaf `a`.
  isl::map later_in_block(const Leaf& a, const isl::set& from, const isl::set& to, const Times& times) const {
    isl::map out = times.later.intersect_domain(from).intersect_range(to);
    const BlockTime time = block_time(a.path);
    for (std::size_t i = 0; i < time.path.size(); ++i) {
      const bool is_block = time.path[i].kind == Branch::Kind::kLoop && ir::is_block_level(loop(time.path[i].index).kind);
      if (is_block) out = isl::manage(isl_map_equate(out.release(), isl_dim_in, static_cast<int>(i), isl_dim_out, static_cast<int>(i)));
    }
    return out;
  }

  /// Whether a barrier stands between all times at which `a` and then `b` touch one element; where `a` fills a
  /// slot of a channel, after a wait for it.
  bool apart(const ir::BufferNode& buffer, const Inside& a, const Inside& b, int allocated, const Times& times) {
    isl::map meet = times_of(a, allocated, times.length).reverse().apply_range(times_of(b, allocated, times.length)).intersect(times.later).coalesce();
    if (meet.is_empty()) return true;
    const bool arrives = a.leaf->commit >= 0 && a.touch->store && has_waits();
    isl::map start = meet.domain().identity();
    if (arrives) start = arrival(*a.leaf, meet.domain(), times);
    const isl::map barrier = later_in_block(*a.leaf, start.range(), times_of_events(Event::Kind::kBarrier, times), times).lexmin();
    const isl::map left = meet.subtract(start.apply_range(barrier).apply_range(times.later));
    if (left.is_empty()) return true;
    report(buffer, a, b, left, arrives);
    return false;
  }

  bool has_waits() const {
    return std::any_of(j_.nest.events.begin(), j_.nest.events.end(), [](const Event& e) { return e.kind == Event::Kind::kWait; });
  }

  /// From the times at which a leaf fills a slot to the first wait that stands until it is full: a wait lets the
  /// last so many commits be, so that many have come after the slot's own.
  isl::map arrival(const Leaf& leaf, const isl::set& fills, const Times& times) const {
    const isl::map filled = time_map(leaf.space, block_time(leaf.path), times.length).intersect_domain(leaf.domain);
    const Event& commit = j_.nest.events[static_cast<std::size_t>(leaf.commit)];
    const isl::map own = filled.reverse().apply_range(time_map(leaf.space, block_time(commit.path), times.length)).intersect_domain(fills);
    const isl::set commits = times_of_events(Event::Kind::kCommit, times);
    std::set<std::int64_t> kinds;
    for (const Event& e : j_.nest.events) {
      if (e.kind == Event::Kind::kWait) kinds.insert(e.unfinished);
    }
    isl::map waits = isl::map::empty(times.later.space());
    const isl::map next = later_in_block(leaf, commits, commits, times).lexmin();
    for (const std::int64_t unfinished : kinds) {
      const isl::set at = times_of_events(Event::Kind::kWait, times, unfinished);
      isl::map last = own;  // the commit that is let be longest
      for (std::int64_t i = 0; i < unfinished; ++i) last = last.apply_range(next);
      waits = waits.unite(last.apply_range(later_in_block(leaf, last.range(), at, times)));
    }
    return waits.lexmin();
  }

  void report(const ir::BufferNode& buffer, const Inside& a, const Inside& b, const isl::map& left, bool arrives) {
    const isl::point x = left.wrap().sample_point();
    const BlockTime time = block_time(a.leaf->path);
    std::string at;
    int l = 0;
    for (std::size_t i = 0; i < time.path.size(); ++i) {
      if (time.path[i].kind != Branch::Kind::kLoop) continue;
      const isl::val v = isl::manage(isl_point_get_coordinate_val(x.get(), isl_dim_set, static_cast<int>(i)));
      at += (l++ ? ", " : " in ") + loop(time.path[i].index).label() + " = " + std::to_string(v.num_si());
    }
    const auto verb = [](const Inside& t) { return t.touch->store ? " writes" : " reads"; };
    verdict_.violations.push_back({Fault::kBarrier, b.leaf->stage, "",
                                   std::string(arrives ? "no wait and barrier stand" : "no barrier stands") + " between what stage '" + a.leaf->stage + "'" + verb(a) + " of shared '" + buffer.name + "'" + at + " and what stage '" + b.leaf->stage + "'" + verb(b) + " later"});
  }

  const Judged& j_;
  Verdict& verdict_;
  std::map<const ir::BufferNode*, std::vector<Inside>> by_buffer_;
};

}  // namespace

void check_barriers(const Judged& judged, Verdict& verdict) { Barriers(judged, verdict).run(); }

}  // namespace tessera::polyhedral::detail
