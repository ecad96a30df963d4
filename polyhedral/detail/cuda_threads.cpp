#include "polyhedral/detail/cuda_threads.h"

#include <algorithm>
#include <bit>

#include "polyhedral/detail/reads.h"

namespace tessera::polyhedral::detail {

namespace {

using schedule::AxisKind;
using schedule::Stage;

constexpr std::int64_t kVectorBytes = 16;

Names axes_of(const Stage& s, AxisKind kind) {
  Names out;
  for (const schedule::RootAxis& r : s.roots) {
    if (r.kind == kind) out.push_back(r.axis);
  }
  return out;
}

/// Tensors in memory of which a stage reads neighbours along `coordinate`, at addresses that move evenly with all its
/// axes, in the order of its reads.
Names read_along(const Draft& d, const std::string& stage, const ir::Var& coordinate) {
  const Stage& s = d.stage(stage);
  Names out;
  for (const ir::Load* l : reads_of(s)) {
    const Stage& p = *d.state.producer(l->buffer.get());
    const bool in_memory = p.is_input() || (p.placement == schedule::Placement::kRoot && p.outputs.size() == 1);
    const bool even = std::all_of(s.roots.begin(), s.roots.end(), [&](const schedule::RootAxis& r) { return stride_along(*l, r.coordinate).has_value(); });
    if (in_memory && even && stride_along(*l, coordinate) == 1 && std::find(out.begin(), out.end(), p.name) == out.end()) out.push_back(p.name);
  }
  return out;
}

int widest(const Draft& d, const Names& tensors) {
  int out = 0;
  for (const std::string& t : tensors) out = std::max(out, d.stage(t).outputs[0]->dtype.bytes());
  return out;
}

}  // namespace

double volume(const Stage& s, AxisKind kind) {
  double out = 1;
  for (std::size_t i = 0; i < s.roots.size(); ++i) {
    if (s.roots[i].kind == kind) out *= static_cast<double>(kind == AxisKind::kData ? s.region.bound[i] : s.roots[i].extent);
  }
  return out;
}

const schedule::RootAxis& last_reduced(const Stage& s) {
  return *std::find_if(s.roots.rbegin(), s.roots.rend(), [](const schedule::RootAxis& r) { return r.kind == AxisKind::kReduce; });
}

bool lies_along(const Stage& s) {
  const std::vector<const ir::Load*> reads = reads_of(s);
  const ir::Var along = last_reduced(s).coordinate;
  return s.data_axes().empty() || std::any_of(reads.begin(), reads.end(), [&](const ir::Load* l) { return stride_along(*l, along) == 1; });
}

std::int64_t power_below(double n) { return static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(std::max(1.0, n)))); }

std::int64_t vector_length(std::int64_t extent, int bytes) {
  std::int64_t v = power_below(static_cast<double>(kVectorBytes / std::max(1, bytes)));
  while (extent % v != 0) v /= 2;
  return v;
}

Result<std::string> fused(Draft& d, const std::string& stage, const Names& axes, const std::string& into) {
  if (axes.size() == 1) return axes[0];
  TESSERA_TRY_DONE(d.step(schedule::Fuse{stage, axes, into}));
  return into;
}

Result<std::string> bind_grid(Draft& d, const std::string& stage, const Names& grid) {
  if (grid.empty()) return std::string();
  TESSERA_TRY(block, fused(d, stage, grid, "block"));
  TESSERA_TRY_DONE(d.step(schedule::Bind{stage, block, ir::ForKind::kBlockX}));
  return block;
}

Status spread_elements(Draft& d, const BlockStage& s, const std::string& sums, std::int64_t threads) {
  if (s.tile.empty()) return Done{};  // one thread
  TESSERA_TRY(f, fused(d, s.stage, s.tile, "f"));
  TESSERA_TRY_DONE(d.step(schedule::Split{s.stage, f, {f + ".0", f + ".x"}, {threads}, ir::Tail::kPartition}));
  TESSERA_TRY_DONE(d.step(schedule::Bind{s.stage, f + ".x", ir::ForKind::kThreadX}));
  if (sums.empty() || sums == s.stage) return Done{};
  TESSERA_TRY_DONE(d.step(schedule::ComputeAt{sums, s.stage, f + ".x"}));
  TESSERA_TRY_DONE(d.step(schedule::PadBox{sums}));
  return d.step(schedule::SetScope{sums, ir::Scope::kRegister});
}

Status join_threads(Draft& d, const BlockStage& s, const std::string& sums, std::int64_t lanes, std::int64_t threads) {
  const schedule::RootAxis along = last_reduced(d.stage(sums));
  const Names read = read_along(d, sums, along.coordinate);
  const std::int64_t v = read.empty() ? 1 : vector_length(along.extent, widest(d, read));
  const std::int64_t x = std::min(lanes, power_below(volume(d.stage(sums), AxisKind::kReduce) / static_cast<double>(v)));
  if (!s.tile.empty()) {
    TESSERA_TRY(f, fused(d, s.stage, s.tile, "f"));
    TESSERA_TRY_DONE(d.step(schedule::Split{s.stage, f, {f + ".0", f + ".y"}, {std::max<std::int64_t>(1, threads / x)}, ir::Tail::kPartition}));
    TESSERA_TRY_DONE(d.step(schedule::Bind{s.stage, f + ".y", ir::ForKind::kThreadY}));
    if (sums != s.stage) {
      TESSERA_TRY_DONE(d.step(schedule::ComputeAt{sums, s.stage, f + ".y"}));
      TESSERA_TRY_DONE(d.step(schedule::PadBox{sums}));
    }
  }
  const std::string w = along.axis + ".w", lane = along.axis + ".v";
  TESSERA_TRY_DONE(d.step(schedule::Split{sums, along.axis, {w, lane}, {v}, ir::Tail::kPartition}));
  Names reduce = axes_of(d.stage(sums), AxisKind::kReduce), order;
  reduce.back() = w;
  TESSERA_TRY(k, fused(d, sums, reduce, "k"));
  TESSERA_TRY_DONE(d.step(schedule::Split{sums, k, {k + ".0", k + ".x"}, {x}, ir::Tail::kPartition}));
  for (const std::string& leaf : d.stage(sums).leaves) {
    if (leaf != k + ".0" && leaf != k + ".x" && leaf != lane) order.push_back(leaf);
  }
  order.insert(order.end(), {k + ".x", k + ".0", lane});
  TESSERA_TRY_DONE(d.step(schedule::Reorder{sums, order}));
  TESSERA_TRY_DONE(d.step(schedule::Bind{sums, k + ".x", ir::ForKind::kThreadX}));
  if (v > 1) TESSERA_TRY_DONE(read_in_vectors(d, sums, along.coordinate, k + ".0"));
  return sums == s.stage || s.tile.empty() ? Status(Done{}) : d.step(schedule::SetScope{sums, ir::Scope::kRegister});
}

Status read_in_vectors(Draft& d, const std::string& reduction, const ir::Var& coordinate, const std::string& loop) {
  for (const std::string& tensor : read_along(d, reduction, coordinate)) {
    const std::string piece = tensor + "." + reduction;
    TESSERA_TRY_DONE(d.step(schedule::CacheRead{tensor, {reduction}, piece, ir::Scope::kGlobal}));
    TESSERA_TRY_DONE(d.step(schedule::ComputeAt{piece, reduction, loop}));
    TESSERA_TRY_DONE(d.step(schedule::PadBox{piece}));
    TESSERA_TRY_DONE(d.step(schedule::SetScope{piece, ir::Scope::kRegister}));
    TESSERA_TRY_DONE(d.step(schedule::Vectorize{piece, d.stage(piece).data_axes().back()}));
  }
  return Done{};
}

}  // namespace tessera::polyhedral::detail
