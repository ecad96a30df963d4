// Accesses of up to 16 bytes along a row, as the rules for reductions make them.
#include <algorithm>

#include "search/rules/cuda/rules.h"

namespace tessera::search {

namespace {

constexpr std::int64_t kVectorBytes = 16;

/// Whether an address moves evenly with every axis: then a thread's part of a row is whole.
bool is_affine(const schedule::Stage& s, const ir::Load& load) {
  return std::all_of(s.roots.begin(), s.roots.end(), [&](const schedule::RootAxis& r) { return stride_of(load, r.coordinate).has_value(); });
}

/// Tensors in memory of which a stage reads neighbours along `coordinate`, in the order of its reads.
std::vector<std::string> read_along(const SketchBuilder& b, const std::string& stage, const ir::Var& coordinate) {
  std::vector<std::string> out;
  for (const ir::Load* l : reads_of(b.stage(stage))) {
    const schedule::Stage* p = b.state().producer(l->buffer.get());
    const bool in_memory = p->is_input() || (p->placement == schedule::Placement::kRoot && p->outputs.size() == 1);
    if (!in_memory || stride_of(*l, coordinate) != 1 || !is_affine(b.stage(stage), *l)) continue;
    if (std::find(out.begin(), out.end(), p->name) == out.end()) out.push_back(p->name);
  }
  return out;
}

}  // namespace

std::vector<std::int64_t> vector_lengths(std::int64_t extent, int bytes) {
  std::vector<std::int64_t> out;
  for (const std::int64_t v : powers_between(1, std::max<std::int64_t>(1, kVectorBytes / std::max(1, bytes)))) {
    if (extent % v == 0) out.push_back(v);
  }
  return out;
}

int widest_along(const SketchBuilder& b, const std::string& stage, const ir::Var& coordinate) {
  int out = 0;
  for (const std::string& tensor : read_along(b, stage, coordinate)) out = std::max(out, b.stage(tensor).outputs[0]->dtype.bytes());
  return out;
}

Status read_in_vectors(SketchBuilder& b, const std::string& reduction, const ir::Var& coordinate, const std::string& loop) {
  for (const std::string& tensor : read_along(b, reduction, coordinate)) {
    const std::string piece = tensor + "." + reduction;
    TESSERA_TRY_DONE(b.step(schedule::CacheRead{tensor, {reduction}, piece, ir::Scope::kGlobal}));
    TESSERA_TRY_DONE(b.step(schedule::ComputeAt{piece, reduction, loop}));
    TESSERA_TRY_DONE(b.step(schedule::PadBox{piece}));
    TESSERA_TRY_DONE(b.step(schedule::SetScope{piece, ir::Scope::kRegister}));
    TESSERA_TRY_DONE(b.step(schedule::Vectorize{piece, b.stage(piece).data_axes().back()}));
    b.finish(piece);
  }
  return Done{};
}

}  // namespace tessera::search
