// Tiles of operands in shared memory, and the order of blocks that read them, as the rules for products make them.
#include <algorithm>
#include <bit>

#include "search/rules/cuda/rules.h"

namespace tessera::search {

std::int64_t rows_of_a_group(std::int64_t extent) {
  constexpr std::int64_t kMost = 8, kTallTile = 256;
  return static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(std::clamp<std::int64_t>(extent / kTallTile, 1, kMost))));
}

Result<std::string> shared_tile(SketchBuilder& b, const std::string& tensor, const std::string& reader, const std::string& loop,
                                const std::function<Status(const std::string& tile)>& before) {
  const schedule::Stage& s = b.stage(tensor);
  const bool computed = !s.is_input() && !s.is_reduction() && s.placement == schedule::Placement::kRoot && b.state().consumers(s).size() == 1 &&
                        !s.is_output && !b.done(tensor);
  const std::string tile = computed ? tensor : tensor + ".s";
  if (!computed) TESSERA_TRY_DONE(b.step(schedule::CacheRead{tensor, {reader}, tile, ir::Scope::kShared}));
  if (before) TESSERA_TRY_DONE(before(tile));
  TESSERA_TRY_DONE(b.step(schedule::ComputeAt{tile, reader, loop}));
  if (computed) TESSERA_TRY_DONE(b.step(schedule::SetScope{tile, ir::Scope::kShared}));
  TESSERA_TRY_DONE(b.step(schedule::PadBox{tile}));
  b.finish(tile);
  return tile;
}

Status fetch_tile(SketchBuilder& b, const std::string& tile, const std::string& reader, const schedule::Param& slots) {
  const std::vector<std::string> own = b.stage(tile).data_axes();
  const std::int64_t widest = std::max<std::int64_t>(1, 16 / std::max(1, b.stage(tile).outputs[0]->dtype.bytes()));
  TESSERA_TRY(t, fused(b, tile, own, "t"));
  const schedule::Param v = b.hole(tile + ".vector", powers_up_to(widest));
  TESSERA_TRY_DONE(b.step(schedule::Split{tile, t, {t + ".w", t + ".v"}, {v}, ir::Tail::kPartition}));
  TESSERA_TRY_DONE(b.step(schedule::Spread{tile, t + ".w", {t + ".0", t + ".x"}, reader}));
  TESSERA_TRY_DONE(b.step(schedule::Vectorize{tile, t + ".v"}));
  return b.step(schedule::Pipeline{tile, slots});
}

}  // namespace tessera::search
