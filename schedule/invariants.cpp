#include "schedule/invariants.h"

#include <algorithm>

#include "schedule/scan.h"
#include "schedule/storage.h"

namespace tessera::schedule {

namespace {

/// A loop around the computation of a stage, outermost first in a list.
struct Enclosing {
  const Stage* stage;
  const Axis* axis;
};

/// Loops of other stages around the place of `s`.
std::vector<Enclosing> loops_around(const State& state, const Stage& s) {
  std::vector<Enclosing> out;  // innermost first
  for (const Attach& a : attach_chain(state, s)) {
    const Stage& host = *state.find(a.stage);
    for (int i = host.leaf_index(a.axis); i >= 0; --i) out.push_back({&host, host.find_axis(host.leaves[static_cast<std::size_t>(i)])});
  }
  std::reverse(out.begin(), out.end());
  return out;
}

Status check_storage(const Stage& s, const std::vector<Enclosing>& around) {
  if (!s.store_at) return Done{};
  std::size_t place = around.size();
  for (std::size_t i = 0; i < around.size(); ++i) {
    if (around[i].stage->name == s.store_at->stage && around[i].axis->name == s.store_at->axis) place = i;
  }
  if (place == around.size()) {
    return refuse("stage '", s.name, "' is stored at loop '", s.store_at->axis, "' of '", s.store_at->stage,
                  "', which does not enclose loop '", s.at.axis, "' of '", s.at.stage, "', where it is computed");
  }
  for (std::size_t i = place + 1; i < around.size(); ++i) {
    const ForKind kind = around[i].axis->loop;
    if (kind == ForKind::kParallel || ir::is_block_level(kind) || ir::is_thread_level(kind)) {
      return refuse("stage '", s.name, "' is stored outside the ", ir::to_string(kind), " loop '", around[i].axis->name, "' of '",
                    around[i].stage->name, "'; its iterations would share the buffer");
    }
  }
  return Done{};
}

Status check_nesting(const Stage& s, const std::vector<Enclosing>& around) {
  const Enclosing* wide = nullptr;  // the parallel or vector loop outside
  const auto enter = [&](const Enclosing& e) -> Status {
    if (wide != nullptr && (e.axis->loop == ForKind::kParallel || e.axis->loop == ForKind::kVector)) {
      const bool lanes = wide->axis->loop == ForKind::kVector;
      if (lanes || e.axis->loop == ForKind::kParallel) {
        return refuse("loop '", e.axis->name, "' of stage '", e.stage->name, "' is ", ir::to_string(e.axis->loop),
                      " inside the ", ir::to_string(wide->axis->loop), " loop '", wide->axis->name, "' of '",
                      wide->stage->name, "'; ", lanes ? "lanes hold plain loops only" : "parallel loops do not nest");
      }
    }
    if (e.axis->loop == ForKind::kParallel || e.axis->loop == ForKind::kVector) wide = &e;
    return Done{};
  };
  std::vector<Enclosing> all = around;
  for (const std::string& l : s.leaves) all.push_back({&s, s.find_axis(l)});
  for (const Enclosing& e : all) TESSERA_TRY_DONE(enter(e));
  for (const Enclosing& e : around) {
    if (e.axis->loop == ForKind::kVector) {
      return refuse("stage '", s.name, "' is computed inside the vector loop '", e.axis->name, "' of '", e.stage->name,
                    "'; a vector loop cannot hold another stage");
    }
  }
  return Done{};
}

/// Levels of the GPU: blocks around everything, each level once, lanes and warps or threads.
Status check_levels(const Stage& s, const std::vector<Enclosing>& around) {
  std::vector<Enclosing> all = around;
  for (const std::string& l : s.leaves) all.push_back({&s, s.find_axis(l)});
  for (std::size_t i = 0; i < all.size(); ++i) {
    const ForKind kind = all[i].axis->loop;
    const bool block = ir::is_block_level(kind), bound = block || ir::is_thread_level(kind);
    for (std::size_t k = 0; bound && k < i; ++k) {
      const ForKind outer = all[k].axis->loop;
      if (block && !ir::is_block_level(outer)) {
        return refuse("loop '", all[i].axis->name, "' of stage '", all[i].stage->name, "' is ", ir::to_string(kind), " inside loop '",
                      all[k].axis->name, "' of '", all[k].stage->name, "'; blocks are the outermost loops, reorder first");
      }
      const bool mixed = (kind == ForKind::kThreadX && (outer == ForKind::kWarp || outer == ForKind::kLane)) ||
                         (outer == ForKind::kThreadX && (kind == ForKind::kWarp || kind == ForKind::kLane));
      if (outer == kind || mixed || outer == ForKind::kVector || outer == ForKind::kParallel) {
        return refuse("loop '", all[i].axis->name, "' of stage '", all[i].stage->name, "' is ", ir::to_string(kind), " inside loop '",
                      all[k].axis->name, "' of '", all[k].stage->name, "', which is ", ir::to_string(outer), " already");
      }
    }
    if (kind == ForKind::kParallel) {
      for (std::size_t k = 0; k < i; ++k) {
        const ForKind outer = all[k].axis->loop;
        if (ir::is_block_level(outer) || ir::is_thread_level(outer)) {
          return refuse("loop '", all[i].axis->name, "' of stage '", all[i].stage->name, "' is parallel inside a ", ir::to_string(outer),
                        " loop; bind it to a level of the GPU instead");
        }
      }
    }
  }
  return Done{};
}

/// Slots are copies of a shared tile, and the loop that goes round them runs one iteration after the other.
Status check_slots(const State& state, const Stage& s) {
  if (s.slots <= 1) return Done{};
  const char* why = s.placement != Placement::kAt ? "needs a place inside the loop of its pipeline"
                    : s.scope != ir::Scope::kShared ? "belongs into shared memory"
                    : s.outputs[0].rank() == 0      ? "is a single number; copies lie along a dimension"
                    : s.store_at || s.rolling ? "is stored where it is computed" : nullptr;
  if (why != nullptr) return refuse("stage '", s.name, "' has ", s.slots, " slots and ", why);
  const Axis& loop = *state.find(s.at.stage)->find_axis(s.at.axis);
  if (loop.loop != ForKind::kSerial) {
    return refuse("stage '", s.name, "' has ", s.slots, " slots and is computed at loop '", loop.name, "', which is ", ir::to_string(loop.loop),
                  "; the iterations of a pipeline run one after the other");
  }
  for (std::size_t i = 0; i < state.size(); ++i) {
    const Stage& q = state.stage(i);
    if (q.slots <= 1 || q.slots == s.slots || q.placement != Placement::kAt || !(q.at == s.at)) continue;
    return refuse("stage '", s.name, "' has ", s.slots, " slots and '", q.name, "' has ", q.slots, ", both at loop '", loop.name,
                  "'; tiles of one pipeline have as many slots, or 1");
  }
  return Done{};
}

/// What cannot stick out of its tensor.
Status check_padded(const Stage& s) {
  if (!s.padded) return Done{};
  const char* why = s.placement != Placement::kAt ? "is computed at root" : s.is_scan() ? "is a scan" : s.is_extern() ? "is extern"
                    : s.rolling ? "rolls" : s.store_at && !(*s.store_at == s.at) ? "is stored at another loop" : nullptr;
  if (why != nullptr) return refuse("stage '", s.name, "' ", why, "; its box cannot be padded");
  return Done{};
}

/// What the last block of a kernel computes: after all of that kernel, and without blocks of its own.
Status check_last_block(const State& state, const Stage& s) {
  if (!s.in_last_block) return Done{};
  if (s.placement != Placement::kRoot || s.is_scan()) {
    return refuse("stage '", s.name, "' ", s.is_scan() ? "is a scan" : "is computed inside of a loop", "; the last block computes whole stages at root");
  }
  const Stage* before = nullptr;
  for (std::size_t i = 0; state.stage(i).name != s.name; ++i) {
    const Stage& q = state.stage(i);
    if (!q.is_input() && q.placement == Placement::kRoot) before = &q;
  }
  const auto in_nest = [&](const Stage& q, const Stage& root) {
    const std::vector<Attach> chain = attach_chain(state, q);
    return q.name == root.name || (!chain.empty() && chain.back().stage == root.name);
  };
  if (before == nullptr) return refuse("stage '", s.name, "' is the first at root; the last block of the kernel before it would compute it, and there is none");
  const std::vector<const Stage*> readers = state.consumers(*before);
  if (std::none_of(readers.begin(), readers.end(), [&](const Stage* q) { return in_nest(*q, s); })) {
    return refuse("stage '", s.name, "' reads nothing of '", before->name, "', which is computed at root before it; the last block of a kernel finishes what that kernel has begun");
  }
  if (before->in_last_block) return refuse("the last block that computes '", before->name, "' would compute '", s.name, "', too; a kernel is finished once");
  const std::vector<std::string> prepared = prepared_stages(state);
  const auto ahead = [&](const Stage& q) { return std::find(prepared.begin(), prepared.end(), q.name) != prepared.end(); };
  if (ahead(*before) != ahead(s)) return refuse("stage '", before->name, "' is prepared once, of constants, and '", s.name, "' in every run; they cannot share a kernel");
  for (std::size_t i = 0; i < state.size(); ++i) {
    const Stage& q = state.stage(i);
    if (q.is_input() || !in_nest(q, s)) continue;
    for (const std::string& l : q.leaves) {
      const ForKind kind = q.find_axis(l)->loop;
      if (ir::is_block_level(kind)) {
        return refuse("loop '", l, "' of stage '", q.name, "' is ", ir::to_string(kind), ", and '", s.name, "' is computed by one block, the last of '", before->name, "'; bind it to threads");
      }
    }
  }
  return Done{};
}

Status check_registers(const Stage& s) {
  if (s.scope != ir::Scope::kRegister) return Done{};
  if (s.placement != Placement::kAt) {
    return refuse("stage '", s.name, "' is a register tile and needs a place inside a loop of its reader; set its scope first");
  }
  // Threads share a tile out.
  std::int64_t threads = 1;
  for (const std::string& l : s.leaves) {
    const Axis& a = *s.find_axis(l);
    if (a.kind == AxisKind::kData && ir::is_thread_level(a.loop)) threads *= a.extent;
  }
  const std::int64_t bytes = tile_bytes(s) / threads;
  if (bytes > kMostRegisterBytes) {
    return refuse("the tile of stage '", s.name, "' takes ", bytes, " bytes", threads > 1 ? " a thread" : "", "; a register tile has at most ", kMostRegisterBytes);
  }
  return Done{};
}

/// Chunks change places among the banks of shared memory, in rows that are a power of two of them.
Status check_swizzled(const State& state, const Stage& s) {
  if (s.swizzle == 0) return Done{};
  if (s.scope != ir::Scope::kShared) {
    return refuse("stage '", s.name, "' is swizzled, and ", ir::to_string(s.scope), " memory has no banks; swizzle stages in shared memory");
  }
  if (!s.alignments.empty()) {
    return refuse("stage '", s.name, "' would be swizzled and have strides that storage_align widens; one of the two keeps its rows apart");
  }
  TESSERA_TRY(box, stored_box(state, s));
  (void)box;
  return Done{};
}

/// Streamed values go to a buffer of the program; padded ones and windows live in memory.
Status check_memory(const State& state, const Stage& s) {
  if (s.streaming && s.placement != Placement::kRoot) {
    return refuse("stage '", s.name, "' streams its results and is computed inside loop '", s.at.axis, "' of '", s.at.stage,
                  "'; what is read there soon belongs into the caches");
  }
  const bool special = s.rolling || !s.alignments.empty();
  if (special && s.scope == ir::Scope::kRegister) {
    return refuse("stage '", s.name, "' ", s.rolling ? "rolls" : "has aligned strides", "; a register tile has no addresses");
  }
  TESSERA_TRY_DONE(check_swizzled(state, s));
  if (!s.rolling) return Done{};
  const Axis& loop = *state.find(s.at.stage)->find_axis(s.at.axis);
  if (loop.loop != ForKind::kSerial) {
    return refuse("stage '", s.name, "' rolls along loop '", loop.name, "' of '", s.at.stage, "', which is ", ir::to_string(loop.loop),
                  "; the iterations must run one after the other");
  }
  for (const Relation& r : s.relations) {
    if (r.kind == Relation::Kind::kSplit && r.tail == ir::Tail::kPad) {
      return refuse("stage '", s.name, "' rolls, and the split of '", r.whole, "' pads: whole tiles would overwrite what is kept; use 'partition' or 'guard'");
    }
  }
  return Done{};
}

constexpr std::int64_t kMostLines = 64;

Status check_prefetches(const State& state, const Stage& s) {
  for (const PrefetchMark& p : s.prefetches) {
    const int at = s.leaf_index(p.axis);
    if (at < 0) return refuse("stage '", s.name, "' prefetches '", p.tensor, "' at '", p.axis, "', which would be no loop any more; prefetch comes after");
    for (int l = 0; l <= at; ++l) {
      const Axis& a = *s.find_axis(s.leaves[static_cast<std::size_t>(l)]);
      if (a.loop == ForKind::kVector) return refuse("loop '", a.name, "' of stage '", s.name, "' is a vector loop; prefetch '", p.tensor, "' at a loop around it");
    }
    const Stage* tensor = state.find(p.tensor);
    if (tensor == nullptr || tensor->placement != Placement::kRoot) {
      return refuse("'", p.tensor, "' is not kept at root; what its buffer holds in later iterations is not there to prefetch");
    }
    TESSERA_TRY(lines, prefetched_lines(state, s, p));
    if (lines.count() > kMostLines) {
      return refuse("an iteration of loop '", p.axis, "' of stage '", s.name, "' touches ", lines.count(), " lines of '", p.tensor,
                    "'; at most ", kMostLines, " are prefetched, use a loop further in");
    }
  }
  return Done{};
}

/// An outlined loop is a call: SSA values of the caller do not reach into it.
Status check_outlined(const State& state, const Stage& tile) {
  if (tile.scope != ir::Scope::kRegister || tile.placement != Placement::kAt) return Done{};
  const Attach kept = tile.store_at ? *tile.store_at : tile.at;
  std::vector<const Stage*> users = state.consumers(tile);
  users.push_back(&tile);
  for (const Stage* q : users) {
    std::vector<Enclosing> loops = loops_around(state, *q);
    for (const std::string& l : q->leaves) loops.push_back({q, q->find_axis(l)});
    bool inside = false;
    for (const Enclosing& e : loops) {
      if (inside && e.axis->outlined) {
        return refuse("the register tile of stage '", tile.name, "' would be used inside loop '", e.axis->name, "' of '",
                      e.stage->name, "', which is outlined; outline a loop outside of '", kept.axis, "'");
      }
      inside |= e.stage->name == kept.stage && e.axis->name == kept.axis;
    }
  }
  return Done{};
}

}  // namespace

std::int64_t tile_bytes(const Stage& s) {
  std::int64_t bytes = 0;
  for (const Buffer& b : s.outputs) {
    std::int64_t n = b->dtype.bytes();
    for (const std::int64_t e : s.region.bound) n = std::min(n * e, std::int64_t{1} << 40);
    bytes += n;
  }
  return bytes;
}

Status check_invariants(const State& state) {
  for (std::size_t i = 0; i < state.size(); ++i) {
    const Stage& s = state.stage(i);
    if (s.is_input() || s.placement == Placement::kInline) continue;
    const std::vector<Enclosing> around = loops_around(state, s);
    TESSERA_TRY_DONE(check_storage(s, around));
    TESSERA_TRY_DONE(check_nesting(s, around));
    TESSERA_TRY_DONE(check_padded(s));
    TESSERA_TRY_DONE(check_levels(s, around));
    TESSERA_TRY_DONE(check_last_block(state, s));
    TESSERA_TRY_DONE(check_slots(state, s));
    TESSERA_TRY_DONE(check_registers(s));
    TESSERA_TRY_DONE(check_memory(state, s));
    TESSERA_TRY_DONE(check_prefetches(state, s));
    TESSERA_TRY_DONE(check_outlined(state, s));
    TESSERA_TRY_DONE(check_scan(state, s));
  }
  return Done{};
}

}  // namespace tessera::schedule
