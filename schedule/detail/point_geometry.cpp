#include "schedule/detail/point_geometry.h"

#include <algorithm>

namespace tessera::schedule::detail {

namespace {

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// Memory is kept when a smaller shape comes between.
template <class T>
void reserve(std::vector<T>& v, std::size_t n) {
  if (v.size() < n) v.resize(n);
}

}  // namespace

// ---- numbers --------------------------------------------------------------------------------------

void PointGeometry::frame(const FrameShape& f, Frame& out) {
  const std::size_t axes = f.leaves_below.size();
  for (auto* v : {&out.extent, &out.count, &out.weight}) v->assign(axes, 1);
  for (const auto& [axis, extent] : f.roots) out.extent[at(axis)] = out.count[at(axis)] = number(extent);
  for (const FrameShape::Split& s : f.splits) {
    const std::int64_t factor = number(s.factor), n = out.extent[at(s.whole)];
    out.extent[at(s.outer)] = ceil_div(n, factor);
    out.extent[at(s.inner)] = s.guarded ? factor : std::min(factor, n);
    out.count[at(s.outer)] = ceil_div(out.count[at(s.whole)], factor);
    out.count[at(s.inner)] = factor;
    out.weight[at(s.inner)] = out.weight[at(s.whole)];
    out.weight[at(s.outer)] = out.weight[at(s.whole)] * factor;
  }
  for (const auto& [leaf, to] : f.results) numbers_[at(to)] = out.extent[at(leaf)];
}

void PointGeometry::numbers(std::span<const std::int64_t> holes) {
  numbers_.assign(shape_->numbers.begin(), shape_->numbers.end());
  std::copy(holes.begin(), holes.end(), numbers_.begin());
  reserve(frames_, shape_->frames.size());
  for (const int c : shape_->computation) {
    if (c < 0) {
      frame(shape_->frames[at(-1 - c)], frames_[at(-1 - c)]);
      continue;
    }
    const Product& p = shape_->products[at(c)];
    std::int64_t v = 1;
    for (const Number f : p.factors) v *= number(f);
    numbers_[at(p.to)] = v;
  }
}

IndexSum PointGeometry::frame_value(const FrameValue& v, const std::vector<IndexSum>& values) {
  const Frame& f = frames_[at(v.frame)];
  IndexSum out;
  for (const int leaf : shape_->frames[at(v.frame)].leaves_below[at(v.axis)]) {
    algebra_.add(out, values[at(v.leaves[at(leaf)])], f.weight[at(leaf)] / f.weight[at(v.axis)]);
  }
  return out;
}

bool PointGeometry::open(const Guard& g) const {
  const Frame& f = frames_[at(g.value.frame)];
  std::int64_t last = 0;
  for (const int leaf : shape_->frames[at(g.value.frame)].leaves_below[at(g.value.axis)]) {
    last += f.weight[at(leaf)] / f.weight[at(g.value.axis)] * (f.extent[at(leaf)] - 1);
  }
  return last >= guarded_count(g);
}

std::int64_t PointGeometry::guarded_count(const Guard& g) const { return frames_[at(g.value.frame)].count[at(g.value.axis)]; }

// ---- the point ------------------------------------------------------------------------------------

void PointGeometry::begin(const NestShape& shape, std::span<const std::int64_t> holes) {
  shape_ = &shape;
  const std::size_t axes = shape.axes.size(), slots = at(shape.coordinates) + shape.virtuals.size();
  algebra_.begin(static_cast<int>(axes) + shape.coordinates);
  numbers(holes);
  extents_.assign(axes, 1);
  entered_.assign(shape.stages.size(), 0);
  uneven_.assign(shape.stages.size(), 0);
  reserve(regions_, shape.stages.size());
  reserve(kept_, shape.stages.size());
  reserve(stored_, shape.stages.size());
  for (auto* v : {&coordinates_, &values_}) reserve(*v, slots);
  reserve(spans_, slots);
  span_place_.assign(slots, -1);
  algebra_.use_bounds(false);
  for (std::size_t i = 0; i < slots; ++i) {
    const bool own = i < at(shape.coordinates);
    coordinates_[i] = own ? algebra_.variable(static_cast<Atom>(axes + i))
                          : frame_value(shape.virtuals[i - at(shape.coordinates)], coordinates_);
  }
  for (int i = static_cast<int>(shape.stages.size()); i-- > 0;) {
    if (shape.stages[at(i)].computed) region(i);
    store(i);
  }
  algebra_.use_bounds(true);
}

void PointGeometry::region(int stage) {
  const StageShape& s = shape_->stages[at(stage)];
  Box& box = regions_[at(stage)];
  if (s.placement == Placement::kRoot) {
    for (std::size_t d = 0; d < s.rank; ++d) {
      const std::int64_t n = number(s.roots[d].extent);
      box[d].lo = IndexSum(0);
      box[d].extent = IndexSum(n);
      box[d].bound = n;
    }
  } else {
    required_region(stage, s.place, box);
    if (s.stored_apart) {
      required_region(stage, s.kept, kept_[at(stage)]);
      intersect(box, kept_[at(stage)], s.rank);
    }
    if (s.padded) pad(stage);
  }
  extents(s);
}

void PointGeometry::pad(int stage) {
  const StageShape& s = shape_->stages[at(stage)];
  for (std::size_t d = 0; d < s.rank; ++d) {
    Dim& box = regions_[at(stage)][d];
    for (const RelationShape& r : s.relations) {
      if (r.padded && r.whole == s.roots[d].axis) box.bound = ceil_div(box.bound, number(r.factor)) * number(r.factor);
    }
    box.extent = IndexSum(box.bound);
  }
}

bool PointGeometry::is_read_past_end(const StageShape& s) const {
  for (const int q : s.readers) {
    const StageShape& reader = shape_->stages[at(q)];
    for (std::size_t d = 0; reader.padded && d < reader.rank; ++d) {
      if (regions_[at(q)][d].bound > number(reader.roots[d].extent)) return true;
    }
  }
  return false;
}

void PointGeometry::extents(const StageShape& s) {
  const Box& box = regions_[static_cast<std::size_t>(&s - shape_->stages.data())];
  for (std::size_t d = 0; d < s.roots.size(); ++d) {
    extents_[at(s.roots[d].axis)] = d < s.rank ? box[d].bound : number(s.roots[d].extent);
  }
  for (const RelationShape& r : s.relations) {
    if (r.kind == Relation::Kind::kFuse) {
      extents_[at(r.whole)] = extent(r.outer) * extent(r.inner);
      continue;
    }
    const std::int64_t n = extent(r.whole), factor = number(r.factor);
    extents_[at(r.outer)] = ceil_div(n, factor);
    extents_[at(r.inner)] = r.guarded ? factor : std::min(factor, n);
  }
  for (Atom a = s.first_axis; a < s.last_axis; ++a) algebra_.bound(a, 0, std::max<std::int64_t>(extent(a), 1) - 1);
}

void PointGeometry::enter(int stage) {
  if (entered_[at(stage)] != 0) return;
  entered_[at(stage)] = 1;
  const StageShape& s = shape_->stages[at(stage)];
  for (std::size_t d = 0; d < s.roots.size(); ++d) {
    IndexSum& v = values_[at(s.roots[d].slot)];
    v = axis_value(s.roots[d].axis);
    if (d < s.rank) v = algebra_.sum(regions_[at(stage)][d].lo, v);
  }
  for (const Slot v : s.virtuals) values_[at(v)] = frame_value(shape_->virtuals[at(v - shape_->coordinates)], values_);
}

// ---- storage --------------------------------------------------------------------------------------

void PointGeometry::whole_extents(const StageShape& s, std::array<std::int64_t, kMostRank>& out) const {
  for (const RelationShape& r : s.relations) {
    if (!r.padded) continue;
    const std::int64_t factor = number(r.factor);
    for (std::size_t d = 0; d < s.rank; ++d) {
      if (s.roots[d].axis == r.whole) out[d] = s.stored_apart ? out[d] + factor - 1 : ceil_div(out[d], factor) * factor;
    }
  }
}

void PointGeometry::store(int stage) {
  const StageShape& s = shape_->stages[at(stage)];
  Stored& out = stored_[at(stage)];
  out.box = s.stored_whole ? nullptr : s.stored_apart ? &kept_[at(stage)] : &regions_[at(stage)];
  std::array<std::int64_t, kMostRank> extents{}, inside;
  inside.fill(1);
  const std::size_t rank = s.stored_whole ? s.shape.size() : s.rank;
  for (std::size_t d = 0; d < rank; ++d) extents[d] = s.stored_whole ? s.shape[d] : (*out.box)[d].bound;
  if (!s.stored_whole) whole_extents(s, extents);
  out.slots = s.slots < 0 || s.stored_whole ? 1 : number(s.slots);
  out.in_slot = extents[0];
  extents[0] *= out.slots;
  out.row = rank == 0 ? 1 : extents[rank - 1];
  const bool row_major = s.stored_whole || s.layout.empty();
  out.digits.resize(row_major ? rank : s.layout.size());
  out.elements = 1;
  std::int64_t stride = 1;
  bool empty = false;
  for (std::size_t i = out.digits.size(); i-- > 0;) {
    const std::size_t d = row_major ? i : at(s.layout[i].first);
    const std::int64_t factor = row_major ? 0 : number(s.layout[i].second);
    const std::int64_t n = factor == 0 ? ceil_div(extents[d], inside[d]) : factor;
    for (const StrideAlignment& a : s.alignments) {  // of the outermost piece, which takes what is left
      const bool mine = at(a.dim) == d && factor == 0 && i + 1 < out.digits.size();
      if (mine) stride += ((a.offset - stride) % a.factor + a.factor) % a.factor;
    }
    out.digits[i] = {d, inside[d], n, stride, inside[d] * n < extents[d]};
    inside[d] *= n;
    out.elements += (n - 1) * stride;
    stride *= n;
    empty |= n == 0;
  }
  if (empty) out.elements = 0;
}

// ---- axes -----------------------------------------------------------------------------------------

IndexSum PointGeometry::axis_extent(Atom axis) {
  const StageShape& s = stage_of(axis);
  const AxisShape& a = shape_of(axis);
  if (a.root >= 0) {
    const RootShape& r = s.roots[at(a.root)];
    if (r.kind == AxisKind::kReduce) return IndexSum(number(r.extent));
    const Dim& d = regions_[at(a.stage)][at(a.root)];
    return r.guarded ? IndexSum(d.bound) : d.extent;
  }
  const RelationShape& r = s.relations[at(a.made_by)];
  if (r.kind == Relation::Kind::kFuse) return algebra_.sum(IndexSum(), axis_extent(r.outer), extent(r.inner));
  const std::int64_t factor = number(r.factor);
  if (axis == r.inner && r.guarded) return IndexSum(factor);
  IndexSum whole = axis_extent(r.whole);
  if (axis == r.outer) {
    whole.constant += factor - 1;
    return algebra_.divide(whole, factor);
  }
  return algebra_.least(IndexSum(factor), algebra_.sum(whole, axis_value(r.outer), -factor));
}

IndexSum PointGeometry::axis_value(Atom axis) {
  const AxisShape& a = shape_of(axis);
  if (a.used_by < 0) return algebra_.variable(axis);
  const RelationShape& r = stage_of(axis).relations[at(a.used_by)];
  if (r.kind == Relation::Kind::kSplit) {
    return algebra_.sum(algebra_.sum(IndexSum(), axis_value(r.outer), number(r.factor)), axis_value(r.inner));
  }
  const IndexSum whole = axis_value(r.whole);
  return axis == r.outer ? algebra_.divide(whole, extent(r.inner)) : algebra_.modulo(whole, extent(r.inner));
}

IndexSum PointGeometry::evaluate(const Form& f, const std::vector<IndexSum>& values) {
  IndexSum out(f.constant);
  for (const auto& [coefficient, i] : f.terms) {
    const FormAtom& a = shape_->atoms[at(i)];
    switch (a.kind) {
      case FormAtom::Kind::kCoordinate: algebra_.add(out, values[at(a.slot)], coefficient); break;
      case FormAtom::Kind::kDiv: algebra_.add(out, algebra_.divide(evaluate(a.a, values), a.divisor), coefficient); break;
      case FormAtom::Kind::kMod: algebra_.add(out, algebra_.modulo(evaluate(a.a, values), a.divisor), coefficient); break;
      case FormAtom::Kind::kMin: algebra_.add(out, algebra_.least(evaluate(a.a, values), evaluate(a.b, values)), coefficient); break;
      case FormAtom::Kind::kMax: algebra_.add(out, algebra_.greatest(evaluate(a.a, values), evaluate(a.b, values)), coefficient); break;
    }
  }
  return out;
}

}  // namespace tessera::schedule::detail
