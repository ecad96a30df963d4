// Where an elementwise producer that is not inlined is computed (Ansor's choice of compute locations):
// at root by the rules that follow, or once for a cache block of the nest that reads it.
//
//   for block: pad[region of the block] = ...
//              for tiles of the block: reads of pad
//
// The regions of neighbouring blocks overlap (a convolution's border): what is computed again is seen by
// the cost model and paid for in the measurement.
#include <cstdlib>

#include "ir/analysis/affine.h"
#include "search/rules/rules.h"

namespace tessera::search {

namespace {

/// The nest a stage stands in, and its loops outermost first, as far as they neither are vectors nor
/// unrolled nor reduce.
struct Nest {
  std::string stage;
  std::vector<std::string> loops;
};

/// The root nest in which the only reader of `s` is computed.
Nest nest_of_reader(const SketchBuilder& b, const schedule::Stage& s) {
  const auto readers = b.state().consumers(s);
  if (readers.size() != 1 || readers[0]->is_input()) return {};
  const schedule::Stage* top = readers[0];
  while (top->placement == schedule::Placement::kAt) top = b.state().find(top->at.stage);
  if (top->placement != schedule::Placement::kRoot || !b.done(top->name)) return {};
  Nest out{top->name, {}};
  for (const std::string& leaf : top->leaves) {
    const schedule::Axis& a = *top->find_axis(leaf);
    const bool open = a.kind == schedule::AxisKind::kData && (a.loop == ir::ForKind::kSerial || a.loop == ir::ForKind::kParallel);
    if (!open) break;
    out.loops.push_back(leaf);
  }
  return out;
}

/// What a block reads of `name` as a sum of products of the holes of its tile, in bytes and never less
/// than exact: each index is a sum of coordinates, those of rows and columns run over a block, those of
/// the reduction over everything.
Result<std::vector<Monomial>> block_bytes(const SketchBuilder& b, const std::string& name) {
  const schedule::Stage& reader = *b.state().consumers(b.stage(name))[0];
  const ir::Load* read = nullptr;
  for (const ir::Load* l : reads_of(reader)) {
    if (b.state().producer(l->buffer.get())->name == name) read = l;
  }
  std::vector<Monomial> sum{{b.stage(name).outputs[0]->dtype.bytes(), {}}};
  for (const ir::Expr& index : read->indices) {
    std::vector<Monomial> dim;
    std::int64_t rest = 1;
    for (const schedule::RootAxis& r : reader.roots) {
      std::int64_t k = 0;
      ir::Expr other;
      if (!ir::split_linear(index, r.coordinate.id(), k, other)) return refuse("an index of '", name, "' is no sum of coordinates");
      if (k == 0) continue;
      const std::string rows = reader.name + "." + r.axis + ".rows", mid = reader.name + "." + r.axis + ".mid", width = reader.name + ".width";
      const std::string size = b.has_hole(rows) ? rows : width;
      if (r.kind == schedule::AxisKind::kReduce) {
        rest += std::abs(k) * (r.extent - 1);
      } else if (b.has_hole(mid) && b.has_hole(size)) {
        dim.push_back({std::abs(k), {mid, size}});
        rest -= std::abs(k);
      }
    }
    if (rest > 0) dim.push_back({rest, {}});
    std::vector<Monomial> product;
    for (const Monomial& x : sum) {
      for (const Monomial& y : dim) {
        Monomial m{x.weight * y.weight, x.holes};
        m.holes.insert(m.holes.end(), y.holes.begin(), y.holes.end());
        product.push_back(std::move(m));
      }
    }
    sum = std::move(product);
  }
  return sum;
}

Result<SketchBuilder> located(SketchBuilder b, const std::string& name, const Nest& nest, const std::string& loop) {
  TESSERA_TRY(bytes, block_bytes(b, name));
  b.require({"scratch memory of " + name, bytes, 0, kThreadScratchBytes});
  const std::string last = b.stage(name).data_axes().back();
  TESSERA_TRY_DONE(b.step(schedule::ComputeAt{name, nest.stage, loop}));
  const int lanes = lanes_for(b.task(), b.stage(name), b.stage(name).find_axis(last)->extent);
  if (lanes > 1) {
    TESSERA_TRY_DONE(b.step(schedule::Split{name, last, {last + ".0", last + ".1"}, {lanes}, ir::Tail::kPartition}));
    TESSERA_TRY_DONE(b.step(schedule::Vectorize{name, last + ".1"}));
  }
  b.finish(name);
  b.add_name("at." + loop);
  return b;
}

}  // namespace

Verdict compute_location_meets(const SketchBuilder& b, const std::string& name) {
  const schedule::Stage& s = b.stage(name);
  const bool producer = !s.is_output && !s.is_reduction() && !s.is_scan() && s.placement == schedule::Placement::kRoot && s.outputs.size() == 1 && !s.data_axes().empty();
  return producer && !nest_of_reader(b, s).loops.empty() ? Verdict::kApply : Verdict::kPass;
}

std::vector<SketchBuilder> compute_location_expand(const SketchBuilder& b, const std::string& name) {
  const Nest nest = nest_of_reader(b, b.stage(name));
  std::vector<SketchBuilder> out;
  // The innermost loop over blocks: the fused parallel loop, else the last one that the tiles stand in.
  for (std::size_t i = nest.loops.size(); i-- > 0;) {
    const std::string& loop = nest.loops[i];
    const bool block = loop == "par" || loop.ends_with(".0");
    if (!block) continue;
    auto made = located(b, name, nest, loop);
    if (made.ok()) out.push_back(std::move(*made));
    break;
  }
  return out;
}

}  // namespace tessera::search
