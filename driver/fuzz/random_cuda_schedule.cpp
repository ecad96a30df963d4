// Random walks over the steps of GPUs. Steps drawn blindly hardly ever make a kernel with more than one
// thread, so most head for one: blocks and threads for a stage at root, tiles inside of its blocks, their
// threads, their memory, their slots. Whatever fits is drawn at random, and the steps' own legality decides.
#include <algorithm>
#include <set>

#include "driver/fuzz/detail/choices.h"
#include "driver/fuzz/random_schedule.h"

namespace tessera::driver {

namespace {

using namespace tessera::schedule;  // NOLINT: every step is named here
using ir::ForKind;
using Names = std::vector<std::string>;

constexpr std::int64_t kMostThreads = 32;  // that one loop is bound to: the emulator runs them all

bool is_bound(const Axis& a) { return ir::is_block_level(a.loop) || ir::is_thread_level(a.loop); }

class CudaWalker : detail::Choices {
 public:
  CudaWalker(const State& state, Rng& rng) : Choices(state, rng) {}

  std::optional<Step> step() {
    const std::int64_t r = rng_.below(100);
    const bool homeless = pick_where([](const Stage& q) { return q.placement == schedule::Placement::kRoot && q.scope == ir::Scope::kShared; }) != nullptr;
    if (homeless && rng_.chance(0.7)) return place();
    if (r < 28) return towards_kernel();
    if (r < 54) return towards_tile();
    if (r < 68) return place();
    if (r < 78) return cache();
    if (r < 82) return inlined();
    if (r < 87) return vectorized();
    if (r < 90) return rfactored();
    if (r < 92) return finished();
    if (r < 93) return aligned();
    if (r < 95) return swizzled();
    if (r < 97) return reordered();
    return bound_anywhere();
  }

 private:
  const Stage* pick(const std::vector<const Stage*>& from) { return from.empty() ? nullptr : rng_.pick(from); }

  template <class Fits>
  const Stage* pick_where(Fits fits) {
    std::vector<const Stage*> out;
    for (std::size_t i = 0; i < state_.size(); ++i) {
      const Stage& s = state_.stage(i);
      if (!s.is_input() && s.placement != schedule::Placement::kInline && fits(s)) out.push_back(&s);
    }
    return pick(out);
  }

  static bool has_threads(const Stage& s) {
    return std::any_of(s.leaves.begin(), s.leaves.end(), [&](const std::string& l) { return ir::is_thread_level(s.find_axis(l)->loop); });
  }
  static bool has_level(const Stage& s, ForKind k) {
    return std::any_of(s.leaves.begin(), s.leaves.end(), [&](const std::string& l) { return s.find_axis(l)->loop == k; });
  }

  /// Splits a loop that is too long for threads, else binds it.
  Step shared_out(const Stage& s, const std::string& leaf) {
    const std::int64_t n = s.find_axis(leaf)->extent;
    if (n > kMostThreads || (n > 3 && rng_.chance(0.3))) {
      return Split{s.name, leaf, {fresh("x"), fresh("x")}, {rng_.chance(0.7) ? std::int64_t{1} << rng_.between(1, 5) : factor(n)},
                   rng_.chance(0.8) ? ir::Tail::kPartition : ir::Tail::kGuard};
    }
    static const std::vector<ForKind> kThreads{ForKind::kThreadX, ForKind::kThreadX, ForKind::kThreadY, ForKind::kThreadZ, ForKind::kWarp, ForKind::kLane};
    return Bind{s.name, leaf, has_level(s, ForKind::kThreadX) ? ForKind::kThreadY : rng_.pick(kThreads)};
  }

  /// Blocks, then threads, for a stage at root.
  std::optional<Step> towards_kernel() {
    const Stage* s = pick_where([](const Stage& q) { return q.placement == schedule::Placement::kRoot && !q.leaves.empty() && !q.is_scan(); });
    if (s == nullptr) return std::nullopt;
    std::size_t free = 0;
    while (free < s->leaves.size() && is_bound(*s->find_axis(s->leaves[free]))) ++free;
    if (free == s->leaves.size()) return std::nullopt;
    const std::string& leaf = s->leaves[free];
    const Axis& a = *s->find_axis(leaf);
    if (a.kind == AxisKind::kReduce) return has_threads(*s) ? std::nullopt : std::optional(shared_out(*s, leaf));
    const bool blocks = !has_threads(*s) && !has_level(*s, ForKind::kBlockZ) && rng_.chance(free == 0 ? 0.7 : 0.3);
    if (!blocks) return shared_out(*s, leaf);
    if (a.extent > 8 && rng_.chance(0.6)) return Split{s->name, leaf, {fresh("x"), fresh("x")}, {factor(a.extent)}, ir::Tail::kPartition};
    const ForKind level = !has_level(*s, ForKind::kBlockX) ? ForKind::kBlockX : !has_level(*s, ForKind::kBlockY) ? ForKind::kBlockY : ForKind::kBlockZ;
    return Bind{s->name, leaf, level};
  }

  /// What a stage inside of a kernel may still need: a whole box, memory, threads, slots.
  std::optional<Step> towards_tile() {
    const Stage* s = pick_where([](const Stage& q) { return q.placement == schedule::Placement::kAt && !q.leaves.empty(); });
    if (s == nullptr) return std::nullopt;
    const Stage& host = *state_.find(s->at.stage);
    const bool shared = s->scope == ir::Scope::kShared, serial = host.find_axis(s->at.axis)->loop == ForKind::kSerial;
    if (shared && serial && s->slots == 1 && rng_.chance(0.5)) return Pipeline{s->name, rng_.between(2, 4)};
    if (!has_threads(*s) && has_threads(host) && rng_.chance(0.5)) {
      if (s->leaves.size() > 1 && rng_.chance(0.4)) return Fuse{s->name, {s->leaves[0], s->leaves[1]}, fresh("f")};
      return Spread{s->name, s->leaves[0], {fresh("x"), fresh("x")}, host.name};
    }
    switch (rng_.below(4)) {
      case 0: return PadBox{s->name};
      case 1: return SetScope{s->name, rng_.chance(0.8) ? ir::Scope::kRegister : ir::Scope::kLocal};
      case 2: return shared_out(*s, rng_.pick(s->leaves));
      default: return SetScope{s->name, ir::Scope::kShared};
    }
  }

  /// At a loop of a reader, outside of its threads most of the time: there the threads of a block share it.
  std::optional<Step> place() {
    const Stage* s = pick_where([](const Stage& q) { return q.placement == schedule::Placement::kRoot && q.scope == ir::Scope::kShared; });
    if (s == nullptr || rng_.chance(0.2)) s = inner_stage();
    if (s == nullptr) return std::nullopt;
    const auto readers = state_.consumers(*s);
    if (readers.empty()) return std::nullopt;
    const Stage* host = rng_.pick(readers);
    if (host->leaves.empty()) return std::nullopt;
    Names outside;
    for (const std::string& l : host->leaves) {
      if (ir::is_thread_level(host->find_axis(l)->loop)) break;
      outside.push_back(l);
    }
    if (!outside.empty() && rng_.chance(0.6)) return ComputeAt{s->name, host->name, outside.back()};
    return ComputeAt{s->name, host->name, rng_.pick(outside.empty() || rng_.chance(0.1) ? host->leaves : outside)};
  }

  /// What a stage with threads reads, for its block; anything for anybody.
  std::optional<Step> cache() {
    const Stage* reader = pick_where([](const Stage& q) { return has_threads(q); });
    if (reader != nullptr && rng_.chance(0.7)) {
      std::vector<const Stage*> read;
      for (std::size_t i = 0; i < state_.size(); ++i) {
        const auto readers = state_.consumers(state_.stage(i));
        if (std::find(readers.begin(), readers.end(), reader) != readers.end()) read.push_back(&state_.stage(i));
      }
      if (const Stage* p = pick(read)) return CacheRead{p->name, {reader->name}, fresh("R"), ir::Scope::kShared};
    }
    const Stage* s = stage(true);
    if (s == nullptr) return std::nullopt;
    if (!s->is_input() && rng_.chance(0.5)) return CacheWrite{s->name, fresh("W"), ir::Scope::kGlobal};
    return CacheRead{s->name, some_readers(*s), fresh("R"), rng_.chance(0.6) ? ir::Scope::kShared : ir::Scope::kGlobal};
  }

  std::optional<Step> inlined() {
    const Stage* s = inner_stage();
    return s == nullptr ? std::nullopt : std::optional<Step>(ComputeInline{s->name});
  }

  std::optional<Step> vectorized() {
    const Stage* s = pick_where([](const Stage& q) { return !q.leaves.empty(); });
    if (s == nullptr) return std::nullopt;
    const std::string& last = s->leaves.back();
    const std::int64_t n = s->find_axis(last)->extent;
    if (n > 4 && rng_.chance(0.7)) return Split{s->name, last, {fresh("x"), fresh("x")}, {std::int64_t{1} << rng_.between(1, 2)}, ir::Tail::kPartition};
    return rng_.chance(0.3) ? Step(Unroll{s->name, last}) : Step(Vectorize{s->name, last});
  }

  std::optional<Step> rfactored() {
    const Stage* s = pick_where([](const Stage& q) { return q.is_reduction() && q.placement == schedule::Placement::kRoot; });
    if (s == nullptr) return std::nullopt;
    for (const std::string& l : s->leaves) {
      if (s->find_axis(l)->kind != AxisKind::kReduce) continue;
      if (rng_.chance(0.5)) return Rfactor{s->name, l, fresh("F")};
      return Split{s->name, l, {fresh("x"), fresh("x")}, {factor(s->find_axis(l)->extent)}, ir::Tail::kPartition};
    }
    return std::nullopt;
  }

  /// What reads another stage and has no blocks yet.
  std::optional<Step> finished() {
    std::set<std::string> readers;
    for (std::size_t i = 0; i < state_.size(); ++i) {
      if (state_.stage(i).is_input()) continue;
      for (const Stage* q : state_.consumers(state_.stage(i))) readers.insert(q->name);
    }
    const Stage* s = pick_where([&](const Stage& q) {
      return q.placement == schedule::Placement::kRoot && !q.in_last_block && readers.count(q.name) != 0 && !has_level(q, ForKind::kBlockX);
    });
    return s == nullptr ? std::nullopt : std::optional<Step>(FinishInLastBlock{s->name});
  }

  std::optional<Step> aligned() {
    const Stage* s = pick_where([](const Stage& q) { return q.placement == schedule::Placement::kAt && !q.data_axes().empty(); });
    if (s == nullptr) return std::nullopt;
    const std::int64_t factor = rng_.between(2, 40);
    return StorageAlign{s->name, rng_.pick(s->data_axes()), factor, rng_.below(factor)};
  }

  std::optional<Step> swizzled() {
    const Stage* s = pick_where([](const Stage& q) { return q.scope == ir::Scope::kShared && q.swizzle == 0; });
    return s == nullptr ? std::nullopt : std::optional<Step>(Swizzle{s->name, std::int64_t{1} << rng_.below(4)});
  }

  std::optional<Step> reordered() {
    const Stage* s = pick_where([](const Stage& q) { return q.leaves.size() > 1; });
    if (s == nullptr) return std::nullopt;
    const std::size_t i = static_cast<std::size_t>(rng_.below(static_cast<std::int64_t>(s->leaves.size()) - 1));
    return Reorder{s->name, {s->leaves[i + 1], s->leaves[i]}};
  }

  std::optional<Step> bound_anywhere() {
    static const std::vector<ForKind> kLevels{ForKind::kBlockX, ForKind::kBlockY, ForKind::kThreadX, ForKind::kThreadY, ForKind::kThreadZ, ForKind::kWarp, ForKind::kLane};
    const Stage* s = pick_where([](const Stage& q) { return !q.leaves.empty(); });
    return s == nullptr ? std::nullopt : std::optional<Step>(Bind{s->name, rng_.pick(s->leaves), rng_.pick(kLevels)});
  }
};

}  // namespace

Walk random_cuda_schedule(const State& initial, Rng& rng, int attempts, WalkStatistics& statistics) {
  Walk walk{{}, initial};
  for (int i = 0; i < attempts; ++i) {
    const auto step = CudaWalker(walk.state, rng).step();
    if (step) detail::walk_on(walk, *step, initial, statistics);
  }
  return walk;
}

}  // namespace tessera::driver
