#include "polyhedral/detail/barriers.h"

#include <isl/aff.h>
#include <isl/map.h>
#include <isl/point.h>
#include <isl/set.h>

#include <algorithm>
#include <set>

namespace tessera::polyhedral::detail {

namespace {

/// When the statements of one block that touch a buffer run: the block first, then what is one time to it, positions
/// and loop variables in turn down to the first loop over threads. What all of them share is left out.
struct Times {
  std::vector<Branch> prefix;  // down to the innermost loop over blocks around the buffer
  int blocks = 0;              // loops over blocks in it
  std::size_t length = 1;      // of a time
  std::vector<const Event*> events;
  isl::map later;              // in the same block
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

  bool is_block(const Branch& b) const { return b.kind == Branch::Kind::kLoop && ir::is_block_level(loop(b.index).kind); }

  std::vector<Branch> down_to_threads(const std::vector<Branch>& path) const {
    const auto threads = std::find_if(path.begin(), path.end(), [&](const Branch& b) { return b.kind == Branch::Kind::kLoop && ir::is_thread_level(loop(b.index).kind); });
    return {path.begin(), threads};
  }

  /// Calls `f` with what is a dimension of the time: whether it is of the block, the branch, and its loop's dimension.
  template <class F>
  void for_each_part(const std::vector<Branch>& path, const Times& times, const F& f) const {
    int l = 0;
    const std::vector<Branch> parts = down_to_threads(path);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const bool is_loop = parts[i].kind == Branch::Kind::kLoop;
      const bool shared = i < times.prefix.size();
      if (is_loop || !shared) f(shared && is_block(parts[i]), parts[i], l);
      l += is_loop ? 1 : 0;
    }
  }

  isl::map time_map(const Space& space, const std::vector<Branch>& path, const Times& times) const {
    std::vector<isl::pw_aff> block, rest;
    for_each_part(path, times, [&](bool of_block, const Branch& b, int l) {
      (of_block ? block : rest).push_back(b.kind == Branch::Kind::kLoop ? isl::pw_aff(space.dimension(l)) : space.constant(b.index));
    });
    while (rest.size() < times.length) rest.push_back(space.constant(0));
    block.insert(block.end(), rest.begin(), rest.end());
    isl::pw_aff_list list = isl::manage(isl_pw_aff_list_alloc(space.ctx().get(), static_cast<int>(block.size())));
    for (const isl::pw_aff& p : block) list = list.add(p);
    return isl::multi_pw_aff(isl::manage(isl_space_alloc(space.ctx().get(), 0, static_cast<unsigned>(space.size()), static_cast<unsigned>(block.size()))), list).as_map();
  }

  /// [block, index] -> time. One block has one copy of the buffer, however often it is allocated.
  isl::map times_of(const Inside& t, const Times& times) const {
    const Space& space = t.leaf->space;
    isl::pw_aff_list list = isl::manage(isl_pw_aff_list_alloc(space.ctx().get(), 8));
    for_each_part(times.prefix, times, [&](bool of_block, const Branch&, int l) {
      if (of_block) list = list.add(isl::pw_aff(space.dimension(l)));
    });
    for (const ir::Expr& e : t.touch->index) list = list.add(space.value(e));
    const auto size = static_cast<unsigned>(isl_pw_aff_list_n_pw_aff(list.get()));
    const isl::multi_pw_aff place(isl::manage(isl_space_alloc(space.ctx().get(), 0, static_cast<unsigned>(space.size()), size)), list);
    return place.as_map().intersect_domain(t.touch->where).reverse().apply_range(time_map(space, t.leaf->path, times));
  }

  /// Whether a path goes through the same loops over blocks.
  static bool starts_with(const std::vector<Branch>& path, const std::vector<Branch>& prefix) {
    return path.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), path.begin());
  }

  Times times_around(const std::vector<Inside>& touches) const {
    Times out{{}, 0, 1, {}, isl::manage(isl_map_universe(isl_space_alloc(j_.nest.ctx.get(), 0, 0, 0)))};
    std::vector<Branch> path = down_to_threads(touches[0].leaf->path);
    for (const Inside& t : touches) {
      const auto apart = std::mismatch(path.begin(), path.end(), t.leaf->path.begin(), t.leaf->path.end()).first;
      path.erase(apart, path.end());
    }
    out.prefix.assign(path.begin(), std::find_if(path.rbegin(), path.rend(), [&](const Branch& b) { return is_block(b); }).base());
    out.blocks = static_cast<int>(std::count_if(out.prefix.begin(), out.prefix.end(), [&](const Branch& b) { return is_block(b); }));
    for (const Event& e : j_.nest.events) {
      if (starts_with(e.path, out.prefix)) out.events.push_back(&e);
    }
    const auto measure = [&](const std::vector<Branch>& p) {
      std::size_t parts = 0;
      for_each_part(p, out, [&](bool of_block, const Branch&, int) { parts += of_block ? 0 : 1; });
      out.length = std::max(out.length, parts);
    };
    for (const Inside& t : touches) measure(t.leaf->path);
    for (const Event* e : out.events) measure(e->path);
    const isl::map same = isl::manage(isl_map_identity(isl_space_alloc(j_.nest.ctx.get(), 0, static_cast<unsigned>(out.blocks), static_cast<unsigned>(out.blocks))));
    const isl::map later = isl::manage(isl_map_lex_lt(isl_space_set_alloc(j_.nest.ctx.get(), 0, static_cast<unsigned>(out.length))));
    out.later = isl::manage(isl_map_flat_product(same.copy(), later.copy()));
    return out;
  }

  void check(const ir::BufferNode& buffer, const std::vector<Inside>& touches) {
    const Times times = times_around(touches);
    next_.clear();
    try {
      for (const Inside& a : touches) {
        for (const Inside& b : touches) {
          if ((a.touch->store || b.touch->store) && !apart(buffer, a, b, times)) return;
        }
      }
    } catch (const NotAffine& e) {
      verdict_.unknown.push_back({"index", "shared buffer '" + buffer.name + "' has the index " + e.what});
    }
  }

  /// Times of one kind of events; of waits, those that let `unfinished` commits be.
  isl::set times_of_events(Event::Kind kind, const Times& times, std::int64_t unfinished = 0) const {
    isl::set out = isl::set::empty(times.later.domain().space());
    for (const Event* e : times.events) {
      if (e->kind == kind && e->unfinished == unfinished) out = out.unite(e->domain.apply(time_map(e->space, e->path, times)));
    }
    return out;
  }

  static isl::map later_among(const isl::set& from, const isl::set& to, const Times& times) { return times.later.intersect_domain(from).intersect_range(to); }

  /// Whether a barrier stands between all times at which `a` and then `b` touch one element; where `a` fills a
  /// slot of a channel, after a wait for it.
  bool apart(const ir::BufferNode& buffer, const Inside& a, const Inside& b, const Times& times) {
    const isl::map meet = times_of(a, times).reverse().apply_range(times_of(b, times)).intersect(times.later).coalesce();
    if (meet.is_empty()) return true;
    const bool arrives = a.leaf->commit >= 0 && a.touch->store && has_waits();
    const isl::map left = meet.subtract(next_barrier(*a.leaf, arrives, times).intersect_domain(meet.domain()).apply_range(times.later));
    if (left.is_empty()) return true;
    report(buffer, a, b, left, times, arrives);
    return false;
  }

  /// From the times of a leaf to the first barrier after them, or after what it stores has arrived.
  const isl::map& next_barrier(const Leaf& leaf, bool arrives, const Times& times) {
    const auto known = next_.find({&leaf, arrives});
    if (known != next_.end()) return known->second;
    const isl::set all = leaf.domain.apply(time_map(leaf.space, leaf.path, times)).coalesce();
    const isl::map start = arrives ? arrival(leaf, times) : all.identity();
    const isl::map barrier = later_among(start.range().coalesce(), times_of_events(Event::Kind::kBarrier, times), times).lexmin();
    return next_.emplace(std::pair(&leaf, arrives), start.apply_range(barrier).coalesce()).first->second;
  }

  bool has_waits() const {
    return std::any_of(j_.nest.events.begin(), j_.nest.events.end(), [](const Event& e) { return e.kind == Event::Kind::kWait; });
  }

  /// From the times at which a leaf fills a slot to the first wait that stands until it is full: a wait lets the
  /// last so many commits be, so that many have come after the slot's own.
  isl::map arrival(const Leaf& leaf, const Times& times) const {
    const isl::map filled = time_map(leaf.space, leaf.path, times).intersect_domain(leaf.domain);
    const Event& commit = j_.nest.events[static_cast<std::size_t>(leaf.commit)];
    const isl::map own = filled.reverse().apply_range(time_map(leaf.space, commit.path, times));
    const isl::set commits = times_of_events(Event::Kind::kCommit, times);
    std::set<std::int64_t> kinds;
    for (const Event* e : times.events) {
      if (e->kind == Event::Kind::kWait) kinds.insert(e->unfinished);
    }
    isl::map waits = isl::map::empty(times.later.space());
    const isl::map next = later_among(commits, commits, times).lexmin();
    for (const std::int64_t unfinished : kinds) {
      const isl::set at = times_of_events(Event::Kind::kWait, times, unfinished);
      isl::map last = own;  // the commit that is let be longest
      for (std::int64_t i = 0; i < unfinished; ++i) last = last.apply_range(next);
      waits = waits.unite(last.apply_range(later_among(last.range(), at, times)));
    }
    return waits.lexmin();
  }

  void report(const ir::BufferNode& buffer, const Inside& a, const Inside& b, const isl::map& left, const Times& times, bool arrives) {
    const isl::point x = left.wrap().sample_point();
    std::string at;
    int block = 0, rest = times.blocks;
    for_each_part(a.leaf->path, times, [&](bool of_block, const Branch& part, int) {
      const isl::val v = isl::manage(isl_point_get_coordinate_val(x.get(), isl_dim_set, of_block ? block++ : rest++));
      if (part.kind == Branch::Kind::kLoop) at += (at.empty() ? " in " : ", ") + loop(part.index).label() + " = " + std::to_string(v.num_si());
    });
    const auto verb = [](const Inside& t) { return t.touch->store ? " writes" : " reads"; };
    verdict_.violations.push_back({Fault::kBarrier, b.leaf->stage, "",
                                   std::string(arrives ? "no wait and barrier stand" : "no barrier stands") + " between what stage '" + a.leaf->stage + "'" + verb(a) + " of shared '" + buffer.name + "'" + at + " and what stage '" + b.leaf->stage + "'" + verb(b) + " later"});
  }

  const Judged& j_;
  Verdict& verdict_;
  std::map<const ir::BufferNode*, std::vector<Inside>> by_buffer_;
  std::map<std::pair<const Leaf*, bool>, isl::map> next_;  // of the buffer at hand
};

}  // namespace

void check_barriers(const Judged& judged, Verdict& verdict) { Barriers(judged, verdict).run(); }

}  // namespace tessera::polyhedral::detail
