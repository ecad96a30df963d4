#include "polyhedral/detail/barriers.h"

#include <isl/aff.h>
#include <isl/map.h>
#include <isl/point.h>
#include <isl/set.h>

#include <algorithm>

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
    for (const BarrierPoint& b : j_.nest.barriers) {
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
    for (const BarrierPoint& b : j_.nest.barriers) length = std::max(length, b.path.size());
    const isl::map later = isl::manage(isl_map_lex_lt(isl_space_set_alloc(j_.nest.ctx.get(), 0, static_cast<unsigned>(length))));
    std::optional<isl::set> barriers;
    for (const BarrierPoint& b : j_.nest.barriers) {
      const isl::set here = b.domain.apply(time_map(b.space, block_time(b.path), length));
      barriers = barriers ? barriers->unite(here) : here;
    }
    try {
      for (const Inside& a : touches) {
        for (const Inside& b : touches) {
          if ((a.touch->store || b.touch->store) && !apart(buffer, a, b, allocated, length, later, barriers)) return;
        }
      }
    } catch (const NotAffine& e) {
      verdict_.unknown.push_back({"index", "shared buffer '" + buffer.name + "' has the index " + e.what});
    }
  }

  /// Whether a barrier stands between all times at which `a` and then `b` touch one element.
  bool apart(const ir::BufferNode& buffer, const Inside& a, const Inside& b, int allocated, std::size_t length, const isl::map& later, const std::optional<isl::set>& barriers) {
    const isl::map meet = times_of(a, allocated, length).reverse().apply_range(times_of(b, allocated, length)).intersect(later).coalesce();
    if (meet.is_empty()) return true;
    isl::map left = meet;
    if (barriers) {
      // To the next barrier of the same block, and on to whatever is later.
      isl::map next = later.intersect_domain(meet.domain()).intersect_range(*barriers);
      const BlockTime time = block_time(a.leaf->path);
      for (std::size_t i = 0; i < time.path.size(); ++i) {
        const bool is_block = time.path[i].kind == Branch::Kind::kLoop && ir::is_block_level(loop(time.path[i].index).kind);
        if (is_block) next = isl::manage(isl_map_equate(next.release(), isl_dim_in, static_cast<int>(i), isl_dim_out, static_cast<int>(i)));
      }
      left = meet.subtract(next.lexmin().apply_range(later));
    }
    if (left.is_empty()) return true;
    report(buffer, a, b, left);
    return false;
  }

  void report(const ir::BufferNode& buffer, const Inside& a, const Inside& b, const isl::map& left) {
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
                                   "no barrier stands between what stage '" + a.leaf->stage + "'" + verb(a) + " of shared '" + buffer.name + "'" + at + " and what stage '" + b.leaf->stage + "'" + verb(b) + " later"});
  }

  const Judged& j_;
  Verdict& verdict_;
  std::map<const ir::BufferNode*, std::vector<Inside>> by_buffer_;
};

}  // namespace

void check_barriers(const Judged& judged, Verdict& verdict) { Barriers(judged, verdict).run(); }

}  // namespace tessera::polyhedral::detail
