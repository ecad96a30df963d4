#include "driver/fuzz/random_schedule.h"

#include <algorithm>

#include "driver/fuzz/detail/choices.h"
#include "schedule/intrinsics.h"

namespace tessera::driver {

namespace {

using namespace tessera::schedule;  // NOLINT: every step is named here
using Names = std::vector<std::string>;

class Walker : detail::Choices {
 public:
  Walker(const State& state, Rng& rng) : Choices(state, rng) {}

  /// A step that looks possible; nothing when this state has no place for the kind drawn.
  std::optional<Step> step() {
    if (rng_.chance(0.06)) return rolling_window();
    const std::int64_t r = rng_.below(100);
    if (r < 20) return split();
    if (r < 27) return fuse();
    if (r < 30) return tile();
    if (r < 39) return reorder();
    if (r < 52) return compute_at();
    if (r < 55) return store_at();
    if (r < 60) return compute_inline();
    if (r < 61) return compute_root();
    if (r < 65) return cache_read();
    if (r < 68) return cache_write();
    if (r < 73) return rfactor();
    if (r < 75) return decompose();
    if (r < 79) return on_loop([](std::string s, std::string a) { return Unroll{std::move(s), std::move(a)}; });
    if (r < 86) return vectorize();
    if (r < 90) return on_loop([](std::string s, std::string a) { return Parallel{std::move(s), std::move(a)}; });
    if (r < 92) return set_scope();
    if (r < 93) return transform_layout();
    if (r < 94) return pack();
    if (r < 96) return tensorize();
    if (r < 97) return memory_hint();
    if (r < 98) return storage_align();
    if (r < 99) return on_loop([](std::string s, std::string a) { return Outline{std::move(s), std::move(a)}; });
    return on_loop([&](std::string s, std::string a) {
      const bool grain = rng_.chance(0.3);
      return Annotate{std::move(s), std::move(a), grain ? "grain" : "unroll", Param(rng_.between(1, 6))};
    });
  }

  /// Towards a register tile: two data loops innermost, few enough, then the intrinsic.
  std::optional<Step> tensorize() {
    std::vector<const Stage*> fits;
    for (std::size_t i = 0; i < state_.size(); ++i) {
      const Stage& s = state_.stage(i);
      const bool sum = s.reduce() != nullptr && s.reduce()->sources[0].as<ir::Mul>() != nullptr;
      if (s.placement != schedule::Placement::kInline && sum && s.outputs[0]->dtype == ir::f32 && plain_data(s).size() >= 2) fits.push_back(&s);
    }
    if (fits.empty()) return std::nullopt;
    const Stage* s = rng_.pick(fits);
    const Names data = plain_data(*s), last(data.end() - 2, data.end());
    for (const std::string& l : last) {
      const std::int64_t n = s->find_axis(l)->extent, most = l == last[0] ? 6 : 48;
      if (n > most) return Split{s->name, l, {fresh("x"), fresh("x")}, {rng_.between(2, most)}, rng_.chance(0.5) ? ir::Tail::kGuard : ir::Tail::kPartition};
    }
    if (!std::equal(last.begin(), last.end(), s->leaves.end() - 2)) {
      Names order;
      for (const std::string& l : s->leaves) {
        if (l != last[0] && l != last[1]) order.push_back(l);
      }
      order.insert(order.end(), last.begin(), last.end());
      return Reorder{s->name, order};
    }
    return Tensorize{s->name, last, rng_.pick(tensor_intrinsics()).name, rng_.chance(0.5) ? ir::Tail::kGuard : ir::Tail::kPartition};
  }

  /// Another algorithm for some stage: the first step of a walk, where there is one.
  std::optional<Step> algorithm() {
    const Stage* s = stage();
    if (s == nullptr) return std::nullopt;
    if (rng_.chance(0.5)) return UseAlgorithm{s->name, "im2col", {}};
    return UseAlgorithm{s->name, "split_k", {{"chunks", rng_.between(2, 5)}}};
  }

  /// A step that no state may accept.
  std::optional<Step> illegal() {
    const Stage* s = stage();
    if (s == nullptr) return std::nullopt;
    const std::string leaf = s->leaves.empty() ? "none" : rng_.pick(s->leaves);
    std::string reduce, output = s->name;
    for (const std::string& l : s->leaves) {
      if (s->find_axis(l)->kind == AxisKind::kReduce) reduce = l;
    }
    for (std::size_t i = 0; i < state_.size(); ++i) {
      if (state_.stage(i).is_output) output = state_.stage(i).name;
    }
    switch (rng_.below(24)) {
      case 0: return Split{"nowhere", leaf, {fresh("x"), fresh("x")}, {4}};
      case 1: return Split{s->name, "no axis", {fresh("x"), fresh("x")}, {4}};
      case 2: return Split{s->name, leaf, {fresh("x"), fresh("x")}, {0}};
      case 3: return Split{s->name, leaf, {fresh("x"), fresh("x")}, {-3}};
      case 4: return Split{s->name, leaf, {fresh("x")}, {2}};
      case 5: return Split{s->name, leaf, {fresh("x"), fresh("x")}, {Param::open("h")}};
      case 6: return Split{s->name, leaf, {leaf, fresh("x")}, {2}};
      case 7: return Fuse{s->name, {leaf}, fresh("f")};
      case 8: return Fuse{s->name, {leaf, leaf}, fresh("f")};
      case 9: return Reorder{s->name, {leaf, leaf}};
      case 10: return ComputeAt{s->name, s->name, leaf};
      case 11: return ComputeAt{output, s->name, leaf};
      case 12: return ComputeInline{output};
      case 13: return CacheWrite{s->name, s->name};
      case 14: return SetScope{output, ir::Scope::kRegister};
      case 15: return TransformLayout{output, {}};
      case 16: return Annotate{s->name, leaf, "import", 1};
      case 17: return Tensorize{s->name, {leaf, leaf}, "cpu.nothing"};
      case 18: return Prefetch{s->name, leaf, output, -1};
      case 19: return StorageAlign{output, leaf, 16};
      case 20: return RollingWindow{output};
      case 21: return UseAlgorithm{s->name, "none", {}};
      case 22: return reduce.empty() ? Step(StoreAt{output, s->name, leaf}) : Step(Vectorize{s->name, reduce});
      default: return reduce.empty() ? Step(Rfactor{s->name, leaf, fresh("r")}) : Step(Parallel{s->name, reduce});
    }
  }

 private:
  // ---- choices ------------------------------------------------------------------------------------

  template <class Make>
  std::optional<Step> on_loop(Make make) {
    const Stage* s = stage();
    if (s == nullptr || s->leaves.empty()) return std::nullopt;
    return Step(make(s->name, rng_.pick(s->leaves)));
  }

  // ---- one a primitive ----------------------------------------------------------------------------

  std::optional<Step> split() {
    const Stage* s = stage();
    if (s == nullptr || s->leaves.empty()) return std::nullopt;
    const std::string axis = rng_.pick(s->leaves);
    Split out{s->name, axis, {fresh("x")}, {}, tail()};
    const std::int64_t pieces = rng_.chance(0.8) ? 1 : rng_.between(2, 3);
    for (std::int64_t i = 0; i < pieces; ++i) {
      out.factors.push_back(factor(s->find_axis(axis)->extent));
      out.into.push_back(fresh("x"));
    }
    return out;
  }

  std::optional<Step> fuse() {
    const Stage* s = stage();
    if (s == nullptr || s->leaves.size() < 2) return std::nullopt;
    const auto n = static_cast<std::int64_t>(s->leaves.size());
    const std::int64_t count = rng_.between(2, std::min<std::int64_t>(3, n)), first = rng_.below(n - count + 1);
    return Fuse{s->name, Names(s->leaves.begin() + first, s->leaves.begin() + first + count), fresh("f")};
  }

  std::optional<Step> tile() {
    const Stage* s = stage();
    if (s == nullptr || s->leaves.size() < 2) return std::nullopt;
    const auto i = static_cast<std::size_t>(rng_.below(static_cast<std::int64_t>(s->leaves.size()) - 1));
    const std::string &a = s->leaves[i], &b = s->leaves[i + 1];
    return Tile{s->name, {a, b}, {fresh("x"), fresh("x"), fresh("x"), fresh("x")},
                {factor(s->find_axis(a)->extent), factor(s->find_axis(b)->extent)}, tail()};
  }

  std::optional<Step> reorder() {
    const Stage* s = stage();
    if (s == nullptr || s->leaves.size() < 2) return std::nullopt;
    Names order = s->leaves;
    for (std::size_t i = order.size(); i-- > 1;) std::swap(order[i], order[static_cast<std::size_t>(rng_.below(static_cast<std::int64_t>(i) + 1))]);
    if (order.size() > 2 && rng_.chance(0.5)) order.resize(2 + static_cast<std::size_t>(rng_.below(static_cast<std::int64_t>(order.size()) - 1)));
    return Reorder{s->name, order};
  }

  std::optional<Step> compute_at() {
    const Stage* s = inner_stage();
    if (s == nullptr) return std::nullopt;
    const auto readers = state_.consumers(*s);
    if (readers.empty()) return std::nullopt;
    const Stage* host = rng_.pick(readers);
    for (const Attach& a : attach_chain(state_, *host)) {
      if (rng_.chance(0.3)) host = state_.find(a.stage);
    }
    if (host->leaves.empty()) return std::nullopt;
    return ComputeAt{s->name, host->name, rng_.pick(host->leaves)};
  }

  std::optional<Step> store_at() {
    std::vector<const Stage*> placed;
    for (std::size_t i = 0; i < state_.size(); ++i) {
      if (state_.stage(i).placement == schedule::Placement::kAt) placed.push_back(&state_.stage(i));
    }
    if (placed.empty()) return std::nullopt;
    const Stage* s = rng_.pick(placed);
    const Attach a = rng_.pick(attach_chain(state_, *s));
    return StoreAt{s->name, a.stage, rng_.pick(state_.find(a.stage)->leaves)};
  }

  std::optional<Step> compute_inline() {
    const Stage* s = inner_stage();
    return s == nullptr ? std::nullopt : std::optional<Step>(ComputeInline{s->name});
  }

  std::optional<Step> compute_root() {
    const Stage* s = stage();
    return s == nullptr ? std::nullopt : std::optional<Step>(ComputeRoot{s->name});
  }

  ir::Scope memory() { return rng_.chance(0.7) ? ir::Scope::kGlobal : ir::Scope::kLocal; }

  std::optional<Step> cache_read() {
    const Stage* s = stage(true);
    return s == nullptr ? std::nullopt : std::optional<Step>(CacheRead{s->name, some_readers(*s), fresh("R"), memory()});
  }

  std::optional<Step> cache_write() {
    const Stage* s = stage();
    return s == nullptr ? std::nullopt : std::optional<Step>(CacheWrite{s->name, fresh("W"), memory()});
  }

  std::optional<Step> rfactor() {
    std::vector<std::pair<const Stage*, std::string>> loops;
    for (std::size_t i = 0; i < state_.size(); ++i) {
      for (const std::string& l : state_.stage(i).leaves) {
        if (state_.stage(i).find_axis(l)->kind == AxisKind::kReduce) loops.push_back({&state_.stage(i), l});
      }
    }
    if (loops.empty()) return std::nullopt;
    const auto& [s, axis] = rng_.pick(loops);
    return Rfactor{s->name, axis, fresh("F")};
  }

  std::optional<Step> decompose() {
    return on_loop([](std::string s, std::string a) { return DecomposeReduction{std::move(s), std::move(a)}; });
  }

  /// The innermost loop most of the time: other places lower to serial loops often.
  std::optional<Step> vectorize() {
    const Stage* s = stage();
    if (s == nullptr || s->leaves.empty()) return std::nullopt;
    return Vectorize{s->name, rng_.chance(0.6) ? s->leaves.back() : rng_.pick(s->leaves)};
  }

  std::optional<Step> set_scope() {
    static const std::vector<ir::Scope> kScopes{ir::Scope::kGlobal, ir::Scope::kLocal, ir::Scope::kRegister, ir::Scope::kRegister};
    const Stage* s = inner_stage();
    return s == nullptr ? std::nullopt : std::optional<Step>(SetScope{s->name, rng_.pick(kScopes)});
  }

  std::vector<LayoutPiece> pieces(const Names& axes) {
    std::vector<LayoutPiece> out;
    for (const std::string& a : axes) out.push_back({a, 0});
    for (std::size_t i = out.size(); i-- > 1;) std::swap(out[i], out[static_cast<std::size_t>(rng_.below(static_cast<std::int64_t>(i) + 1))]);
    for (const std::string& a : axes) {
      if (rng_.chance(0.5)) out.push_back({a, Param(rng_.between(2, 8))});
    }
    return out;
  }

  std::optional<Step> transform_layout() {
    const Stage* s = inner_stage();
    return s == nullptr ? std::nullopt : std::optional<Step>(TransformLayout{s->name, pieces(s->data_axes())});
  }

  /// A prefetch of something that the stage may read, or streaming stores.
  std::optional<Step> memory_hint() {
    const Stage* s = stage();
    const Stage* tensor = stage(true);
    if (s == nullptr || s->leaves.empty()) return std::nullopt;
    if (rng_.chance(0.3)) return StreamingStore{s->name};
    const bool write = rng_.chance(0.2);
    return Prefetch{s->name, rng_.pick(s->leaves), write ? s->name : tensor->name, Param(rng_.below(20)), static_cast<int>(rng_.below(4)), write};
  }

  std::optional<Step> storage_align() {
    const Stage* s = inner_stage();
    if (s == nullptr || s->data_axes().empty()) return std::nullopt;
    const std::int64_t factor = rng_.between(1, 40);
    return StorageAlign{s->name, rng_.pick(s->data_axes()), factor, rng_.below(factor)};
  }

  /// Where a stage is placed and reads overlap; otherwise a step towards it.
  std::optional<Step> rolling_window() {
    std::vector<const Stage*> placed;
    for (std::size_t i = 0; i < state_.size(); ++i) {
      if (state_.stage(i).placement == schedule::Placement::kAt && !state_.stage(i).rolling) placed.push_back(&state_.stage(i));
    }
    return placed.empty() ? compute_at() : Step(RollingWindow{rng_.pick(placed)->name});
  }

  std::optional<Step> pack() {
    const Stage* s = stage(true);
    if (s == nullptr || s->outputs.size() > 1) return std::nullopt;
    return Pack{s->name, some_readers(*s), fresh("P"), pieces(s->data_axes())};
  }

  static Names plain_data(const Stage& s) {
    Names out;
    for (const std::string& l : s.leaves) {
      const Axis& a = *s.find_axis(l);
      if (a.kind == AxisKind::kData && a.loop == ForKind::kSerial && !a.outlined) out.push_back(l);
    }
    return out;
  }
};

void add_counts(std::map<std::string, std::int64_t>& to, const std::map<std::string, std::int64_t>& from) {
  for (const auto& [word, n] : from) to[word] += n;
}

}  // namespace

void WalkStatistics::add(const WalkStatistics& o) {
  add_counts(applied, o.applied);
  add_counts(refused, o.refused);
  illegal_refused += o.illegal_refused;
  illegal_accepted.insert(illegal_accepted.end(), o.illegal_accepted.begin(), o.illegal_accepted.end());
}

Walk random_schedule(const State& initial, Rng& rng, int attempts, WalkStatistics& statistics) {
  Walk walk{{}, initial};
  // Register tiles take several steps that fit together; one walk in four heads for one.
  const int tiling = rng.chance(0.25) ? 6 : 0;
  for (int i = 0; i < attempts + tiling; ++i) {
    Walker walker(walk.state, rng);
    if (rng.chance(0.2)) {
      const auto bad = walker.illegal();
      if (!bad) continue;
      if (apply_step(walk.state, *bad).ok()) {
        statistics.illegal_accepted.push_back(to_string(*bad));
      } else {
        ++statistics.illegal_refused;
      }
      continue;
    }
    const bool first = i == 0 && rng.chance(0.3);
    const auto step = i >= attempts ? walker.tensorize() : first ? walker.algorithm() : walker.step();
    if (step) detail::walk_on(walk, *step, initial, statistics);
  }
  return walk;
}

}  // namespace tessera::driver
