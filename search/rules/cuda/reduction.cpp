// A reduction over memory that lies along it: neighbouring threads read neighbouring elements, add up
// their parts and meet (warp shuffles, then shared memory). Several results a block when they are short.
//
//   f.b (block.x)  f.y (thread.y): acc: k.x (thread.x, joined)  k.0 (serial): X.acc = X (a vector, registers)  k.v
//
// cuda_rfactor before it: few results and a long reduction are cut into chunks, a kernel for the chunks
// and one for their sum, or, where results are few enough for one block, one whose last block adds the chunks up.
#include <algorithm>
#include <bit>

#include "search/rules/cuda/rules.h"

namespace tessera::search {

namespace {

std::vector<std::string> axes_of(const schedule::Stage& s, schedule::AxisKind kind) {
  std::vector<std::string> out;
  for (const schedule::RootAxis& r : s.roots) {
    if (r.kind == kind) out.push_back(r.axis);
  }
  return out;
}

bool is_free_reduction(const SketchBuilder& b, const std::string& name) {
  const schedule::Stage& s = b.stage(name);
  return s.is_reduction() && !s.is_scan() && s.placement == schedule::Placement::kRoot;
}

const schedule::RootAxis& last_reduced(const schedule::Stage& s) {
  return *std::find_if(s.roots.rbegin(), s.roots.rend(), [](const schedule::RootAxis& r) { return r.kind == schedule::AxisKind::kReduce; });
}

/// Whether some read is contiguous along the last reduction axis, or along no data axis either.
bool lies_along(const schedule::Stage& s) {
  for (const ir::Load* l : reads_of(s)) {
    if (stride_of(*l, last_reduced(s).coordinate) == 1) return true;
  }
  return axes_of(s, schedule::AxisKind::kData).empty();
}

/// The reduction whose parts this stage holds; empty: it holds none.
std::string whole_of(const SketchBuilder& b, const std::string& name) {
  const std::string part = ".part";
  if (name.size() <= part.size() || name.compare(name.size() - part.size(), part.size(), part) != 0) return "";
  const std::string whole = name.substr(0, name.size() - part.size());
  return b.has_hole(whole + ".chunk") ? whole : "";
}

/// Whether this stage, or the one whose parts it holds, has been cut already.
bool is_cut(const SketchBuilder& b, const std::string& name) { return b.has_hole(name + ".chunk") || !whole_of(b, name).empty(); }

/// Whether no hole makes the reduction shorter than it is here: neither the sum of chunks nor what an algorithm has made.
bool has_known_length(const SketchBuilder& b, const std::string& name) {
  return b.task().dag.find(name) != nullptr ? !is_cut(b, name) : !whole_of(b, name).empty();
}

}  // namespace

Verdict cuda_reduction_meets(const SketchBuilder& b, const std::string& name) {
  return is_free_reduction(b, name) && lies_along(b.stage(name)) ? Verdict::kApplyAndSkipRest : Verdict::kPass;
}

namespace {

/// `last_block`: the sum of chunks by the last block of the kernel that makes them.
std::vector<SketchBuilder> joined(const SketchBuilder& b, const std::string& name, bool last_block) {
  SketchBuilder next = b;
  const auto run = [&]() -> Status {
    const bool several = b.stage(name).outputs.size() > 1, single = axes_of(b.stage(name), schedule::AxisKind::kData).empty();
    const bool in_place = several || (single && last_block);
    const std::string acc = in_place ? name : name + ".acc";
    if (!in_place) TESSERA_TRY_DONE(next.step(schedule::CacheWrite{name, acc}));
    const double results = volume(next.stage(acc), schedule::AxisKind::kData), length = volume(next.stage(acc), schedule::AxisKind::kReduce);
    // Threads that meet lie whole in warps: a power of two of them.
    const auto most = static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(std::min(1024.0, length))));
    const schedule::Param x = next.hole(name + ".threads", powers_between(std::min<std::int64_t>(8, most), most));
    const schedule::RootAxis along = last_reduced(next.stage(acc));
    const int bytes = has_known_length(b, name) ? widest_along(next, acc, along.coordinate) : 0;
    const std::vector<std::int64_t> vectors = bytes == 0 ? std::vector<std::int64_t>{1} : vector_lengths(along.extent, bytes);
    const schedule::Param vector = next.hole(name + ".vector", vectors);
    next.require({"elements of a reduction", {{1, {name + ".threads", name + ".vector"}}}, 1, static_cast<std::int64_t>(std::max(length, 1.0))});
    std::string row;
    if (!single) {
      const schedule::Param rows = next.hole(name + ".rows", powers_up_to(static_cast<std::int64_t>(std::min(16.0, results))));
      next.require({"threads of a block", {{1, {name + ".threads", name + ".rows"}}}, std::min<std::int64_t>(32, most), 1024});
      TESSERA_TRY(f, fused(next, name, next.stage(name).data_axes(), "f"));
      TESSERA_TRY_DONE(next.step(schedule::Split{name, f, {f + ".b", f + ".y"}, {rows}, ir::Tail::kPartition}));
      if (!last_block) TESSERA_TRY_DONE(next.step(schedule::Bind{name, f + ".b", ir::ForKind::kBlockX}));
      TESSERA_TRY_DONE(next.step(schedule::Bind{name, f + ".y", ir::ForKind::kThreadY}));
      row = f + ".y";
      if (!several) {
        TESSERA_TRY_DONE(next.step(schedule::ComputeAt{acc, name, row}));
        TESSERA_TRY_DONE(next.step(schedule::PadBox{acc}));
      }
    }
    const std::string w = along.axis + ".w", v = along.axis + ".v";
    TESSERA_TRY_DONE(next.step(schedule::Split{acc, along.axis, {w, v}, {vector}, ir::Tail::kPartition}));
    std::vector<std::string> reduce = axes_of(next.stage(acc), schedule::AxisKind::kReduce);
    reduce.back() = w;
    TESSERA_TRY(k, fused(next, acc, reduce, "k"));
    TESSERA_TRY_DONE(next.step(schedule::Split{acc, k, {k + ".0", k + ".x"}, {x}, ir::Tail::kPartition}));
    std::vector<std::string> order;
    for (const std::string& leaf : next.stage(acc).leaves) {
      if (leaf != k + ".0" && leaf != k + ".x" && leaf != v) order.push_back(leaf);
    }
    order.insert(order.end(), {k + ".x", k + ".0", v});
    TESSERA_TRY_DONE(next.step(schedule::Reorder{acc, order}));
    TESSERA_TRY_DONE(next.step(schedule::Bind{acc, k + ".x", ir::ForKind::kThreadX}));
    if (vectors.size() > 1) TESSERA_TRY_DONE(read_in_vectors(next, acc, along.coordinate, k + ".0"));
    if (!several && !single) TESSERA_TRY_DONE(next.step(schedule::SetScope{acc, ir::Scope::kRegister}));
    next.finish(acc);
    return last_block ? next.step(schedule::FinishInLastBlock{name}) : Done{};
  };
  if (!run().ok()) return {};
  next.add_name(name + (last_block ? ".last_block" : ".joined"));
  next.finish(name);
  return {std::move(next)};
}

constexpr double kFewInLastBlock = 64;  // results that one block adds up while the others are idle

}  // namespace

std::vector<SketchBuilder> cuda_reduction_expand(const SketchBuilder& b, const std::string& name) {
  std::vector<SketchBuilder> out = joined(b, name, false);
  if (b.has_hole(name + ".chunk") && volume(b.stage(name), schedule::AxisKind::kData) <= kFewInLastBlock) {
    for (SketchBuilder& other : joined(b, name, true)) out.push_back(std::move(other));
  }
  return out;
}

namespace {

constexpr double kFewResults = 16384;   // that do not fill a device with a thread each
constexpr double kLongReduction = 1024;

/// Of a reduction of `length` elements in rows of `row`: where a chunk can be part of a row, all are, since their reads are then
/// made vectors, which do not go on from one row to the next.
std::vector<std::int64_t> chunks_of(std::int64_t length, std::int64_t row) {
  std::vector<std::int64_t> out = powers_between(256, std::min<std::int64_t>(16384, length / 2));
  if (row % out[0] == 0) std::erase_if(out, [&](std::int64_t c) { return row % c != 0; });
  return out;
}

}  // namespace

Verdict cuda_rfactor_meets(const SketchBuilder& b, const std::string& name) {
  if (!is_free_reduction(b, name)) return Verdict::kPass;
  const schedule::Stage& s = b.stage(name);
  const double results = volume(s, schedule::AxisKind::kData), length = volume(s, schedule::AxisKind::kReduce);
  const bool few = lies_along(s) ? results < 1024 && length >= 8 * kLongReduction : results < kFewResults;
  return few && length >= kLongReduction && !is_cut(b, name) ? Verdict::kApply : Verdict::kPass;
}

std::vector<SketchBuilder> cuda_rfactor_expand(const SketchBuilder& b, const std::string& name) {
  SketchBuilder next = b;
  const std::string part = name + ".part";
  const auto run = [&]() -> Status {
    TESSERA_TRY(k, fused(next, name, axes_of(b.stage(name), schedule::AxisKind::kReduce), "k"));
    const std::int64_t length = next.stage(name).find_axis(k)->extent;
    const schedule::Param chunk = next.hole(name + ".chunk", chunks_of(length, last_reduced(b.stage(name)).extent));
    TESSERA_TRY_DONE(next.step(schedule::Split{name, k, {k + ".o", k + ".i"}, {chunk}, ir::Tail::kPartition}));
    return next.step(schedule::Rfactor{name, k + ".o", part});
  };
  if (!run().ok()) return {};
  next.add_name("rfactor");
  return {std::move(next)};
}

}  // namespace tessera::search
